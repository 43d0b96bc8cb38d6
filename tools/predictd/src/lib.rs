//! Answers POST /predict with the approved model. Start reading at [`run`]; `core.rs` is what is said, `front.rs` how it
//! gets in and out, `supply.rs` where the model comes from.

mod asked;
mod cache;
mod core;
mod desk;
mod front;
mod gauges;
mod healthy;
mod house;
mod invocations;
mod keys;
mod keys_command;
mod lanes;
mod ledger;
mod lines;
mod live;
mod loaded;
mod openapi;
mod pieces;
mod problem;
mod rounds;
mod scoring;
mod supply;
mod table;
mod tallies;
mod visitors;
mod wanted;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::Parser;
use manners::{Exit, Failure, Outcome, say};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::desk::Office;
use crate::gauges::Gauges;
use crate::house::House;
use crate::keys::Place;
use crate::keys_command::Command;
use crate::lines::{Log, Writer};
use crate::wanted::Wanted;

pub use crate::core::{Models, Request, Response, Served, handle};
pub use crate::loaded::Loaded;
pub use crate::supply::{Source, Supply};

/// Answers predictions over HTTP with the approved model, and follows when another is approved.
///
/// Example: predictd --bucket data & curl -s --json @round.json http://127.0.0.1:5000/predict | jq .sg_t2g
#[derive(Parser)]
#[command(name = "predictd", version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Serve this model file, and what replaces it, or the approved model of this bucket; with a name in front, for POST /predict/NAME. Can be given
    /// several times, each with a name. Wins over FAIRWAY_BUCKET.
    #[arg(long, value_name = "[NAME=]FILE|URL")]
    model: Vec<String>,
    /// Serve the model that this bucket's models/latest_model.json names, and follow it.
    #[arg(long, value_name = "URL", env = BUCKET, hide_env_values = true)]
    bucket: Option<String>,
    /// Keep the last good model of a bucket in this folder, and start with it when the bucket is away.
    #[arg(long, value_name = "DIR", env = "FAIRWAY_CACHE")]
    cache: Option<PathBuf>,
    /// Address and port; port 0 takes a free one and says which.
    #[arg(long, value_name = "ADDRESS", env = "FAIRWAY_LISTEN", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Ask the server that runs at --listen whether it is alive, and end: 0 if it is, 69 if not. For a container's health.
    #[arg(long, conflicts_with_all = ["model", "open"])]
    healthy: bool,
    /// Answer only those who send a key of this file, or object as s3://bucket/keys.json, as x-api-key; see `predictd keys`.
    #[arg(long, value_name = "FILE|URL", env = KEYS, hide_env_values = true)]
    keys: Option<String>,
    /// Allow an address that other machines can reach without --keys. Whoever reaches it can ask.
    #[arg(long)]
    open: bool,
    /// Let pages of this origin (scheme, host and port) ask from a browser; can be given several times.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    cors: Vec<HeaderValue>,
    /// Add a JSON line for each prediction to this file, `-` for stdout; lines that `db-load rows` takes.
    #[arg(long, value_name = "FILE", env = "FAIRWAY_LOG")]
    log: Option<PathBuf>,
    /// Add a JSON line for each request to this file, `-` for stdout.
    #[arg(long, value_name = "FILE", env = "FAIRWAY_ACCESS_LOG")]
    access_log: Option<PathBuf>,
    /// Seconds between looks for a new model; SIGHUP looks at once.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    poll: Duration,
    /// Largest request body; larger ones are answered 413.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20, value_parser = up_to_a_gigabyte)]
    max_body: usize,
    /// Connections at a time; further ones are answered 503.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_connections: u32,
    /// Large requests (above 16 KiB, or explained) that are worked on or wait at a time; further ones are answered 503.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_requests: u32,
    /// Seconds that a client has to send its header, then to send its body, then to take each part of the answer.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    request_timeout: Duration,
    /// Seconds that SIGTERM and SIGINT leave to the requests under way.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    drain: Duration,
}

/// What a client may take of the server.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) body_bytes: usize,
    pub(crate) connections: u32,
    pub(crate) requests: u32,
    pub(crate) request_time: Duration,
    pub(crate) drain_time: Duration,
}

const BUCKET: &str = "FAIRWAY_BUCKET";
const KEYS: &str = "FAIRWAY_KEYS";

/// Runs the program until SIGTERM or SIGINT.
pub fn run(args: Args) -> Outcome {
    if let Some(command) = args.command {
        return keys_command::run(command);
    }
    if args.healthy {
        return healthy::ask(args.listen);
    }
    if !args.listen.ip().is_loopback() && !args.open && args.keys.is_none() {
        return Err(Failure::usage(format!(
            "--listen {}: other machines can reach this address, and whoever reaches it can ask (give --keys, say \
             --open if that is meant, or listen on 127.0.0.1)",
            args.listen
        )));
    }
    let house = House::open(Wanted::of(&args.model, args.bucket.as_ref())?, args.cache.as_deref())?;
    let pool = rayon::ThreadPoolBuilder::new().build_global();
    pool.map_err(|error| Failure::new(Exit::Io, format!("starting threads: {error}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("starting threads", &error))?;
    let outcome = runtime.block_on(serve(args, house));
    // A look at a disk that hangs must not keep the program from ending.
    runtime.shutdown_background();
    outcome
}

async fn serve(args: Args, house: House) -> Outcome {
    // Before the line below is said: whoever has read it may send signals.
    let on = |kind| signal(kind).map_err(|error| Failure::io("listening for signals", &error));
    let (mut terminate, mut interrupt) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let keys = match &args.keys {
        Some(place) => Some(keys::follow(Place::parse(place), args.poll)?),
        None => None,
    };
    let gauges = Arc::new(Gauges::new());
    let mut writers = Vec::new();
    let mut log = |path: &Option<PathBuf>| -> Outcome<Option<Log>> {
        let Some(path) = path else { return Ok(None) };
        let counting = gauges.clone();
        let (log, writer) = Log::begin(path, move |lines| counting.dropped(lines))?;
        writers.push(writer);
        Ok(Some(log))
    };
    let (predictions, requests) = (log(&args.log)?, log(&args.access_log)?);
    let models = house.models();
    house.follow(args.poll).await?;

    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        let remedy = "choose another address with --listen, or stop the program that has it";
        Failure::new(Exit::Io, format!("{}: cannot listen: {error} ({remedy})", args.listen))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::io(args.listen, &error))?;

    let now = models.load_full();
    for reason in now.all().filter_map(|served| served.trouble.as_ref()) {
        say!("{reason}");
    }
    say!("serving {now} on http://{address} (POST {})", now.example());

    let limits = Limits {
        body_bytes: args.max_body,
        connections: args.max_connections,
        requests: args.max_requests,
        request_time: args.request_timeout,
        drain_time: args.drain,
    };
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let office = Office { models, keys, gauges, predictions, requests };
    front::serve(listener, office, &args.cors, limits, stop).await?;
    // Every line of what was answered is in the logs before the end.
    writers.into_iter().for_each(Writer::finish);
    Ok(())
}

/// Fractions are allowed; 0 and times that no clock can add are not.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.001..=31_536_000.0).contains(&seconds) {
        return Err("not between 0.001 and 31536000 seconds".to_owned());
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// As a browser names it: scheme, host and port, nothing after that.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    if host.is_empty() || host.contains('/') || host.contains('*') {
        return Err("not an origin like https://golf.example".to_owned());
    }
    HeaderValue::from_str(text).map_err(|error| error.to_string())
}

fn up_to_a_gigabyte(text: &str) -> Result<usize, String> {
    let bytes: usize = text.parse().map_err(|_| "not a number of bytes".to_owned())?;
    if (1..=1 << 30).contains(&bytes) {
        Ok(bytes)
    } else {
        Err("not between 1 and 1073741824 bytes".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn verify_cli() {
        super::Args::command().debug_assert();
    }

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(super::seconds("0.25").unwrap().as_millis(), 250);
        for bad in ["0", "-1", "nan", "inf", "1e300", "soon", ""] {
            assert!(super::seconds(bad).is_err(), "{bad}");
        }
    }
}
