use std::cmp::Ordering;

use schema::{PartitionKey, Table, Value};

use super::batch::Candidate;
use super::ranking;

/// What is stored under a key.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// `None` where the row is damaged: any version takes its place.
    pub(crate) digest: Option<i64>,
    /// The values of the columns by which rows win.
    rank: Vec<Value>,
    /// From when on it was known, where the table says.
    known_at: Option<Value>,
    pub(crate) partition: PartitionKey,
}

/// What becomes of a row whose key is there.
pub(crate) enum Decision {
    /// The stored row is as good or newer.
    Keep,
    /// The stored row stays, and was known earlier than we thought.
    KnownEarlier,
    /// Only what is said about the row changes.
    About,
    /// The row takes the place of the stored one.
    Change,
}

impl Found {
    /// Reads place, a column of the key, digest, ranking, known_at and the partition's columns; `None` where there is no row.
    pub(crate) fn read(table: &Table, by: &[usize], row: &[Value]) -> Option<Found> {
        if row[1].is_null() {
            return None;
        }
        let rest = &row[3 + by.len()..];
        let (known_at, parts) = match table.known_at() {
            Some(_) => (Some(rest[0].clone()), &rest[1..]),
            None => (None, rest),
        };
        // The parts are made of whole columns, as in a row that has only those.
        let mut cells = vec![Value::Null; table.columns.len()];
        for (part, value) in table.partition.iter().zip(parts) {
            cells[part.column] = value.clone();
        }
        Some(Found {
            digest: row[2].integer(),
            rank: row[3..3 + by.len()].to_vec(),
            known_at,
            partition: table.partition_of(&cells),
        })
    }

    pub(crate) fn decide(&self, table: &Table, candidate: &Candidate) -> Decision {
        let Some(digest) = self.digest else { return Decision::Change };
        let by = ranking(table);
        let pairs = by.iter().zip(&self.rank);
        let order = pairs.map(|(&at, stored)| candidate.row[at].order(stored)).find(|order| order.is_ne());
        let order = order.unwrap_or(Ordering::Equal);
        if candidate.digest == digest {
            if order.is_gt() {
                return Decision::About;
            }
            return if self.is_known_earlier(candidate) { Decision::KnownEarlier } else { Decision::Keep };
        }
        match order.then(candidate.digest.cmp(&digest)) {
            Ordering::Greater => Decision::Change,
            // A table that takes rows once compares nothing but digests: whatever differs is wrong.
            _ if table.write == schema::Write::Append => Decision::Change,
            _ => Decision::Keep,
        }
    }

    /// The earlier of the instants from which on an equal row was known, where the table notes them.
    pub(crate) fn earliest(&self, candidate: &Candidate) -> Option<Value> {
        let stored = self.known_at.as_ref()?;
        let known = &candidate.known;
        let is_earlier = !candidate.is_backfill && known.order(stored).is_lt();
        Some(if is_earlier { known.clone() } else { stored.clone() })
    }

    fn is_known_earlier(&self, candidate: &Candidate) -> bool {
        if candidate.is_backfill {
            return false;
        }
        self.known_at.as_ref().is_some_and(|stored| candidate.known.order(stored).is_lt())
    }

    /// From when on the stored row was known, where the table says; else when it was fetched.
    pub(crate) fn known<'a>(&'a self, table: &Table) -> &'a Value {
        let fetched = || ranking(table).iter().position(|at| table.fetched_at() == Some(*at));
        match &self.known_at {
            Some(known_at) => known_at,
            None => fetched().and_then(|at| self.rank.get(at)).unwrap_or(&Value::Null),
        }
    }
}
