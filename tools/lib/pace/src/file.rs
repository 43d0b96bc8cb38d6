use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use atomic_file::OutFile;
use failure::{Failure, IoContext, Outcome};

use crate::{Memory, SharedMemory};

/// A [`Memory`] in a file of this machine, behind a lock.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
}

impl File {
    /// A file in a folder (else in the usual one). Its name tells services apart without showing keys.
    pub fn new(folder: Option<&Path>, name: &str) -> Outcome<File> {
        let folder = folder.map_or_else(usual_folder, Path::to_owned);
        fs::create_dir_all(&folder).place(folder.display())?;
        Ok(File { path: folder.join(format!("{name}.json")) })
    }
}

impl SharedMemory for File {
    /// A kill in between leaves the old memory whole.
    fn change(&self, body: &mut dyn FnMut(&mut Memory)) -> Outcome {
        let place = &self.path.display().to_string();
        let lock = self.path.with_extension("lock");
        let lock =
            fs::File::options().write(true).create(true).truncate(false).open(&lock).place(lock.display())?;
        lock.lock().place(place)?;
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::io(place, &error)),
        };
        // A file that somebody spoiled forgets a minute of calls; that is better than never calling again.
        let before: Memory = serde_json::from_str(&text).unwrap_or_default();
        let mut memory = before.clone();
        body(&mut memory);
        if memory == before {
            return Ok(());
        }
        let text = serde_json::to_string(&memory).unwrap_or_default();
        let mut file = OutFile::renew(&self.path)?;
        file.write_all(text.as_bytes()).place(place)?;
        file.publish()
    }
}

/// `$XDG_STATE_HOME/fairway`, `~/.local/state/fairway`, or a folder for temporary files where there is no home.
pub fn usual_folder() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = from("XDG_STATE_HOME").or_else(|| from("HOME").map(|home| home.join(".local/state")));
    let usual = state.map(|state| state.join("fairway"));
    match usual {
        Some(folder) if fs::create_dir_all(&folder).is_ok() => folder,
        _ => std::env::temp_dir().join("fairway"),
    }
}
