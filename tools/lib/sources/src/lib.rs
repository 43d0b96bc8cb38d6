#![doc = include_str!("../README.md")]

mod check;
mod condition;
mod extract;
mod fetch;
mod parameter;
mod season;
mod size;
mod template;

use std::collections::BTreeMap;
use std::str::FromStr;

use failure::{Failure, Outcome};
use serde::Deserialize;

pub use condition::{Condition, Is, Rule, Statuses, Wait};
pub use extract::{ColumnRule, Extract, ExtractLimits, Kind, Names, OneOrMore, TableRows, Unless};
pub use fetch::{Limits, Method, Pages, Poll, SecretPlace, Source};
pub use parameter::{Each, Given};
pub use season::Season;
pub use size::{Length, Size};
pub use template::{Template, in_json};

/// The sources of a system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// Who asks.
    #[serde(default)]
    pub agent: Agent,
    /// What is known of hosts, by `host` or `host:port`.
    #[serde(default)]
    pub hosts: BTreeMap<String, Host>,
    /// Words for several sources.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<String>>,
    /// Lists of names.
    #[serde(default)]
    pub names: BTreeMap<String, Names>,
    /// The sources, by name.
    #[serde(default)]
    pub sources: BTreeMap<String, Source>,
}

/// Who asks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Where the operator of a site can complain; stands in the `User-Agent`.
    pub contact: Option<String>,
    /// The only proxy.
    pub proxy: Option<String>,
}

/// What is known of a host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Calls in any minute.
    #[serde(default = "usual_per_minute")]
    pub per_minute: u32,
    /// Calls a day (UTC).
    pub per_day: Option<u32>,
    /// Whether its address may be one of a private network.
    #[serde(default)]
    pub private: bool,
}

/// Calls in any minute of a host that the file does not name.
pub const PER_MINUTE: u32 = 20;

fn usual_per_minute() -> u32 {
    PER_MINUTE
}

impl FromStr for Sources {
    type Err = Failure;

    /// Parses and validates. The failure ([`failure::Kind::Config`]) says the line where TOML knows it.
    fn from_str(text: &str) -> Result<Sources, Failure> {
        let wrong = |error: toml::de::Error| Failure::config(suggestion::toml_error(text, &error));
        let mut sources: Sources = toml::from_str(text).map_err(wrong)?;
        let plain: serde_json::Value = toml::from_str(text).map_err(wrong)?;
        for (name, source) in &mut sources.sources {
            source.extract_text =
                plain["sources"][name.as_str()].get("extract").map_or_else(String::new, in_order);
        }
        check::check(&sources)?;
        Ok(sources)
    }
}

/// JSON with the members of its objects by name.
fn in_order(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&String, &Value> = members.iter().collect();
            let text: Vec<String> =
                members.into_iter().map(|(name, value)| format!("{name:?}:{}", in_order(value))).collect();
            format!("{{{}}}", text.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(in_order).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

impl Sources {
    /// A source by its name.
    pub fn source(&self, name: &str) -> Outcome<&Source> {
        self.sources.get(name).ok_or_else(|| {
            let near = suggestion::nearest(name, self.sources.keys().map(String::as_str));
            let meant = near.map_or_else(
                || format!("there are {}", self.sources.keys().cloned().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean {near}?"),
            );
            Failure::usage(format!("no source is called {name:?} ({meant})"))
        })
    }

    /// The sources that words mean: names and groups, each source once, in the order of the words.
    pub fn meant(&self, words: &[String]) -> Outcome<Vec<(&str, &Source)>> {
        let mut meant: Vec<(&str, &Source)> = Vec::new();
        for word in words {
            let one = [word.clone()];
            for name in self.groups.get(word).map_or(&one[..], Vec::as_slice) {
                let source = self.source(name)?;
                if let Some((name, source)) =
                    self.sources.get_key_value(name.as_str()).filter(|_| !source.is_named_in(&meant, name))
                {
                    meant.push((name, source));
                }
            }
        }
        Ok(meant)
    }
}

impl Source {
    fn is_named_in(&self, meant: &[(&str, &Source)], name: &str) -> bool {
        meant.iter().any(|(there, _)| *there == name)
    }
}
