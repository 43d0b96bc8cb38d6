//! ETags that are MD5s, and the MD5 of what is sent.

/// Whether an ETag, without quotes, may be an MD5. Those of uploads in parts have a dash in them.
pub(crate) fn is_md5(etag: &str) -> bool {
    etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
