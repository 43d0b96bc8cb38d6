use std::fs::File;
use std::path::Path;

use artifact::Model;
use manners::{Exit, Failure, IoContext, Now, Outcome, say};
use pointer::{Deed, Loaded, Named, PREFIX, Pointer};
use recipe::Verdict;
use store::{Store, Written};

use crate::Signature;
use crate::judge::{Judge, failed, is_superseded};

/// How often a lost swap is judged and tried again.
const TRIES: usize = 5;

/// What one look at the pointer decided.
enum Decision {
    Write(Box<Loaded>, Result<String, String>),
    Leave(Result<String, String>),
}

/// What is to be promoted.
pub(crate) struct Brought<'a> {
    pub(crate) model: &'a Path,
    /// A page about it.
    pub(crate) report: Option<&'a Path>,
}

/// The key of the page about a model, beside the model.
pub(crate) fn report_of(key: &str) -> String {
    format!("{}.html", key.strip_suffix(".json").unwrap_or(key))
}

/// Stores the model, judges it against the pointer as it is now, and swaps. Doing it again changes nothing.
pub(crate) fn promote(
    store: &Store,
    brought: &Brought<'_>,
    judge: &Judge,
    signature: &Signature,
    force: Option<String>,
) -> Outcome {
    let name = brought.model.display().to_string();
    let bytes = std::fs::read(brought.model).place(&name)?;
    let Kept { named, model, bytes } = keep(store, Model::parse(&name, &bytes)?, &bytes, signature)?;
    if let Some(report) = brought.report {
        let mut page = File::open(report).place(report.display())?;
        store.put(&report_of(&named.key), &mut page)?;
    }
    for _ in 0..TRIES {
        let answer = match decide(store, &model, &named, judge, signature, force.as_deref())? {
            Decision::Leave(answer) => answer,
            Decision::Write(loaded, answer) => match loaded.save(store)? {
                Written::Done => {
                    // A prune may have taken it for old between the look and the move.
                    if store.get(&named.key)?.is_none() {
                        store.put_if_absent(&named.key, &bytes)?;
                    }
                    answer
                }
                Written::Lost => continue,
            },
        };
        return answer.map(|words| say!("{words}")).map_err(Failure::no);
    }
    Err(Failure::unavailable(format!("{}: other writers moved it {TRIES} times; try again", pointer::KEY)))
}

/// A stored model.
struct Kept {
    named: Named,
    model: Model,
    bytes: Vec<u8>,
}

/// Puts the model under its dated key, unless its training key is there already: then the stored one is what is judged.
fn keep(store: &Store, model: Model, bytes: &[u8], signature: &Signature) -> Outcome<Kept> {
    if let Some(key) = find_key(store, &model)? {
        let there =
            store.get(&key)?.ok_or_else(|| Failure::unavailable(format!("{key}: removed meanwhile")))?;
        let stored = Model::parse(&key, &there.bytes).map_err(damaged)?;
        if stored.body().training_key != model.body().training_key {
            return Err(Failure::data(format!(
                "{key} has another training key that starts alike: rename or remove it"
            )));
        }
        let named = Named { key, sha256: fingerprint::of(&there.bytes) };
        return Ok(Kept { named, model: stored, bytes: there.bytes });
    }
    let date = Now::or_clock(signature.now).date();
    let key = format!("{PREFIX}{}_{date}_{}.json", model.body().recipe.name, model.key_head());
    match store.put_if_absent(&key, bytes)? {
        Written::Done => {
            let named = Named { key, sha256: fingerprint::of(bytes) };
            Ok(Kept { named, model, bytes: bytes.to_vec() })
        }
        // Somebody else stored the same training key at the same time.
        Written::Lost => keep(store, model, bytes, signature),
    }
}

/// What to do about a stored model that cannot be read.
pub(crate) fn damaged(failure: Failure) -> Failure {
    Failure::data(format!("{failure} (remove it, `bucket rm`, and train again)"))
}

/// The key of a stored model with the same training key, if there is one.
fn find_key(store: &Store, model: &Model) -> Outcome<Option<String>> {
    let start = format!("{PREFIX}{}_", model.body().recipe.name);
    let end = format!("_{}.json", model.key_head());
    Ok(store.list(&start)?.into_iter().map(|entry| entry.key).find(|key| key.ends_with(&end)))
}

/// Whether it was promoted before and another one after it: a late or repeated run must not undo the later one.
fn has_had_its_day(pointer: &Pointer, named: &Named) -> bool {
    let mut promoted = pointer.history.iter().rev().filter(|entry| entry.what == Deed::Promoted);
    let is_latest = promoted.next().is_none_or(|entry| entry.model.as_ref() == Some(named));
    !is_latest && promoted.any(|entry| entry.model.as_ref() == Some(named))
}

/// The model that is approved, if there is one that can be read.
fn approved_model(store: &Store, pointer: &Pointer) -> Outcome<Option<Model>> {
    let Some(approved) = &pointer.model else { return Ok(None) };
    let model = Pointer::fetch_model(store, approved).and_then(|bytes| Model::parse(&approved.key, &bytes));
    match model {
        Ok(model) => Ok(Some(model)),
        // An approved model that is damaged or gone must not keep a good one out; a bucket that is away must.
        Err(failure) if failure.exit() == Exit::Data => {
            say!("warning: {failure}");
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn decide(
    store: &Store,
    model: &Model,
    named: &Named,
    judge: &Judge,
    signature: &Signature,
    force: Option<&str>,
) -> Outcome<Decision> {
    let mut loaded = Pointer::load(store)?;
    let pointer = &mut loaded.pointer;
    let key = &named.key;
    let is_approved = pointer.model.as_ref() == Some(named);
    if is_approved && (force.is_none() || pointer.hold.is_none()) {
        return Ok(Decision::Leave(Ok(format!("{key} is the approved model already"))));
    }
    let approved = approved_model(store, pointer)?;
    if let Some(reason) = force {
        let mut entry = signature.entry(Deed::Promoted, Some(named), reason);
        // Whoever forces may force what cannot even be judged.
        let verdicts = judge.verdicts(model, approved.as_ref());
        entry.verdicts = verdicts.unwrap_or_else(|failure| {
            vec![Verdict { rule: format!("it can be judged: {failure}"), passed: false }]
        });
        pointer.model = Some(named.clone());
        pointer.hold = None;
        pointer.record(entry);
        return Ok(Decision::Write(
            Box::new(loaded),
            Ok(format!("{key} is the approved model now, by force")),
        ));
    }
    if let Some(hold) = &pointer.hold {
        return Ok(Decision::Leave(Err(format!(
            "{key} was not promoted: the registry is on hold ({hold}); registry release lifts it"
        ))));
    }
    if let Some(entry) = pointer.verdict_on(named).filter(|entry| entry.what == Deed::Refused) {
        return Ok(Decision::Leave(Err(format!("{key} was refused before: {}", entry.why))));
    }
    if has_had_its_day(pointer, named) {
        let words =
            format!("{key} stays aside: another one was promoted after it (registry rollback goes back)");
        return Ok(Decision::Leave(Ok(words)));
    }
    if let Some(newer) = approved.as_ref().filter(|approved| is_superseded(model, approved)) {
        let words = format!("{key} stays aside: {} was trained on newer data", newer.id());
        return Ok(Decision::Leave(Ok(words)));
    }
    let verdicts = judge.verdicts(model, approved.as_ref())?;
    let (deed, answer) = match failed(&verdicts) {
        None => (Deed::Promoted, Ok(format!("{key} is the approved model now"))),
        Some(why) => (Deed::Refused, Err(format!("{key} was refused: {why}"))),
    };
    let why = failed(&verdicts).unwrap_or_else(|| "every rule holds".to_owned());
    let mut entry = signature.entry(deed, Some(named), &why);
    entry.verdicts = verdicts;
    if deed == Deed::Promoted {
        pointer.model = Some(named.clone());
    }
    pointer.record(entry);
    Ok(Decision::Write(Box::new(loaded), answer))
}
