use std::path::Path;

use diagnostics::{plural, say};
use failure::{Failure, IoContext, Kind, Outcome};
use raw_answers::{SIDECAR_SUFFIX, Sidecar};
use rows::{Ending, Table};
use store::Store;

/// What keys come on stdin instead.
const STDIN: &str = "-";

/// No sidecar is as long: it holds parameters, a few headers and a line for each page.
const SIDECAR_BYTES: u64 = 64 << 20;

/// Prints kept answers with their bodies, one a line, as `web-fetch` printed them: those below a prefix in the order
/// of their keys, or those of the keys on stdin. One is in memory at a time. One that is damaged is named and left out,
/// so that it holds up none of the others, and is the failure of the run at its end.
pub(crate) fn answers(store: &Store, prefix: &str) -> Outcome {
    let mut out = cli::stdout()?;
    let (mut n, mut damaged) = (0_u64, 0_u64);
    let mut print = |key: &str| {
        let mut line = match whole(store, key) {
            Err(failure) if failure.kind() == Kind::Data => {
                say!("{failure}");
                damaged += 1;
                return Ok(());
            }
            whole => whole?,
        };
        line.push(b'\n');
        n += 1;
        // At once: the next program works at it while the next answer is read.
        out.send(&line)
    };
    if prefix == STDIN {
        let input = cli::input(Some(Path::new(STDIN)))?;
        let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
        let column = table.require("key")?;
        while let Some(row) = table.next_row()? {
            let wrong = |reason: &str| Failure::data(format!("stdin: line {}: {reason}", row.line));
            let key = std::str::from_utf8(row.cell(column)).map_err(|_| wrong("the key is not UTF-8"))?;
            print(key).map_err(|failure| match failure.kind() {
                // What no object can be called is a flaw of the input here, not of the command.
                Kind::Usage => wrong(&failure.to_string()),
                _ => failure,
            })?;
        }
    } else {
        for entry in store.list(prefix)?.iter().filter(|entry| entry.key.ends_with(SIDECAR_SUFFIX)) {
            print(&entry.key)?;
        }
    }
    out.finish()?;
    say!("{}", plural(n, "answer"));
    if damaged > 0 {
        let all = plural(n + damaged, "answer");
        return Err(Failure::data(format!("{damaged} of {all} could not be read (each is named above)")));
    }
    Ok(())
}

/// The line of an answer.
fn whole(store: &Store, key: &str) -> Outcome<Vec<u8>> {
    let sidecar = store.get_up_to(key, SIDECAR_BYTES)?.ok_or_else(|| {
        Failure::data(format!("{key}: there is no such object (bucket ls raw/ lists them)"))
    })?;
    let sidecar = Sidecar::read(key, &sidecar.bytes).map_err(|reason| {
        Failure::data(format!(
            "{key}: {reason} (name the sidecars of a source, like raw/odds/, or remove it)"
        ))
    })?;
    let sizes = std::iter::once(sidecar.size_bytes).chain(sidecar.more.iter().map(|page| page.size_bytes));
    let bodies =
        sidecar.digests().zip(sizes).map(|(sha256, size_bytes)| body(store, &sidecar, sha256, size_bytes));
    let bodies: Vec<Vec<u8>> = bodies.collect::<Outcome<_>>()?;
    serde_json::to_vec(&sidecar.answer(bodies)).map_err(std::io::Error::from).place(key)
}

/// A body of an answer, which must be the one that its name says.
fn body(store: &Store, sidecar: &Sidecar, sha256: &str, size_bytes: u64) -> Outcome<Vec<u8>> {
    let key = sidecar.body_key(sha256);
    // Without its sidecar nobody has answered: web-fetch asks without a condition, and keeps the body anew.
    let of = sidecar.key();
    let remedy = format!(
        "put a copy back, or have it asked for again: bucket rm {key}; bucket rm {of}; then web-fetch"
    );
    let object = store.get_up_to(&key, size_bytes).map_err(|failure| match failure.kind() {
        Kind::Data => Failure::data(format!("{key}: it is not what {of} says ({remedy})")),
        _ => failure,
    })?;
    let object = object.ok_or_else(|| {
        Failure::data(format!("{key}: there is no such body, but {of} names it ({remedy})"))
    })?;
    if fingerprint::of(&object.bytes) != sha256 {
        return Err(Failure::data(format!("{key}: its digest is not its name; {of} names it ({remedy})")));
    }
    Ok(object.bytes)
}
