use clock::Instant;
use recipe::Margin;

use crate::columns::NOBODY;
use crate::plan::Rating;

/// No term is named.
pub(crate) const NO_TERM: u32 = u32::MAX;

/// An entity's rating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rated {
    pub(crate) value: f64,
    pub(crate) term: u32,
    pub(crate) happened: Instant,
    pub(crate) rows: u64,
}

/// A row that moves two ratings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bout {
    pub(crate) known: Instant,
    pub(crate) happened: Instant,
    pub(crate) term: u32,
    /// Both, or the one that is named.
    pub(crate) entities: [u32; 2],
    /// What both measures are; the greater one has won. Where one is null the row moves no rating.
    pub(crate) measures: [f64; 2],
}

/// The ratings of a kind of entities, by their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ratings {
    pub(crate) of: Vec<Option<Rated>>,
    /// Rows of one `known`, which enter together.
    pub(crate) pending: Vec<Bout>,
}

impl Ratings {
    /// Takes a row.
    pub(crate) fn enter(&mut self, rule: &Rating, newcomer_after: Option<i64>, bout: Bout) {
        if self.pending.first().is_some_and(|first| first.known != bout.known) {
            self.settle(rule, newcomer_after);
        }
        self.pending.push(bout);
    }

    /// Moves the ratings by the rows that wait: by what the ratings were before all of them.
    pub(crate) fn settle(&mut self, rule: &Rating, newcomer_after: Option<i64>) {
        let bouts = std::mem::take(&mut self.pending);
        for bout in &bouts {
            for entity in bout.entities.into_iter().filter(|entity| *entity != NOBODY) {
                let value = self.value(rule, newcomer_after, entity, bout.term, bout.happened);
                let at = entity as usize;
                if self.of.len() <= at {
                    self.of.resize(at + 1, None);
                }
                let before = self.of[at];
                let happened = before.map_or(bout.happened, |before| before.happened.max(bout.happened));
                let rows = before.map_or(0, |before| before.rows) + 1;
                self.of[at] = Some(Rated { value, term: bout.term, happened, rows });
            }
        }
        let value = |entity: u32| self.of[entity as usize].map_or(rule.start, |rated| rated.value);
        let is_whole =
            |bout: &&Bout| !bout.entities.contains(&NOBODY) && !bout.measures.iter().any(|x| x.is_nan());
        let changes: Vec<f64> = bouts
            .iter()
            .filter(is_whole)
            .map(|bout| rule.change(bout.entities.map(value), bout.measures))
            .collect();
        for (bout, change) in bouts.iter().filter(is_whole).zip(changes) {
            for (entity, change) in bout.entities.into_iter().zip([change, -change]) {
                if let Some(rated) = &mut self.of[entity as usize] {
                    rated.value += change;
                }
            }
        }
    }

    /// An entity's rating in a term; rows that wait are not in it.
    pub(crate) fn value(
        &self,
        rule: &Rating,
        newcomer_after: Option<i64>,
        entity: u32,
        term: u32,
        now: Instant,
    ) -> f64 {
        let Some(rated) = self.of.get(entity as usize).copied().flatten() else { return rule.start };
        if newcomer_after.is_some_and(|after| now > rated.happened.plus(after)) {
            return rule.start;
        }
        match rule.carry {
            Some(carry) if rated.term != term => rule.start + carry * (rated.value - rule.start),
            _ => rated.value,
        }
    }
}

impl Rating {
    /// What the first role's rating gains, and the second's loses (Elo, The Rating of Chessplayers, 1978).
    fn change(&self, [first, second]: [f64; 2], [own, others]: [f64; 2]) -> f64 {
        let expected = 1.0 / (1.0 + 10f64.powf((second - first - self.home) / 400.0));
        let result = if own > others {
            1.0
        } else if own < others {
            0.0
        } else {
            0.5
        };
        let difference = (own - others).abs().max(1.0);
        let margin = match self.margin {
            Margin::None => 1.0,
            Margin::Sqrt => difference.sqrt(),
            Margin::Log1p => difference.ln_1p(),
        };
        self.k * margin * (result - expected)
    }
}
