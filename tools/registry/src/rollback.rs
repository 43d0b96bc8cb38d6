use artifact::Model;
use manners::{Failure, Outcome, say};
use pointer::{Deed, Named, Pointer};
use store::{Store, Written};

use crate::Signature;

/// Moves the pointer back and holds it there.
pub(crate) fn rollback(store: &Store, to: Option<&str>, signature: &Signature, reason: &str) -> Outcome {
    let mut loaded = Pointer::load(store)?;
    let pointer = &mut loaded.pointer;
    let target = target(pointer, to)?;
    // Never back to something that cannot serve.
    Model::parse(&target.key, &Pointer::fetch_model(store, &target)?)?;
    pointer.model = Some(target.clone());
    pointer.hold = Some(reason.to_owned());
    pointer.record(signature.entry(Deed::Rollback, Some(&target), reason));
    save(store, &loaded)?;
    // It may have been removed between the look and the move.
    Pointer::fetch_model(store, &target)?;
    say!("{} is the approved model again; held there until registry release", target.key);
    Ok(())
}

/// The named model, or the one that was promoted before the current one was. Rollbacks do not count: a second rollback
/// goes one step further back, never forward again.
pub(crate) fn target(pointer: &Pointer, to: Option<&str>) -> Outcome<Named> {
    let promoted = pointer.history.iter().rev().filter(|entry| entry.what == Deed::Promoted);
    let mut models = promoted.filter_map(|entry| entry.model.as_ref());
    let found = match to {
        Some(key) => models.find(|model| model.key == key),
        None => {
            let current = pointer.model.as_ref();
            models.by_ref().find(|model| Some(*model) == current);
            models.find(|model| Some(*model) != current)
        }
    };
    found.cloned().ok_or_else(|| match to {
        Some(key) => Failure::data(format!("{key} was never approved (registry show lists the history)")),
        None => Failure::data("there is no model before the approved one"),
    })
}

/// Lifts the hold.
pub(crate) fn release(store: &Store, signature: &Signature, reason: &str) -> Outcome {
    let mut loaded = Pointer::load(store)?;
    if loaded.pointer.hold.take().is_none() {
        say!("there is no hold");
        return Ok(());
    }
    let model = loaded.pointer.model.clone();
    loaded.pointer.record(signature.entry(Deed::Released, model.as_ref(), reason));
    save(store, &loaded)?;
    say!("the hold is lifted");
    Ok(())
}

/// A person decided on what they saw: if it changed meanwhile, they look again.
fn save(store: &Store, loaded: &pointer::Loaded) -> Outcome {
    match loaded.save(store)? {
        Written::Done => Ok(()),
        Written::Lost => {
            Err(Failure::unavailable(format!("{}: moved meanwhile; look and try again", pointer::KEY)))
        }
    }
}
