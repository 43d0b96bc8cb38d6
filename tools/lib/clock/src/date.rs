/// Whether a text is a date as ISO 8601 writes it, `YYYY-MM-DD`, of the Gregorian calendar, years 0000 to 9999.
///
/// It allocates nothing and builds no date: `clean` asks it of every cell of a column of dates.
#[inline]
pub fn is_date(text: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return false };
    if ![y1, y2, y3, y4, m1, m2, d1, d2].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |digits: &[u8]| digits.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let (year, month, day) = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2]));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::is_date;

    /// What jiff, which knows the calendar, says of a text of the one form.
    fn as_jiff_says(text: &str) -> bool {
        text.len() == 10 && text.parse::<Date>().is_ok()
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for good in ["2025-06-15", "2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31"] {
            assert!(is_date(good.as_bytes()), "{good}");
        }
        for bad in
            ["2025-6-15", "2025-02-29", "1900-02-29", "2025-13-01", "2025-00-10", "2025-01-32", "6/5/22", ""]
        {
            assert!(!is_date(bad.as_bytes()), "{bad}");
        }
        assert!(
            !is_date(b"2025-06-15T00:00:00Z")
                && !is_date(b"+025-06-15")
                && !is_date("２025-06-15".as_bytes())
        );
    }

    #[test]
    fn every_day_of_every_year_is_one_and_no_other_is() {
        for year in 0..=9999 {
            // 32 and 13 are never right; nor are 0 and 0.
            for (month, day) in (0..=13).flat_map(|month| [0, 1, 28, 29, 30, 31, 32].map(|day| (month, day)))
            {
                let text = format!("{year:04}-{month:02}-{day:02}");
                assert_eq!(is_date(text.as_bytes()), as_jiff_says(&text), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn digits_in_the_form_are_what_jiff_says(year in 0..10_000u32, month in 0..20u32, day in 0..40u32) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            prop_assert_eq!(is_date(text.as_bytes()), as_jiff_says(&text));
        }

        #[test]
        fn one_odd_byte_makes_it_none(at in 0..10usize, byte in any::<u8>(), days in -719_528..2_932_896i64) {
            let epoch = Date::constant(1970, 1, 1);
            let date = epoch.checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap();
            let mut text = date.to_string().into_bytes();
            text[at] = byte;
            let said = std::str::from_utf8(&text).is_ok_and(as_jiff_says);
            prop_assert_eq!(is_date(&text), said);
        }

        #[test]
        fn bytes_of_any_kind_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            prop_assert_eq!(is_date(&bytes), std::str::from_utf8(&bytes).is_ok_and(as_jiff_says));
        }
    }
}
