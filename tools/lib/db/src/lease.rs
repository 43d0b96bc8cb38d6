use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use failure::{Failure, IoContext, Outcome};

/// The right to be the only one doing something; it ends when its last holder ends, however it ends.
pub struct Lease(Held);

enum Held {
    File(File),
    Session(Box<dyn SessionLease>),
}

/// A lease that a server keeps for as long as a session lives.
pub(crate) trait SessionLease {
    /// Whether it is still ours; takes it again where the server has forgotten it and nobody else took it.
    fn still_held(&mut self) -> bool;
    /// The session's connection.
    fn descriptor(&self) -> RawFd;
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
                    "another program holds the lease {name} ({}); this one did nothing",
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
        Ok(Lease(Held::File(file)))
    }

    pub(crate) fn on_session(session: Box<dyn SessionLease>) -> Lease {
        Lease(Held::Session(session))
    }

    /// Whether nobody else can have it. A lock on a file stays; a server that was restarted has forgotten its own.
    pub fn still_held(&mut self) -> bool {
        match &mut self.0 {
            Held::File(_) => true,
            Held::Session(session) => session.still_held(),
        }
    }

    /// Lets programs that this one starts hold the lease too, so that it outlives a `kill -9` of this process for as
    /// long as they still work: they inherit the locked file, or the session's connection, which stays open with them.
    pub fn share_with_children(&self) -> Outcome {
        let descriptor = match &self.0 {
            Held::File(file) => file.as_raw_fd(),
            Held::Session(session) => session.descriptor(),
        };
        fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))
            .map(drop)
            .map_err(std::io::Error::from)
            .place("lease")
    }
}
