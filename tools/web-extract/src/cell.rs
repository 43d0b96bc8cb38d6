use std::borrow::Cow;

use crate::notes::Notes;

/// A member of a record, before it is a value of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// There is no such member, or it is null.
    Null,
    Integer(i64),
    Number(f64),
    Text(Cow<'a, str>),
    /// A list or an object.
    Nested,
}

impl Cell<'_> {
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Cell::Null | Cell::Nested => Cow::Borrowed(""),
            Cell::Integer(value) => Cow::Owned(value.to_string()),
            Cell::Number(value) => Cow::Owned(rows::number::text(*value)),
            Cell::Text(text) => Cow::Borrowed(text),
        }
    }
}

/// The members of a record, in the order of the plan.
pub(crate) trait Members {
    /// The member at a place.
    fn cell(&self, at: usize, notes: &mut Notes) -> Cell<'_>;

    /// Its raw bytes, which a number needs no decoding for; none of what is no text.
    fn bytes(&self, at: usize) -> Option<&[u8]>;
}

impl Members for [Cell<'_>] {
    fn cell(&self, at: usize, _: &mut Notes) -> Cell<'_> {
        match &self[at] {
            Cell::Text(text) => Cell::Text(Cow::Borrowed(text.as_ref())),
            other => other.clone(),
        }
    }

    fn bytes(&self, at: usize) -> Option<&[u8]> {
        match &self[at] {
            Cell::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }
}
