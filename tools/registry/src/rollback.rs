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
    say!("{} is the approved model again; held there until registry release", target.key);
    Ok(())
}

/// The named model, or the one that was approved before the current one.
fn target(pointer: &Pointer, to: Option<&str>) -> Outcome<Named> {
    let approved =
        pointer.history.iter().rev().filter(|entry| matches!(entry.what, Deed::Promoted | Deed::Rollback));
    let mut models = approved.filter_map(|entry| entry.model.as_ref());
    let found = match to {
        Some(key) => models.find(|model| model.key == key),
        None => models.find(|model| pointer.model.as_ref() != Some(model)),
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
