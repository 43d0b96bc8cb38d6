use std::ffi::OsString;
use std::process::Command;

use db::Db;
use manners::{Exit, Failure, Outcome};

/// Runs a command while holding a lease. The command's descriptors keep it too, so a `kill -9` of this process does not
/// let a second run start while the first one's stages still work.
pub(crate) fn lease(db: &mut Db, name: &str, command: &[OsString]) -> Outcome {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(Failure::usage(format!("lease {name:?}: use letters, digits, `-` and `_`")));
    }
    let lease = db.lease(name)?;
    lease.share_with_children()?;
    let [program, arguments @ ..] = command else {
        return Err(Failure::usage("no command to run"));
    };
    let shown = program.to_string_lossy();
    let status = Command::new(program)
        .args(arguments)
        .env("FAIRWAY_LEASE", name)
        .status()
        .map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    drop(lease);
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::new(exit_of(code), format!("{shown} ended with exit code {code}"))),
        None => Err(Failure::unavailable(format!("{shown} was killed ({status})"))),
    }
}

/// The command's own verdict, where it speaks our vocabulary.
fn exit_of(code: i32) -> Exit {
    let known = [Exit::No, Exit::Usage, Exit::Data, Exit::Unavailable, Exit::Io, Exit::Denied, Exit::Config];
    match code {
        // The shell's words for "not found" and "cannot be run", and for "killed by a signal".
        126 | 127 => Exit::Config,
        129.. => Exit::Unavailable,
        _ => known.into_iter().find(|exit| i32::from(exit.code()) == code).unwrap_or(Exit::Io),
    }
}
