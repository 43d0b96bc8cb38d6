use diagnostics::say;
use failure::{Failure, Outcome};
use model_file::Model;
use pointer::{Deed, Named, Pointer};
use store::Written;

use crate::{Registry, Signature};

/// Moves the pointer back and holds it there.
pub(crate) fn rollback(
    registry: &Registry,
    to: Option<&str>,
    signature: &Signature,
    reason: &str,
) -> Outcome {
    let mut loaded = registry.load()?;
    let pointer = &mut loaded.pointer;
    let target = target(pointer, to)?;
    // Never back to something that cannot serve.
    Model::parse(&target.key, &Pointer::fetch_model(&registry.store, &target)?)?;
    pointer.model = Some(target.clone());
    pointer.hold = Some(reason.to_owned());
    pointer.record(signature.entry(Deed::Rollback, Some(&target), reason));
    save(registry, &loaded)?;
    // It may have been removed between the look and the move.
    Pointer::fetch_model(&registry.store, &target)?;
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
pub(crate) fn release(registry: &Registry, signature: &Signature, reason: &str) -> Outcome {
    let mut loaded = registry.load()?;
    if loaded.pointer.hold.take().is_none() {
        say!("there is no hold");
        return Ok(());
    }
    let model = loaded.pointer.model.clone();
    loaded.pointer.record(signature.entry(Deed::Released, model.as_ref(), reason));
    save(registry, &loaded)?;
    say!("the hold is lifted");
    Ok(())
}

/// A person decided on what they saw: if it changed meanwhile, they look again.
fn save(registry: &Registry, loaded: &pointer::Loaded) -> Outcome {
    match registry.save(loaded)? {
        Written::Done => Ok(()),
        Written::Lost => Err(registry.moved("look and try again")),
    }
}
