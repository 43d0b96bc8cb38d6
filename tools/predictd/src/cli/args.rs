//! The flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::HeaderValue;
use clap::Parser;

use crate::cli::keys::Command;
use crate::cli::ranges::{BodyBytes, Count, Seconds};
use crate::http::auth::KEYS;
use crate::models::args::BUCKET;

/// Answers predictions over HTTP with the approved model, and follows when another is approved.
///
/// Example: predictd --bucket data & curl -s --json @round.json http://127.0.0.1:5000/predict | jq .sg_t2g
#[derive(Parser)]
#[command(name = "predictd", version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Serve this model file, and what replaces it, or the approved model of this bucket; with a name in front, for
    /// POST /predict/NAME. Can be given several times, each with a name. Wins over FAIRWAY_BUCKET.
    #[arg(long, value_name = "[NAME=]FILE|URL")]
    pub(super) model: Vec<String>,
    /// Serve the model that this bucket's models/latest_model.json names, or those of the routes of --config, and
    /// follow them.
    #[arg(long, value_name = "URL", env = BUCKET, hide_env_values = true)]
    pub(super) bucket: Option<String>,
    /// Read routes and limits from this file, a system's serve.toml; flags win.
    #[arg(long, value_name = "FILE", env = "FAIRWAY_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Keep the last good model of a bucket in this folder, and start with it when the bucket is away.
    #[arg(long, value_name = "DIR", env = "FAIRWAY_CACHE")]
    pub(super) cache: Option<PathBuf>,
    /// Address and port; port 0 takes a free one and says which.
    #[arg(long, value_name = "ADDRESS", env = "FAIRWAY_LISTEN", default_value = "127.0.0.1:5000")]
    pub(super) listen: SocketAddr,
    /// Ask the server that runs at --listen whether it is alive, and end: 0 if it is, 69 if not. For a container's
    /// health.
    #[arg(long, conflicts_with_all = ["model", "open"])]
    pub(super) healthy: bool,
    /// Answer only those who send a key of this file, or object as s3://bucket/keys.json, as x-api-key; see `predictd
    /// keys`.
    #[arg(long, value_name = "FILE|URL", env = KEYS, hide_env_values = true)]
    pub(super) keys: Option<String>,
    /// Allow an address that other machines can reach without --keys. Whoever reaches it can ask.
    #[arg(long)]
    pub(super) open: bool,
    /// Let pages of this origin (scheme, host and port) ask from a browser; can be given several times.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub(super) cors: Vec<HeaderValue>,
    /// Add a JSON line for each prediction to this file, `-` for stdout; lines that `db-load rows` takes.
    #[arg(long, value_name = "FILE", env = "FAIRWAY_LOG")]
    pub(super) log: Option<PathBuf>,
    /// Add a JSON line for each request to this file, `-` for stdout.
    #[arg(long, value_name = "FILE", env = "FAIRWAY_ACCESS_LOG")]
    pub(super) access_log: Option<PathBuf>,
    /// Seconds between looks for a new model; SIGHUP looks at once. [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub(super) poll: Option<Seconds>,
    /// Largest request body; larger ones are answered 413. [default: 4194304]
    #[arg(long, value_name = "BYTES")]
    pub(super) max_body: Option<BodyBytes>,
    /// Connections at a time; further ones are answered 503. [default: 1024]
    #[arg(long, value_name = "N")]
    pub(super) max_connections: Option<Count>,
    /// Large requests (above 16 KiB, or explained) that are worked on or wait at a time; further ones are answered 503.
    /// [default: 256]
    #[arg(long, value_name = "N")]
    pub(super) max_requests: Option<Count>,
    /// Seconds that a client has to send its header, then to send its body, then to take each part of the answer.
    /// [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub(super) request_timeout: Option<Seconds>,
    /// Seconds that SIGTERM and SIGINT leave to the requests under way. [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(super) drain: Option<Seconds>,
}

/// As a browser names it: scheme, host and port, nothing after that.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    if host.is_empty() || host.contains('/') || host.contains('*') {
        return Err("not an origin like https://golf.example".to_owned());
    }
    HeaderValue::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn verify_cli() {
        super::Args::command().debug_assert();
    }
}
