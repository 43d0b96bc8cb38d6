use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use diagnostics::say;
use failure::{Failure, IoContext, Kind, Outcome};
use fingerprint::Hashed;
use model_file::Model;
use pointer::{Deed, Named, Pointer};
use recipe::Verdict;
use store::Written;

use crate::judge::{Judge, failed, is_superseded};
use crate::{Registry, Signature};

/// How often a lost swap is judged and tried again.
const TRIES: usize = 5;

/// How long a listing is given to name what was just written.
const LISTING_REST: Duration = Duration::from_millis(200);

/// What one look at the pointer decided: to write it as it is changed, or to leave the one that is there.
enum Decision {
    Write(Result<String, String>),
    Leave(Result<String, String>),
}

/// What is to be promoted.
pub(crate) struct Brought<'a> {
    pub(crate) model: &'a Path,
    /// A page about it.
    pub(crate) report: Option<&'a Path>,
    /// What the keys of the training data start with.
    pub(crate) data: Option<&'a str>,
}

/// The key of the page about a model, beside the model.
pub(crate) fn report_of(key: &str) -> String {
    format!("{}.html", key.strip_suffix(".json").unwrap_or(key))
}

/// Stores the model, judges it against the pointer as it is now, and swaps. Doing it again changes nothing.
pub(crate) fn promote(
    registry: &Registry,
    brought: &Brought<'_>,
    judge: &Judge,
    signature: &Signature,
    force: Option<String>,
) -> Outcome {
    let name = brought.model.display().to_string();
    let bytes = input_files::read(brought.model).place(&name)?;
    let Kept { named, model, bytes } = keep(registry, Model::parse(&name, &bytes)?, &bytes, signature)?;
    if let Some(report) = brought.report {
        let page = input_files::read(report).place(report.display())?;
        // Written once: whoever waits for new objects would be told of it at each run.
        let key = report_of(&named.key);
        if registry.store.get(&key)?.is_none_or(|there| there.bytes != page) {
            registry.store.put(&key, &mut page.as_slice())?;
        }
    }
    for _ in 0..TRIES {
        let mut loaded = registry.load()?;
        let look = Look { registry, data: brought.data, model: &model, named: &named, judge };
        let answer = match look.decide(&mut loaded.pointer, signature, force.as_deref())? {
            Decision::Leave(answer) => {
                // Whoever was killed after the move has left no copy of it.
                if loaded.is_there() {
                    registry.keep_copy(&loaded);
                }
                answer
            }
            Decision::Write(answer) => match registry.save(&loaded)? {
                Written::Done => {
                    // A prune may have taken it for old between the look and the move.
                    if registry.store.get(&named.key)?.is_none() {
                        registry.store.put_if_absent(&named.key, &bytes)?;
                    }
                    answer
                }
                Written::Lost => continue,
            },
        };
        return answer.map(|words| say!("{words}")).map_err(Failure::no);
    }
    let pointer = registry.prefix.pointer_key();
    Err(Failure::unavailable(format!("{pointer}: other writers moved it {TRIES} times; try again")))
}

/// A stored model.
struct Kept {
    named: Named,
    model: Model,
    bytes: Vec<u8>,
}

/// Puts the model under its dated key, unless its training key is there already: then the stored one is what is judged.
fn keep(registry: &Registry, model: Model, bytes: &[u8], signature: &Signature) -> Outcome<Kept> {
    let date = signature.clock.now().date();
    let name = format!("{}_{date}_{}.json", model.body().recipe.name, model.key_head());
    let own_key = registry.prefix.key(&name);
    for attempt in 0..TRIES {
        if attempt > 0 {
            // A listing may be older than what it does not name yet.
            thread::sleep(LISTING_REST * attempt as u32);
        }
        if let Some(kept) = stored(registry, &model)? {
            return Ok(kept);
        }
        if registry.store.put_if_absent(&own_key, bytes)? == Written::Done {
            let named = Named { key: own_key, sha256: fingerprint::of(bytes) };
            return Ok(Kept { named, model, bytes: bytes.to_vec() });
        }
        // Somebody else stored the same training key at the same time.
    }
    Err(Failure::unavailable(format!(
        "{own_key}: the bucket says that it is there, and does not list it; try again later"
    )))
}

/// The stored model with the same training key, if there is one.
fn stored(registry: &Registry, model: &Model) -> Outcome<Option<Kept>> {
    if let Some(key) = find_key(registry, model)? {
        let there = registry
            .store
            .get(&key)?
            .ok_or_else(|| Failure::unavailable(format!("{key}: removed meanwhile")))?;
        let stored = Model::parse(&key, &there.bytes).map_err(damaged)?;
        if stored.body().training_key != model.body().training_key {
            return Err(Failure::data(format!(
                "{key} has another training key that starts alike: rename or remove it"
            )));
        }
        let named = Named { key, sha256: fingerprint::of(&there.bytes) };
        return Ok(Some(Kept { named, model: stored, bytes: there.bytes }));
    }
    Ok(None)
}

/// What to do about a stored model that cannot be read.
pub(crate) fn damaged(failure: Failure) -> Failure {
    Failure::data(format!("{failure} (remove it, `bucket rm`, and train again)"))
}

/// The key of a stored model with the same training key, if there is one.
fn find_key(registry: &Registry, model: &Model) -> Outcome<Option<String>> {
    let start = registry.prefix.key(&format!("{}_", model.body().recipe.name));
    let end = format!("_{}.json", model.key_head());
    let is_it = |key: &String| key.ends_with(&end) && registry.prefix.name_of(key).is_some();
    Ok(registry.store.list(&start)?.into_iter().map(|entry| entry.key).find(is_it))
}

/// Whether it was promoted before and another one after it: a late or repeated run must not undo the later one.
fn has_had_its_day(pointer: &Pointer, named: &Named) -> bool {
    let mut promoted = pointer.history.iter().rev().filter(|entry| entry.what == Deed::Promoted);
    let is_latest = promoted.next().is_none_or(|entry| entry.model.as_ref() == Some(named));
    !is_latest && promoted.any(|entry| entry.model.as_ref() == Some(named))
}

/// Whether a model was made from the very objects that lie under a prefix now.
fn is_of_what_is_there(registry: &Registry, prefix: &str, model: &Model) -> Outcome<bool> {
    let Some(manifest) = &model.body().data.manifest else { return Ok(false) };
    let made_from: BTreeMap<&str, &str> = manifest
        .objects
        .iter()
        .map(|part| (part.key.as_str(), part.sha256.as_str()))
        .chain(manifest.excluded.iter().map(|part| (part.key.as_str(), part.sha256.as_str())))
        .collect();
    let there = registry.store.list(prefix)?;
    let names = there.iter().filter_map(|entry| entry.key.strip_prefix(prefix));
    if !names.eq(made_from.keys().copied()) {
        return Ok(false);
    }
    let keys = there.iter().map(|entry| entry.key.as_str());
    for (content, sha256) in registry.store.readers(keys).zip(made_from.values()) {
        let Some(content) = content? else { return Ok(false) };
        let mut hashed = Hashed::new(content);
        io::copy(&mut hashed, &mut io::sink()).place(prefix)?;
        if hashed.hex() != **sha256 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The model that is approved, if there is one that can be read.
fn approved_model(registry: &Registry, pointer: &Pointer) -> Outcome<Option<Model>> {
    let Some(approved) = &pointer.model else { return Ok(None) };
    let model =
        Pointer::fetch_model(&registry.store, approved).and_then(|bytes| Model::parse(&approved.key, &bytes));
    match model {
        Ok(model) => Ok(Some(model)),
        // An approved model that is damaged or gone must not keep a good one out; a bucket that is away must.
        Err(failure) if failure.kind() == Kind::Data => {
            say!("warning: {failure}");
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// A model beside the pointer as it is now.
struct Look<'a> {
    registry: &'a Registry,
    data: Option<&'a str>,
    model: &'a Model,
    named: &'a Named,
    judge: &'a Judge,
}

impl Look<'_> {
    fn decide(&self, pointer: &mut Pointer, signature: &Signature, force: Option<&str>) -> Outcome<Decision> {
        let Look { registry, data, model, named, judge } = *self;
        let key = &named.key;
        let is_approved = pointer.model.as_ref() == Some(named);
        if is_approved && (force.is_none() || pointer.hold.is_none()) {
            return Ok(Decision::Leave(Ok(format!("{key} is the approved model already"))));
        }
        let approved = approved_model(registry, pointer)?;
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
            return Ok(Decision::Write(Ok(format!("{key} is the approved model now, by force"))));
        }
        if let Some(hold) = &pointer.hold {
            return Ok(Decision::Leave(Err(format!(
                "{key} was not promoted: the registry is on hold ({hold}); registry release lifts it"
            ))));
        }
        if let Some(entry) = pointer.verdict_on(named).filter(|entry| entry.what == Deed::Refused) {
            return Ok(Decision::Leave(Err(format!("{key} was refused before: {}", entry.why))));
        }
        // A late or repeated run must not undo a later one; but the data may be again what they were.
        let is_of_now =
            |model: &Model| data.map_or(Ok(false), |prefix| is_of_what_is_there(registry, prefix, model));
        let is_current = || -> Outcome<bool> {
            let approved_is = approved.as_ref().map_or(Ok(false), is_of_now);
            Ok(!approved_is? && is_of_now(model)?)
        };
        if has_had_its_day(pointer, named) && !is_current()? {
            let words =
                format!("{key} stays aside: another one was promoted after it (registry rollback goes back)");
            return Ok(Decision::Leave(Ok(words)));
        }
        if let Some(newer) = approved.as_ref().filter(|approved| is_superseded(model, approved))
            && !is_current()?
        {
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
        Ok(Decision::Write(answer))
    }
}
