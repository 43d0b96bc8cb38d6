//! `web-fetch`: answers of HTTP sources, kept and passed on. Its README says what it promises.
//!
//! Read in this order: `fetching.rs` (the requests of a source), `verdict.rs` (what an answer is), `exchange.rs`
//! (turns, attempts, redirects), `address.rs` (where requests may go), `pages.rs`, `robots.rs`, `kept.rs` (what is
//! stored).

mod address;
mod body;
mod credentials;
mod exchange;
mod fetching;
mod kept;
mod memory;
mod pages;
mod robots;
mod verdict;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use atomic_file::OutFile;
use clap::Parser;
use clock::Now;
use diagnostics::say;
use failure::{Failure, IoContext, Outcome};
use http_client::{Deadline, Until};
use jiff::SignedDuration;
use raw_answers::{PREFIX, Parameters};
use reqwest::Url;
use sources::{Source, Sources};
use store::Store;

use credentials::Credentials;
use exchange::{Calls, Exchange};
use fetching::{Fetching, Tally};
use kept::Kept;
use memory::Memories;

/// How `robots.txt` and servers know this program.
const AGENT_NAME: &str = "fairway-web-fetch";
const AGENT: &str = concat!("fairway-web-fetch/", env!("CARGO_PKG_VERSION"));

/// Asks HTTP sources, keeps each whole answer in the bucket, and prints it on a line for web-extract.
///
/// Example: web-fetch --sources sources.toml --bucket ./data results odds
///            | web-extract --sources sources.toml --schema schema.toml | db-load partitions --db sqlite:x.db
#[derive(Parser)]
#[command(name = "web-fetch", version, verbatim_doc_comment)]
pub struct Args {
    /// Sources or groups of the file.
    #[arg(required_unless_present_any = ["check", "list"])]
    words: Vec<String>,
    /// What to ask for (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_SOURCES")]
    sources: PathBuf,
    /// The bucket that keeps answers: a folder (path or file:///…), or s3://name/prefix.
    #[arg(long, value_name = "URL", env = "FAIRWAY_BUCKET", hide_env_values = true)]
    bucket: Option<String>,
    /// Only requests with this value of a parameter, like season=2025-26; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    only: Vec<String>,
    /// Print what would be asked, and ask nobody.
    #[arg(long)]
    dry_run: bool,
    /// Check the file and the secrets that its sources need, and ask nobody.
    #[arg(long, conflicts_with_all = ["dry_run", "list"])]
    check: bool,
    /// Print a line of JSON a source: requests, the last answer, how many are kept, calls today.
    #[arg(long, conflicts_with = "dry_run")]
    list: bool,
    /// Write a line of JSON a source about this run here.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Start no call later than this after the start, like 12m, or than an instant, like 2026-01-06T12:12:00Z.
    #[arg(long, value_name = "DURATION|INSTANT", env = "FAIRWAY_DEADLINE")]
    deadline: Option<Until>,
    /// Wait up to this long for a turn, whatever the sources say.
    #[arg(long, value_name = "DURATION", env = "FAIRWAY_MAX_WAIT")]
    max_wait: Option<SignedDuration>,
    /// Wait this long before the first retry of what may pass; it doubles each time.
    #[arg(long, value_name = "DURATION", env = "FAIRWAY_RETRY_DELAY", default_value = "500ms")]
    retry_delay: SignedDuration,
    /// Ask this server on loopback instead of every host; it gets /HOST/PATH.
    #[arg(long, value_name = "URL", env = "FAIRWAY_REPLAY")]
    replay: Option<Url>,
    /// Where the times of recent calls are kept: `machine`, or `bucket` for several machines.
    #[arg(long, value_name = "PLACE", env = "FAIRWAY_PACE", default_value = "machine",
          value_parser = ["machine", "bucket"])]
    pace: String,
    /// The folder for them on this machine (default: the user's state folder).
    #[arg(long, value_name = "DIR", env = "FAIRWAY_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// Take it to be this time (default: the clock).
    #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW")]
    now: Option<Now>,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let sources: Sources = cli::parse_file(&args.sources)?;
    let words =
        if args.words.is_empty() { sources.sources.keys().cloned().collect() } else { args.words.clone() };
    let meant = sources.meant(&words)?;
    let today = Now::or_clock(args.now).date();
    let today = today.parse().map_err(|error| Failure::usage(format!("--now: {error}")))?;
    let mut wanted = Vec::new();
    for (name, source) in meant {
        let requests =
            source.requests(today).map_err(|reason| Failure::config(format!("source {name}: {reason}")))?;
        wanted.push((name, source, requests));
    }
    choose(&mut wanted, &args.only)?;
    if args.check {
        return check(&sources, &wanted);
    }
    if args.dry_run {
        return dry_run(&wanted);
    }
    let bucket = args.bucket.as_deref().ok_or_else(|| {
        Failure::usage("there is no bucket to keep answers in: name it with --bucket or FAIRWAY_BUCKET")
    })?;
    let memories = match args.pace.as_str() {
        "bucket" => Memories::Bucket(Rc::new(Store::open(bucket)?)),
        _ => Memories::Folder(args.state_dir.clone()),
    };
    let kept = Kept::open(bucket)?;
    let replay = args.replay.as_ref().map(loopback).transpose()?;
    let calls = Calls {
        replay,
        deadline: Deadline::until(args.deadline),
        retry_delay: http_client::unsigned(args.retry_delay),
        max_wait: args.max_wait.map(http_client::unsigned),
        memories,
    };
    let mut exchange = Exchange::new(&sources, calls)?;
    if args.list {
        return list(&exchange, &kept, &wanted);
    }
    fetch(&sources, &wanted, &mut exchange, &kept, args.now, args.summary.as_deref())
}

type Wanted<'a> = (&'a str, &'a Source, Vec<Parameters>);

fn fetch(
    sources: &Sources,
    wanted: &[Wanted<'_>],
    exchange: &mut Exchange,
    kept: &Kept,
    now: Option<Now>,
    summary: Option<&Path>,
) -> Outcome {
    let mut summary = summary.map(OutFile::create).transpose()?;
    let mut out = cli::stdout()?;
    let (mut first, mut failed) = (None, 0);
    for (name, source, requests) in wanted {
        let (tally, failure) = match start(sources, name, source, kept, now) {
            Ok(mut fetching) => fetching.run(requests, exchange, &mut out)?,
            // Another source may do without what this one lacks.
            Err(failure) => {
                say!("{failure}");
                let left = requests.len() as u64;
                (Tally { source: (*name).to_owned(), left, ..Tally::default() }, Some(failure))
            }
        };
        say!(
            "{name}: {}, {} unchanged, {} failed, {} not asked",
            diagnostics::plural(tally.answers, "answer"),
            tally.unchanged,
            tally.failed,
            tally.left
        );
        if let Some(file) = &mut summary {
            let line = serde_json::to_string(&tally).unwrap_or_default();
            writeln!(file, "{line}").place("--summary")?;
        }
        if let Some(failure) = failure {
            failed += 1;
            first.get_or_insert(failure);
        }
    }
    summary.map_or(Ok(()), OutFile::publish)?;
    out.finish()?;
    match first {
        None => Ok(()),
        Some(failure) => Err(Failure::new(
            failure.kind(),
            format!("{failed} of {} sources did not answer all requests (each is named above)", wanted.len()),
        )),
    }
}

fn start<'a>(
    sources: &Sources,
    name: &'a str,
    source: &'a Source,
    kept: &'a Kept,
    now: Option<Now>,
) -> Outcome<Fetching<'a>> {
    if source.url.is_none() {
        return Err(Failure::usage(format!(
            "{name}: it has no address: give its files to web-extract --source {name}"
        )));
    }
    check_page(sources, name, source)?;
    if let Some(permission) = &source.permission {
        say!("{name}: {permission}");
    }
    Ok(Fetching::new(name, source, Credentials::read(name, source)?, kept, now))
}

/// Somebody who runs a site must be able to reach whoever reads its pages.
fn check_page(sources: &Sources, name: &str, source: &Source) -> Outcome {
    if source.is_page() && source.url.is_some() && sources.agent.contact.is_none() {
        return Err(Failure::config(format!(
            "{name}: pages are read only by whoever says who they are: [agent] contact = \"mailto:…\""
        )));
    }
    Ok(())
}

/// Leaves the requests with the values of `--only`.
fn choose(wanted: &mut [Wanted<'_>], only: &[String]) -> Outcome {
    for pair in only {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--only {pair:?}: write it like season=2025-26")))?;
        let there: BTreeSet<String> = wanted
            .iter()
            .flat_map(|(_, _, requests)| requests)
            .filter_map(|parameters| parameters.get(name).map(ToString::to_string))
            .collect();
        if !there.contains(value) {
            let known: Vec<&str> = there.iter().map(String::as_str).take(40).collect();
            return Err(Failure::usage(match there.is_empty() {
                true => format!("--only {pair:?}: no request has a parameter {name:?}"),
                false => {
                    format!("--only {pair:?}: no request has this value: there are {}", known.join(", "))
                }
            }));
        }
        for (_, _, requests) in wanted.iter_mut() {
            // A source without that parameter is meant as a whole.
            requests.retain(|parameters| parameters.get(name).is_none_or(|given| given.to_string() == value));
        }
    }
    Ok(())
}

/// Only this machine answers for others.
fn loopback(url: &Url) -> Outcome<Url> {
    if url.scheme() == "http" && http_client::is_loopback(url) {
        return Ok(url.clone());
    }
    Err(Failure::usage(
        "--replay: only a server on this machine answers for others, like http://127.0.0.1:5009",
    ))
}

fn check(sources: &Sources, wanted: &[Wanted<'_>]) -> Outcome {
    let mut first = None;
    for (name, source, requests) in wanted {
        let checked = check_page(sources, name, source).and_then(|()| Credentials::read(name, source));
        match checked {
            Ok(_) if source.url.is_none() => say!("{name}: files by hand"),
            Ok(_) => say!("{name}: {}", diagnostics::plural(requests.len() as u64, "request")),
            Err(failure) => {
                say!("{failure}");
                first.get_or_insert(failure.kind());
            }
        }
    }
    first
        .map_or(Ok(()), |kind| Err(Failure::new(kind, "not every source can be asked (each is named above)")))
}

fn dry_run(wanted: &[Wanted<'_>]) -> Outcome {
    let mut out = cli::stdout()?;
    for (name, source, requests) in wanted {
        for parameters in requests {
            let request = fetching::request(name, source, parameters)?;
            let secret = source.secret.as_ref().map_or_else(String::new, |secret| {
                let place = secret.header.as_ref().or(secret.query.as_ref());
                format!(" {}: ***", place.map_or("", String::as_str))
            });
            let body =
                request.body.map_or_else(String::new, |body| format!(" {}", String::from_utf8_lossy(&body)));
            let line = format!("{name} {} {}{secret}{body}\n", request.method.name(), request.url);
            out.write(line.as_bytes())?;
        }
    }
    out.finish()
}

/// A line of JSON about a source.
#[derive(serde::Serialize)]
struct Listed<'a> {
    source: &'a str,
    requests: usize,
    answers: usize,
    last_answer: Option<String>,
    calls_today: Option<u32>,
}

fn list(exchange: &Exchange, kept: &Kept, wanted: &[Wanted<'_>]) -> Outcome {
    let mut out = cli::stdout()?;
    for (name, source, requests) in wanted {
        let sidecars = kept.sidecars(name)?;
        let last_answer = sidecars.last().and_then(|key| {
            let name = key.strip_prefix(PREFIX)?.rsplit('/').next()?;
            let (time, _) = name.split_once('_')?;
            // Sidecars' names leave out colons.
            let (date, clock) = time.split_once('T')?;
            Some(format!("{date}T{}:{}:{}", clock.get(..2)?, clock.get(2..4)?, clock.get(4..)?))
        });
        let credentials = Credentials::read(name, source).ok().flatten();
        let calls_today = match requests.first() {
            Some(parameters) if source.url.is_some() => {
                let request = fetching::request(name, source, parameters)?;
                Some(exchange.pace(&request.url, credentials.as_ref())?.calls_today()?)
            }
            _ => None,
        };
        let listed = Listed {
            source: name,
            requests: requests.len(),
            answers: sidecars.len(),
            last_answer,
            calls_today,
        };
        let line = serde_json::to_string(&listed).unwrap_or_default();
        out.write(format!("{line}\n").as_bytes())?;
    }
    out.finish()
}
