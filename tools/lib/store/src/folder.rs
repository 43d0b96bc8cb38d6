use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::UNIX_EPOCH;

use failure::{Failure, IoContext, Outcome};
use tempfile::NamedTempFile;

use crate::{Entry, Reader, Version, Written, key};

/// Holds the lock and the files under way; no key can name it.
const HIDDEN: &str = ".fairway";

#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// Before the first file: what killed writers left is removed.
    cleared: Once,
}

impl Folder {
    pub(crate) fn open(root: &Path) -> Outcome<Folder> {
        let found = root.metadata().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let root = root.display();
                Failure::config(format!(
                    "{root}: there is no such bucket (make the folder first: mkdir -p {root})"
                ))
            }
            _ => Failure::io(root.display(), &error),
        })?;
        if !found.is_dir() {
            return Err(Failure::config(format!(
                "{}: a bucket is a folder, this is not one",
                root.display()
            )));
        }
        Ok(Folder { root: root.to_owned(), cleared: Once::new() })
    }

    /// How messages call an object.
    pub(crate) fn place(&self, key: &str) -> String {
        self.root.join(key).display().to_string()
    }

    pub(crate) fn reader(&self, key: &str) -> Outcome<Option<Reader>> {
        let path = self.root.join(key);
        // Before it is opened: a pipe would be waited for without end.
        match path
            .metadata()
            .and_then(|found| if found.is_file() { input_files::open(&path).map(Some) } else { Ok(None) })
        {
            Ok(Some(file)) => Ok(Some(Box::new(file))),
            Ok(None) => Ok(None),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(Failure::io(self.place(key), &error)),
        }
    }

    pub(crate) fn put(&self, key: &str, content: &mut dyn Read) -> Outcome<Entry> {
        let staged = self.stage(content).place(self.place(key))?;
        let metadata = staged.as_file().metadata().place(self.place(key))?;
        let lock = self.lock()?;
        self.reveal(staged, key, lock).place(self.place(key))?;
        Ok(Entry { key: key.to_owned(), size_bytes: metadata.len(), tag: tag(&metadata) })
    }

    pub(crate) fn put_if(&self, key: &str, bytes: &[u8], expected: Option<&Version>) -> Outcome<Written> {
        let staged = self.stage(&mut &bytes[..]).place(self.place(key))?;
        let lock = self.lock()?;
        let there = match self.reader(key)? {
            None => None,
            Some(mut reader) => {
                let mut there = Vec::new();
                reader.read_to_end(&mut there).place(self.place(key))?;
                Some(Version(fingerprint::of(&there)))
            }
        };
        if there.as_ref() == expected {
            self.reveal(staged, key, lock).place(self.place(key))?;
            return Ok(Written::Done);
        }
        let own = there.is_some_and(|there| there.0 == fingerprint::of(bytes));
        Ok(if own { Written::Done } else { Written::Lost })
    }

    pub(crate) fn list(&self, prefix: &str) -> Outcome<Vec<Entry>> {
        let mut entries = Vec::new();
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.walk(folder, prefix, &mut Vec::new(), &mut entries).place(self.place(prefix))?;
        Ok(entries)
    }

    pub(crate) fn delete(&self, key: &str) -> Outcome {
        let _lock = self.lock()?;
        match fs::remove_file(self.root.join(key)) {
            Ok(()) => atomic_file::sync_folder(self.root.join(key).parent().unwrap_or(&self.root))
                .place(self.place(key)),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(Failure::io(self.place(key), &error)),
        }
    }

    /// Links are followed, as every other verb follows them; `above` are the folders on the way, so that one that leads back has an end.
    fn walk(
        &self,
        folder: &str,
        prefix: &str,
        above: &mut Vec<(u64, u64)>,
        entries: &mut Vec<Entry>,
    ) -> io::Result<()> {
        let path = self.root.join(folder);
        let opened = path.metadata().and_then(|own| Ok((own, fs::read_dir(&path)?)));
        let (own, found) = match opened {
            Ok(opened) => opened,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let own = (own.dev(), own.ino());
        if above.contains(&own) {
            return Ok(());
        }
        above.push(own);
        for entry in found {
            let entry = entry?;
            // Names that no key can have are none of the store's objects.
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if key::check(&key).is_err() {
                continue;
            }
            let mut kind = entry.file_type()?;
            let is_link = kind.is_symlink();
            if is_link {
                match entry.path().metadata() {
                    Ok(metadata) => kind = metadata.file_type(),
                    // It leads nowhere.
                    Err(_) => continue,
                }
            }
            let below = format!("{key}/");
            if kind.is_dir() && (below.starts_with(prefix) || prefix.starts_with(&below)) {
                self.walk(&key, prefix, above, entries)?;
            } else if kind.is_file() && key.starts_with(prefix) {
                match if is_link { entry.path().metadata() } else { entry.metadata() } {
                    Ok(metadata) => {
                        entries.push(Entry { key, size_bytes: metadata.len(), tag: tag(&metadata) })
                    }
                    // Removed since the folder was read.
                    Err(error) if is_absent(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        above.pop();
        Ok(())
    }

    /// Writes content to a file under way, durably. It holds a lock on itself while its writer lives.
    fn stage(&self, content: &mut dyn Read) -> io::Result<NamedTempFile> {
        let folder = self.root.join(HIDDEN).join("under-way");
        fs::create_dir_all(&folder)?;
        // Whatever keeps it from doing that does not keep it from writing.
        self.cleared.call_once(|| drop(remove_orphans(&folder)));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut staged = builder.tempfile_in(folder)?;
        staged.as_file().lock()?;
        io::copy(content, &mut staged)?;
        staged.flush()?;
        staged.as_file().sync_all()?;
        Ok(staged)
    }

    /// Gives a staged file its name; then the next writer may go on, while this one waits for the disk.
    fn reveal(&self, staged: NamedTempFile, key: &str, lock: File) -> io::Result<()> {
        let path = self.root.join(key);
        let folder = path.parent().unwrap_or(&self.root);
        let is_new = !folder.exists();
        fs::create_dir_all(folder)?;
        staged.persist(&path).map_err(|error| error.error)?;
        if is_new {
            // The entries of new folders too, up to the bucket's own, before anybody else relies on them.
            for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)) {
                atomic_file::sync_folder(above)?;
            }
        }
        drop(lock);
        atomic_file::sync_folder(folder)
    }

    /// Writers take turns, so that "is it still that?" and the rename are one step.
    fn lock(&self) -> Outcome<File> {
        let path = self.root.join(HIDDEN).join("lock");
        let take = || {
            fs::create_dir_all(self.root.join(HIDDEN))?;
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        take().place(path.display())
    }
}

/// When a file was last written, in nanoseconds.
fn tag(metadata: &fs::Metadata) -> String {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or_else(String::new, |since| since.as_nanos().to_string())
}

/// Removes the files of killed writers: those that nobody holds a lock on.
fn remove_orphans(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let orphan = match File::open(&path) {
            // A file so young that its writer has not locked it yet is left alone.
            Ok(file) => {
                file.try_lock().is_ok()
                    && file.metadata()?.modified()?.elapsed().is_ok_and(|age| age.as_secs() > 60)
            }
            Err(_) => false,
        };
        if orphan {
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// A key below an object ("a/b" where "a" is a file) is as absent as any other.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
