use fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::columns::{DG_ID, EVENT_ID, ROUND_NUM, Round, TOUR, YEAR};
use crate::identity::Identity;

/// The version of [`Event`].
pub const EVENT_V1: &str = "fairway.event/1";

/// One whole event with its rounds, or word that it has none yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// [`EVENT_V1`].
    pub v: String,
    /// See [`Identity`].
    pub tour: String,
    /// See [`Identity`].
    pub calendar_year: i64,
    /// See [`Identity`].
    pub event_id: i64,
    /// As the rounds answer gives it.
    pub event_name: String,
    /// ISO date of the end.
    pub event_completed: String,
    /// The season, which can differ from the calendar year.
    pub season: Option<i64>,
    /// `yes`, `no`, `partial`.
    pub sg_categories: String,
    /// `yes`, `no`, `basic`.
    pub traditional_stats: String,
    /// Why there are no rounds yet, in the archive's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// How many rounds follow.
    pub n_rounds: usize,
    /// Sorted by `dg_id` and `round_num`.
    pub rounds: Vec<Round>,
}

impl Event {
    /// Which event this is.
    pub fn identity(&self) -> Identity {
        Identity { tour: self.tour.clone(), calendar_year: self.calendar_year, event_id: self.event_id }
    }

    /// Reads one line of the wire and checks that it is whole and consistent.
    pub fn from_line(line: &[u8]) -> Result<Event, String> {
        // One look at the whole line is faster than one at each text of it.
        let line = std::str::from_utf8(line).map_err(|error| format!("not a wire record: {error}"))?;
        let event: Event =
            serde_json::from_str(line).map_err(|error| format!("not a wire record: {error}"))?;
        event.check()?;
        Ok(event)
    }

    /// The count matches, every round belongs to this event, no round stands twice, rounds are in order.
    pub fn check(&self) -> Result<(), String> {
        if self.v != EVENT_V1 {
            return Err(format!("version {:?}, but this program reads {EVENT_V1:?}", self.v));
        }
        self.identity().check()?;
        let place = self.identity();
        if self.n_rounds != self.rounds.len() {
            return Err(format!(
                "{place}: n_rounds says {}, but {} follow",
                self.n_rounds,
                self.rounds.len()
            ));
        }
        if self.unavailable.is_some() != self.rounds.is_empty() {
            return Err(format!("{place}: an event has either rounds or a reason why it has none"));
        }
        let mut keys = Vec::with_capacity(self.rounds.len());
        for Round(cells) in &self.rounds {
            let belongs = cells[TOUR].text() == Some(&self.tour)
                && cells[YEAR].int() == Some(self.calendar_year)
                && cells[EVENT_ID].int() == Some(self.event_id);
            if !belongs {
                return Err(format!("{place}: a round carries the identity of another event"));
            }
            let (Some(player), Some(number)) = (cells[DG_ID].int(), cells[ROUND_NUM].int()) else {
                return Err(format!("{place}: a round lacks dg_id or round_num"));
            };
            keys.push((player, number));
        }
        // Nearly always sorted already, which costs one look.
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("{place}: player {} has round {} twice", pair[0].0, pair[0].1)),
            None => Ok(()),
        }
    }

    /// Hex sha256 over the rounds in key order: equal content has an equal hash, however it was fetched.
    pub fn content_sha256(&self) -> String {
        let mut order: Vec<&Round> = self.rounds.iter().collect();
        order.sort_by_key(|Round(cells)| (cells[DG_ID].int(), cells[ROUND_NUM].int()));
        let mut hash = Fingerprint::new();
        let mut framed = Vec::new();
        for Round(cells) in order {
            framed.clear();
            cells.iter().for_each(|cell| push_framed(cell, &mut framed));
            hash.add(&framed);
        }
        hash.hex()
    }
}

/// Appends a cell as digests see it: its kind, then the bits of a number or the length and the bytes of a text, all with
/// the lowest byte first. No text can imitate a border between cells, and null differs from empty text.
fn push_framed(cell: &Cell, framed: &mut Vec<u8>) {
    match cell {
        Cell::Null => framed.push(b'n'),
        Cell::Int(value) => {
            framed.push(b'i');
            framed.extend_from_slice(&value.to_le_bytes());
        }
        Cell::Real(value) => {
            framed.push(b'r');
            framed.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Cell::Text(value) => {
            framed.push(b't');
            framed.extend_from_slice(&(value.len() as u64).to_le_bytes());
            framed.extend_from_slice(value.as_bytes());
        }
    }
}
