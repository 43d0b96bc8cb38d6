use std::fmt;
use std::io::Read;
use std::str::FromStr;

use failure::Outcome;
use rows::{Row, Table};
/// Which event: stable while dates and names get corrected.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Identity {
    /// `pga`, `kft`, …: an open string.
    pub(crate) tour: String,
    /// The calendar year, not the season.
    pub(crate) calendar_year: i64,
    /// Repeats every year and across tours.
    pub(crate) event_id: i64,
}

impl Identity {
    /// Checks the parts.
    pub(crate) fn new(tour: &str, calendar_year: i64, event_id: i64) -> Result<Identity, String> {
        let identity = Identity { tour: tour.to_owned(), calendar_year, event_id };
        identity.check()?;
        Ok(identity)
    }

    /// Whether the parts can name an event, a file and an object.
    pub(crate) fn check(&self) -> Result<(), String> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if self.tour.is_empty() || self.tour.len() > 32 || !self.tour.bytes().all(plain) {
            return Err(format!(
                "tour {:?} is not 1 to 32 lower-case letters, digits, `-` or `_`",
                self.tour
            ));
        }
        if !(1900..=2200).contains(&self.calendar_year) {
            return Err(format!("calendar year {} is not a year", self.calendar_year));
        }
        if self.event_id < 0 {
            return Err(format!("event id {} is negative", self.event_id));
        }
        Ok(())
    }
}

/// Where a CSV names events: its columns `tour`, `calendar_year` and `event_id`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdentityColumns([usize; 3]);

impl IdentityColumns {
    /// Finds them, or fails with what the table has.
    pub(crate) fn find<R: Read>(table: &Table<R>) -> Outcome<IdentityColumns> {
        Ok(IdentityColumns([
            table.require("tour")?,
            table.require("calendar_year")?,
            table.require("event_id")?,
        ]))
    }

    /// The event of a row, or why it names none and on which line.
    pub(crate) fn read(&self, row: &Row<'_>) -> Result<Identity, String> {
        let text = self.0.map(|column| String::from_utf8_lossy(row.cell(column))).join("/");
        text.parse().map_err(|reason| format!("line {}: {reason}", row.line))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tour, self.calendar_year, self.event_id)
    }
}

impl FromStr for Identity {
    type Err = String;

    fn from_str(text: &str) -> Result<Identity, String> {
        let wrong = || format!("{text:?} is not tour/calendar_year/event_id, like pga/2025/14");
        let mut parts = text.split('/');
        let (Some(tour), Some(year), Some(id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        Identity::new(tour, year.parse().map_err(|_| wrong())?, id.parse().map_err(|_| wrong())?)
    }
}
