use std::fmt;
use std::path::Path;

use manners::{Failure, Outcome};

/// The API key. It has no way to be printed: `{:?}` shows stars, and [`Key::redact`] removes it from foreign words.
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn read(file: Option<&Path>) -> Outcome<Key> {
        let text = match file {
            Some(path) => manners::read_text(path)?,
            None => std::env::var("DATAGOLF_API_KEY").map_err(|_| {
                Failure::denied("there is no API key: set DATAGOLF_API_KEY, or name a file with --key-file")
            })?,
        };
        let key = text.trim();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::denied("the API key is empty or holds spaces or odd characters"));
        }
        Ok(Key(key.to_owned()))
    }

    /// For the request, and for nothing else.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// Foreign words (a server's answer, an error that may quote the URL) without the key, however it was encoded:
    /// as it is, as the request carried it, as RFC 3986 would, and with the digits of its escapes in small letters.
    pub(crate) fn redact(&self, words: &str) -> String {
        let mut url = reqwest::Url::parse("http://localhost/").ok();
        let sent = url.as_mut().and_then(|url| {
            url.query_pairs_mut().append_pair("k", &self.0);
            url.query().and_then(|query| query.strip_prefix("k=")).map(str::to_owned)
        });
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        };
        let forms = [self.0.clone(), sent.unwrap_or_default(), self.0.bytes().map(escape).collect()];
        let small = forms.clone().map(|form| small_escapes(&form));
        forms
            .iter()
            .chain(&small)
            .filter(|form| !form.is_empty())
            .fold(words.to_owned(), |words, form| words.replace(form.as_str(), "***"))
    }
}

/// `%2B` as `%2b`; the rest as it is.
fn small_escapes(form: &str) -> String {
    let mut digits_left = 0;
    let small = |c: char| {
        let in_escape = digits_left > 0;
        digits_left = if c == '%' { 2 } else { i32::max(digits_left - 1, 0) };
        if in_escape { c.to_ascii_lowercase() } else { c }
    };
    form.chars().map(small).collect()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn the_key_is_taken_out_however_it_is_written() {
        let key = Key("A+b/c~*=".to_owned());
        let words = "k=A+b/c~*= k=A%2Bb%2Fc~%2A%3D k=A%2bb%2fc~%2a%3d k=A%2Bb%2Fc%7E*%3D k=A%2bb%2fc%7e*%3d";
        assert_eq!(key.redact(words), "k=*** k=*** k=*** k=*** k=***");
        assert_eq!(format!("{key:?}"), "Key(***)");
    }
}
