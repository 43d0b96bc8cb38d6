//! A round's columns under the database's names: the one place outside of the schema where they stand.

use schema::{Type, Value};

const TEXT: Type = Type::Text(None);

/// The native columns of a round, in the order of DataGolf's CSV.
///
/// Units: `driving_dist` yards; `driving_acc`, `gir`, `scrambling` fractions 0 to 1; `prox_*` feet; `sg_*` strokes;
/// `*_shots` and scores counts; `teetime` local time without zone.
pub(crate) const COLUMNS: [(&str, Type); 35] = [
    ("tour", TEXT),
    ("year", Type::Integer),
    ("season", Type::Integer),
    ("event_completed", TEXT),
    ("event_name", TEXT),
    ("event_id", Type::Integer),
    ("player_name", TEXT),
    ("dg_id", Type::Integer),
    ("fin_text", TEXT),
    ("round_num", Type::Integer),
    ("course_name", TEXT),
    ("course_num", Type::Integer),
    ("course_par", Type::Integer),
    ("start_hole", Type::Integer),
    ("teetime", TEXT),
    ("round_score", Type::Integer),
    ("sg_putt", Type::Number),
    ("sg_arg", Type::Number),
    ("sg_app", Type::Number),
    ("sg_ott", Type::Number),
    ("sg_t2g", Type::Number),
    ("sg_total", Type::Number),
    ("driving_dist", Type::Number),
    ("driving_acc", Type::Number),
    ("gir", Type::Number),
    ("scrambling", Type::Number),
    ("prox_rgh", Type::Number),
    ("prox_fw", Type::Number),
    ("great_shots", Type::Integer),
    ("poor_shots", Type::Integer),
    ("eagles_or_better", Type::Integer),
    ("birdies", Type::Integer),
    ("pars", Type::Integer),
    ("bogies", Type::Integer),
    ("doubles_or_worse", Type::Integer),
];

/// Places of the columns that say whose round it is.
pub(crate) const DG_ID: usize = Round::place("dg_id");
pub(crate) const ROUND_NUM: usize = Round::place("round_num");

/// One player's one round: a cell for each of [`COLUMNS`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Round(pub(crate) Vec<Value>);

impl Round {
    /// A round with every cell missing.
    pub(crate) fn empty() -> Round {
        Round(vec![Value::Null; COLUMNS.len()])
    }

    /// Where a column stands in a round. In a constant, a name that is not a column does not compile.
    pub(crate) const fn place(column: &str) -> usize {
        let mut at = 0;
        while !same(COLUMNS[at].0.as_bytes(), column.as_bytes()) {
            at += 1;
        }
        at
    }

    /// Sets the cell at a place, which must be of its column's type: whole doubles become integers and the reverse.
    pub(crate) fn set_at(&mut self, at: usize, value: Value) -> Result<(), String> {
        let (name, kind) = COLUMNS[at];
        self.0[at] = kind.accept(value).map_err(|reason| format!("{name:?}: {reason}"))?;
        Ok(())
    }
}

/// `==` of names, which constants may not use yet.
const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}
