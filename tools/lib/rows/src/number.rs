//! Doubles as text.

/// Reads a finite decimal number: `-1.5`, `3`, `2e-3`. Not `nan`, `inf`, hexadecimal, spaces or an empty cell.
pub fn parse(cell: &[u8]) -> Option<f64> {
    // Rust's own parser is exact and also takes "inf", "infinity" and "nan": those start with a letter.
    let significant = cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell);
    if !significant.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return None;
    }
    let value: f64 = std::str::from_utf8(cell).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// Writes the shortest text that reads back to the same bits; whole numbers without `.0`.
pub fn push(text: &mut String, value: f64) {
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format(value);
    text.push_str(shortest.strip_suffix(".0").unwrap_or(shortest));
}

/// [`push`] into a string of its own.
pub fn text(value: f64) -> String {
    let mut text = String::new();
    push(&mut text, value);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_numbers_and_nothing_else() {
        assert_eq!(parse(b"-1.5"), Some(-1.5));
        assert_eq!(parse(b"+2e-3"), Some(0.002));
        assert_eq!(parse(b".5"), Some(0.5));
        for bad in [
            "", " 1", "1 ", "nan", "NaN", "inf", "-inf", "Infinity", "0x10", "1,5", "1e400", "n/a", "--1",
            ".",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn whole_numbers_are_short() {
        assert_eq!(text(3.0), "3");
        assert_eq!(text(-0.25), "-0.25");
        assert_eq!(text(1e300), "1e+300");
    }

    proptest! {
        #[test]
        fn text_reads_back_to_the_same_bits(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(parse(text(value).as_bytes()).map(f64::to_bits), Some(bits));
        }
    }
}
