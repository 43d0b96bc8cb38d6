//! `[history]` as TOML has it: names are keys of tables there, and the order of roles is that of the file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{Entity, Feature, History, Input, Questions, Role};
use crate::Period;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[serde(default = "utc")]
    zone: String,
    #[serde(default)]
    shard: Vec<String>,
    #[serde(default)]
    newcomer_after: Option<Period>,
    inputs: BTreeMap<String, RawInput>,
    questions: RawQuestions,
    entities: BTreeMap<String, RawEntity>,
    features: Vec<Feature>,
}

fn utc() -> String {
    "UTC".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInput {
    key: Names,
    happened: Names,
    #[serde(default)]
    known_after: Option<Period>,
    #[serde(default)]
    known: Option<String>,
    #[serde(default, rename = "where")]
    only: BTreeMap<String, Names>,
    #[serde(default)]
    versions: Versions,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Versions {
    #[default]
    All,
    Newest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestions {
    key: Names,
    #[serde(default)]
    asked: Option<Names>,
    #[serde(default)]
    at: Option<Names>,
    #[serde(default)]
    every: Option<Period>,
    #[serde(default)]
    horizon: Option<Period>,
    #[serde(default)]
    step: Option<Period>,
    #[serde(default)]
    target: Option<String>,
}

/// One name, or a list of them.
#[derive(Default)]
struct Names(Vec<String>);

struct RawEntity {
    input: String,
    roles: Vec<(String, Spanned<RawRole>)>,
}

struct RawRole {
    key: Vec<String>,
    measures: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Names, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        from.deserialize_any(Of)
    }
}

impl<'de> Deserialize<'de> for RawEntity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<RawEntity, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = RawEntity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with `input` and roles, like home = { key = [\"home_team\"], goals = \"home_goals\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEntity, A::Error> {
                let (mut input, mut roles) = (None, Vec::new());
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "input" => input = Some(map.next_value()?),
                        _ => roles.push((name, map.next_value()?)),
                    }
                }
                Ok(RawEntity { input: input.ok_or_else(|| A::Error::missing_field("input"))?, roles })
            }
        }
        from.deserialize_map(Of)
    }
}

impl<'de> Deserialize<'de> for RawRole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<RawRole, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = RawRole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a role: a table with `key` and measures, like { key = [\"home_team\"], goals = \"home_goals\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawRole, A::Error> {
                let (mut key, mut measures) = (None, BTreeMap::new());
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "key" => key = Some(map.next_value::<Names>()?.0),
                        _ => drop(measures.insert(name, map.next_value()?)),
                    }
                }
                Ok(RawRole { key: key.ok_or_else(|| A::Error::missing_field("key"))?, measures })
            }
        }
        from.deserialize_map(Of)
    }
}

impl From<Raw> for History {
    fn from(raw: Raw) -> History {
        let inputs = raw.inputs.into_iter().map(|(name, input)| Input {
            name,
            key: input.key.0,
            happened: input.happened.0,
            known_after: input.known_after,
            known: input.known,
            only: input.only.into_iter().map(|(column, values)| (column, values.0)).collect(),
            newest: input.versions == Versions::Newest,
        });
        let entities = raw.entities.into_iter().map(|(name, mut entity)| {
            entity.roles.sort_by_key(|(_, role)| role.span().start);
            let role = |(name, role): (String, Spanned<RawRole>)| {
                let RawRole { key, measures } = role.into_inner();
                Role { name, key, measures }
            };
            Entity { name, input: entity.input, roles: entity.roles.into_iter().map(role).collect() }
        });
        History {
            zone: raw.zone,
            shard: raw.shard,
            newcomer_after: raw.newcomer_after,
            inputs: inputs.collect(),
            questions: raw.questions.into(),
            entities: entities.collect(),
            features: raw.features,
            calendar: Vec::new(),
        }
    }
}

impl From<RawQuestions> for Questions {
    /// What is there twice or not at all becomes what the check refuses.
    fn from(raw: RawQuestions) -> Questions {
        let key = raw.key.0;
        let names = |names: Option<Names>| names.map(|names| names.0).unwrap_or_default();
        match (raw.every, raw.horizon, raw.step, raw.target) {
            (Some(every), Some(horizon), Some(step), Some(target))
                if raw.asked.is_none() && raw.at.is_none() =>
            {
                Questions::Made { key, every, horizon, step, target }
            }
            (None, None, None, None) => Questions::Given { key, asked: names(raw.asked), at: names(raw.at) },
            _ => Questions::Given { key, asked: Vec::new(), at: Vec::new() },
        }
    }
}
