use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use manners::{Failure, IoContext, Outcome};

/// The right to be the only one doing something; it ends when its last holder ends, however it ends.
#[derive(Debug)]
pub struct Lease {
    file: File,
}

impl Lease {
    pub(crate) fn on_file(path: &Path, name: &str) -> Outcome<Lease> {
        let place = &path.display().to_string();
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.place(place)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only a courtesy: without the holder's words the message is shorter.
                let _ = file.read_to_string(&mut holder);
                return Err(Failure::unavailable(format!(
                    "another {name} is at work ({}); this one did nothing",
                    holder.trim()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(Failure::io(place, &error)),
        }
        let note = format!("process {}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(note.as_bytes()))
            .place(place)?;
        Ok(Lease { file })
    }

    /// Lets programs that this one starts hold the lease too, so that it outlives a `kill -9` of this process for as
    /// long as they still work.
    pub fn share_with_children(&self) -> Outcome {
        rustix::io::fcntl_setfd(&self.file, rustix::io::FdFlags::empty())
            .map_err(std::io::Error::from)
            .place("lease")
    }
}
