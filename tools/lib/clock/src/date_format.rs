use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;

use crate::is_date;

/// How the dates of a file are written where they are not as ISO 8601 writes them: directives of `strftime`, as in `%d/%m/%Y`
/// (all that [`jiff::fmt::strtime`] knows; `%y` is 1969 to 2068).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateFormat(String);

/// A day, month and year that no directive confuses.
const SAMPLE: Date = jiff::civil::date(2025, 6, 5);

/// One whose day and month have two digits.
const LATE: Date = jiff::civil::date(2025, 12, 11);

/// A time of that day, for formats that also say one.
const NOON: DateTime = SAMPLE.at(12, 0, 0, 0);

/// `%Y` reads `25` as the year 25: more likely it is a year without its century.
const YEARS: std::ops::RangeInclusive<i16> = 1000..=9999;

impl DateFormat {
    /// Fails where a text by this format is no whole date, or could be taken for another date by ISO 8601.
    pub fn new(format: &str) -> Result<DateFormat, String> {
        let wrong = |why: &str| format!("format {format:?} {why} (write it like \"%d/%m/%Y\")");
        let sample = strtime::format(format, NOON).map_err(|error| wrong(&format!("is not one: {error}")))?;
        for day in [SAMPLE, LATE] {
            let written = strtime::format(format, day.at(12, 0, 0, 0)).unwrap_or_default();
            if is_date(written.as_bytes()) && written != day.to_string() {
                return Err(wrong("writes dates that look like year, month and day, and are not"));
            }
        }
        if Date::strptime(format, &sample).ok() != Some(SAMPLE) {
            return Err(wrong("does not say the day, the month and the year"));
        }
        Ok(DateFormat(format.to_owned()))
    }

    /// The date as ISO 8601 writes it, `YYYY-MM-DD`; none where the text is not by this format, or its year is not from 1000 to 9999.
    /// The zeros that open a number may be missing.
    pub fn to_iso(&self, text: &[u8]) -> Option<[u8; 10]> {
        let time = strtime::parse(&self.0, text).ok()?;
        let date = time.to_date().ok().filter(|date| YEARS.contains(&date.year()))?;
        // Spaces before digits are read over, and digits that lack their zeros may be divided in two ways.
        let again = time.to_string(&self.0).ok()?;
        if !plain(again.as_bytes()).eq(plain(text)) {
            return None;
        }
        date.to_string().into_bytes().try_into().ok()
    }

    /// 5 June 2025 by this format, for messages.
    pub fn example(&self) -> String {
        strtime::format(&self.0, NOON).unwrap_or_default()
    }
}

/// A text without the zeros that open its numbers, in small letters.
fn plain(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let mut in_number = false;
    text.iter().enumerate().filter_map(move |(at, byte)| {
        let opens = !in_number && *byte == b'0' && is_digit(at + 1);
        in_number = byte.is_ascii_digit() && !opens;
        (!opens).then_some(byte.to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::DateFormat;

    #[test]
    fn dates_by_a_format_become_iso_dates() {
        for (format, text, iso) in [
            ("%d/%m/%Y", "15/06/2025", Some("2025-06-15")),
            ("%d/%m/%Y", "3/1/2026", Some("2026-01-03")),
            ("%m/%d/%Y", "3/1/2026", Some("2026-03-01")),
            ("%d/%m/%y", "03/01/98", Some("1998-01-03")),
            ("%d %b %Y", "3 Jan 2026", Some("2026-01-03")),
            ("%Y%m%d", "20260103", Some("2026-01-03")),
            ("%d/%m/%Y %H:%M", "03/01/2026 15:30", Some("2026-01-03")),
            ("%d/%m/%Y", "31/02/2025", None),
            ("%d/%m/%Y", "3/1/26", None),
            ("%d/%m/%Y", "3/1/2026 ", None),
            ("%d/%m/%Y", " 3/1/2026", None),
            ("%d/%m/%Y", "3/ 1/2026", None),
            ("%d/%m/%Y", "03/01/ 2026", None),
            ("%d/%m/%Y", "10/10/2020", Some("2020-10-10")),
            ("%d %b %Y", "3 jan 2026", Some("2026-01-03")),
            ("%Y%m%d", "2026113", None),
            ("%d/%m/%Y %H:%M", "3/1/2026 9:05", Some("2026-01-03")),
            ("%d/%m/%y", "03/01/68", Some("2068-01-03")),
            ("%d/%m/%y", "03/01/69", Some("1969-01-03")),
            ("%d/%m/%Y", "", None),
            ("%d/%m/%Y", "2026-01-03", None),
        ] {
            let found = DateFormat::new(format).unwrap().to_iso(text.as_bytes());
            assert_eq!(found.as_ref().map(|iso| std::str::from_utf8(iso).unwrap()), iso, "{format} {text}");
        }
        assert_eq!(DateFormat::new("%d/%m/%Y").unwrap().to_iso(b"\xff/1/2026"), None);
    }

    #[test]
    fn formats_that_say_no_date_or_another_one_are_refused() {
        for (format, why) in [
            ("%Y-%d-%m", "and are not"),
            ("%Y-%-d-%-m", "and are not"),
            ("%m/%Y", "does not say"),
            ("%H:%M", "does not say"),
            ("", "does not say"),
            ("day", "does not say"),
            ("%d/%m/%", "is not one"),
            ("%!", "is not one"),
        ] {
            let said = DateFormat::new(format).unwrap_err();
            assert!(said.contains(why), "{format}: {said}");
        }
        DateFormat::new("%Y-%m-%d").unwrap();
    }
}
