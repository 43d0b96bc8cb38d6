#![doc = include_str!("../README.md")]

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use failure::{Failure, Outcome};

/// A file by device and inode: its name may be one of many.
type Identity = (u64, u64);

static READ: Mutex<BTreeSet<Identity>> = Mutex::new(BTreeSet::new());

/// Opens a file to read it.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    note(&file);
    Ok(file)
}

/// Reads a whole file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a whole small file of text: a recipe, a manifest. A missing file is [`failure::Kind::Config`].
pub fn read_text(path: &Path) -> Outcome<String> {
    let mut text = String::new();
    let read = open(path).and_then(|mut file| file.read_to_string(&mut text));
    read.map(|_| text).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::config(format!("{}: there is no such file", path.display())),
        _ => Failure::io(path.display(), &error),
    })
}

/// Notes a file that is read by other means.
pub fn note(file: &File) {
    if let Some(identity) = file.metadata().ok().as_ref().and_then(identity) {
        read_so_far().insert(identity);
    }
}

/// Notes a file that is read by other means, by its name. What is not there is none.
pub fn note_path(path: &Path) {
    if let Some(identity) = path.metadata().ok().as_ref().and_then(identity) {
        read_so_far().insert(identity);
    }
}

/// Whether a path leads to a file that this program has read, or to one of its standard streams.
pub fn is_input(path: &Path) -> bool {
    let Some(identity) = path.metadata().ok().as_ref().and_then(identity) else { return false };
    let streams = [of(io::stdin().as_fd()), of(io::stdout().as_fd()), of(io::stderr().as_fd())];
    streams.contains(&Some(identity)) || read_so_far().contains(&identity)
}

/// Whether a file is also where standard output goes.
pub fn is_stdout(file: BorrowedFd<'_>) -> bool {
    of(file).is_some_and(|input| of(io::stdout().as_fd()) == Some(input))
}

fn of(stream: BorrowedFd<'_>) -> Option<Identity> {
    File::from(stream.try_clone_to_owned().ok()?).metadata().ok().as_ref().and_then(identity)
}

/// None of what is no regular file: a device or a pipe is not replaced.
fn identity(metadata: &Metadata) -> Option<Identity> {
    metadata.is_file().then(|| (metadata.dev(), metadata.ino()))
}

fn read_so_far() -> MutexGuard<'static, BTreeSet<Identity>> {
    READ.lock().unwrap_or_else(PoisonError::into_inner)
}
