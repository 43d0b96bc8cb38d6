use std::collections::BTreeMap;
use std::fs;

use function::Package;
use serde_json::{Value, json};

/// What one run leaves to the next one that it starts.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    /// Only see whether everything can be reached.
    pub(crate) probe: bool,
    /// Only bring the database's tables up to date, and make the user with which all other runs work.
    pub(crate) setup: bool,
    /// How many runs led to this one.
    pub(crate) hop: u64,
    /// The files in which `dg-fetch` remembers the key's calls of the last minute: the next run may come to another machine, and
    /// DataGolf counts the key's calls, not the machine's.
    calls: BTreeMap<String, String>,
}

impl Handover {
    /// A schedule's event and an empty one are the first of their kind.
    pub(crate) fn read(event: &Value) -> Handover {
        let calls = event.get("calls").and_then(Value::as_object).into_iter().flatten();
        let calls = calls.filter(|(name, _)| is_memory(name));
        let is = |what: &str| event.get(what).and_then(Value::as_bool).unwrap_or(false);
        Handover {
            probe: is("probe"),
            setup: is("setup"),
            hop: event.get("hop").and_then(Value::as_u64).unwrap_or(0),
            calls: calls.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect(),
        }
    }

    /// Remembers here what was remembered there. A minute of calls that cannot be written down is no reason not to run.
    pub(crate) fn take_over(&self) {
        let folder = Package::state();
        let _ = fs::create_dir_all(&folder);
        for (name, text) in &self.calls {
            let _ = fs::write(folder.join(name), text);
        }
    }

    /// The next run's event.
    pub(crate) fn next(&self) -> Value {
        let files = fs::read_dir(Package::state()).into_iter().flatten().flatten();
        let memories = files.filter_map(|file| {
            let name = file.file_name().into_string().ok().filter(|name| is_memory(name))?;
            Some((name, fs::read_to_string(file.path()).ok()?))
        });
        json!({"hop": self.hop + 1, "calls": memories.collect::<BTreeMap<_, _>>()})
    }
}

/// `dg-fetch`'s own files, and nothing that leads elsewhere.
fn is_memory(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    name.starts_with("dg-fetch-") && name.ends_with(".json") && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_memories_of_calls_are_taken_over() {
        let event = json!({"hop": 3, "calls": {"dg-fetch-ab12.json": "{}", "../dg-fetch-x.json": "", "bootstrap": "", "dg-fetch-1.json": 7}});
        let handover = Handover::read(&event);
        assert_eq!(handover.hop, 3);
        assert_eq!(handover.calls.keys().collect::<Vec<_>>(), ["dg-fetch-ab12.json"]);
        for first in [
            json!({}),
            json!({"source": "aws.events", "detail": {}}),
            json!(null),
            json!("x"),
            json!({"hop": -1}),
        ] {
            assert_eq!(Handover::read(&first).hop, 0, "{first}");
        }
    }
}
