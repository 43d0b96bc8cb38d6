#![doc = include_str!("../README.md")]

mod deadline;

use std::error::Error as _;
use std::io::{self, Read};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use failure::{Failure, Outcome};
use reqwest::Url;
use reqwest::header::{HeaderMap, RETRY_AFTER};

pub use deadline::{Deadline, Until, unsigned};

/// How often a server that fails is asked again.
pub const RETRIES: usize = 4;

/// Longer waits are somebody's mistake; the service is tried again after a day.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Bodies of refusals are short; more of one is not worth reading.
pub const REFUSAL_BYTES: usize = 600;

/// An answer is received in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

/// The pauses before further attempts at what may pass: the first, then twice as long each time, 20 s at most, a little
/// at random.
pub fn pauses(first: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(Duration::from_secs(20))
        .with_max_times(RETRIES)
        .with_jitter()
        .build()
}

/// Makes `ring` what encrypts, for every client of this process.
pub fn use_ring() {
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Why a body is not there.
#[derive(Debug)]
pub enum Cut {
    /// It is longer than it may be.
    TooLong,
    /// It broke off, or took too long.
    Broken(String),
}

/// A whole body in one buffer, of so many bytes at most. The client's own time-out is for each read, which a server
/// that drips never meets: `timeout` is for all of it, since `started`.
pub fn read_body(
    mut body: impl Read,
    most_bytes: usize,
    started: Instant,
    timeout: Duration,
) -> Result<Vec<u8>, Cut> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match body.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(n) if bytes.len() + n > most_bytes => return Err(Cut::TooLong),
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let words = |error: io::Error| error.to_string();
                return Err(Cut::Broken(error.downcast().map_or_else(words, explain)));
            }
        }
        if started.elapsed() > timeout {
            return Err(Cut::Broken(format!("not whole after {} s", timeout.as_secs_f64())));
        }
    }
}

/// The words of a refusal's body on one line: the member `message` of JSON, or all of its beginning. They may quote a
/// secret, and half of one where they end: [`shortened`] after it was taken out.
pub fn words_of_refusal(body: impl Read) -> String {
    let mut bytes = Vec::new();
    // What cannot be read on is as long as it is.
    let _ = body.take(64 * REFUSAL_BYTES as u64).read_to_end(&mut bytes);
    // Where it was cut, half a secret may stand.
    if bytes.len() == 64 * REFUSAL_BYTES {
        bytes.truncate(32 * REFUSAL_BYTES);
    }
    let text = String::from_utf8_lossy(&bytes);
    let message = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|value| value.get("message")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| text.into_owned());
    on_one_line(&message)
}

/// Words without line ends and characters that do not show.
pub fn on_one_line(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).collect()
}

/// The beginning of words, as much as messages show.
pub fn shortened(words: &str) -> String {
    words.chars().take(REFUSAL_BYTES).collect()
}

/// An error of the HTTP client with its causes, without the address, which may hold a secret.
pub fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}

/// How long `Retry-After` says to wait, in seconds, a day at most.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(seconds)
}

/// A server's idea of a length of time, a day at most.
pub fn seconds(number: u64) -> Duration {
    Duration::from_secs(number).min(LONGEST_WAIT)
}

/// Whether an address is one of this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A proxy whose address is none would be passed by without a word. The value may hold a password: it is not repeated.
pub fn check_proxy(name: &str, value: &str) -> Outcome {
    let with_scheme = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let is_meant = Url::parse(&with_scheme).is_ok_and(|url| url.has_host() && url.scheme() != "ftp");
    if !is_meant || reqwest::Proxy::all(value).is_err() {
        return Err(Failure::config(format!("{name}: it is no address of a proxy (like http://proxy:3128)")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        let is = |url: &str| is_loopback(&Url::parse(url).unwrap());
        assert!(is("http://127.0.0.1:8080") && is("http://localhost:1/x") && is("http://[::1]:80"));
        assert!(!is("http://127.evil.com") && !is("http://10.0.0.1") && !is("http://localhost.evil.com"));
    }
}
