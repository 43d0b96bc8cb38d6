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

    /// Foreign words (a server's answer, an error that may quote the URL) without the key, however it was encoded.
    pub(crate) fn redact(&self, words: &str) -> String {
        let encoded: String = self
            .0
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let words = words.replace(&self.0, "***").replace(&encoded, "***");
        words.replace(&encoded.to_lowercase(), "***")
    }
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
        let key = Key("a+b/c=".to_owned());
        let words = "GET /x?key=a+b/c= and key=a%2Bb%2Fc%3D and key=a%2bb%2fc%3d";
        assert_eq!(key.redact(words), "GET /x?key=*** and key=*** and key=***");
        assert_eq!(format!("{key:?}"), "Key(***)");
    }
}
