use std::io::Write;

use diagnostics::printable;
use failure::{Failure, IoContext, Outcome};
use model_file::Model;
use pointer::{Deed, Entry, Named};
use serde::Serialize;

use crate::Registry;

/// Prints the pointer for people.
pub(crate) fn show(registry: &Registry) -> Outcome {
    let pointer = registry.load()?.pointer;
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
    // What it quotes, others wrote.
    send(printable(&text).as_bytes())
}

/// Prints the history for programs.
pub(crate) fn history(registry: &Registry) -> Outcome {
    let pointer = registry.load()?.pointer;
    let mut out = rows::Writer::new(cli::stdout()?);
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
pub(crate) fn approved(registry: &Registry) -> Outcome {
    let pointer = registry.load()?.pointer;
    let Some(model) = &pointer.model else {
        return Err(Failure::no("no model is approved yet"));
    };
    if registry.store.reader(&model.key)?.is_none() {
        return Err(Failure::data(format!(
            "{} is approved, but it is not there (put it back, or registry rollback)",
            model.key
        )));
    }
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
pub(crate) fn ls(registry: &Registry) -> Outcome {
    let pointer = registry.load()?.pointer;
    let mut out = rows::Writer::new(cli::stdout()?);
    out.write(["key", "id", "approved", "verdict"]).place("stdout")?;
    // Pages about models stand beside them.
    for key in registry.keys()?.into_iter().filter(|key| !key.ends_with(".html")) {
        let Some(object) = registry.store.get(&key)? else { continue };
        let named = Named { sha256: fingerprint::of(&object.bytes), key };
        let id = Model::parse(&named.key, &object.bytes)
            .map_or_else(|_| "unreadable".to_owned(), |model| model.id());
        let approved = if pointer.model.as_ref() == Some(&named) { "yes" } else { "no" };
        let verdict = pointer.verdict_on(&named).map_or("", |entry| deed(entry.what));
        out.write([named.key.as_str(), id.as_str(), approved, verdict]).place("stdout")?;
    }
    out.flush().place("stdout")
}

/// Writes the model with a training key to stdout.
pub(crate) fn find(registry: &Registry, training_key: &str) -> Outcome {
    let is_key = training_key.len() == 64 && training_key.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_key {
        return Err(Failure::usage(format!(
            "{training_key:?} is not a training key (fit --training-key prints it)"
        )));
    }
    let head = &training_key[..12];
    let end = format!("_{head}.json");
    let Some(key) = registry.keys()?.into_iter().find(|key| key.ends_with(&end)) else {
        return Err(Failure::no(format!("no model with the training key {head}…")));
    };
    let object = registry.store.get(&key)?.ok_or_else(|| Failure::unavailable(format!("{key}: removed")))?;
    let model = Model::parse(&key, &object.bytes).map_err(crate::promote::damaged)?;
    if model.body().training_key != training_key {
        return Err(Failure::no(format!("{key} has another training key")));
    }
    send(&object.bytes)
}

fn deed(deed: Deed) -> &'static str {
    match deed {
        Deed::Promoted => "promoted",
        Deed::Refused => "refused",
        Deed::Rollback => "rollback",
        Deed::Released => "released",
        Deed::Restored => "restored",
    }
}

fn send(bytes: &[u8]) -> Outcome {
    let mut out = cli::stdout()?;
    out.write_all(bytes).and_then(|()| out.flush()).place("stdout")
}
