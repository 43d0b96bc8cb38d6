use std::cmp::Ordering;

use failure::{Failure, Outcome};
use schema::{Table, Value, Write};

use super::{Arrival, ranking};

/// The row that wins among those of one key in an input, with the other versions.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) line: u64,
    pub(crate) row: Vec<Value>,
    pub(crate) digest: i64,
    /// The first instant at which an answer said so; null where nobody notes it.
    pub(crate) known: Value,
    /// Whether it is loaded about the past: then it says nothing of when an equal row became known.
    pub(crate) is_backfill: bool,
    /// Other versions of the row, one for each digest; only where history is kept.
    others: Vec<(i64, Vec<Value>, Value)>,
}

/// One version of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version<'a> {
    pub(crate) digest: i64,
    pub(crate) row: &'a [Value],
    pub(crate) known: &'a Value,
}

/// The rows of an input, one for each key, in the order of the key.
pub(crate) struct Batch(Vec<Candidate>);

impl Batch {
    pub(crate) fn new(table: &Table, arrivals: Vec<Arrival>, backfill: bool) -> Outcome<Batch> {
        let mut rows: Vec<Candidate> = arrivals
            .into_iter()
            .map(|Arrival { line, row }| {
                let said = |at: Option<usize>| at.map_or(Value::Null, |at| row[at].clone());
                let known = match said(table.known_at()) {
                    _ if backfill => Value::Null,
                    Value::Null => said(table.fetched_at()),
                    known => known,
                };
                let digest = schema::row_digest(table, &row);
                Candidate { line, digest, row, known, is_backfill: backfill, others: Vec::new() }
            })
            .collect();
        // Stable: of equal rows the first stays.
        rows.sort_by(|one, other| table.compare_keys(&one.row, &other.row));
        let mut winners: Vec<Candidate> = Vec::with_capacity(rows.len());
        for row in rows {
            match winners.last_mut() {
                Some(last) if table.compare_keys(&last.row, &row.row).is_eq() => last.meet(table, row)?,
                _ => winners.push(row),
            }
        }
        Ok(Batch(winners))
    }

    pub(crate) fn chunks(&self, size: usize) -> impl Iterator<Item = &[Candidate]> {
        self.0.chunks(size)
    }
}

impl Candidate {
    /// Takes in another row of the same key.
    fn meet(&mut self, table: &Table, mut other: Candidate) -> Outcome {
        if table.write == Write::Append && self.digest != other.digest {
            return Err(Failure::data(format!(
                "lines {} and {} have the key {} and differ, and table {} takes a row once",
                self.line.min(other.line),
                self.line.max(other.line),
                table.shown_key(&self.row),
                table.name
            )));
        }
        if self.digest == other.digest {
            if self.rank(table, &other).is_lt() {
                std::mem::swap(&mut self.row, &mut other.row);
                self.line = other.line;
            }
            keep_earlier(&mut self.known, other.known);
            return Ok(());
        }
        if self.rank(table, &other).is_lt() {
            std::mem::swap(self, &mut other);
            self.others = std::mem::take(&mut other.others);
        }
        if table.history {
            match self.others.iter_mut().find(|(digest, ..)| *digest == other.digest) {
                Some((.., known)) => keep_earlier(known, other.known),
                None => self.others.push((other.digest, other.row, other.known)),
            }
            self.absorb();
        }
        Ok(())
    }

    /// A version that has become the winner again is one with it.
    fn absorb(&mut self) {
        if let Some(at) = self.others.iter().position(|(digest, ..)| *digest == self.digest) {
            let (.., known) = self.others.swap_remove(at);
            keep_earlier(&mut self.known, known);
        }
    }

    /// Whether it says more than its digest and its rank do.
    pub(crate) fn is_to_look_at(&self, table: &Table) -> bool {
        let is_known_otherwise = table.known_at().is_none()
            && table.fetched_at().is_some_and(|at| self.known.order(&self.row[at]).is_ne());
        table.history && (!self.others.is_empty() || is_known_otherwise)
    }

    /// Which of two rows of a key wins: the greater.
    fn rank(&self, table: &Table, other: &Candidate) -> Ordering {
        let by = ranking(table);
        let order = by.iter().map(|&at| self.row[at].order(&other.row[at])).find(|order| order.is_ne());
        order.unwrap_or(Ordering::Equal).then(self.digest.cmp(&other.digest))
    }

    /// All versions of the row.
    pub(crate) fn versions(&self) -> impl Iterator<Item = Version<'_>> {
        let winner = Version { digest: self.digest, row: &self.row, known: &self.known };
        let others = self.others.iter().map(|(digest, row, known)| Version { digest: *digest, row, known });
        std::iter::once(winner).chain(others)
    }

    /// The row as it is stored; where `known_at` is given, known from that instant on.
    pub(crate) fn known(&self, table: &Table, known_at: Option<Value>) -> Vec<Value> {
        let mut row = self.row.clone();
        if let Some(at) = table.known_at() {
            row[at] = known_at.unwrap_or_else(|| self.known.clone());
        }
        row.push(Value::Integer(self.digest));
        row
    }
}

fn keep_earlier(known: &mut Value, other: Value) {
    if other.order(known).is_lt() {
        *known = other;
    }
}
