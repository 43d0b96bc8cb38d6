//! A pointer that was damaged or lost, and whether everything is whole.

use diagnostics::{plural, say};
use failure::{Failure, Kind, Outcome};
use model_file::Model;
use pointer::{Deed, Pointer};
use store::Written;

use crate::{Registry, Signature};

/// Puts the copy in the place of a pointer that is damaged or gone, and holds there: what the last moves were meant to do is known to people
/// only.
pub(crate) fn restore(registry: &Registry, signature: &Signature) -> Outcome {
    match Pointer::load(&registry.store, &registry.prefix) {
        Ok(loaded) if loaded.is_there() => {
            return Err(Failure::no(format!(
                "{} is whole: there is nothing to restore",
                registry.prefix.pointer_key()
            )));
        }
        Err(failure) if failure.kind() != Kind::Data => return Err(failure),
        _ => {}
    }
    let copy = registry.prefix.copy_key();
    let Some(mut pointer) = Pointer::load_copy(&registry.store, &registry.prefix)? else {
        return Err(Failure::data(format!("{copy}: there is no copy to restore")));
    };
    let why = "restored from its copy";
    let hold = pointer.hold.take().map_or(why.to_owned(), |hold| format!("{hold}; {why}"));
    pointer.hold = Some(hold);
    let model = pointer.model.clone();
    pointer.record(signature.entry(Deed::Restored, model.as_ref(), why));
    match registry.save(&pointer.in_place(&registry.store, &registry.prefix)?)? {
        Written::Done => {}
        Written::Lost => return Err(registry.moved("look and try again")),
    }
    let approved = model.map_or("no model".to_owned(), |model| model.key);
    say!("{approved} is the approved model; held there until registry release");
    Ok(())
}

/// Reads the pointer, its copy, the approved model and every stored one, and says what is not whole.
pub(crate) fn verify(registry: &Registry) -> Outcome {
    let mut wrong = 0;
    let mut keep = |outcome: Outcome| match outcome {
        Ok(()) => Ok(()),
        Err(failure) if failure.kind() == Kind::Data => {
            say!("{failure}");
            wrong += 1;
            Ok(())
        }
        Err(failure) => Err(failure),
    };
    let loaded = match registry.load() {
        Ok(loaded) => Some(loaded),
        Err(failure) => {
            keep(Err(failure))?;
            None
        }
    };
    if let Some(pointer) = loaded.as_ref().filter(|loaded| loaded.is_there()).map(|loaded| &loaded.pointer) {
        keep(match Pointer::load_copy(&registry.store, &registry.prefix) {
            // A pointer that was not moved since copies are kept has none.
            Ok(None) => Ok(()),
            Ok(Some(copy)) if copy.seq == pointer.seq => Ok(()),
            Ok(Some(copy)) => Err(Failure::data(format!(
                "{}: it is of move {}, the pointer of {} (the next move writes it anew)",
                registry.prefix.copy_key(),
                copy.seq,
                pointer.seq
            ))),
            Err(failure) => Err(failure),
        })?;
        if let Some(approved) = &pointer.model {
            keep(Pointer::fetch_model(&registry.store, approved).map(drop))?;
        }
    }
    let mut models = 0;
    for key in registry.keys()?.into_iter().filter(|key| key.ends_with(".json")) {
        models += 1;
        let there = registry.store.get(&key)?;
        keep(there.map_or(Ok(()), |object| Model::parse(&key, &object.bytes).map(drop)))?;
    }
    match wrong {
        0 => {
            say!("the pointer and {} are whole", plural(models, "model"));
            Ok(())
        }
        many => Err(Failure::data(format!("{} not whole", plural(many, "object")))),
    }
}
