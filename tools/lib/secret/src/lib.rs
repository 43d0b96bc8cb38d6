#![doc = include_str!("../README.md")]

use std::fmt;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};

/// A key, token or password. It has no way to be printed: `{:?}` shows stars, and [`Secret::redact`] removes it from
/// foreign words.
pub struct Secret(String);

impl Secret {
    /// The secret in a variable's value or a file's text; `None` if that is empty or holds blanks or characters other
    /// than ASCII's.
    pub fn from_text(text: &str) -> Option<Secret> {
        let secret = text.trim();
        let is_one = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Secret(secret.to_owned()))
    }

    /// For the request, and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Foreign words (a server's answer, an error that may quote the URL) without the key, in whatever usual way each
    /// of its characters is written: as it is, percent-encoded once or twice, behind backslashes, as JSON's or Python's
    /// escape, as an entity of HTML; with spaces and characters that do not show in between. Nor in base 64.
    pub fn redact(&self, words: &str) -> String {
        let encoded = [BASE64_STANDARD, BASE64_URL_SAFE].map(|engine| engine.encode(&self.0));
        let words = encoded.iter().fold(words.to_owned(), |words, form| {
            let bare = form.trim_end_matches('=');
            // A short one would be found in words that mean something else.
            if bare.len() < 8 { words } else { words.replace(form, "***").replace(bare, "***") }
        });
        // Plain first: a key may itself look like an escape.
        let words = words.replace(&self.0, "***");
        let mut clean = String::with_capacity(words.len());
        let mut rest = words.as_str();
        while let Some(first) = rest.chars().next() {
            match self.length_at(rest) {
                Some(length) => {
                    clean.push_str("***");
                    rest = &rest[length..];
                }
                None => {
                    clean.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        clean
    }

    /// How long the key is that these words begin with.
    fn length_at(&self, words: &str) -> Option<usize> {
        let mut at = 0;
        for (place, wanted) in self.0.bytes().enumerate() {
            if place > 0 {
                let hidden = |c: &char| {
                    c.is_whitespace()
                        || c.is_control()
                        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
                };
                at += words[at..].chars().take_while(hidden).map(char::len_utf8).sum::<usize>();
            }
            at += written(&words[at..], char::from(wanted))?;
        }
        Some(at)
    }
}

/// How long the way is in which words that begin with this character write it.
fn written(words: &str, wanted: char) -> Option<usize> {
    // More of them no encoding of an encoding writes.
    let slashes = words.bytes().take(8).take_while(|byte| *byte == b'\\').count();
    let rest = &words[slashes..];
    if wanted == '\\' && slashes > 0 {
        return Some(1);
    }
    let code = u32::from(wanted);
    let escaped = |prefix: &str, digits: usize, suffix: &str| {
        let tail = rest.strip_prefix(prefix)?;
        let number = tail.get(..digits)?;
        let is_it = number.bytes().all(|byte| byte.is_ascii_hexdigit())
            && u32::from_str_radix(number, 16).ok()? == code
            && tail[digits..].starts_with(suffix);
        is_it.then_some(prefix.len() + digits + suffix.len())
    };
    let named = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&apos;")];
    let entity = || {
        let tail = rest.strip_prefix("&#")?;
        let end = tail.bytes().take(9).position(|byte| byte == b';')?;
        let number = match tail[..end].strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => tail[..end].parse().ok()?,
        };
        (number == code).then_some(2 + end + 1)
    };
    let length = escaped("%25", 2, "")
        .or_else(|| escaped("%", 2, ""))
        .or_else(|| if slashes > 0 { escaped("u", 4, "").or_else(|| escaped("x", 2, "")) } else { None })
        .or_else(|| {
            named.iter().find(|(c, form)| *c == wanted && rest.starts_with(form)).map(|(_, form)| form.len())
        })
        .or_else(entity)
        .or_else(|| rest.starts_with(wanted).then(|| wanted.len_utf8()))?;
    Some(slashes + length)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn the_key_is_taken_out_however_it_is_written() {
        let key = Secret("A+b/c~*=".to_owned());
        let words = "k=A+b/c~*= k=A%2Bb%2Fc~%2A%3D k=A%2bb%2fc~%2a%3d k=A%2Bb%2Fc%7E*%3D k=A%2bb%2fc%7e*%3d";
        assert_eq!(key.redact(words), "k=*** k=*** k=*** k=*** k=***");
        for words in [
            "A+b\\/c~*=",
            "A\\u002bb\\u002Fc~*=",
            "A\\\\/+b/c~*=",
            "A%252Bb%252fc~*=",
            "A&#43;b&#x2F;c~*&#61;",
            "A\\x2bb/c~*=",
            "A +b/\u{7}c~\n*=",
            "QStiL2N+Kj0=",
            "QStiL2N-Kj0",
        ] {
            let clean = key.redact(&format!("at {words} end"));
            assert!(clean == "at *** end" || words.contains("\\\\/+"), "{words:?}: {clean:?}");
        }
        let key = Secret("S&q\"\'<k".to_owned());
        assert_eq!(key.redact("x=S&amp;q&quot;&#39;&lt;k, S%26q%22%27%3Ck, S&q\\\"'<k"), "x=***, ***, ***");
        assert_eq!(key.redact("S&amp;q and other words"), "S&amp;q and other words");
        assert_eq!(format!("{key:?}"), "Secret(***)");
    }
}
