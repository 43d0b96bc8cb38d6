use std::collections::BTreeMap;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use failure::{Failure, Outcome};
use raw_answers::{Answer, Parameters};
use rows::Block;
use scraper::Html;
use sources::Kind;

use crate::budget::Budget;
use crate::csv_in;
use crate::feed;
use crate::json::{self, Program};
use crate::made::Made;
use crate::notes::Notes;
use crate::page;
use crate::plan::Plan;
use crate::rejected::Rejected;
use crate::rows_out::{Form, Origin, push_record, push_text};
use crate::shape::{Shaper, Unknown};
use crate::watch::Watch;

/// How answers are worked at.
pub(crate) struct Work {
    pub(crate) plans: BTreeMap<String, Ready>,
    pub(crate) form: Form,
    pub(crate) table: Option<String>,
    pub(crate) keeps_rejects: bool,
    pub(crate) watch: Watch,
}

/// A plan with its programs.
pub(crate) struct Ready {
    pub(crate) plan: Plan,
    programs: Vec<Option<Program>>,
}

/// What came of an answer or a file.
pub(crate) struct Extracted {
    pub(crate) place: String,
    pub(crate) out: Vec<u8>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) notes: Notes,
    pub(crate) unknown: BTreeMap<Unknown, u64>,
    /// Nothing of it was written then.
    pub(crate) failed: Option<Failure>,
}

impl Ready {
    pub(crate) fn new(plan: Plan) -> Outcome<Ready> {
        let at = |reason: String| Failure::config(format!("source {}: {reason}", plan.source));
        let mut programs = Vec::new();
        for table in &plan.tables {
            let of_table = |reason: String| at(format!("table {}: {reason}", table.table.name));
            programs.push(match (plan.extract.kind, &table.rows) {
                (Kind::Json, Some(code)) => Some(Program::new(code).map_err(of_table)?),
                (Kind::Html, Some(rows)) => {
                    page::Rows::new(rows, &table.members).map_err(of_table)?;
                    None
                }
                _ => None,
            });
            if plan.extract.kind == Kind::Feed {
                let unknown = table.members.iter().find(|member| {
                    !member.optional
                        && !member.names.iter().any(|name| feed::MEMBERS.contains(&name.as_str()))
                });
                if let Some(unknown) = unknown {
                    return Err(of_table(format!(
                        "an entry of a feed has no {}: it has {}",
                        unknown.names.join(" or "),
                        feed::MEMBERS.join(", ")
                    )));
                }
            }
        }
        Ok(Ready { plan, programs })
    }
}

impl Work {
    /// The stack of a thread that works at answers, in bytes. A program that calls itself without end needs one that is
    /// larger than the memory that it may take: the watch ends it then, and not a signal.
    pub(crate) fn stack(&self) -> usize {
        usize::try_from(most_memory(&self.plans)).unwrap_or(usize::MAX).saturating_add(256 << 20)
    }

    /// What may be read ahead: of the memory of parsed answers a small part.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(most_memory(&self.plans) / 16)
    }

    /// Makes rows of a line of `fairway.answer/1`.
    pub(crate) fn answer(self: &Arc<Work>, place: &str, line: &[u8]) -> Extracted {
        let answer: Answer = match serde_json::from_slice(line) {
            Ok(answer) => answer,
            Err(error) => {
                return Extracted::failed(
                    place,
                    Failure::data(format!(
                        "{place}: not an answer: {error} (web-fetch or bucket answers prints them; files go with \
                         --source)"
                    )),
                );
            }
        };
        if answer.v != raw_answers::ANSWER_V1 {
            return Extracted::failed(
                place,
                Failure::data(format!(
                    "{place}: version {:?}, but this program reads {:?}",
                    answer.v,
                    raw_answers::ANSWER_V1
                )),
            );
        }
        let Some(ready) = self.plans.get(&answer.source) else {
            return Extracted::failed(
                place,
                Failure::config(format!("{place}: no source with rows is called {:?}", answer.source)),
            );
        };
        let place = answer.raw.clone();
        let origin = Origin { raw: Some(answer.raw), fetched_at: Some(answer.fetched_at) };
        let bodies = std::iter::once((answer.body, answer.sha256))
            .chain(answer.more.into_iter().map(|page| (page.body, page.sha256)));
        let mut checked = Vec::new();
        for (body, sha256) in bodies {
            match body.into_bytes().filter(|bytes| fingerprint::of(bytes) == sha256) {
                Some(bytes) => checked.push(bytes),
                None => {
                    return Extracted::failed(
                        &place,
                        Failure::data(format!("{place}: a body is not the one that was fetched")),
                    );
                }
            }
        }
        let kind =
            answer.headers.get("content-type").map(|kind| kind.to_ascii_lowercase()).unwrap_or_default();
        let charset = kind.split(';').find_map(|part| {
            let (name, label) = part.split_once('=')?;
            (name.trim() == "charset").then(|| label.trim().trim_matches('"').to_owned())
        });
        let mut made = self.bodies(ready, &place, &answer.parameters, checked, charset.as_deref(), &origin);
        if made.failed.is_none() && self.form == Form::Wire {
            // What is loaded of the answer is complete when this line is.
            let out = &mut made.out;
            out.extend_from_slice(format!("{{\"v\":\"{}\",\"raw\":", wire::LOADED_V1).as_bytes());
            push_text(out, origin.raw.as_deref().unwrap_or_default());
            out.extend_from_slice(b",\"extract_digest\":");
            push_text(out, &ready.plan.digest);
            out.extend_from_slice(b"}\n");
        }
        made
    }

    /// Makes rows of the bodies of one answer.
    pub(crate) fn bodies(
        self: &Arc<Work>,
        ready: &Ready,
        place: &str,
        parameters: &Parameters,
        bodies: Vec<Vec<u8>>,
        charset: Option<&str>,
        origin: &Origin,
    ) -> Extracted {
        let watched = self.watch.over(place, ready.plan.extract.limits);
        let mut rows = Made::whole(&ready.plan, self.form, self.keeps_rejects);
        let reading = AssertUnwindSafe(|| read(ready, &mut rows, parameters, bodies, charset));
        let made = catch_unwind(reading)
            .map_err(|_| Failure::config(format!("{place}: the program of its source broke down")));
        drop(watched);
        let mut extracted = Extracted {
            place: place.to_owned(),
            out: Vec::new(),
            rejected: std::mem::take(&mut rows.rejected),
            notes: std::mem::take(&mut rows.notes),
            unknown: std::mem::take(&mut rows.unknown),
            failed: None,
        };
        extracted.notes.rejected = extracted.rejected.len() as u64;
        extracted.notes.rows = rows.counts.iter().sum();
        let reason = match made {
            Err(failure) => {
                extracted.failed = Some(failure);
                return extracted;
            }
            Ok(Err(reason)) => Some(reason),
            Ok(Ok(())) => None,
        };
        extracted.failed = judge(ready, place, reason, &rows.counts, &extracted.rejected, self.keeps_rejects);
        if extracted.failed.is_none() {
            for group in &rows.groups.all {
                let plan = &ready.plan.tables[group.table];
                match self.form {
                    Form::Wire => push_record(&mut extracted.out, plan, group, origin, None),
                    Form::Csv if self.table.as_ref().is_none_or(|table| *table == plan.table.name) => {
                        extracted.out.extend_from_slice(&group.text);
                    }
                    Form::Csv => {}
                }
            }
        }
        extracted
    }
}

/// The largest of the memories that sources may take.
pub(crate) fn most_memory(plans: &BTreeMap<String, Ready>) -> u64 {
    plans.values().map(|ready| ready.plan.extract.limits.memory.0).max().unwrap_or(0)
}

/// Why an answer makes no rows, if it does not.
pub(crate) fn judge(
    ready: &Ready,
    place: &str,
    reason: Option<String>,
    counts: &[u64],
    rejected: &[Rejected],
    keeps_rejects: bool,
) -> Option<Failure> {
    if let (Some(reject), false) = (rejected.first(), keeps_rejects) {
        return Some(Failure::data(format!(
            "{place}: row {} of {}: {} (keep such rows with --rejects FILE)",
            reject.row, reject.table, reject.reason
        )));
    }
    if let Some(reason) = reason {
        return Some(Failure::data(format!("{place}: {reason}")));
    }
    for (table, count) in ready.plan.tables.iter().zip(counts) {
        if *count < table.least {
            return Some(Failure::data(format!(
                "{place}: it has {} of {}, and at least {} are expected: is it empty, or did it change?",
                diagnostics::plural(*count, "row"),
                table.table.name,
                table.least
            )));
        }
    }
    None
}

impl Extracted {
    /// What made no rows.
    pub(crate) fn failed(place: &str, failure: Failure) -> Extracted {
        Extracted {
            place: place.to_owned(),
            out: Vec::new(),
            rejected: Vec::new(),
            notes: Notes::default(),
            unknown: BTreeMap::new(),
            failed: Some(failure),
        }
    }
}

fn read(
    ready: &Ready,
    rows: &mut Made,
    parameters: &Parameters,
    bodies: Vec<Vec<u8>>,
    charset: Option<&str>,
) -> Result<(), String> {
    for body in bodies {
        match ready.plan.extract.kind {
            Kind::Json => read_json(ready, rows, parameters, &body)?,
            Kind::Csv => read_csv(ready, rows, parameters, &body)?,
            Kind::Html => read_page(ready, rows, parameters, &body, charset)?,
            Kind::Feed => read_feed(ready, rows, parameters, &body)?,
        }
    }
    Ok(())
}

fn read_json(ready: &Ready, rows: &mut Made, parameters: &Parameters, body: &[u8]) -> Result<(), String> {
    let body = body.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(body);
    let value = json::parse(body)?;
    for (at, (table, program)) in ready.plan.tables.iter().zip(&ready.programs).enumerate() {
        let Some(program) = program else { continue };
        let mut shaper = Shaper::new(&ready.plan, table, parameters)?;
        let mut number = 0;
        let run = program.run(&value, &table.members, |cells, record| {
            number += 1;
            rows.add(&ready.plan, at, &mut shaper, cells, &(number, || record.to_string()))
        });
        rows.finish(shaper);
        run.map_err(
            |reason| if reason.is_empty() { reason } else { format!("{}: {reason}", table.table.name) },
        )?;
    }
    Ok(())
}

fn read_csv(ready: &Ready, rows: &mut Made, parameters: &Parameters, body: &[u8]) -> Result<(), String> {
    let plan = &ready.plan;
    let (layout, mut blocks) =
        csv_in::open("it", body, plan, &mut rows.notes).map_err(|failure| csv_in::words(&failure))?;
    let mut spare = Block::default();
    loop {
        let block = blocks.next_block(spare).map_err(|failure| csv_in::words(&failure))?;
        let Some(mut block) = block else { return csv_in::check_encoding(&rows.notes) };
        csv_in::read_block(plan, &layout, parameters, &mut block, rows)?;
        spare = block;
    }
}

fn read_page(
    ready: &Ready,
    rows: &mut Made,
    parameters: &Parameters,
    body: &[u8],
    charset: Option<&str>,
) -> Result<(), String> {
    let extract = &ready.plan.extract;
    let label = extract.encoding.as_deref().or(charset);
    let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes()));
    let text = match (encoding, std::str::from_utf8(body)) {
        (None, Ok(text)) => text.into(),
        (Some(encoding), Ok(text)) if encoding == UTF_8 => text.into(),
        // What a server says of all its pages is often wrong of one; what the source says is not.
        (encoding, Err(_))
            if encoding.is_none_or(|encoding| encoding == UTF_8) && extract.encoding.is_none() =>
        {
            rows.notes.encoding = Some(WINDOWS_1252.name());
            WINDOWS_1252.decode_without_bom_handling(body).0
        }
        (encoding, _) => {
            let encoding = encoding.unwrap_or(UTF_8);
            let (text, _, had_errors) = encoding.decode(body);
            if had_errors {
                return Err(format!("it is not {}: a byte sequence means nothing there", encoding.name()));
            }
            rows.notes.encoding = Some(encoding.name());
            text
        }
    };
    page::check_size(&text, extract.limits.depth)?;
    // Some pages keep tables in comments, for scripts to take out.
    let text =
        if extract.comments { text.replace("<!--", "    ").replace("-->", "   ").into() } else { text };
    let html = Html::parse_document(&text);
    for (at, table) in ready.plan.tables.iter().enumerate() {
        let Some(selector) = &table.rows else { continue };
        let mut shaper = Shaper::new(&ready.plan, table, parameters)?;
        let page = page::Rows::new(selector, &table.members)?;
        let mut number = 0;
        let run = page.read(&html, |cells, shown| {
            number += 1;
            match cells {
                Ok(cells) => rows.add(&ready.plan, at, &mut shaper, cells, &(number, shown)),
                Err(reason) => rows.reject(&ready.plan, at, reason, &(number, shown)),
            }
        });
        rows.finish(shaper);
        run.map_err(
            |reason| if reason.is_empty() { reason } else { format!("{}: {reason}", table.table.name) },
        )?;
    }
    Ok(())
}

fn read_feed(ready: &Ready, rows: &mut Made, parameters: &Parameters, body: &[u8]) -> Result<(), String> {
    for (at, table) in ready.plan.tables.iter().enumerate() {
        let mut shaper = Shaper::new(&ready.plan, table, parameters)?;
        let mut number = 0;
        let run = feed::read(body, &table.members, |cells, title| {
            number += 1;
            rows.add(&ready.plan, at, &mut shaper, cells, &(number, || title.to_owned()))
        });
        rows.finish(shaper);
        run?;
    }
    Ok(())
}

/// A file that somebody gave, as it is inside: gzip is taken off.
pub(crate) fn opened(name: &str, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    if name.ends_with(".gz") { Box::new(Unpacked(flate2::read::MultiGzDecoder::new(reader))) } else { reader }
}

/// Tells what is wrong with packed data from what is wrong with reading it.
struct Unpacked<R>(R);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                io::Error::other(Failure::data(format!("it is not whole gzip: {error}")))
            }
            _ => error,
        })
    }
}
