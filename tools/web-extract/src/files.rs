use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clock::Now;
use diagnostics::say;
use failure::{Failure, IoContext, Outcome};
use raw_answers::{Parameter, Parameters};
use rows::Block;
use sources::Kind;

use crate::Run;
use crate::budget::{Budget, Permit};
use crate::csv_in;
use crate::made::Made;
use crate::notes::Notes;
use crate::rows_out::{Collector, Origin};
use crate::work::{Extracted, Ready, Work, judge, opened};

/// A CSV that is longer is read in blocks, on all cores.
const WHOLE_BYTES: u64 = 8 << 20;

/// A file that somebody gave.
enum Given {
    /// A file beside the source's own, and why it is left out.
    LeftOut(String),
    /// It cannot be read.
    Bad(String, Failure),
    Whole(String, Parameters, Vec<u8>, Permit),
    /// A CSV that is not held.
    Long(String, Parameters, Box<dyn Read + Send>),
}

/// What became of it on a thread of its own.
enum Done {
    Made(Box<Extracted>),
    Other(Given),
}

/// Makes rows of files as a source publishes them, of several at once.
pub(crate) fn read(
    work: &Arc<Work>,
    source: &str,
    inputs: &[PathBuf],
    given: &Parameters,
    now: &Now,
    run: &mut Run,
) -> Outcome {
    // When somebody gave it is all that is known of a file's age.
    let origin = Origin { raw: None, fetched_at: Some(now.millis()) };
    let (its_work, its_source, its_given) = (Arc::clone(work), source.to_owned(), given.clone());
    let inputs = inputs.to_vec();
    let mut inputs = inputs.into_iter();
    let budget = work.budget();
    let next = move || {
        let Some(path) = inputs.next() else { return Ok(None) };
        open(&its_work.plans[&its_source], &path, &its_given, &budget).map(Some)
    };
    let (its_work, its_source, its_origin) = (Arc::clone(work), source.to_owned(), origin.clone());
    let make = move |given| match given {
        Given::Whole(name, parameters, bytes, permit) => {
            let ready = &its_work.plans[&its_source];
            let made = its_work.bodies(ready, &name, &parameters, vec![bytes], None, &its_origin);
            drop(permit);
            Done::Made(Box::new(made))
        }
        other => Done::Other(other),
    };
    let take = |done| match done {
        Done::Made(made) => run.take(*made),
        Done::Other(Given::LeftOut(why)) => {
            say!("{why}");
            Ok(())
        }
        Done::Other(Given::Bad(name, failure)) => run.take(Extracted::failed(&name, failure)),
        Done::Other(Given::Long(name, parameters, reader)) => {
            stream(work, source, &name, parameters, &origin, reader, run)
        }
        Done::Other(Given::Whole(..)) => Ok(()),
    };
    match work.plans[source].plan.extract.kind {
        Kind::Csv | Kind::Feed => relay::in_order(next, make, take),
        Kind::Json | Kind::Html => relay::in_order_deep(work.stack(), next, make, take),
    }
}

/// Opens a file, and holds it if it can be held; an error where nothing can be read at all.
fn open(ready: &Ready, path: &Path, given: &Parameters, budget: &Budget) -> Outcome<Given> {
    if let Some(why) = ignored(ready, path) {
        return Ok(Given::LeftOut(format!("{}: left out: {why}", path.display())));
    }
    let input = cli::input(Some(path))?;
    let name = input.name.clone();
    let parameters = match parameters(ready, path, given) {
        Ok(parameters) => parameters,
        Err(reason) => {
            let failure = Failure::data(format!("{name}: {reason}"));
            return Ok(Given::Bad(name, failure));
        }
    };
    let is_csv = ready.plan.extract.kind == Kind::Csv;
    // Of what is known to be long nothing is held until its turn comes.
    let is_long = std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() >= WHOLE_BYTES);
    let mut reader = opened(&name, input.reader);
    if is_csv && is_long {
        return Ok(Given::Long(name, parameters, reader));
    }
    let most = if is_csv { WHOLE_BYTES } else { ready.plan.extract.limits.memory.0 / 4 };
    let mut held = Vec::new();
    if let Err(failure) = reader.by_ref().take(most).read_to_end(&mut held).place(&name) {
        if failure.kind() != failure::Kind::Data {
            return Err(failure);
        }
        let failure = named(&name, failure);
        return Ok(Given::Bad(name, failure));
    }
    if (held.len() as u64) < most {
        let permit = budget.take(held.len() as u64);
        return Ok(Given::Whole(name, parameters, held, permit));
    }
    if is_csv {
        return Ok(Given::Long(name, parameters, Box::new(std::io::Cursor::new(held).chain(reader))));
    }
    let failure = Failure::data(format!("{name}: it is longer than {most} bytes (extract.limits.memory)"));
    Ok(Given::Bad(name, failure))
}

/// A failure of bad data with the file's name before it.
fn named(name: &str, failure: Failure) -> Failure {
    let is_named = failure.kind() != failure::Kind::Data || failure.to_string().starts_with(name);
    if is_named { failure } else { failure.at(name) }
}

/// Why files of this name are left out, if they are.
fn ignored<'a>(ready: &'a Ready, path: &Path) -> Option<&'a str> {
    let name = path.file_name()?.to_str()?;
    ready.plan.ignore.get(name).map(String::as_str)
}

/// What a file's name says, and what the user says.
fn parameters(ready: &Ready, path: &Path, given: &Parameters) -> Result<Parameters, String> {
    let mut parameters = Parameters::new();
    if let Some(pattern) = &ready.plan.file
        && path != Path::new("-")
    {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let found = pattern.captures(name).ok_or_else(|| {
            format!("files of {} are not called so ({})", ready.plan.source, pattern.as_str())
        })?;
        for group in pattern.capture_names().flatten() {
            if let Some(value) = found.name(group) {
                parameters.insert(group.to_owned(), Parameter::Text(value.as_str().to_owned()));
            }
        }
    }
    parameters.extend(given.clone());
    Ok(parameters)
}

/// A long CSV, in blocks: what came before a row that cannot be used is written already.
fn stream(
    work: &Arc<Work>,
    source: &str,
    name: &str,
    parameters: Parameters,
    origin: &Origin,
    reader: Box<dyn Read + Send>,
    run: &mut Run,
) -> Outcome {
    let ready = &work.plans[source];
    let (plan, form) = (&ready.plan, work.form);
    let mut notes = Notes::default();
    let (layout, mut blocks) = match csv_in::open(name, reader, plan, &mut notes) {
        Ok(opened) => opened,
        Err(failure) => return run.take(Extracted::failed(name, failure)),
    };
    let mut collector = Collector::new(form);
    let mut counts = vec![0; plan.tables.len()];
    let mut unknown = std::collections::BTreeMap::new();
    let mut rejected = Vec::new();
    let (its_work, its_source) = (Arc::clone(work), source.to_owned());
    // Blocks that are done with: their memory need not be cleared again.
    let spare = Arc::new(Mutex::new(Vec::new()));
    let done = Arc::clone(&spare);
    let next = move || {
        let block = spare.lock().ok().and_then(|mut spare| spare.pop());
        blocks.next_block(block.unwrap_or_default())
    };
    let make = move |mut block: Block| {
        let ready = &its_work.plans[&its_source];
        let mut made = Made::new(&ready.plan, form, its_work.keeps_rejects);
        let read = csv_in::read_block(&ready.plan, &layout, &parameters, &mut block, &mut made);
        if let Ok(mut done) = done.lock() {
            done.push(block);
        }
        match read {
            Err(reason) if made.rejected.is_empty() => Err(reason),
            _ => Ok(made),
        }
    };
    let mut out = Vec::new();
    let read = relay::in_order(next, make, |made| {
        let at = |reason: String| Failure::data(format!("{name}: {reason}"));
        let made = made.map_err(at)?;
        notes.add(made.notes);
        notes.rejected += made.rejected.len() as u64;
        counts.iter_mut().zip(&made.counts).for_each(|(all, more)| *all += more);
        made.unknown.into_iter().for_each(|(one, n)| *unknown.entry(one).or_default() += n);
        let is_over = !work.keeps_rejects && !made.rejected.is_empty();
        match run.rejects.as_mut() {
            Some(file) => file.keep(name, &made.rejected)?,
            None => rejected.extend(made.rejected.into_iter().take(1)),
        }
        out.clear();
        collector.add(made.groups, &plan.tables, origin, &mut out).map_err(at)?;
        if !run.lists_unknown {
            run.send(&out)?;
        }
        if is_over { Err(at(String::new())) } else { Ok(()) }
    });
    out.clear();
    let mut failed = read.err().map(|failure| named(name, failure));
    if failed.as_ref().is_some_and(|failure| failure.kind() != failure::Kind::Data) {
        return failed.map_or(Ok(()), Err);
    }
    if failed.is_none() {
        failed = collector
            .finish(&plan.tables, origin, &mut out)
            .err()
            .map(|reason| Failure::data(format!("{name}: {reason}")));
    }
    if failed.is_none() {
        failed =
            csv_in::check_encoding(&notes).err().map(|reason| Failure::data(format!("{name}: {reason}")));
    }
    let why = judge(ready, name, None, &counts, &rejected, work.keeps_rejects);
    notes.rows = counts.iter().sum();
    let failed = why.filter(|_| failed.is_none() || !rejected.is_empty()).or(failed);
    run.take(Extracted { place: name.to_owned(), out, rejected: Vec::new(), notes, unknown, failed })
}
