#![doc = include_str!("../README.md")]

mod date;
mod date_format;
mod instant;
mod zone;

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

pub use date::is_date;
pub use date_format::DateFormat;
pub use instant::{Instant, Moment};
pub use jiff::civil::Date;
pub use zone::{Civil, Local, Zone};

/// What time a program takes it to be: the machine's clock, or `--now` for a run that can be repeated.
///
/// Reads an instant (`2025-06-17T04:00:00Z`) or a date (`2025-06-17`, midnight UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now(Timestamp);

impl Now {
    /// The machine's clock, unless the user gave a time.
    pub fn or_clock(given: Option<Now>) -> Now {
        given.unwrap_or_else(|| Now(Timestamp::now()))
    }

    /// The instant.
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// `YYYY-MM-DD` in UTC.
    pub fn date(self) -> String {
        self.utc().date().to_string()
    }

    /// `YYYY-MM-DDTHH:MM:SSZ`: text that sorts by time.
    pub fn text(self) -> String {
        self.utc().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The same with milliseconds: `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    pub fn millis(self) -> String {
        self.utc().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// This instant moved by whole hours.
    pub fn plus_hours(self, hours: i64) -> Now {
        let moved = self.0.checked_add(jiff::SignedDuration::from_hours(hours));
        // Only instants thousands of years away cannot be moved; they stay.
        Now(moved.unwrap_or(self.0))
    }

    fn utc(self) -> Zoned {
        self.0.to_zoned(TimeZone::UTC)
    }
}

impl FromStr for Now {
    type Err = String;

    fn from_str(text: &str) -> Result<Now, String> {
        let instant = text.parse::<Timestamp>().or_else(|error| {
            let date = text.parse::<Date>().map_err(|_| error)?;
            date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
        });
        instant.map(Now).map_err(|_| {
            format!("{text:?} is neither a date (2025-06-17) nor an instant (2025-06-17T04:00:00Z)")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Now;

    #[test]
    fn a_date_is_midnight_utc() {
        let now: Now = "2025-06-17".parse().unwrap();
        assert_eq!(now.text(), "2025-06-17T00:00:00Z");
        assert_eq!(now.plus_hours(25).text(), "2025-06-18T01:00:00Z");
        assert_eq!(now.plus_hours(25).date(), "2025-06-18");
        assert!("yesterday".parse::<Now>().is_err());
    }
}
