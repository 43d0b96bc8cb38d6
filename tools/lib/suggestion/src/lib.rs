#![doc = include_str!("../README.md")]

use toml::de::Error;

/// Names that are less alike than this (Jaro-Winkler) are different names, not misspellings.
const ALIKE: f64 = 0.8;

/// The known name that is most like `wrong`, if any is like it.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// A message of serde's, with the name that was probably meant where it is about an unknown key or variant.
pub fn explained(message: &str) -> String {
    match meant(message) {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message.to_owned(),
    }
}

/// An error of TOML in this text: its line, its message, and the name that was probably meant.
pub fn toml_error(text: &str, error: &Error) -> String {
    let message = explained(error.message());
    match error.span() {
        Some(span) => format!("line {}: {message}", line_of(text, span.start)),
        None => message,
    }
}

/// The line, from 1, in which a byte of the text stands.
pub fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

/// serde says "unknown field `requred`, expected one of `required`, …" (or "expected `a` or `b`").
fn meant(message: &str) -> Option<&str> {
    let (_, rest) =
        message.split_once("unknown field `").or_else(|| message.split_once("unknown variant `"))?;
    let (wrong, expected) = rest.split_once('`')?;
    nearest(wrong, expected.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likest_name_is_meant_and_an_unlike_one_never() {
        assert_eq!(nearest("sallt", ["by", "salt", "salted"]), Some("salt"));
        assert_eq!(nearest("holdout", ["by", "salt"]), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn only_unknown_names_get_a_suggestion() {
        let said = "unknown variant `txet`, expected one of `number`, `text`";
        assert_eq!(explained(said), format!("{said}; did you mean `text`?"));
        let said = "unknown field `zzz`, expected `a` or `b`";
        assert_eq!(explained(said), said);
        assert_eq!(explained("missing field `keys`"), "missing field `keys`");
    }

    #[test]
    fn lines_count_from_one() {
        assert_eq!((line_of("a\nb", 0), line_of("a\nb", 2), line_of("a\n", 9)), (1, 2, 2));
    }
}
