//! `web-extract`: rows of raw answers. Its README says what it promises.
//!
//! Read in this order: `plan.rs` (the rules of a source, held against the tables), `shape.rs` (a record becomes a row),
//! `made.rs` (rows and rejects of an answer), `work.rs` (an answer becomes rows), `json.rs`, `csv_in.rs`, `page.rs`,
//! `feed.rs` (records of each kind), `rows_out.rs` (the wire), `files.rs` (files that somebody gives), `names.rs`
//! (spellings), `watch.rs` (programs without end), `budget.rs` (what is read ahead).

mod budget;
mod cell;
mod csv_in;
mod feed;
mod files;
mod json;
mod made;
mod names;
mod notes;
mod page;
mod plan;
mod rejected;
mod rows_out;
mod shape;
mod watch;
mod work;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use clap::{Parser, Subcommand, ValueEnum};
use cli::Stdout;
use diagnostics::{count, plural, say};
use failure::{Failure, IoContext, Kind, Outcome};
use raw_answers::{Parameter, Parameters};
use schema::Schema;
use sources::Sources;

use budget::Permit;
use notes::Notes;
use plan::Plan;
use rejected::RejectsFile;
use rows_out::Form;
use shape::Unknown;
use watch::Watch;
use work::{Extracted, Ready, Work};

/// Makes rows of what web-fetch fetched, by the rules of a file of sources.
///
/// Example: bucket answers raw/results/ --bucket ./data
///            | web-extract --sources sources.toml --schema schema.toml | db-load partitions --db sqlite:x.db
#[derive(Parser)]
#[command(name = "web-extract", version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    extract: Extracting,
}

#[derive(Subcommand)]
enum Verb {
    /// Prints by which rules the answers of each source are extracted now: CSV for db-query unloaded.
    Digests(Rules),
}

/// Where the rules are.
#[derive(clap::Args)]
struct Rules {
    /// What rows an answer holds (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_SOURCES")]
    sources: Option<PathBuf>,
    /// The tables of the system (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_SCHEMA")]
    schema: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Extracting {
    /// Answers, a line each; with --source the source's own files. `-` or nothing is stdin.
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    rules: Rules,
    /// The inputs are files of this source, as it publishes them.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// A parameter of those files, like season=2025-26; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", requires = "source")]
    set: Vec<String>,
    /// `wire` for db-load, `csv` for people.
    #[arg(long, value_enum, default_value_t = Format::Wire)]
    format: Format,
    /// The table whose rows are printed as CSV, where a source has several.
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Keep records that make no row here, with the reason, instead of leaving out their whole answer.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    clock: cli::Clock,
    /// Print every spelling that no list knows, with the nearest name, and no rows.
    #[arg(long)]
    unknown_names: bool,
}

/// How to write rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON lines that `db-load` takes.
    Wire,
    /// The columns of one table.
    Csv,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.verb {
        Some(Verb::Digests(rules)) => digests(&rules),
        None => extract(args.extract),
    }
}

/// The file of sources, its folder, and the tables.
fn read_rules(rules: &Rules) -> Outcome<(Sources, PathBuf, Schema)> {
    let missing = |what: &str, variable: &str| Failure::usage(format!("name the {what}, or set {variable}"));
    let path =
        rules.sources.as_deref().ok_or_else(|| missing("sources with --sources FILE", "FAIRWAY_SOURCES"))?;
    let schema =
        rules.schema.as_deref().ok_or_else(|| missing("tables with --schema FILE", "FAIRWAY_SCHEMA"))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok((cli::parse_file(path)?, folder, cli::parse_file(schema)?))
}

fn digests(rules: &Rules) -> Outcome {
    let (sources, folder, schema) = read_rules(rules)?;
    let mut out = cli::csv()?;
    out.write(["source", "extract_digest"])?;
    for (name, source) in sources.sources.iter().filter(|(_, source)| source.extract.is_some()) {
        let plan = Plan::new(name, source, &sources, &schema, &folder)?;
        out.write([name, plan.digest.as_str()])?;
    }
    out.finish()
}

/// What happened to all answers.
struct Run {
    out: Stdout,
    rejects: Option<RejectsFile>,
    unknown: BTreeMap<Unknown, u64>,
    lists_unknown: bool,
    answers: u64,
    failed: u64,
    first: Option<Kind>,
    all: Notes,
}

impl Run {
    fn take(&mut self, made: Extracted) -> Outcome {
        self.answers += 1;
        let has_unknown = !made.unknown.is_empty();
        made.unknown.into_iter().for_each(|(unknown, n)| *self.unknown.entry(unknown).or_default() += n);
        if self.lists_unknown {
            // Rows that are missing because of a name are what is asked for; what could not be read has names that
            // nobody knows.
            if let Some(failure) = made.failed.filter(|_| !has_unknown) {
                say!("{failure}");
                self.failed += 1;
                self.first.get_or_insert(failure.kind());
            }
            return Ok(());
        }
        if let Some(words) = made.notes.words() {
            say!("{}: {words}", made.place);
        }
        self.all.add(made.notes);
        if let Some(rejects) = &mut self.rejects {
            rejects.keep(&made.place, &made.rejected)?;
        }
        match made.failed {
            None => self.send(&made.out),
            Some(failure) if matches!(failure.kind(), Kind::Io | Kind::ClosedPipe) => Err(failure),
            Some(failure) => {
                say!("{failure}");
                self.failed += 1;
                self.first.get_or_insert(failure.kind());
                Ok(())
            }
        }
    }

    /// Writes whole lines.
    fn send(&mut self, lines: &[u8]) -> Outcome {
        let _writing = watch::WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        self.out.send(lines)
    }

    fn end(mut self, what: &str) -> Outcome {
        if self.lists_unknown {
            let mut text = rows::Text::default();
            for cell in ["list", "source", "scope", "spelling", "rows", "nearest"] {
                text.push(cell.as_bytes());
            }
            text.end_row();
            for (unknown, rows) in &self.unknown {
                let rows = rows.to_string();
                for cell in [
                    &unknown.list,
                    &unknown.source,
                    &unknown.scope,
                    &unknown.spelling,
                    &rows,
                    &unknown.nearest,
                ] {
                    text.push(cell.as_bytes());
                }
                text.end_row();
            }
            self.out.write(text.bytes())?;
            self.out.finish()?;
            return self.first.map_or(Ok(()), |kind| {
                Err(Failure::new(
                    kind,
                    format!("{} could not be read (each is named above)", plural(self.failed, what)),
                ))
            });
        }
        self.rejects.take().map_or(Ok(()), RejectsFile::publish)?;
        self.out.finish()?;
        say!("{}: {}", plural(self.answers, what), self.all.counted());
        match self.first {
            None => Ok(()),
            Some(kind) => Err(Failure::new(
                kind,
                format!(
                    "{} of {} made no rows (each is named above)",
                    count(self.failed),
                    plural(self.answers, what)
                ),
            )),
        }
    }
}

fn extract(args: Extracting) -> Outcome {
    let (sources, folder, schema) = read_rules(&args.rules)?;
    let form = if args.format == Format::Csv { Form::Csv } else { Form::Wire };
    let keeps_rejects = args.rejects.is_some() || args.unknown_names;
    let mut plans = BTreeMap::new();
    for (name, source) in sources.sources.iter().filter(|(_, source)| source.extract.is_some()) {
        if args.source.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let plan = Plan::new(name, source, &sources, &schema, &folder)?;
        plans.insert(name.clone(), Ready::new(plan)?);
    }
    let mut out = cli::stdout()?;
    if form == Form::Csv && !args.unknown_names {
        out.send(&csv_header(&plans, args.table.as_deref())?)?;
    }
    let most = work::most_memory(&plans);
    let work = Arc::new(Work { plans, form, table: args.table, keeps_rejects, watch: Watch::start(most)? });
    let mut run = Run {
        out,
        rejects: args.rejects.as_deref().map(RejectsFile::create).transpose()?,
        unknown: BTreeMap::new(),
        lists_unknown: args.unknown_names,
        answers: 0,
        failed: 0,
        first: None,
        all: Notes::default(),
    };
    let inputs = if args.inputs.is_empty() { vec![PathBuf::from("-")] } else { args.inputs };
    match &args.source {
        Some(source) => {
            if !work.plans.contains_key(source) {
                let without_rows = Failure::config(format!("source {source}: it has no rows (extract)"));
                return Err(sources.source(source).err().unwrap_or(without_rows));
            }
            let given = parameters(&args.set)?;
            files::read(&work, source, &inputs, &given, &args.clock.now(), &mut run)?;
            run.end("file")
        }
        None => {
            for input in &inputs {
                answers(&work, input, &mut run)?;
            }
            run.end("answer")
        }
    }
}

/// The next line, with its number. One that is too long, or was cut, ends the input.
fn next_line(name: &str, reader: &mut impl BufRead, number: &mut u64) -> Outcome<Option<(u64, Vec<u8>)>> {
    *number += 1;
    let mut line = Vec::new();
    reader.by_ref().take(LONGEST_ANSWER).read_until(b'\n', &mut line).place(name)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some((*number, line))),
        Some(_) if line.len() as u64 + 1 >= LONGEST_ANSWER => Err(Failure::data(format!(
            "{name}: line {number}: longer than {LONGEST_ANSWER} bytes, which no answer is"
        ))),
        Some(_) => Err(Failure::data(format!(
            "{name}: line {number}: the line lacks its newline: the stream was cut (nothing of this line was used)"
        ))),
    }
}

/// What web-fetch keeps of an answer, with the escapes of JSON, is not longer.
const LONGEST_ANSWER: u64 = 512 << 20;

/// Answers, a line each, worked at on all cores and written in their order.
fn answers(work: &Arc<Work>, input: &Path, run: &mut Run) -> Outcome {
    let input = cli::input(Some(input))?;
    let name = input.name.clone();
    let (its_name, mut reader, mut number) =
        (input.name, BufReader::with_capacity(256 * 1024, input.reader), 0_u64);
    let budget = work.budget();
    let next = move || {
        let line = next_line(&its_name, &mut reader, &mut number)?;
        Ok(line.map(|(number, line)| (number, budget.take(line.len() as u64), line)))
    };
    let its_work = Arc::clone(work);
    let make = move |(number, permit, line): (u64, Permit, Vec<u8>)| {
        let made = its_work.answer(&format!("{name}: line {number}"), &line);
        drop(permit);
        made
    };
    relay::in_order_deep(work.stack(), next, make, |made| run.take(made))
}

fn parameters(pairs: &[String]) -> Outcome<Parameters> {
    let mut parameters = Parameters::new();
    for pair in pairs {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--set {pair:?}: write it like season=2025-26")))?;
        parameters.insert(name.to_owned(), Parameter::Text(value.to_owned()));
    }
    Ok(parameters)
}

/// The header of the CSV: the table that is wanted, or the only one.
fn csv_header(plans: &BTreeMap<String, Ready>, wanted: Option<&str>) -> Outcome<Vec<u8>> {
    let mut headers: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for table in plans.values().flat_map(|ready| &ready.plan.tables) {
        let header = rows_out::header(table);
        if headers.insert(&table.table.name, header.clone()).is_some_and(|other| other != header) {
            return Err(Failure::usage(format!(
                "--format csv: sources write {} with different columns: name one with --source",
                table.table.name
            )));
        }
    }
    let known = headers.keys().copied().collect::<Vec<_>>().join(", ");
    match wanted {
        Some(table) => headers.remove(table).ok_or_else(|| {
            Failure::usage(format!("--table {table}: no source makes rows of it (there are {known})"))
        }),
        None if headers.len() == 1 => Ok(headers.into_values().next().unwrap_or_default()),
        None => Err(Failure::usage(format!("--format csv: name one of the tables with --table ({known})"))),
    }
}
