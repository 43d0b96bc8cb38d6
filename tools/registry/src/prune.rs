use std::collections::BTreeSet;

use clock::Now;
use diagnostics::{plural, say};
use failure::{Failure, IoContext, Outcome};
use pointer::Prefix;
use store::Written;

use crate::Registry;
use crate::promote::report_of;
use crate::rollback::target;

/// Which models may go.
pub(crate) struct Retention {
    /// The history's last entries, whose models stay.
    pub(crate) keep: usize,
    /// Younger models stay: a run may have stored one and not have come to the pointer yet.
    pub(crate) days: u16,
    /// Only say which.
    pub(crate) dry_run: bool,
}

/// Removes models that neither the pointer nor the end of its history names, and writes their keys to stdout.
pub(crate) fn prune(registry: &Registry, retention: &Retention, now: Now) -> Outcome {
    let mut loaded = registry.load()?;
    let pointer = &loaded.pointer;
    if pointer.model.is_none() {
        return Err(Failure::data(format!(
            "{}: no model is approved, so that nothing says which of them are needed: nothing is removed",
            registry.prefix.pointer_key()
        )));
    }
    let recent = pointer.history.iter().rev().take(retention.keep);
    // Where a rollback would go stays, however many were refused since.
    let before = target(pointer, None).ok();
    let named: BTreeSet<&str> = recent
        .filter_map(|entry| entry.model.as_ref())
        .chain(&pointer.model)
        .chain(&before)
        .map(|model| model.key.as_str())
        .collect();
    let oldest_kept = now.plus_hours(-24 * i64::from(retention.days)).date();
    let keys = registry.keys()?.into_iter();
    let doomed: Vec<String> = keys
        .filter(|key| !named.contains(key.as_str()))
        .filter(|key| date_of(&registry.prefix, key).is_some_and(|date| date < oldest_kept.as_str()))
        .collect();
    if !retention.dry_run && !doomed.is_empty() {
        // Counted before anything is removed: whoever moves the pointer back meanwhile looks again, and finds what is left.
        loaded.pointer.seq += 1;
        if registry.save(&loaded)? == Written::Lost {
            return Err(registry.moved("try again"));
        }
        for key in &doomed {
            // Somebody may have moved it to one of these since.
            if registry.load()?.pointer.seq != loaded.pointer.seq {
                return Err(registry.moved("try again"));
            }
            registry.store.delete(key)?;
            registry.store.delete(&report_of(key))?;
        }
    }
    let mut out = rows::Writer::new(cli::stdout()?);
    out.write(["key"]).place("stdout")?;
    for key in &doomed {
        out.write([key.as_str()]).place("stdout")?;
    }
    out.flush().place("stdout")?;
    let verb = if retention.dry_run { "would be removed" } else { "removed" };
    say!("{} {verb}", plural(doomed.len() as u64, "model"));
    Ok(())
}

/// The date in the key of a model, as `promote` names it; nothing else is ever removed.
fn date_of<'a>(prefix: &Prefix, key: &'a str) -> Option<&'a str> {
    let name = prefix.name_of(key)?.strip_suffix(".json")?;
    let (rest, head) = name.rsplit_once('_')?;
    let (recipe, date) = rest.rsplit_once('_')?;
    let is_head = head.len() == 12 && head.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_date = date.len() == 10
        && date
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    (is_head && is_date && !recipe.is_empty()).then_some(date)
}

#[cfg(test)]
mod tests {
    use pointer::Prefix;

    use super::date_of;

    #[test]
    fn only_dated_models_have_a_date() {
        let date_of = |key| date_of(&Prefix::default(), key);
        assert_eq!(date_of("models/golf_2026-01-06_4715bbba9fdb.json"), Some("2026-01-06"));
        for key in [
            "models/latest_model.json",
            "models/golf_2026-1-06_4715bbba9fdb.json",
            "models/golf_2026-01-06_4715bbba9fd.json",
            "models/_2026-01-06_4715bbba9fdb.json",
            "models/golf_2026-01-06_4715bbba9fdb.json.bak",
            "models/golf/golf_2026-01-06_4715bbba9fdb.json",
            "training_data/golf_2026-01-06_4715bbba9fdb.json",
        ] {
            assert_eq!(date_of(key), None, "{key}");
        }
    }
}
