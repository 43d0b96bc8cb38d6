//! What serde has to be told so that it calls [`Reader`] while it reads.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::loaded::Loaded;
use crate::scoring::{MAX_ROWS, Reader};

/// The body: one row, or an array of rows.
pub(crate) struct Body<'r, 'a>(pub(crate) &'r mut Reader<'a>);

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields, or an array of such objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        self.0.read_row(fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        for index in 0..MAX_ROWS {
            self.0.index = Some(index);
            if rows.next_element_seed(Element(self.0))?.is_none() {
                return Ok(());
            }
        }
        if rows.next_element::<IgnoredAny>()?.is_some() {
            self.0.too_many = true;
            return Err(A::Error::custom("too many rows"));
        }
        Ok(())
    }
}

/// One element of the array, which should be a row.
struct Element<'r, 'a>(&'r mut Reader<'a>);

impl Element<'_, '_> {
    fn not_a_row<E>(self) -> Result<(), E> {
        self.0.whole_row("is not an object of fields");
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        self.0.read_row(fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        self.not_a_row()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.not_a_row()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.not_a_row()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.not_a_row()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.not_a_row()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.not_a_row()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.not_a_row()
    }
}

/// A field's name, looked up without keeping a copy of it.
pub(crate) struct FieldName<'a> {
    pub(crate) loaded: &'a Loaded,
    /// Where it probably stands.
    pub(crate) guess: usize,
}

/// Whose name it is.
pub(crate) enum Name {
    Feature(usize),
    Unknown(String),
}

impl<'de> DeserializeSeed<'de> for FieldName<'_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Name, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName<'_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        Ok(self.loaded.place(name, self.guess).map_or_else(|| Name::Unknown(name.to_owned()), Name::Feature))
    }
}
