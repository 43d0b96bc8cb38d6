#![doc = include_str!("../README.md")]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use failure::{Failure, IoContext, Outcome};
use tempfile::NamedTempFile;

/// A file under way to its name.
#[derive(Debug)]
pub struct OutFile {
    target: Target,
    /// How messages call it.
    place: String,
}

#[derive(Debug)]
enum Target {
    Staged { temp: BufWriter<NamedTempFile>, path: PathBuf, renews: bool },
    Direct(BufWriter<File>),
}

impl OutFile {
    /// Starts a file that will be called `path`. What the program reads is not replaced ([`failure::Kind::Usage`]).
    pub fn create(path: impl Into<PathBuf>) -> Outcome<OutFile> {
        let path = path.into();
        let place = path.display().to_string();
        if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let file = File::options().write(true).open(&path).place(&place)?;
            return Ok(OutFile { target: Target::Direct(BufWriter::new(file)), place });
        }
        check_is_no_input(&path)?;
        OutFile::staged(path, OsStr::new(".fairway-"), 6, false)
    }

    /// The same for a file of the program's own, which it read to write it anew. Only one at a time does so: what a
    /// killed one left half written is taken away.
    pub fn renew(path: impl Into<PathBuf>) -> Outcome<OutFile> {
        let path = path.into();
        let mut name = OsString::from(".fairway-");
        name.push(path.file_name().unwrap_or_default());
        let left = folder_of(&path).join(&name).with_added_extension("tmp");
        match std::fs::remove_file(&left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::io(left.display(), &error)),
            _ => OutFile::staged(path, &name, 0, true),
        }
    }

    fn staged(path: PathBuf, name: &OsStr, rand_bytes: usize, renews: bool) -> Outcome<OutFile> {
        let place = path.display().to_string();
        let temp = staged_in(folder_of(&path), name, rand_bytes).place(&place)?;
        Ok(OutFile { target: Target::Staged { temp: BufWriter::new(temp), path, renews }, place })
    }

    /// Makes the file appear under its name, durably.
    pub fn publish(self) -> Outcome {
        match self.target {
            Target::Direct(mut file) => file.flush().place(&self.place),
            Target::Staged { temp, path, renews } => {
                // It may have been opened to be read since.
                if !renews {
                    check_is_no_input(&path)?;
                }
                reveal(temp, &path).place(&self.place)
            }
        }
    }
}

fn reveal(temp: BufWriter<NamedTempFile>, path: &Path) -> io::Result<()> {
    let temp = temp.into_inner().map_err(io::IntoInnerError::into_error)?;
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// An output that is also read, or is where a standard stream goes, would be lost, or lose something.
pub fn check_is_no_input(path: &Path) -> Outcome {
    match input_files::is_input(path) {
        false => Ok(()),
        true => Err(Failure::usage(format!(
            "{}: this program reads that file, or a standard stream of it goes there, and it would be replaced: name another one",
            path.display()
        ))),
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Staged { temp, .. } => temp.write(bytes),
            Target::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Staged { temp, .. } => temp.flush(),
            Target::Direct(file) => file.flush(),
        }
    }
}

/// Waits until a folder's entries (a rename in it) are on disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn staged_in(folder: &Path, name: &OsStr, rand_bytes: usize) -> io::Result<NamedTempFile> {
    // tempfile makes files private (0600); a published file gets what the user's umask gives any other.
    let mut builder = tempfile::Builder::new();
    builder.prefix(name).rand_bytes(rand_bytes).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_there_before_publish_and_nothing_stays_after_a_drop() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let mut file = OutFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        file.flush().unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_renewal_left_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pace.json");
        std::fs::write(dir.path().join(".fairway-pace.json.tmp"), "ha").unwrap();
        for text in ["one", "two"] {
            let mut file = OutFile::renew(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.publish().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_device_is_written_directly() {
        let mut file = OutFile::create("/dev/full").unwrap();
        let written = file.write_all(&[0; 9000]).place("full").and_then(|()| file.publish());
        assert!(written.is_err());
    }

    #[test]
    fn what_was_read_is_not_replaced_by_whatever_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("in"), "rows").unwrap();
        std::os::unix::fs::symlink("in", path("link")).unwrap();
        std::fs::hard_link(path("in"), path("same")).unwrap();
        // Not yet read when it is begun.
        let early = OutFile::create(path("in")).unwrap();
        input_files::read(&path("link")).unwrap();
        for name in ["in", "link", "same", "./in"] {
            assert_eq!(OutFile::create(path(name)).unwrap_err().kind(), failure::Kind::Usage, "{name}");
        }
        assert_eq!(early.publish().unwrap_err().kind(), failure::Kind::Usage);
        assert_eq!(std::fs::read(path("in")).unwrap(), b"rows");
        let mut renewed = OutFile::renew(path("same")).unwrap();
        renewed.write_all(b"new").unwrap();
        renewed.publish().unwrap();
        OutFile::create(path("other")).unwrap().publish().unwrap();
    }
}
