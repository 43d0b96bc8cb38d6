use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Ran, Session, script};

/// Golf's pipeline from its beginning to its end, as a shell takes it.
pub fn refresh_and_train() -> String {
    format!("{} && {}", script("refresh"), script("train"))
}

impl Session {
    /// Runs golf's pipeline to its end. What was killed may take a moment to let go of the lease.
    #[track_caller]
    pub fn finish(&self, after: &str) {
        self.finish_line(&refresh_and_train(), after);
    }

    /// The same of another line.
    #[track_caller]
    pub fn finish_line(&self, line: &str, after: &str) -> Ran {
        let started = Instant::now();
        loop {
            let ran = self.run(line);
            if ran.code == 69
                && ran.stderr.contains("holds the lease")
                && started.elapsed() < Duration::from_secs(60)
            {
                thread::sleep(Duration::from_millis(50));
                continue;
            }
            assert_eq!(ran.code, 0, "the rerun after {after}: {ran}");
            return ran;
        }
    }

    /// Starts a line and kills it after a while, with all that it started, as when the machine goes. Whether it was
    /// still running.
    pub fn kill_after(&self, line: &str, moment: Duration) -> bool {
        let mut child =
            self.command(line).process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(moment);
        let was_running = child.try_wait().unwrap().is_none();
        // The whole group: the script and every stage at once.
        // (By system call: some `kill` programs read "-9 -123" as "everything".)
        let group = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        child.wait().unwrap();
        was_running
    }
}
