//! Doubles as text.

/// Reads a finite decimal number: `-1.5`, `3`, `2e-3`. Not `nan`, `inf`, hexadecimal, spaces or an empty cell.
#[inline]
pub fn parse(cell: &[u8]) -> Option<f64> {
    parse_short(cell).or_else(|| parse_any(cell))
}

/// [`parse`] of what nearly every cell is: at most 15 digits, with a point or without.
///
/// Such digits and the power of ten are doubles without rounding, so their quotient is the double nearest to the number.
#[inline]
fn parse_short(cell: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 16 || !digits.last()?.is_ascii_digit() || !digits[0].is_ascii_digit() {
        return None;
    }
    let (mut mantissa, mut point) = (0u64, digits.len() - 1);
    for (i, byte) in digits.iter().enumerate() {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 => mantissa = 10 * mantissa + u64::from(digit),
            _ if *byte == b'.' && point == digits.len() - 1 => point = i,
            _ => return None,
        }
    }
    let value = mantissa as f64 / POWERS_OF_TEN.get(digits.len() - 1 - point)?;
    (mantissa < 1 << 53).then_some(if is_negative { -value } else { value })
}

const POWERS_OF_TEN: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

fn parse_any(cell: &[u8]) -> Option<f64> {
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
        fn short_and_any_agree(text in "[-+]?[0-9]{0,9}[.]?[0-9]{0,9}([.e-][0-9])?") {
            if let Some(short) = parse_short(text.as_bytes()) {
                prop_assert_eq!(parse_any(text.as_bytes()).map(f64::to_bits), Some(short.to_bits()), "{}", text);
            }
        }

        #[test]
        fn text_reads_back_to_the_same_bits(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(parse(text(value).as_bytes()).map(f64::to_bits), Some(bits));
        }
    }
}
