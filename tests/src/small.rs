use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::archive::{date, listed, pack, rounds_name, unpack};
use crate::{Replay, Session, bin_dir};

/// A source with a few small events, so that a whole run is short.
pub struct Small {
    dir: TempDir,
    replay: Replay,
}

impl Small {
    /// So many events has it.
    pub const EVENTS: usize = 8;

    /// All of its events, as they were first said.
    pub fn new() -> Small {
        let dir = tempfile::Builder::new().prefix("fairway-small-").tempdir().unwrap();
        let made = Command::new(bin_dir().join("datagolf-synth"))
            .args(["--events-per-season", &Small::EVENTS.to_string(), "--players", "24"])
            .args(["--with-quirks", "false", "--out"])
            .arg(dir.path().join("made"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let now = dir.path().join("now");
        fs::create_dir_all(now.join("rounds")).unwrap();
        answer(dir.path(), Small::EVENTS, 0);
        Small { replay: Replay::with(&[now.to_str().unwrap()], &[]), dir }
    }

    /// Makes it as it is when so many events have ended, and the drives of the first of them were corrected.
    pub fn be(&self, events: usize, corrected: usize) {
        answer(self.dir.path(), events, corrected);
    }

    /// Where it answers.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Golf's pipeline from it to a file and a folder.
    pub fn session(&self) -> Session {
        Session::golf(&self.replay)
    }
}

impl Default for Small {
    fn default() -> Small {
        Small::new()
    }
}

fn answer(dir: &Path, events: usize, corrected: usize) {
    let (made, now) = (dir.join("made"), dir.join("now"));
    let mut list = listed(&made);
    list.sort_by(|one, other| date(one).cmp(date(other)));
    list.truncate(events);
    for (at, event) in list.iter().enumerate() {
        let name = Path::new("rounds").join(rounds_name(event));
        let mut text = String::from_utf8(unpack(&made.join(&name))).unwrap();
        if at < corrected {
            text = text.replace("\"driving_dist\":29", "\"driving_dist\":30");
        }
        pack(&now.join(&name), text.as_bytes());
    }
    pack(&now.join("event-list.json.gz"), &serde_json::to_vec(&Value::from(list)).unwrap());
}
