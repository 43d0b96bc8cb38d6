use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use servers::{MariaDb, Seaweed};

use crate::Replay;

/// A folder with the built programs on `PATH`.
pub struct Session {
    dir: TempDir,
    env: Vec<(String, OsString)>,
}

/// What a line of shell did.
#[derive(Debug)]
pub struct Ran {
    /// The line.
    pub line: String,
    /// Its exit code; 128 and the signal's number when it was killed, as in a shell.
    pub code: i32,
    /// What it wrote.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

/// The repository's folder.
pub fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// One of the golf pipeline's scripts, as a shell takes it.
pub fn script(name: &str) -> String {
    repo().join("scripts/golf").join(name).display().to_string()
}

/// Where the built programs are: beside the program that cargo built with them, or above the test.
pub fn bin_dir() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let dir = program.parent().unwrap();
    let dir = if dir.ends_with("deps") { dir.parent().unwrap() } else { dir }.to_owned();
    assert!(dir.join("clean").exists(), "build the programs first: cargo build --release --bins");
    dir
}

impl Default for Session {
    fn default() -> Session {
        Session::new()
    }
}

impl Session {
    /// A new empty folder, a state folder of its own and a fixed clock: 2026-01-06, weeks after the fixtures' last
    /// event.
    pub fn new() -> Session {
        let dir = tempfile::Builder::new().prefix("fairway-test-").tempdir().unwrap();
        let path = format!("{}:{}", bin_dir().display(), std::env::var("PATH").unwrap_or_default());
        let mut session = Session { dir, env: Vec::new() };
        session.set("PATH", path);
        session.set("HOME", session.path("home"));
        session.set("TMPDIR", session.path("tmp"));
        session.set("USER", "tester");
        session.set("LC_ALL", "C.UTF-8");
        session.set("FAIRWAY_NOW", "2026-01-06T12:00:00Z");
        session.set("FAIRWAY_STATE_DIR", session.path("state"));
        for folder in ["home", "tmp", "state"] {
            fs::create_dir(session.path(folder)).unwrap();
        }
        session
    }

    /// A session whose programs find their golf pipeline in the environment: database, bucket, recipe, replay.
    pub fn golf(replay: &Replay) -> Session {
        let mut session = Session::new();
        fs::create_dir(session.path("data")).unwrap();
        session.set("FAIRWAY_DB", "sqlite:golf.db");
        session.set("FAIRWAY_BUCKET", "./data");
        session.set("FAIRWAY_RECIPE", repo().join("scripts/golf/recipe.toml"));
        session.set("FAIRWAY_SCHEMA", repo().join("scripts/golf/schema.toml"));
        session.set("DATAGOLF_BASE_URL", replay.url());
        session.set("DATAGOLF_API_KEY", crate::replay::KEY);
        session
    }

    /// The same on servers, as in production: an empty database, and an empty bucket with a prefix.
    pub fn production(replay: &Replay, database: &MariaDb, objects: &Seaweed) -> Session {
        Session::golf(replay).on_servers(database, objects, "golf")
    }

    /// A system's session, moved there before anything ran.
    pub fn on_servers(mut self, database: &MariaDb, objects: &Seaweed, prefix: &str) -> Session {
        self.set("FAIRWAY_DB", database.new_database());
        self.set("FAIRWAY_BUCKET", format!("s3://{}/{prefix}", objects.new_bucket()));
        for (name, value) in Seaweed::env(&objects.endpoint()) {
            self.set(name, value);
        }
        self
    }

    /// Sets a variable for the lines that follow.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.retain(|(set, _)| set != name);
        self.env.push((name.to_owned(), value.into()));
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: &str) {
        self.env.retain(|(set, _)| set != name);
    }

    /// What a variable is set to.
    pub fn variable(&self, name: &str) -> Option<String> {
        let (_, value) = self.env.iter().find(|(set, _)| set == name)?;
        Some(value.to_string_lossy().into_owned())
    }

    /// A path in the session's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A bash with the session's environment and folder, ready to be started.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("set -o pipefail\n{line}")]);
        command.current_dir(self.dir.path()).env_clear().envs(self.env.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a line of shell to its end.
    pub fn run(&self, line: &str) -> Ran {
        Ran::new(line, self.command(line).output().unwrap())
    }

    /// Everything of the golf pipeline that must come out the same: tables without times, every byte of every object,
    /// who is approved. Through which states the bucket came differs.
    pub fn state(&self) -> String {
        let events = "SELECT tour, calendar_year, event_id, event_name, event_completed, sg_categories, \
                      traditional_stats, refetch, n_rounds, rounds_rev, content_sha256, unavailable \
                      FROM pga_with_sg_cat_eventslist ORDER BY tour, calendar_year, event_id";
        let marks = "SELECT system_name, export_name, partition_key, inputs_digest, object_key, sha256, size_bytes \
                     FROM fairway_exports ORDER BY 1, 2, 3";
        [
            self.ok(&format!("db-query sql '{events}'")),
            self.ok(&format!("db-query sql '{marks}'")),
            self.ok("db-query rows | sha256sum"),
            self.ok("bucket ls --sha256 | grep -v ^exports/"),
            self.ok("registry show"),
            self.ok("registry ls"),
        ]
        .join("\n")
    }

    /// Runs a line that must succeed and returns what it wrote.
    pub fn ok(&self, line: &str) -> String {
        let ran = self.run(line);
        ran.expect(0);
        ran.stdout
    }

    /// Runs a line while a `predictd` with these options serves at `$url`, which then must end well.
    pub fn asking(&self, options: &str, line: &str) -> String {
        self.ok(&format!(
            "predictd --listen 127.0.0.1:0 {options} 2> said.txt & \
             for i in $(seq 1200); do grep -q 'on http' said.txt && break; sleep 0.05; done; \
             url=$(grep -o 'http://[0-9.:]*' said.txt | head -n 1); \
             {line}; kill %1; wait %1"
        ))
    }
}

impl Ran {
    /// What a process that ended left.
    pub fn new(line: &str, output: Output) -> Ran {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status;
        Ran {
            line: line.to_owned(),
            code: status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The exit code must be this one.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Ran {
        assert_eq!(self.code, code, "{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
        self
    }

    /// These words must stand in what was said.
    #[track_caller]
    pub fn says(&self, words: &str) -> &Ran {
        assert!(self.stderr.contains(words), "{words:?} was not said by\n{self}");
        self
    }

    /// These words must not stand anywhere.
    #[track_caller]
    pub fn hides(&self, words: &str) -> &Ran {
        assert!(!self.stderr.contains(words) && !self.stdout.contains(words), "{words:?} shows in\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head: String = self.stdout.chars().take(2_000).collect();
        write!(f, "$ {}\nexit {}\nstdout: {head}\nstderr: {}", self.line, self.code, self.stderr)
    }
}
