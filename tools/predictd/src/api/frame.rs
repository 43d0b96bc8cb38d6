//! Rows without names, read value by value: a list of what a body holds may be many times as large as the body.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::api::response::{Response, problem, too_many};
use crate::models::model::LoadedModel;
use crate::scoring::decode;
use crate::scoring::reader::Reader;
use crate::scoring::scored::Scored;

/// More columns are those of no model.
const MOST_COLUMNS: usize = 20_000;

/// The list of a frame's columns.
pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cow<'de, str>>, D::Error> {
    let list = List::<Name<'de>> { most: MOST_COLUMNS, is_too_long: &mut false, of: PhantomData };
    Ok(list.deserialize(deserializer)?.into_iter().map(|name| name.0).collect())
}

/// Predicts a list of rows, each a list of values in the order of the names.
pub(super) fn table(
    loaded: &LoadedModel,
    most: usize,
    names: &[Cow<'_, str>],
    rows: &RawValue,
) -> Result<Scored, Response> {
    read(loaded, most, rows, |reader, json| json.deserialize_seq(Rows { reader, names, is_list: true }))
}

/// Predicts a list of values of the one feature.
pub(super) fn list(loaded: &LoadedModel, most: usize, values: &RawValue) -> Result<Scored, Response> {
    let names = [Cow::Borrowed(loaded.features()[0].name.as_str())];
    read(loaded, most, values, |reader, json| {
        json.deserialize_seq(Rows { reader, names: &names, is_list: false })
    })
}

type Json<'de> = serde_json::Deserializer<serde_json::de::StrRead<'de>>;

fn read<'de>(
    loaded: &LoadedModel,
    most: usize,
    rows: &'de RawValue,
    fill: impl FnOnce(&mut Reader<'_>, &mut Json<'de>) -> serde_json::Result<()>,
) -> Result<Scored, Response> {
    let mut reader = Reader::new(loaded, most);
    match fill(&mut reader, &mut serde_json::Deserializer::from_str(rows.get())) {
        Ok(()) => Ok(reader.finish()?),
        Err(_) if reader.too_many => Err(too_many(most, false)),
        // It says what is there instead.
        Err(_) => {
            decode::score(loaded, most, rows.get())?;
            Err(problem(422, "rows are lists of values, or objects, and not some of each"))
        }
    }
}

/// Predicts an object of columns; none if it is no such object.
pub(super) fn columns(
    loaded: &LoadedModel,
    most: usize,
    rows: &RawValue,
) -> Result<Option<Scored>, Response> {
    let mut is_too_long = false;
    let mut json = serde_json::Deserializer::from_str(rows.get());
    let read = json.deserialize_map(Columns { most, is_too_long: &mut is_too_long });
    let columns = match read {
        Ok(columns) if !columns.is_empty() => columns,
        Err(_) if is_too_long => return Err(too_many(most, false)),
        _ => return Ok(None),
    };
    let count = columns.first().map_or(0, |(_, values)| values.len());
    if columns.iter().any(|(_, values)| values.len() != count) {
        return Err(problem(422, "the columns are not equally long"));
    }
    let mut reader = Reader::new(loaded, most);
    for index in 0..count {
        reader.index = Some(index);
        reader.begin_row();
        // A name that comes twice is found out here.
        for (at, (name, values)) in columns.iter().enumerate() {
            reader.field(name, at, values[index].get());
        }
        reader.end_row();
    }
    Ok(Some(reader.finish()?))
}

/// A list of rows.
struct Rows<'r, 'a> {
    reader: &'r mut Reader<'a>,
    names: &'r [Cow<'r, str>],
    /// Whether a row is a list; else it is a value.
    is_list: bool,
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let Rows { reader, names, is_list } = self;
        let mut count = 0;
        loop {
            if count == reader.most {
                if rows.next_element::<IgnoredAny>()?.is_some() {
                    reader.too_many = true;
                    return Err(A::Error::custom("too many rows"));
                }
                return Ok(());
            }
            reader.index = Some(count);
            let read = match is_list {
                true => rows.next_element_seed(Row { reader, names })?,
                false => match rows.next_element::<&RawValue>()? {
                    Some(value) if value.get().starts_with(['{', '[']) => {
                        return Err(A::Error::custom("no value"));
                    }
                    Some(value) => {
                        reader.begin_row();
                        reader.field(&names[0], 0, value.get());
                        reader.end_row();
                        Some(())
                    }
                    None => None,
                },
            };
            if read.is_none() {
                return Ok(());
            }
            count += 1;
        }
    }
}

/// One of them.
struct Row<'r, 'a> {
    reader: &'r mut Reader<'a>,
    names: &'r [Cow<'r, str>],
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let Row { reader, names } = self;
        reader.begin_row();
        let mut count = 0;
        while let Some(value) = values.next_element::<&RawValue>()? {
            if let Some(name) = names.get(count) {
                reader.field(name, count, value.get());
            }
            count += 1;
        }
        if count == names.len() {
            reader.end_row();
        } else {
            let has = diagnostics::plural(count as u64, "value");
            reader.whole_row(&format!("has {has}, not {}", names.len()));
        }
        Ok(())
    }
}

/// Columns by name.
struct Columns<'r> {
    most: usize,
    is_too_long: &'r mut bool,
}

impl<'de> Visitor<'de> for Columns<'_> {
    type Value = Vec<(Cow<'de, str>, Vec<&'de RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of columns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Columns { most, is_too_long } = self;
        let mut columns = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if columns.len() == MOST_COLUMNS {
                return Err(A::Error::custom("too many columns"));
            }
            let values = List::<&RawValue> { most, is_too_long: &mut *is_too_long, of: PhantomData };
            columns.push((name, map.next_value_seed(values)?));
        }
        Ok(columns)
    }
}

/// A list that is not read on when it is too long.
struct List<'r, T> {
    most: usize,
    is_too_long: &'r mut bool,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            if list.len() == self.most {
                *self.is_too_long = true;
                return Err(A::Error::custom("too long a list"));
            }
            list.push(value);
        }
        Ok(list)
    }
}

/// Most names stand in the text as they are.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
