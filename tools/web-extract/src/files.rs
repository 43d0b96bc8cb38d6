use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use failure::{Failure, IoContext, Outcome};
use raw_answers::{Parameter, Parameters};
use rows::Block;
use sources::Kind;

use crate::Run;
use crate::csv_in;
use crate::notes::Notes;
use crate::rows_out::{Collector, Origin};
use crate::work::{Extracted, Ready, Work, judge, opened};

/// A CSV that is longer is read in blocks, on all cores.
const WHOLE_BYTES: u64 = 8 << 20;

/// Makes rows of files as a source publishes them.
pub(crate) fn read(
    work: &Arc<Work>,
    ready: &Ready,
    inputs: &[PathBuf],
    given: &Parameters,
    run: &mut Run,
) -> Outcome {
    for path in inputs {
        let input = cli::input(Some(path))?;
        let name = input.name.clone();
        let parameters = match parameters(ready, path, given) {
            Ok(parameters) => parameters,
            Err(reason) => {
                let failure = Failure::data(format!("{name}: {reason}"));
                run.take(Extracted::failed(&name, failure))?;
                continue;
            }
        };
        let mut reader = opened(&name, input.reader);
        let mut beginning = Vec::new();
        if let Err(failure) = reader.by_ref().take(WHOLE_BYTES).read_to_end(&mut beginning).place(&name) {
            if failure.kind() != failure::Kind::Data {
                return Err(failure);
            }
            run.take(Extracted::failed(&name, named(&name, failure)))?;
            continue;
        }
        let is_whole = (beginning.len() as u64) < WHOLE_BYTES;
        if is_whole || ready.plan.extract.kind != Kind::Csv {
            if !is_whole {
                let most = ready.plan.extract.limits.memory.0 / 4;
                reader.take(most).read_to_end(&mut beginning).place(&name)?;
                if beginning.len() as u64 >= most {
                    let failure = Failure::data(format!(
                        "{name}: it is longer than {most} bytes (extract.limits.memory)"
                    ));
                    run.take(Extracted::failed(&name, failure))?;
                    continue;
                }
            }
            run.take(work.bodies(ready, &name, &parameters, vec![beginning], None, &Origin::default()))?;
        } else {
            let reader = std::io::Cursor::new(beginning).chain(reader);
            stream(work, &name, parameters, Box::new(reader), run)?;
        }
    }
    Ok(())
}

/// A failure of bad data with the file's name before it.
fn named(name: &str, failure: Failure) -> Failure {
    let is_named = failure.kind() != failure::Kind::Data || failure.to_string().starts_with(name);
    if is_named { failure } else { failure.at(name) }
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
    name: &str,
    parameters: Parameters,
    reader: Box<dyn Read + Send>,
    run: &mut Run,
) -> Outcome {
    let source = work.plans.iter().next().map(|(source, _)| source.clone()).unwrap_or_default();
    let ready = &work.plans[&source];
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
    let origin = Origin::default();
    let its_work = Arc::clone(work);
    let next = move || blocks.next_block(Block::default());
    let make = move |block| {
        let ready = &its_work.plans[&source];
        csv_in::read_block(&ready.plan, &layout, &parameters, form, its_work.keeps_rejects, block)
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
        collector.add(made.groups, &plan.tables, &origin, &mut out).map_err(at)?;
        if !run.lists_unknown {
            run.out.send(&out)?;
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
            .finish(&plan.tables, &origin, &mut out)
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
