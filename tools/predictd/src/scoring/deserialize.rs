//! What serde has to be told so that it calls [`Reader`] while it reads.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::models::model::LoadedModel;
use crate::scoring::reader::Reader;

/// The body: one row, or an array of rows.
pub(crate) struct Body<'r, 'a>(pub(crate) &'r mut Reader<'a>);

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields, or an array of such objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        read_row(self.0, fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        for index in 0..self.0.most {
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

/// One object.
fn read_row<'de, A: MapAccess<'de>>(reader: &mut Reader<'_>, mut fields: A) -> Result<(), A::Error> {
    reader.begin_row();
    let mut guess = 0;
    while let Some(name) = fields.next_key_seed(FieldName { loaded: reader.loaded, guess })? {
        match name {
            Name::Feature(at) => {
                guess = at + 1;
                reader.reading = Some(at);
                let value: &RawValue = fields.next_value()?;
                reader.reading = None;
                reader.take(at, value.get());
            }
            Name::Unknown(name) => {
                let _: IgnoredAny = fields.next_value()?;
                reader.unknown(&name);
            }
        }
    }
    reader.end_row();
    Ok(())
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
        read_row(self.0, fields)
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
struct FieldName<'a> {
    loaded: &'a LoadedModel,
    /// Where it probably stands.
    guess: usize,
}

/// Whose name it is.
enum Name {
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
