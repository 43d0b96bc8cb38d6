use std::io::Write;

use artifact::Model;
use manners::{Failure, IoContext, Outcome};
use pointer::{Deed, Entry, Named, PREFIX, Pointer};
use serde::Serialize;
use store::Store;

/// Prints the pointer for people.
pub(crate) fn show(store: &Store) -> Outcome {
    let pointer = Pointer::load(store)?.pointer;
    let mut text = String::new();
    match &pointer.model {
        None => text.push_str("approved: none yet\n"),
        Some(Named { key, sha256 }) => text.push_str(&format!("approved: {key}\nsha256:   {sha256}\n")),
    }
    if let Some(hold) = &pointer.hold {
        text.push_str(&format!("hold:     {hold}\n"));
    }
    for entry in pointer.history.iter().rev() {
        let model = entry.model.as_ref().map_or("-", |model| model.key.as_str());
        let what = deed(entry.what);
        text.push_str(&format!(
            "{:>4}  {}  {what:<8}  {model}  by {}: {}\n",
            entry.seq, entry.when, entry.who, entry.why
        ));
        for verdict in &entry.verdicts {
            text.push_str(&format!(
                "      {}  {}\n",
                if verdict.passed { "holds" } else { "FAILS" },
                verdict.rule
            ));
        }
    }
    send(text.as_bytes())
}

/// Prints the history for programs.
pub(crate) fn history(store: &Store) -> Outcome {
    let pointer = Pointer::load(store)?.pointer;
    let mut out = rows::Writer::new(manners::stdout()?);
    out.write(["seq", "when", "who", "what", "model", "why"]).place("stdout")?;
    for entry in &pointer.history {
        let model = entry.model.as_ref().map_or("", |model| model.key.as_str());
        let seq = entry.seq.to_string();
        out.write([&seq, &entry.when, &entry.who, deed(entry.what), model, &entry.why]).place("stdout")?;
    }
    out.flush().place("stdout")
}

/// What [`approved`] prints.
#[derive(Serialize)]
struct Approved<'a> {
    key: &'a str,
    sha256: &'a str,
    /// When it became the approved one; none if the history does not reach back so far.
    since: Option<&'a str>,
    hold: Option<&'a str>,
}

/// Prints which model is approved, for programs.
pub(crate) fn approved(store: &Store) -> Outcome {
    let pointer = Pointer::load(store)?.pointer;
    let Some(model) = &pointer.model else {
        return Err(Failure::no("no model is approved yet"));
    };
    let put_there = |entry: &&Entry| {
        matches!(entry.what, Deed::Promoted | Deed::Rollback) && entry.model.as_ref() == Some(model)
    };
    let since = pointer.history.iter().rev().find(put_there).map(|entry| entry.when.as_str());
    let approved = Approved { key: &model.key, sha256: &model.sha256, since, hold: pointer.hold.as_deref() };
    // Strings always serialise.
    let mut line = serde_json::to_vec(&approved).unwrap_or_default();
    line.push(b'\n');
    send(&line)
}

/// Lists the stored models.
pub(crate) fn ls(store: &Store) -> Outcome {
    let pointer = Pointer::load(store)?.pointer;
    let mut out = rows::Writer::new(manners::stdout()?);
    out.write(["key", "id", "approved", "verdict"]).place("stdout")?;
    for entry in store.list(PREFIX)? {
        // Pages about models stand beside them.
        if entry.key == pointer::KEY || entry.key.ends_with(".html") {
            continue;
        }
        let Some(object) = store.get(&entry.key)? else { continue };
        let named = Named { sha256: fingerprint::of(&object.bytes), key: entry.key };
        let id = Model::parse(&named.key, &object.bytes)
            .map_or_else(|_| "unreadable".to_owned(), |model| model.id());
        let approved = if pointer.model.as_ref() == Some(&named) { "yes" } else { "no" };
        let verdict = pointer.verdict_on(&named).map_or("", |entry| deed(entry.what));
        out.write([named.key.as_str(), id.as_str(), approved, verdict]).place("stdout")?;
    }
    out.flush().place("stdout")
}

/// Writes the model with a training key to stdout.
pub(crate) fn find(store: &Store, training_key: &str) -> Outcome {
    let is_key = training_key.len() == 64 && training_key.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_key {
        return Err(Failure::usage(format!(
            "{training_key:?} is not a training key (fit --training-key prints it)"
        )));
    }
    let head = &training_key[..12];
    let end = format!("_{head}.json");
    let Some(entry) = store.list(PREFIX)?.into_iter().find(|entry| entry.key.ends_with(&end)) else {
        return Err(Failure::no(format!("no model with the training key {head}…")));
    };
    let object =
        store.get(&entry.key)?.ok_or_else(|| Failure::unavailable(format!("{}: removed", entry.key)))?;
    let model = Model::parse(&entry.key, &object.bytes).map_err(crate::promote::damaged)?;
    if model.body().training_key != training_key {
        return Err(Failure::no(format!("{} has another training key", entry.key)));
    }
    send(&object.bytes)
}

fn deed(deed: Deed) -> &'static str {
    match deed {
        Deed::Promoted => "promoted",
        Deed::Refused => "refused",
        Deed::Rollback => "rollback",
        Deed::Released => "released",
    }
}

fn send(bytes: &[u8]) -> Outcome {
    let mut out = manners::stdout()?;
    out.write_all(bytes).and_then(|()| out.flush()).place("stdout")
}
