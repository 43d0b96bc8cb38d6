use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

use crate::{bin_dir, repo};

/// DataGolf's archive as it grows: past seasons, and the fixtures' season of 2025 day by day. A [`crate::Replay`] of
/// its folder answers by what is there at the moment.
pub struct Archive {
    dir: TempDir,
    list: Vec<Value>,
    corrected: bool,
}

impl Archive {
    /// The seasons 2020 to 2023, small ones, and nothing after them yet.
    pub fn new() -> Archive {
        let dir = tempfile::Builder::new().prefix("fairway-archive-").tempdir().unwrap();
        let past = dir.path().join("past");
        let made = Command::new(bin_dir().join("datagolf-synth"))
            .args(["--from", "2020", "--to", "2023", "--events-per-season", "20", "--players", "40"])
            .args(["--with-quirks", "false", "--out"])
            .arg(&past)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::create_dir_all(dir.path().join("now/rounds")).unwrap();
        copy_rounds(&past, &dir.path().join("now"), |_| true);
        let mut list = listed(&past);
        list.extend(listed(&season()));
        Archive { dir, list, corrected: false }
    }

    /// The folder to replay.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("now")
    }

    /// Makes it as it was in the morning of that day (ISO): only what had ended by then is there.
    pub fn be(&mut self, day: &str) {
        let ended: Vec<&Value> = self.list.iter().filter(|event| date(event) < day).collect();
        let text = serde_json::to_vec(&ended).unwrap();
        pack(&self.folder().join("event-list.json.gz"), &text);
        if !self.corrected {
            let names: Vec<String> = ended.iter().map(|event| rounds_name(event)).collect();
            copy_rounds(&season(), &self.folder(), |name| names.iter().any(|ended| ended == name));
        }
    }

    /// What the archive corrects and delivers late, at the year's end.
    pub fn correct(&mut self) {
        self.list.retain(|event| event["calendar_year"].as_i64() < Some(2024));
        self.list.extend(listed(&season().join("later")));
        copy_rounds(&season(), &self.folder(), |_| true);
        copy_rounds(&season().join("later"), &self.folder(), |_| true);
        self.corrected = true;
    }
}

impl Default for Archive {
    fn default() -> Archive {
        Archive::new()
    }
}

fn season() -> PathBuf {
    repo().join("fixtures/datagolf")
}

pub(crate) fn date(event: &Value) -> &str {
    event["date"].as_str().unwrap_or_default()
}

pub(crate) fn rounds_name(event: &Value) -> String {
    let text = |name: &str| event[name].to_string().replace('"', "");
    format!("{}_{}_{}.json.gz", text("tour"), text("calendar_year"), text("event_id"))
}

pub(crate) fn listed(folder: &Path) -> Vec<Value> {
    serde_json::from_slice(&unpack(&folder.join("event-list.json.gz"))).unwrap()
}

pub(crate) fn unpack(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut text).unwrap();
    text
}

fn copy_rounds(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) {
    for file in fs::read_dir(from.join("rounds")).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        if wanted(&name) {
            fs::copy(file.path(), to.join("rounds").join(name)).unwrap();
        }
    }
}

/// Appears whole: the server reads it at each request.
pub(crate) fn pack(path: &Path, text: &[u8]) {
    let part = path.with_extension("part");
    let mut encoder = GzEncoder::new(fs::File::create(&part).unwrap(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap();
    fs::rename(part, path).unwrap();
}
