use failure::{Failure, Outcome};

/// Longest key that S3 takes.
const LONGEST_BYTES: usize = 1024;

/// Refuses keys that would leave the bucket, hide in it or be unusable on another backend.
pub(crate) fn check(key: &str) -> Outcome {
    let reason = if key.is_empty() {
        "is empty"
    } else if key.len() > LONGEST_BYTES {
        "is longer than 1,024 bytes"
    } else if key.chars().any(char::is_control) {
        "holds a control character"
    } else if key.contains('\\') {
        "holds a backslash"
    } else if key.split('/').any(|segment| segment.is_empty() || segment.starts_with('.')) {
        "has an empty segment or one that starts with a dot"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("key {key:?} {reason}")))
}
