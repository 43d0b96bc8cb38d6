use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// The version of [`Listing`].
pub const LISTING_V1: &str = "fairway.listing/1";

/// One event of the event list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// [`LISTING_V1`].
    pub v: String,
    /// Place of this line in the list, from 1.
    pub line: u64,
    /// How many lines the whole list has.
    pub lines: u64,
    /// See [`Identity`].
    pub tour: String,
    /// See [`Identity`].
    pub calendar_year: i64,
    /// See [`Identity`].
    pub event_id: i64,
    /// As listed, trailing spaces and all.
    pub event_name: String,
    /// ISO date of the end.
    pub event_completed: String,
    /// `yes`, `no`, `partial`.
    pub sg_categories: String,
    /// `yes`, `no`, `basic`.
    pub traditional_stats: String,
}

impl Listing {
    /// Which event this is.
    pub fn identity(&self) -> Identity {
        Identity { tour: self.tour.clone(), calendar_year: self.calendar_year, event_id: self.event_id }
    }

    /// Reads one line of the wire.
    pub fn from_line(line: &[u8]) -> Result<Listing, String> {
        let listing: Listing =
            serde_json::from_slice(line).map_err(|error| format!("not a wire record: {error}"))?;
        if listing.v != LISTING_V1 {
            return Err(format!("version {:?}, but this program reads {LISTING_V1:?}", listing.v));
        }
        listing.identity().check()?;
        Ok(listing)
    }
}
