use std::collections::BTreeSet;

use fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::columns::Round;
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
        let event: Event =
            serde_json::from_slice(line).map_err(|error| format!("not a wire record: {error}"))?;
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
        let mut seen = BTreeSet::new();
        for round in &self.rounds {
            let belongs = round.cell("tour").text() == Some(&self.tour)
                && round.cell("year").int() == Some(self.calendar_year)
                && round.cell("event_id").int() == Some(self.event_id);
            if !belongs {
                return Err(format!("{place}: a round carries the identity of another event"));
            }
            let (Some(player), Some(number)) = (round.cell("dg_id").int(), round.cell("round_num").int())
            else {
                return Err(format!("{place}: a round lacks dg_id or round_num"));
            };
            if !seen.insert((player, number)) {
                return Err(format!("{place}: player {player} has round {number} twice"));
            }
        }
        Ok(())
    }

    /// Hex sha256 over the rounds in key order: equal content has an equal hash, however it was fetched.
    pub fn content_sha256(&self) -> String {
        let mut order: Vec<&Round> = self.rounds.iter().collect();
        order.sort_by_key(|round| (round.cell("dg_id").int(), round.cell("round_num").int()));
        let mut hash = Fingerprint::new();
        let mut text = String::new();
        for round in order {
            text.clear();
            for cell in &round.0 {
                // Lengths in front: no text can imitate a border between cells. Null differs from empty text.
                let start = text.len();
                cell.push_text(&mut text);
                let kind = if matches!(cell, Cell::Null) { 'n' } else { 'v' };
                let length = text.len() - start;
                text.insert_str(start, &format!("{kind}{length}:"));
            }
            hash.add(&text);
        }
        hash.hex()
    }
}
