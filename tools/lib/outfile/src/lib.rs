#![doc = include_str!("../README.md")]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file under way to its name.
#[derive(Debug)]
pub struct OutFile(Target);

#[derive(Debug)]
enum Target {
    Staged { temp: BufWriter<NamedTempFile>, path: PathBuf },
    Direct(BufWriter<File>),
}

impl OutFile {
    /// Starts a file that will be called `path`.
    pub fn create(path: impl Into<PathBuf>) -> io::Result<OutFile> {
        let path = path.into();
        if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let file = File::options().write(true).open(&path)?;
            return Ok(OutFile(Target::Direct(BufWriter::new(file))));
        }
        let temp = staged_in(folder_of(&path))?;
        Ok(OutFile(Target::Staged { temp: BufWriter::new(temp), path }))
    }

    /// Makes the file appear under its name, durably.
    pub fn publish(self) -> io::Result<()> {
        match self.0 {
            Target::Direct(mut file) => file.flush(),
            Target::Staged { temp, path } => {
                let temp = temp.into_inner().map_err(io::IntoInnerError::into_error)?;
                temp.as_file().sync_all()?;
                temp.persist(&path).map_err(|error| error.error)?;
                sync_folder(folder_of(&path))
            }
        }
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Target::Staged { temp, .. } => temp.write(bytes),
            Target::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::Staged { temp, .. } => temp.flush(),
            Target::Direct(file) => file.flush(),
        }
    }
}

/// Whether a file that a program would make is the one that it reads.
pub fn is_same(made: &Path, read: Option<&Path>) -> bool {
    let canonical = |path: &Path| path.canonicalize().ok();
    read.is_some_and(|read| canonical(made).is_some_and(|made| canonical(read) == Some(made)))
}

/// Waits until a folder's entries (a rename in it) are on disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn staged_in(folder: &Path) -> io::Result<NamedTempFile> {
    // tempfile makes files private (0600); a published file gets what the user's umask gives any other.
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fairway-").suffix(".tmp");
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
    fn a_device_is_written_directly() {
        let mut file = OutFile::create("/dev/full").unwrap();
        let written = file.write_all(&[0; 9000]).and_then(|()| file.publish());
        assert!(written.is_err());
    }
}
