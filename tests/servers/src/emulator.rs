use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::guarded::{Guarded, free_port};

/// A Lambda function in AWS's own emulator: its package runs as Lambda runs it, one event after the other.
#[derive(Debug)]
pub struct Emulator {
    server: Guarded,
    port: u16,
}

/// How an invocation ended.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// The function's response, or Lambda's words about a function that failed (`errorType`, `errorMessage`).
    pub body: String,
    /// Whether it failed: then Lambda would try again, or keep the event for a person.
    pub failed: bool,
}

impl Emulator {
    /// Starts a package's `bootstrap` with these variables and no others but the search path of a base system.
    pub fn start(package: &Path, name: &str, timeout: Duration, variables: &[(String, String)]) -> Emulator {
        // One of its two ports may have been taken since it was found free: then it ends at once, and others are tried.
        for _ in 0..2 {
            let (server, port, inner) = Emulator::spawn(package, name, timeout, variables);
            if server.becomes(|| server.listens(port) && server.listens(inner)) {
                return Emulator { server, port };
            }
        }
        let (server, port, inner) = Emulator::spawn(package, name, timeout, variables);
        let what = "aws-lambda-rie did not start (it lies in PyPI's aws-sam-cli; scripts/check installs it)";
        server.wait_until(what, || server.listens(port) && server.listens(inner));
        Emulator { server, port }
    }

    /// Starts the program, and says its port and that of the function's side.
    fn spawn(
        package: &Path,
        name: &str,
        timeout: Duration,
        variables: &[(String, String)],
    ) -> (Guarded, u16, u16) {
        let folder = tempfile::Builder::new().prefix("fairway-lambda-").tempdir().unwrap().keep();
        for made in ["tmp", "base"] {
            std::fs::create_dir(folder.join(made)).unwrap();
        }
        base_system(&folder.join("base"));
        let (port, inner) = (free_port(), free_port());
        let mut arguments = vec!["-i".to_owned()];
        let mut set = |name: &str, value: String| arguments.push(format!("{name}={value}"));
        set("PATH", folder.join("base").display().to_string());
        set("TMPDIR", folder.join("tmp").display().to_string());
        set("LC_ALL", "C.UTF-8".to_owned());
        set("AWS_LAMBDA_FUNCTION_NAME", name.to_owned());
        set("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned());
        set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned());
        set("AWS_LAMBDA_FUNCTION_TIMEOUT", timeout.as_secs().to_string());
        for (name, value) in variables {
            set(name, value.clone());
        }
        arguments.push(program("aws-lambda-rie").display().to_string());
        arguments.push(format!("--runtime-interface-emulator-address=127.0.0.1:{port}"));
        arguments.push(format!("--runtime-api-address=127.0.0.1:{inner}"));
        arguments.push(package.join("bootstrap").display().to_string());
        (Guarded::start(&folder, "env", &arguments), port, inner)
    }

    /// Sends an event and waits for the end.
    pub fn invoke(&self, event: &str) -> Invoked {
        let url = format!("http://127.0.0.1:{}/2015-03-31/functions/function/invocations", self.port);
        let mut curl = Command::new("curl")
            .args(["-sS", "--max-time", "900", "--data-binary", "@-", "-w", "\n%{http_code}", &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        curl.stdin.take().unwrap().write_all(event.as_bytes()).unwrap();
        let output = curl.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or((&text, "0"));
        let failed = status != "200" || body.contains("\"errorType\"");
        Invoked { body: body.to_owned(), failed }
    }

    /// What the function logged so far, and the emulator's own lines.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// The emulator's process. The function's are below it.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// As when the machine goes: the function and everything that it started, at once, and the emulator.
    pub fn kill(&self) {
        // What stands still starts nothing more that would be left.
        let (mut all, began) = (Vec::new(), Instant::now());
        loop {
            let before = all;
            all = below(self.pid());
            all.push(self.pid());
            signal("STOP", &all);
            if all == before && all.iter().all(|pid| stands_still(*pid)) || began.elapsed() > STANDING {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        signal("KILL", &all);
    }

    /// How long the function took from its start until it asked for its first event, as the emulator measured it.
    pub fn init_seconds(&self) -> Option<f64> {
        let log = self.log();
        let (_, rest) = log.split_once("INIT REPORT(durationMs: ")?;
        Some(rest.split_once(')')?.0.parse::<f64>().ok()? / 1e3)
    }

    /// Resident memory of the function itself, in bytes, without what it started.
    pub fn resident_bytes(&self) -> u64 {
        let status = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // The emulator's first child: a bootstrap, or what that became.
        let function = below(self.pid()).into_iter().map(status).find(|status| !status.is_empty());
        let line = function.unwrap_or_default();
        let line =
            line.lines().find_map(|line| line.strip_prefix("VmRSS:").map(str::to_owned)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) * 1024
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.kill();
    }
}

/// So long it may take until all of a function's processes stand still: one that waits for a disk does so later.
const STANDING: Duration = Duration::from_secs(10);

/// Sends a signal to all of these.
fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let _ = Command::new("kill").arg(format!("-{name}")).args(pids).stderr(Stdio::null()).status();
}

/// Whether a process was stopped ("T"), or has ended.
fn stands_still(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    state.is_empty() || state.starts_with(['T', 'Z', 'X'])
}

/// Every process that descends from this one, children before their own.
fn below(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                found.push(child);
                parents.push(child);
            }
        }
    }
    found
}

/// What Amazon Linux's base for functions has of what scripts may use: bash and coreutils, and nothing else.
fn base_system(folder: &Path) {
    const BASE: &str = "bash env basename cat cp cut date dirname echo expr false head id join ln ls mkdir \
                        mktemp mv nl \
                        od paste printf pwd readlink rm rmdir seq sha256sum sleep sort split stat tac tail tee test \
                        timeout touch tr true uname uniq wc";
    for name in BASE.split_whitespace() {
        let program = program(name);
        std::os::unix::fs::symlink(program, folder.join(name)).unwrap();
    }
}

/// A program by the search path.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is not on the search path (scripts/check installs what tests need)")
    })
}
