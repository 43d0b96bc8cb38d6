//! Doubles as text.

/// Reads a finite decimal number: `-1.5`, `3`, `2e-3`. Not `nan`, `inf`, hexadecimal, spaces or an empty cell.
#[inline]
pub fn parse(cell: &[u8]) -> Option<f64> {
    parse_short(cell).or_else(|| parse_any(cell))
}

/// [`parse`] of what nearly every cell is: eight bytes at most, digits with a point between them or without.
///
/// All bytes are looked at together, in one register. The digits and the power of ten are doubles without rounding, so
/// their quotient is the double nearest to the number.
#[inline]
fn parse_short(cell: &[u8]) -> Option<f64> {
    let mut length = cell.len();
    // The first byte is the lowest. Bytes that are read twice are the same.
    let mut bytes = match (cell.first_chunk::<4>(), cell.last_chunk::<4>()) {
        (Some(first), Some(last)) if length <= 8 => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4))
        }
        (None, _) => cell.iter().rev().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)),
        _ => return None,
    };
    let is_negative = bytes & 0xFF == u64::from(b'-');
    if is_negative {
        bytes >>= 8;
        length -= 1;
    }
    let differs = bytes ^ in_each_byte(b'.');
    let equal = differs.wrapping_sub(in_each_byte(1)) & !differs & in_each_byte(0x80);
    let mut decimals = 0;
    if equal != 0 {
        let point = equal.trailing_zeros() as usize / 8;
        decimals = length - 1 - point;
        let before = bytes & ((1 << (8 * point)) - 1);
        bytes = before | (bytes >> 8) & !((1 << (8 * point)) - 1);
        length -= 1;
    }
    if length == 0 {
        return None;
    }
    // The last digit becomes the highest byte, and what is missing before the first zeros.
    let digits = (bytes ^ in_each_byte(b'0')) << (8 * (8 - length));
    if (digits.wrapping_add(in_each_byte(0x76)) | digits) & in_each_byte(0x80) != 0 {
        return None;
    }
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let (odd, even) = (pairs & 0xFF_0000_00FF, (pairs >> 16) & 0xFF_0000_00FF);
    let sums = odd.wrapping_mul(100 + (1_000_000 << 32)).wrapping_add(even.wrapping_mul(1 + (10_000 << 32)));
    let value = (sums >> 32) as u32 as f64 / POWERS_OF_TEN[decimals];
    Some(if is_negative { -value } else { value })
}

const fn in_each_byte(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

const POWERS_OF_TEN: [f64; 8] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];

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
    with_text(value, |shortest| text.push_str(shortest));
}

pub(crate) fn with_text(value: f64, take: impl FnOnce(&str)) {
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format(value);
    take(shortest.strip_suffix(".0").unwrap_or(shortest));
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
    fn every_byte_at_every_place_of_a_short_number() {
        for whole in ["1", "12", "123", "-12", "1234", "12.45", "-1.345", "12345678", "-.5", "5.", "1234.678"]
        {
            for at in 0..whole.len() {
                for byte in 0..=255 {
                    let mut cell = whole.as_bytes().to_vec();
                    cell[at] = byte;
                    let expected = parse_any(&cell).map(f64::to_bits);
                    assert_eq!(parse(&cell).map(f64::to_bits), expected, "{}", cell.escape_ascii());
                }
            }
        }
        for n in 0..200_000 {
            let text = text(f64::from(n) / 1000.0);
            assert_eq!(parse_short(text.as_bytes()), text.parse().ok(), "{text}");
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
        fn short_and_any_agree(text in "[-+]?[0-9]{0,5}[.]?[0-9]{0,5}[0-9.e+-]?") {
            if let Some(short) = parse_short(text.as_bytes()) {
                prop_assert_eq!(parse_any(text.as_bytes()).map(f64::to_bits), Some(short.to_bits()), "{}", text);
            }
        }

        #[test]
        fn what_is_no_number_is_none_when_short(bytes in prop::collection::vec(any::<u8>(), 0..9)) {
            if let Some(short) = parse_short(&bytes) {
                prop_assert_eq!(parse_any(&bytes).map(f64::to_bits), Some(short.to_bits()), "{:?}", bytes);
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
