use std::ffi::OsString;
use std::path::{Path, PathBuf};

use failure::{Failure, IoContext, Outcome};

/// Where a function's package lies, and where it may write.
#[derive(Debug)]
pub struct Package {
    root: PathBuf,
}

impl Package {
    /// The folder of the running program: its package.
    pub fn here() -> Outcome<Package> {
        let program = std::env::current_exe().place("finding this program")?;
        let root = program.parent().map(Path::to_owned);
        root.map(|root| Package { root }).ok_or_else(|| Failure::config("this program lies in no folder"))
    }

    /// The script of that name. A package holds one pipeline.
    pub fn script(&self, name: &str) -> PathBuf {
        self.root.join("pipeline").join(name)
    }

    /// The package's programs come first.
    pub fn search_path(&self) -> OsString {
        let mut path = self.root.join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin")));
        path
    }

    /// A folder that lasts as long as this process: all that Lambda lets a function write to is `/tmp`.
    pub fn state() -> PathBuf {
        let folder = std::env::var_os("FAIRWAY_STATE_DIR").filter(|folder| !folder.is_empty());
        folder.map_or_else(|| std::env::temp_dir().join("fairway-state"), PathBuf::from)
    }
}
