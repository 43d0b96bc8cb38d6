use std::path::PathBuf;
use std::rc::Rc;

use failure::{Failure, Outcome};
use pace::{Memory, SharedMemory};
use store::{Store, Written};

/// Where budgets are remembered.
pub(crate) enum Memories {
    /// In files of this machine.
    Folder(Option<PathBuf>),
    /// In the bucket, for several machines.
    Bucket(Rc<Store>),
}

impl Memories {
    /// The memory of a host, and of a secret's owner there.
    pub(crate) fn of(&self, host: &str, owner: &str) -> Outcome<Box<dyn SharedMemory>> {
        let host: String =
            host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
        let name = if owner.is_empty() { format!("web-{host}") } else { format!("web-{host}-{owner}") };
        Ok(match self {
            Memories::Folder(folder) => Box::new(pace::File::new(folder.as_deref(), &name)?),
            Memories::Bucket(store) => {
                Box::new(Shared { store: Rc::clone(store), key: format!("state/pace/{name}.json") })
            }
        })
    }
}

/// A memory as an object has it.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Version {
    /// Who wrote it last: no two writings are the same bytes.
    by: u64,
    memory: Memory,
}

/// A memory in an object, by compare-and-swap.
struct Shared {
    store: Rc<Store>,
    key: String,
}

/// More lost swaps than this in a row are not chance.
const TRIES: u32 = 50;

impl SharedMemory for Shared {
    fn change(&self, body: &mut dyn FnMut(&mut Memory)) -> Outcome {
        for _ in 0..TRIES {
            let object = self.store.get_up_to(&self.key, 1 << 20)?;
            let before: Version = object
                .as_ref()
                .and_then(|object| serde_json::from_slice(&object.bytes).ok())
                .unwrap_or_default();
            let mut memory = before.memory.clone();
            body(&mut memory);
            if memory == before.memory {
                return Ok(());
            }
            // Two that count a call in the same millisecond would write the same bytes, and each would take them for
            // its own.
            let by =
                getrandom::u64().map_err(|error| Failure::unavailable(format!("random numbers: {error}")))?;
            let bytes = serde_json::to_vec(&Version { by, memory }).unwrap_or_default();
            let written = match &object {
                None => self.store.put_if_absent(&self.key, &bytes)?,
                Some(object) => self.store.put_if_unchanged(&self.key, &object.version, &bytes)?,
            };
            if written == Written::Done {
                return Ok(());
            }
        }
        Err(Failure::unavailable(format!("{}: others change it all the time; run again", self.key)))
    }
}
