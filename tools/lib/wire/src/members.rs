use std::fmt;

use schema::{Column, Value};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// No table has more columns: MySQL takes 1,017.
const MOST: usize = 1_017;

/// A flat JSON object, in its own order: names and values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(pub Vec<(String, Value)>);

impl Members {
    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The values of columns, in their order and as their types hold them; an error names what is missing, wrong or
    /// unknown.
    pub fn fit(&self, what: &str, columns: &[Column]) -> Result<Vec<Value>, String> {
        if let Some((name, _)) =
            self.0.iter().find(|(name, _)| !columns.iter().any(|column| column.name == *name))
        {
            return Err(format!("{what} has {name:?}, which the schema does not know"));
        }
        let fit = |column: &Column| {
            let value = self.get(&column.name).ok_or_else(|| format!("{what} lacks {:?}", column.name))?;
            column.kind.accept(value.clone()).map_err(|reason| format!("{what}, {:?}: {reason}", column.name))
        };
        columns.iter().map(fit).collect()
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers and texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.0.len() == MOST {
                        return Err(de::Error::custom(format_args!("more than {MOST} names in an object")));
                    }
                    if members.get(&name).is_some() {
                        return Err(de::Error::custom(format_args!("{name:?} stands twice")));
                    }
                    members.0.push((name, value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
