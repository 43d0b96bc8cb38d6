use std::ffi::OsString;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use db::{Db, Lease};
use diagnostics::Exit;
use failure::{Failure, IoContext, Kind, Outcome};
use rustix::process::{Pid, Signal, kill_process};
use schema::Schema;

/// How often it is made sure that the lease is still ours.
const LOOK_AFTER_LEASE: Duration = Duration::from_secs(5);

/// Runs a command while holding a lease. The command's descriptors keep it too, so a `kill -9` of this process does not
/// let a second run start while the first one's stages still work.
pub(crate) fn lease(
    url: &str,
    schema: &Schema,
    name: &str,
    command: &[OsString],
    refused: Option<&str>,
) -> Outcome {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(Failure::usage(format!("lease {name:?}: use letters, digits, `-` and `_`")));
    }
    let mut db = Db::open_unchecked(url, schema)?;
    let mut lease = match db.lease(name) {
        Err(failure) if failure.kind() == Kind::Unavailable => {
            print_refused(refused)?;
            return Err(failure);
        }
        lease => lease?,
    };
    lease.share_with_children()?;
    let held = db.lease_name(name);
    let [program, arguments @ ..] = command else {
        return Err(Failure::usage("no command to run"));
    };
    let shown = program.to_string_lossy();
    let child = Command::new(program).args(arguments).env(db::LEASE, held).spawn();
    let child = child.map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    let status = wait(child, &mut lease).place(&shown)?;
    let Some(status) = status else {
        return Err(Failure::unavailable(format!(
            "the lease {name} was lost to another program: {shown} was stopped"
        )));
    };
    drop(lease);
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::new(exit_of(code), format!("{shown} ended with exit code {code}"))),
        None => Err(Failure::unavailable(format!("{shown} was killed ({status})"))),
    }
}

/// What a script prints that did not get its turn.
fn print_refused(line: Option<&str>) -> Outcome {
    let Some(line) = line else { return Ok(()) };
    let mut out = cli::stdout()?;
    out.write(format!("{line}\n").as_bytes())?;
    out.finish()
}

/// Waits for the command to end, and looks after the lease meanwhile: `None` when it was lost, and the command stopped.
fn wait(mut child: Child, lease: &mut Lease) -> io::Result<Option<ExitStatus>> {
    let pid = Pid::from_child(&child);
    let (sender, ended) = channel();
    let wait = move || sender.send(child.wait());
    if let Err(error) = thread::Builder::new().name("wait".to_owned()).spawn(wait) {
        // Nobody would look after the lease.
        let _ = kill_process(pid, Signal::TERM);
        return Err(error);
    }
    loop {
        match ended.recv_timeout(LOOK_AFTER_LEASE) {
            Ok(status) => return status.map(Some),
            Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("nobody waited for it")),
            Err(RecvTimeoutError::Timeout) if lease.still_held() => {}
            Err(RecvTimeoutError::Timeout) => {
                // It may have ended just now.
                let _ = kill_process(pid, Signal::TERM);
                let _ = ended.recv();
                return Ok(None);
            }
        }
    }
}

/// The command's own verdict, where it speaks our vocabulary.
fn exit_of(code: i32) -> Kind {
    match code {
        // The shell's words for "not found" and "cannot be run", and for "killed by a signal".
        126 | 127 => Kind::Config,
        129.. => Kind::Unavailable,
        _ => Exit::of_code(code).and_then(Exit::kind).unwrap_or(Kind::Io),
    }
}
