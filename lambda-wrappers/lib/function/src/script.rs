use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use diagnostics::Exit;
use failure::{Failure, IoContext, Outcome};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use crate::{Call, Package};

/// So much of what a script writes is kept: a summary, not data.
const KEPT_BYTES: u64 = 256 * 1024;

/// A script is stopped this long before Lambda would stop everything, or a sixth of a short time: whoever is frozen in the middle
/// of a transaction keeps its locks. A third of that is for its last words.
const MARGIN: Duration = Duration::from_secs(9);

/// A script of the package's pipeline, and the environment that an event becomes.
pub struct Script<'a> {
    call: &'a Call,
    name: &'a str,
    variables: Vec<(String, OsString)>,
    secrets: Vec<String>,
}

/// How a script ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; 69 if it was stopped because its time was up, 128 and the signal's number if something killed it.
    pub code: i32,
    /// What it wrote, the first quarter of a megabyte.
    pub output: String,
    /// The last line that it said.
    pub last_words: String,
}

impl<'a> Script<'a> {
    /// The script of that name, with the function's own environment.
    pub fn new(call: &'a Call, name: &'a str) -> Script<'a> {
        Script { call, name, variables: Vec::new(), secrets: Vec::new() }
    }

    /// Sets a variable.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<OsString>) -> Script<'a> {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Sets variables that nobody may see. No program prints them; if one did, the log would show stars.
    #[must_use]
    pub fn set_secrets(mut self, variables: &[(String, String)]) -> Script<'a> {
        for (name, value) in variables {
            self.variables.push((name.clone(), value.into()));
            self.secrets.push(value.clone());
        }
        self
    }

    /// Runs it to its end, or until its time is up. What it says goes to the log, line by line.
    pub async fn run(self) -> Outcome<Ran> {
        let package = Package::here()?;
        let path = package.script(self.name);
        let scratch =
            tempfile::Builder::new().prefix("fairway-").tempdir().place("a folder for temporary files")?;
        let mut command = Command::new(&path);
        command
            .env("PATH", package.search_path())
            .env("HOME", scratch.path())
            .env("TMPDIR", scratch.path())
            .env("FAIRWAY_STATE_DIR", Package::state())
            .env("USER", format!("lambda:{}", function_name(&self.call.function)))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // With every stage that it starts, so that none is left behind.
            .process_group(0);
        let mut child =
            command.spawn().map_err(|error| Failure::config(format!("{}: {error}", path.display())))?;
        let group = Group::of(&child);
        let ended = self.attend(&mut child, &group).await;
        // Whoever it left running would be frozen with the sandbox, its locks held.
        group.signal(Signal::KILL);
        ended.place(path.display())
    }

    async fn attend(&self, child: &mut Child, group: &Group) -> io::Result<Ran> {
        let left = self.call.left();
        let margin = MARGIN.min(left / 6);
        let (time, last_moments) = (left.saturating_sub(margin), margin / 3);
        let (out, words) = (child.stdout.take(), child.stderr.take());
        let mut output = Vec::new();
        let mut last_words = String::new();
        let status = {
            // While it runs, for who writes into a full pipe waits.
            let listen = async {
                tokio::join!(keep(out, &mut output), self.relay(words, &mut last_words));
            };
            tokio::pin!(listen);
            let end = group.wait(child, time, last_moments);
            tokio::pin!(end);
            tokio::select! {
                status = &mut end => {
                    // What it left running may hold the pipes open.
                    let _ = timeout(last_moments, listen).await;
                    status?
                }
                () = &mut listen => end.await?,
            }
        };
        let output = String::from_utf8_lossy(&output).into_owned();
        let Some(status) = status else {
            let seconds = self.call.began.elapsed().as_secs();
            let last_words = format!("its time was up after {seconds} s; the next run goes on from there");
            return Ok(Ran { code: i32::from(Exit::Unavailable.code()), output, last_words });
        };
        Ok(Ran { code: code(status), output, last_words })
    }

    async fn relay(&self, words: Option<ChildStderr>, last_words: &mut String) {
        let Some(words) = words else { return };
        let mut words = BufReader::new(words);
        let mut line = Vec::new();
        // A line without end must not fill the memory.
        while (&mut words).take(KEPT_BYTES).read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
            let mut text = String::from_utf8_lossy(&line).trim_end().to_owned();
            for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
                text = text.replace(secret.as_str(), "***");
            }
            self.call.say(&text);
            *last_words = text;
            line.clear();
        }
    }
}

/// A script and every stage that it starts, so that none is left behind.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // One that has no process left is what was wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    /// How the script ended; none if its time was up and it was ended.
    async fn wait(
        &self,
        child: &mut Child,
        time: Duration,
        last_moments: Duration,
    ) -> io::Result<Option<ExitStatus>> {
        if let Ok(status) = timeout(time, child.wait()).await {
            return status.map(Some);
        }
        self.signal(Signal::TERM);
        // Not everybody listens to that.
        if timeout(last_moments, child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            child.wait().await?;
        }
        Ok(None)
    }
}

async fn keep(out: Option<ChildStdout>, kept: &mut Vec<u8>) {
    let Some(mut out) = out else { return };
    if (&mut out).take(KEPT_BYTES).read_to_end(kept).await.is_ok() {
        // The rest is read, too: the writer must not meet a closed pipe.
        let _ = tokio::io::copy(&mut out, &mut tokio::io::sink()).await;
    }
}

/// As a shell tells it.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(i32::from(Exit::Io.code()))
}

/// `arn:aws:lambda:region:account:function:NAME`, perhaps with a version behind it.
fn function_name(arn: &str) -> &str {
    arn.split(':').nth(6).unwrap_or("unknown")
}
