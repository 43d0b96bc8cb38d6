use std::borrow::Cow;

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
