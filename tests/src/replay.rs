use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

use crate::session::{bin_dir, repo};

/// The key that a replay server takes. Shaped so that a test can look for it where it must not be.
pub(crate) const KEY: &str = "SECRET-key+0123456789/abcdef";

/// A running loopback server that answers like DataGolf. It ends with the test.
pub struct Replay {
    child: Child,
    // The server watches it: a test that dies takes the server along.
    _stdin: Option<ChildStdin>,
    url: String,
    dir: TempDir,
}

impl Replay {
    /// The first weeks of the synthetic season.
    pub fn start() -> Replay {
        Replay::with(&["fixtures/datagolf"], &[])
    }

    /// The same some weeks later: an event corrected, one arrived.
    pub fn later() -> Replay {
        Replay::with(&["fixtures/datagolf", "fixtures/datagolf/later"], &[])
    }

    /// The first weeks, with faults (see the generator's README).
    pub fn faulty(faults: &[&str]) -> Replay {
        Replay::with(&["fixtures/datagolf"], faults)
    }

    /// The first weeks; the first call waits for a file at the gate.
    pub fn holding() -> Replay {
        let dir = tempfile::tempdir().unwrap();
        let fault = format!("1:hold:{}", gate(&dir));
        Replay::from(dir, &["fixtures/datagolf"], &[&fault])
    }

    /// The file for which a held call waits. When the call has come, there is one with `.held` at its end.
    pub fn gate(&self) -> String {
        gate(&self.dir)
    }

    /// Folders of answers, later ones in front of earlier ones; relative to the repository.
    pub fn with(answers: &[&str], faults: &[&str]) -> Replay {
        Replay::from(tempfile::tempdir().unwrap(), answers, faults)
    }

    fn from(dir: TempDir, answers: &[&str], faults: &[&str]) -> Replay {
        let mut command = Command::new(bin_dir().join("datagolf-replay"));
        command.args(["--until-stdin-closes", "--key", KEY, "--log"]).arg(dir.path().join("log"));
        for folder in answers {
            command.arg("--answers").arg(repo().join(folder));
        }
        for fault in faults {
            command.args(["--fault", fault]);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Replay { _stdin: child.stdin.take(), child, url: url.trim().to_owned(), dir }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked so far: paths with query, keys starred, and status.
    pub fn asked(&self) -> Vec<String> {
        let log: &Path = &self.dir.path().join("log");
        std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

fn gate(dir: &TempDir) -> String {
    dir.path().join("gate").display().to_string()
}

impl Drop for Replay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
