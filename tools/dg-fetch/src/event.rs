use schema::Value;
use wire::{LISTING_V2, Listing, Members, PARTITION_V1, Partition};

use crate::columns::{COLUMNS, DG_ID, ROUND_NUM, Round};
use crate::identity::Identity;

/// The table of rounds, whose partitions are events.
const TABLE: &str = "player_round_stats_pga_with_sg_data";

/// One whole event with its rounds, or word that it has none yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) identity: Identity,
    pub(crate) listed: Listed,
    /// The season, which can differ from the calendar year.
    pub(crate) season: Option<i64>,
    /// Why there are no rounds yet, in the archive's words.
    pub(crate) unavailable: Option<String>,
    /// Sorted by `dg_id` and `round_num`.
    pub(crate) rounds: Vec<Round>,
}

/// What the event list says of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Listed {
    /// As listed, trailing spaces and all.
    pub(crate) event_name: String,
    /// ISO date of the end.
    pub(crate) event_completed: String,
    /// `yes`, `no`, `partial`.
    pub(crate) sg_categories: String,
    /// `yes`, `no`, `basic`.
    pub(crate) traditional_stats: String,
}

impl Listed {
    fn members(&self) -> Members {
        let fields = [
            ("event_name", &self.event_name),
            ("event_completed", &self.event_completed),
            ("sg_categories", &self.sg_categories),
            ("traditional_stats", &self.traditional_stats),
        ];
        Members(fields.map(|(name, text)| (name.to_owned(), Value::from(text.as_str()))).to_vec())
    }

    /// A line of the list.
    pub(crate) fn line(&self, identity: &Identity, line: u64, lines: u64) -> Listing {
        let (v, table) = (LISTING_V2.to_owned(), TABLE.to_owned());
        Listing { v, table, line, lines, key: key(identity), listing: self.members() }
    }
}

fn key(identity: &Identity) -> Members {
    let parts = [
        ("tour", Value::from(identity.tour.as_str())),
        ("year", Value::Integer(identity.calendar_year)),
        ("event_id", Value::Integer(identity.event_id)),
    ];
    Members(parts.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

impl Event {
    /// No player has a round twice.
    pub(crate) fn check(&self) -> Result<(), String> {
        // Sorted already.
        let key = |Round(cells): &Round| (cells[DG_ID].integer(), cells[ROUND_NUM].integer());
        match self.rounds.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
            Some(pair) => {
                let [player, number] = [DG_ID, ROUND_NUM].map(|at| pair[0].0[at].to_text());
                Err(format!("{}: player {player} has round {number} twice", self.identity))
            }
            None => Ok(()),
        }
    }

    /// The event as `db-load` takes it.
    pub(crate) fn into_partition(self) -> Partition {
        Partition {
            v: PARTITION_V1.to_owned(),
            table: TABLE.to_owned(),
            key: key(&self.identity),
            // An event that is asked for by its name alone brings no words of the list.
            listing: if self.unavailable.is_some() { Members::default() } else { self.listed.members() },
            unavailable: self.unavailable,
            columns: COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect(),
            n_rows: self.rounds.len(),
            rows: self.rounds.into_iter().map(|Round(cells)| cells).collect(),
            ..Partition::default()
        }
    }
}
