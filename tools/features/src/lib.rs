//! `features`: what was known of an entity's past when a question was asked. Its README says what it promises; the crate
//! `history` computes.

mod entities;

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use atomic_file::OutFile;
use clap::Parser;
use cli::Stdout;
use clock::{Instant, Now};
use diagnostics::{count, say};
use failure::{Failure, IoContext, Outcome};
use fingerprint::{Fingerprint, Hashed};
use history::{Batch, Counts, Options, Plan};
use manifest::{Manifest, Step};
use recipe::Recipe;
use rows::{Ending, Table, Text};

/// Appends to questions what was known of their entities' past when they were asked.
///
/// Example: bucket cat training_data/result/ --bucket ./data | features --recipe scripts/football/result.toml > rows.csv
///          features --recipe scripts/football/result.toml --input matches=played.csv --now 2026-08-14 < next.csv
#[derive(Parser)]
#[command(name = "features", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV of questions; its rows are the observations, too, of the input that no --input names. `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The prediction problem (TOML), with [history].
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: PathBuf,
    /// CSV of the observations of an input; once for each.
    #[arg(long = "input", value_name = "NAME=FILE", value_parser = named)]
    inputs: Vec<(String, PathBuf)>,
    /// All questions are asked then, whatever their rows say; rows whose answer is known by then are observations only.
    #[arg(long, value_name = "TIME")]
    now: Option<Now>,
    /// Observations that were not known by then are left out.
    #[arg(long, value_name = "TIME")]
    as_of: Option<Now>,
    /// What `bucket cat --manifest` recorded of stdin; checked against it.
    #[arg(long, value_name = "FILE", requires = "manifest_out")]
    manifest: Option<PathBuf>,
    /// Write what was made of those rows here: `clean --manifest` takes it.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    manifest_out: Option<PathBuf>,
    /// Write what all observations leave here: the state from which a server answers.
    #[arg(long, value_name = "FILE")]
    state_out: Option<PathBuf>,
    /// Begin with this state; every observation must be known after it.
    #[arg(long, value_name = "FILE")]
    state_in: Option<PathBuf>,
    /// CSV of entities that are in the state in any case: type, name (name_2 … where a key has more cells), alias.
    #[arg(long, value_name = "FILE", requires = "state_out")]
    entities: Option<PathBuf>,
    /// Print the observations that the features of this question see: the cells of its key, with slashes between them.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["manifest", "state_out"])]
    explain: Option<String>,
    /// Rows that may lie in memory, in MiB; more lie in temporary files that have no name.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory: u32,
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write NAME=FILE, like matches=played.csv")?;
    Ok((name.to_owned(), file.into()))
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let recipe = Recipe::load(&args.recipe, input_files::read_text)?;
    let plan = Plan::new(&recipe)?;
    let rules = plan.history.digest();
    thread_pool::start()?;
    let own = own_input(&args, &plan)?;
    let manifest = args.manifest.as_deref().map(Manifest::load).transpose()?;
    let listed = args.entities.as_deref().map_or(Ok(Vec::new()), entities::read)?;
    let options = Options {
        now: args.now.map(instant),
        as_of: args.as_of.map(instant),
        memory: (args.memory as usize).max(1) << 20,
        threads: rayon::current_num_threads(),
        explain: args.explain.clone(),
    };
    let as_of = options.until().map(|at| at.to_string());
    let mut batch = Batch::new(plan, options)?;
    let mut inputs = BTreeMap::new();
    if let Some(path) = &args.state_in {
        let file = input_files::open(path).place(path.display())?;
        let about = batch.read_state(&path.display().to_string(), &mut BufReader::new(file))?;
        inputs.insert("state".to_owned(), about.sha256);
    }
    for (name, path) in &args.inputs {
        let read = read(Some(path), &args, |table| batch.read_input(name, table))?;
        inputs.insert(name.clone(), read.sha256);
    }
    if own.is_some() || !batch.makes_questions() {
        let read = read(args.input.as_deref(), &args, |table| batch.read_questions(own.as_deref(), table))?;
        if let Some(manifest) = &manifest {
            manifest.check(&read.name, &read.sha256, read.rows)?;
        }
    }
    let mut out = Sink { out: cli::stdout()?, hash: args.manifest.is_some().then(Fingerprint::new) };
    let mut header = Text::default();
    batch.header().iter().for_each(|name| header.push(name.as_bytes()));
    header.end_row();
    out.send(header.bytes())?;
    let counts = batch.run(&mut |text| out.write(text))?;
    let sha256 = out.finish()?;
    if let (Some(manifest), Some(path)) = (manifest, &args.manifest_out) {
        let (program, rows) = ("features".to_owned(), counts.questions);
        let step = Step { program, rules_sha256: rules, as_of, inputs, rows, sha256 };
        manifest.then(step).publish(path)?;
    }
    if let Some(path) = &args.state_out {
        let mut file = OutFile::create(path)?;
        let about = batch.write_state(&listed, &mut file)?;
        file.publish()?;
        say!("{}: {} entities, as of {}", path.display(), count(about.entities), about.known_until);
    }
    if args.explain.is_none() {
        report(&counts);
    }
    Ok(())
}

/// Standard output, and the digest of what goes there.
struct Sink {
    out: Stdout,
    hash: Option<Fingerprint>,
}

impl Sink {
    /// At once: the next program can complain before the rows come.
    fn send(&mut self, text: &[u8]) -> Outcome {
        self.add(text);
        self.out.send(text)
    }

    fn write(&mut self, text: &[u8]) -> Outcome {
        self.add(text);
        self.out.write(text)
    }

    fn add(&mut self, text: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.add(text);
        }
    }

    fn finish(self) -> Outcome<String> {
        self.out.finish()?;
        Ok(self.hash.map(Fingerprint::hex).unwrap_or_default())
    }
}

/// What was read.
struct Read {
    name: String,
    sha256: String,
    rows: u64,
}

/// An input, of which a digest is wanted or not.
enum Reader {
    Plain(Box<dyn io::Read + Send>),
    Hashed(Hashed<Box<dyn io::Read + Send>>),
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Reader::Plain(reader) => reader.read(buffer),
            Reader::Hashed(reader) => reader.read(buffer),
        }
    }
}

/// Reads a table to its end.
fn read(
    path: Option<&Path>,
    args: &Args,
    take: impl FnOnce(Table<&mut Reader>) -> Outcome<u64>,
) -> Outcome<Read> {
    let input = cli::input(path)?;
    let name = input.name;
    // Nobody asks for a digest without a manifest.
    let mut reader = if args.manifest.is_some() {
        Reader::Hashed(Hashed::new(input.reader))
    } else {
        Reader::Plain(input.reader)
    };
    let table = Table::open(&name, &mut reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let rows = take(table)?;
    let sha256 = if let Reader::Hashed(hashed) = &reader { hashed.hex() } else { String::new() };
    Ok(Read { name, sha256, rows })
}

/// The input whose observations are the rows of stdin: the one that no flag names.
fn own_input(args: &Args, plan: &Plan) -> Outcome<Option<String>> {
    let is_named = |name: &str| args.inputs.iter().any(|(named, _)| named == name);
    let names = plan.history.inputs.iter().map(|input| input.name.as_str());
    let rest: Vec<&str> = names.filter(|name| !is_named(name)).collect();
    match rest.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).to_owned())),
        [.., last] => Err(Failure::usage(format!(
            "the recipe has the inputs {}: all but one need a file (--input {last}=FILE)",
            rest.join(", ")
        ))),
    }
}

fn instant(now: Now) -> Instant {
    Instant(now.timestamp().as_microsecond())
}

fn report(counts: &Counts) {
    let mut words = format!(
        "{} questions about {} entities; {} observations",
        count(counts.questions),
        count(counts.entities),
        count(counts.observations)
    );
    let more = [
        (counts.equal, "said the same twice"),
        (counts.corrected, "corrected another"),
        (counts.left_out, "left out by `where`"),
        (counts.later, "not known yet"),
        (counts.over, "no question any more"),
    ];
    let more: Vec<String> =
        more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))).collect();
    if !more.is_empty() {
        words = format!("{words} ({})", more.join(", "));
    }
    say!("{words}");
}
