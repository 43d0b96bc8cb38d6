use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::is_date;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

impl Instant {
    /// Before every other one.
    pub const FIRST: Instant = Instant(i64::MIN);

    /// Reads RFC 3339 with an offset: `2025-08-16T14:00:00.000Z`, `2025-08-16T15:00:00+01:00`. `None` for anything else,
    /// and for what is finer than a microsecond.
    pub fn parse(text: &[u8]) -> Option<Instant> {
        if let Some(instant) = utc(text) {
            return Some(instant);
        }
        if !is_rfc_3339(text) {
            return None;
        }
        let timestamp: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
        (timestamp.subsec_nanosecond() % 1_000 == 0).then(|| Instant(timestamp.as_microsecond()))
    }

    /// So many microseconds later; as late as can be said where there is no such instant.
    pub fn plus(self, micros: i64) -> Instant {
        Instant(self.0.saturating_add(micros))
    }

    /// So many microseconds earlier; as early as can be said where there is no such instant.
    pub fn minus(self, micros: i64) -> Instant {
        Instant(self.0.saturating_sub(micros))
    }
}

/// [`Instant::parse`] of what the programs write themselves, `YYYY-MM-DDTHH:MM:SS[.mmm]Z` with a year from 1000 on.
fn utc(text: &[u8]) -> Option<Instant> {
    let (whole, millis) = match text {
        [whole @ .., b'.', a, b, c, b'Z'] => (whole, digits(&[*a, *b, *c])?),
        [whole @ .., b'Z'] => (whole, 0),
        _ => return None,
    };
    let [b'1'..=b'9', _, _, _, b'-', _, _, b'-', _, _, b'T', h1, h2, b':', m1, m2, b':', s1, s2] = whole
    else {
        return None;
    };
    if !is_date(&whole[..10]) {
        return None;
    }
    let (year, month, day) = (digits(&whole[..4])?, digits(&whole[5..7])?, digits(&whole[8..10])?);
    let (hour, minute, second) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?, digits(&[*s1, *s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days from the civil calendar, March being the first month of a year: its leap day is then the last day of all.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(Instant((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + millis * 1_000))
}

/// Whether a text has the form of RFC 3339, section 5.6, and no leap second: `YYYY-MM-DDTHH:MM:SS[.f]`, and `Z` or `+HH:MM`.
fn is_rfc_3339(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    let [b'T' | b't', _, _, b':', _, _, b':', s, _, rest @ ..] = rest else { return false };
    let fraction = match rest {
        [b'.', rest @ ..] => 1 + rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let is_offset = match &rest[fraction..] {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h @ b'0'..=b'2', i, b':', _, _] => *h < b'2' || *i < b'4',
        _ => false,
    };
    is_date(date) && fraction != 1 && *s < b'6' && is_offset
}

/// [`Instant`] as text: whole milliseconds from the year 1000 to 9999, without a calendar of civil dates being asked.
fn text(at: Instant) -> Option<[u8; 24]> {
    const DAY: i64 = 86_400_000;
    if at.0 % 1_000 != 0 {
        return None;
    }
    let millis = at.0 / 1_000;
    let (days, of_day) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    // As above, the other way round: eras of 400 years, which begin in March.
    let since = days + 719_468;
    let (era, day) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    if !(1_000..=9_999).contains(&year) {
        return None;
    }
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |end: usize, places: usize, mut number: i64| {
        for at in (end - places..end).rev() {
            text[at] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(4, 4, year);
    put(7, 2, month);
    put(10, 2, day);
    put(13, 2, of_day / 3_600_000);
    put(16, 2, of_day / 60_000 % 60);
    put(19, 2, of_day / 1_000 % 60);
    put(23, 3, of_day % 1_000);
    Some(text)
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// As the tables store it, `2025-08-16T14:00:00.000Z`; microseconds only where there are any.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = text(*self) {
            return f.write_str(std::str::from_utf8(&text).unwrap_or_default());
        }
        let Ok(timestamp) = Timestamp::from_microsecond(self.0) else {
            return write!(f, "{} microseconds since 1970", self.0);
        };
        let places = if self.0 % 1_000 == 0 { 3 } else { 6 };
        write!(f, "{timestamp:.places$}")
    }
}

/// What a cell says of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A day, whose instants depend on the zone.
    Date(Date),
    /// An instant.
    Instant(Instant),
}

impl Moment {
    /// Reads a date (`2025-08-16`) or an instant.
    pub fn parse(text: &[u8]) -> Option<Moment> {
        match is_date(text) {
            true => std::str::from_utf8(text).ok()?.parse().ok().map(Moment::Date),
            false => Instant::parse(text).map(Moment::Instant),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::civil::date;
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{Instant, Moment, utc};

    #[test]
    fn instants_have_an_offset_and_are_no_finer_than_microseconds() {
        let at = |text: &str| Instant::parse(text.as_bytes());
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(Instant(0)));
        assert_eq!(at("2025-08-16T15:00:00+01:00"), at("2025-08-16T14:00:00.000Z"));
        assert_eq!(at("2025-08-16T14:00:00.000001Z").map(|at| at.0 % 1_000), Some(1));
        for bad in [
            "2025-08-16T14:00Z",
            "20250816T140000Z",
            "2025-08-16T14:00:00+01",
            "2025-08-16T14:00:00+0100",
            "2025-08-16T14:00:00+24:00",
            "2025-08-16T14:00:00Z[Europe/London]",
            "2025-08-16T23:59:60Z",
            "-000001-08-16T14:00:00Z",
            "2025-08-16 14:00:00Z",
            "2025-08-16T14:00:00.Z",
            "2025-08-16T14:00:00",
            "2025-08-16T14:00:00.0000001Z",
            "2025-08-16",
            "",
            "2025-08-16T24:00:00Z",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
        assert_eq!(Moment::parse(b"2025-08-16"), Some(Moment::Date(date(2025, 8, 16))));
    }

    proptest! {
        #[test]
        fn the_short_way_is_the_long_one(micros in -30_000_000_000_000_000..200_000_000_000_000_000i64) {
            let text = Instant(micros - micros % 1_000).to_string();
            let long = Timestamp::from_microsecond(micros - micros % 1_000).unwrap();
            prop_assert_eq!(&text, &format!("{long:.3}"));
            prop_assert_eq!(utc(text.as_bytes()), Some(Instant(long.as_microsecond())));
            prop_assert_eq!(Instant::parse(Instant(micros).to_string().as_bytes()), Some(Instant(micros)));
        }
    }
}
