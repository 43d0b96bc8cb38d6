use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it answers.
const READY: Duration = Duration::from_secs(120);

/// How long it is tried to start a server again on the ports that it had.
pub(crate) const PORTS: Duration = Duration::from_secs(30);

/// Starts the server, says its process id, waits for its own standard input to close (which the death of the test does,
/// too), then ends the server and removes its folder. Signals to all of a session's processes must not end it before
/// that.
const GUARD: &str = r#"
folder=$1; shift
# Where Debian keeps servers.
PATH=$PATH:/usr/sbin
trap : TERM INT HUP
"$@" < /dev/null > "$folder/log" 2>&1 &
echo $!
read -r _
kill -KILL $! 2> /dev/null
wait
[ -e "$folder/keep" ] || rm -rf "$folder"
"#;

/// A server's process and folder, which end with the test.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    stdin: Option<ChildStdin>,
    pid: u32,
    folder: PathBuf,
}

impl Guarded {
    /// Starts `program`; `folder` is its own and is removed at the end, unless it holds a file called `keep` then.
    pub fn start(folder: &Path, program: &str, arguments: &[String]) -> Guarded {
        let mut guard = Command::new("bash")
            .args(["-c", GUARD, "guard"])
            .arg(folder)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell's own words about a process that was killed.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let stdin = guard.stdin.take();
        Guarded { guard, stdin, pid: pid.trim().parse().unwrap(), folder: folder.to_owned() }
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What the server said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Sends a signal by name, like `TERM`.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let _ = kill.arg(format!("-{name}")).arg(self.pid.to_string()).stderr(Stdio::null()).status();
    }

    /// Waits until `is_ready`; fails with `what` and the log when the server ends before that, or takes too long.
    pub fn wait_until(&self, what: &str, is_ready: impl FnMut() -> bool) {
        assert!(self.becomes(is_ready), "{what}:\n{}", self.log());
    }

    /// Waits until `is_ready`; `false` when the server ends before that, or takes too long.
    pub fn becomes(&self, mut is_ready: impl FnMut() -> bool) -> bool {
        let started = Instant::now();
        while !is_ready() {
            if !self.is_alive() || started.elapsed() > READY {
                return false;
            }
            thread::sleep(Duration::from_millis(50));
        }
        true
    }

    /// Whether it is this server that listens on a port of 127.0.0.1: somebody else may have taken the port before it.
    pub fn listens(&self, port: u16) -> bool {
        // "0A" is a socket that listens; the tenth column is its number.
        let address = format!("0100007F:{port:04X}");
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let sockets: Vec<PathBuf> = rows
            .filter(|row| row.get(1) == Some(&&*address) && row.get(3) == Some(&"0A"))
            .filter_map(|row| Some(format!("socket:[{}]", row.get(9)?).into()))
            .collect();
        let own = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        own.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|file| sockets.contains(&file))
    }

    /// Ends the server by a signal and leaves its folder, for the next start.
    pub fn end(self, signal: &str) {
        self.signal(signal);
        while self.is_alive() {
            thread::sleep(Duration::from_millis(10));
        }
        let keep = self.folder.join("keep");
        std::fs::write(&keep, "").unwrap();
        drop(self);
        std::fs::remove_file(keep).unwrap();
    }

    /// Whether the server still runs.
    pub fn is_alive(&self) -> bool {
        // A process that has ended but was not waited for is a zombie ("Z").
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A port of 127.0.0.1 that nobody listens on. Somebody else may take it before a server does; that takes another then.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
