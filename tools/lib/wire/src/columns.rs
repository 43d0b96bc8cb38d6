use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::cell::{Cell, CellVisitor};

/// What a column of a round holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// A double.
    Real,
}

use Kind::{Int, Real, Text};

/// The native columns of a round, in the order of DataGolf's CSV.
///
/// Units: `driving_dist` yards; `driving_acc`, `gir`, `scrambling` fractions 0 to 1; `prox_*` feet; `sg_*` strokes;
/// `*_shots` and scores counts; `teetime` local time without zone.
pub const COLUMNS: [(&str, Kind); 35] = [
    ("tour", Text),
    ("year", Int),
    ("season", Int),
    ("event_completed", Text),
    ("event_name", Text),
    ("event_id", Int),
    ("player_name", Text),
    ("dg_id", Int),
    ("fin_text", Text),
    ("round_num", Int),
    ("course_name", Text),
    ("course_num", Int),
    ("course_par", Int),
    ("start_hole", Int),
    ("teetime", Text),
    ("round_score", Int),
    ("sg_putt", Real),
    ("sg_arg", Real),
    ("sg_app", Real),
    ("sg_ott", Real),
    ("sg_t2g", Real),
    ("sg_total", Real),
    ("driving_dist", Real),
    ("driving_acc", Real),
    ("gir", Real),
    ("scrambling", Real),
    ("prox_rgh", Real),
    ("prox_fw", Real),
    ("great_shots", Int),
    ("poor_shots", Int),
    ("eagles_or_better", Int),
    ("birdies", Int),
    ("pars", Int),
    ("bogies", Int),
    ("doubles_or_worse", Int),
];

/// Places of the columns that say whose round it is.
pub(crate) const TOUR: usize = Round::place("tour");
pub(crate) const YEAR: usize = Round::place("year");
pub(crate) const EVENT_ID: usize = Round::place("event_id");
pub(crate) const DG_ID: usize = Round::place("dg_id");
pub(crate) const ROUND_NUM: usize = Round::place("round_num");

/// One player's one round: a cell for each of [`COLUMNS`].
#[derive(Clone, Debug, PartialEq)]
pub struct Round(pub Vec<Cell>);

impl Round {
    /// A round with every cell missing.
    pub fn empty() -> Round {
        Round(vec![Cell::Null; COLUMNS.len()])
    }

    /// Where a column stands in a round.
    pub fn position(column: &str) -> Option<usize> {
        COLUMNS.iter().position(|(name, _)| *name == column)
    }

    /// [`Round::position`] for constants: a name that is no column does not compile.
    pub const fn place(column: &str) -> usize {
        let mut at = 0;
        while !same(COLUMNS[at].0.as_bytes(), column.as_bytes()) {
            at += 1;
        }
        at
    }

    /// The cell of a column; null for a name that is no column.
    pub fn cell(&self, column: &str) -> &Cell {
        Round::position(column).map_or(&Cell::Null, |at| &self.0[at])
    }

    /// Sets the cell of a column, which must be of its kind: whole doubles become integers and the reverse.
    pub fn set(&mut self, column: &str, value: Cell) -> Result<(), String> {
        let at = Round::position(column).ok_or_else(|| format!("{column:?} is no column of a round"))?;
        self.set_at(at, value)
    }

    /// [`Round::set`] by place, for whoever knows it.
    pub fn set_at(&mut self, at: usize, value: Cell) -> Result<(), String> {
        self.0[at] = fit(at, value)?;
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

/// The value as column `at` holds it, or why it cannot.
#[inline]
fn fit(at: usize, value: Cell) -> Result<Cell, String> {
    let (name, kind) = COLUMNS[at];
    match (kind, value) {
        (_, Cell::Null) => Ok(Cell::Null),
        (Text, Cell::Text(text)) => Ok(Cell::Text(text)),
        (Int, Cell::Int(value)) => Ok(Cell::Int(value)),
        (Int, Cell::Real(value)) if value.fract() == 0.0 && value.abs() < 9e15 => Ok(Cell::Int(value as i64)),
        (Real, Cell::Real(value)) if value.is_finite() => Ok(Cell::Real(value)),
        (Real, Cell::Int(value)) => Ok(Cell::Real(value as f64)),
        (kind, value) => Err(format!("{name:?} holds {value:?}, which is not of kind {kind:?}")),
    }
}

impl Serialize for Round {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(COLUMNS.len()))?;
        for ((name, _), cell) in COLUMNS.iter().zip(&self.0) {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Round {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Round, D::Error> {
        deserializer.deserialize_map(RoundVisitor)
    }
}

struct RoundVisitor;

impl<'de> Visitor<'de> for RoundVisitor {
    type Value = Round;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the 35 columns of a round")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Round, A::Error> {
        let mut round = Round::empty();
        let mut seen = [false; COLUMNS.len()];
        let mut due = 0;
        while let Some(at) = map.next_key_seed(Name { due })? {
            if std::mem::replace(&mut seen[at], true) {
                return Err(de::Error::custom(format_args!("{:?} stands twice in a round", COLUMNS[at].0)));
            }
            round.0[at] = map.next_value_seed(Value { at })?;
            due = at + 1;
        }
        match seen.iter().position(|seen| !seen) {
            None => Ok(round),
            Some(at) => Err(de::Error::custom(format_args!("a round lacks {:?}", COLUMNS[at].0))),
        }
    }
}

/// Reads a value as column `at` holds it.
struct Value {
    at: usize,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(CellVisitor { accept: |value| fit(self.at, value) })
    }
}

/// Reads a column's name as its place. Our own writer keeps the columns' order, so it is nearly always the one that is due.
struct Name {
    due: usize,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<usize, E> {
        match COLUMNS.get(self.due) {
            Some((due, _)) if *due == name => Ok(self.due),
            _ => Round::position(name)
                .ok_or_else(|| E::custom(format_args!("{name:?} is no column of a round"))),
        }
    }
}
