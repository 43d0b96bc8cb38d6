use std::io::Read;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use diagnostics::say;
use failure::{Failure, Outcome};
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::RETRY_AFTER;

use crate::Calls;
use crate::deadline::{Deadline, unsigned};
use crate::key::Key;
use crate::pace::Pace;

/// How often a server that fails is asked again.
const RETRIES: usize = 4;

/// What a suspension lasts when DataGolf does not say.
const SUSPENSION: Duration = Duration::from_secs(5 * 60);

/// "Ends in 5 minutes" is rounded; asking a little later spares a second suspension.
const SUSPENSION_MARGIN: Duration = Duration::from_secs(5);

/// More suspensions than this in one call are somebody else's doing.
const SUSPENSIONS: u32 = 2;

/// Longer ones are somebody's mistake; the key is tried again after a day.
const LONGEST_SUSPENSION: Duration = Duration::from_secs(24 * 60 * 60);

/// Bodies of refusals are short; more of one is not worth reading.
const REFUSAL_BYTES: usize = 600;

/// A season of rounds is some 20 MB; a longer answer is none.
const ANSWER_BYTES: usize = 128 << 20;
const TOO_LONG: &str = "the answer is longer than 128 MiB, which none of DataGolf's is";

/// An answer is received in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

/// The DataGolf API: one key, one pace.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    base_url: String,
    key: Key,
    pace: Pace,
    timeout: Duration,
    max_wait: Duration,
    retry_delay: Duration,
}

/// What a call came to, when it is not a failure of the whole run.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// What was read from the body of a 200.
    Body(T),
    /// The archive does not have it, in its own words (400).
    NotInArchive(String),
    /// The server failed at every attempt, the last time like this.
    Failing(String),
    /// The deadline leaves no time for it.
    OutOfTime,
}

/// A body that is no answer: a page of a proxy, or half an answer.
#[derive(Debug)]
pub(crate) struct NotJson;

/// What one attempt came to.
enum Attempt<T> {
    Answered(Answer<T>),
    /// Worth another attempt, for this reason.
    Later(String),
    /// The key is suspended for this long.
    Suspended(Duration),
}

impl Api {
    pub(crate) fn new(calls: &Calls) -> Outcome<Api> {
        let key = Key::read(calls.key_file.as_deref())?;
        // Fails only when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base_url = calls.base_url.trim_end_matches('/').to_owned();
        check_base_url(&base_url)?;
        let mut client = Client::builder();
        // What goes to this machine is nobody else's; a proxy that cannot be meant is not passed by.
        if is_loopback(&base_url) {
            client = client.no_proxy();
        } else {
            check_proxies()?;
        }
        let client = client
            .timeout(unsigned(calls.timeout))
            .connect_timeout(unsigned(calls.timeout).min(Duration::from_secs(20)))
            .user_agent(concat!("fairway-dg-fetch/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the key to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::config(format!("HTTP client: {}", key.redact(&error.to_string()))))?;
        let name = &fingerprint::of(format!("{base_url}\n{}", key.secret()))[..16];
        let pace = Pace::new(calls.state_dir.as_deref(), name, calls.calls_per_minute)?;
        Ok(Api {
            client,
            base_url,
            key,
            pace,
            timeout: unsigned(calls.timeout),
            max_wait: unsigned(calls.max_wait),
            retry_delay: unsigned(calls.retry_delay),
        })
    }

    /// Calls an endpoint. Waits for the pace, waits out a suspension that fits, retries what may pass.
    ///
    /// `read` makes of a body what the caller needs, so that a long one is gone through once; a body that is not JSON is
    /// asked for again.
    pub(crate) fn call<T>(
        &self,
        endpoint: &str,
        parameters: &[(&str, &str)],
        deadline: &Deadline,
        mut read: impl FnMut(Vec<u8>) -> Result<T, NotJson>,
    ) -> Outcome<Answer<T>> {
        let place = place(endpoint, parameters);
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(self.retry_delay)
            .with_max_delay(Duration::from_secs(20))
            .with_max_times(RETRIES)
            .with_jitter()
            .build();
        let mut suspensions = 0;
        loop {
            if !self.wait_for_turn(&place, deadline)? {
                return Ok(Answer::OutOfTime);
            }
            match self.attempt(&place, endpoint, parameters, &mut read)? {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::Suspended(duration) => {
                    // Remembered for every run of this key; the next turn waits for its end.
                    self.pace.suspend(duration)?;
                    suspensions += 1;
                    if suspensions > SUSPENSIONS {
                        return Err(Failure::unavailable(format!(
                            "{place}: suspended again and again: does another machine use this key? run again later"
                        )));
                    }
                    say!("{place}: 429, too many calls: the key is suspended for {} s", duration.as_secs());
                }
                Attempt::Later(reason) => match delays.next() {
                    Some(delay) if deadline.left().is_none_or(|left| delay < left) => {
                        say!("{place}: {reason}; again in {:.1} s", delay.as_secs_f64());
                        thread::sleep(delay);
                    }
                    Some(_) => return Ok(Answer::OutOfTime),
                    None => {
                        return Ok(Answer::Failing(format!("{place}: {reason} ({} attempts)", RETRIES + 1)));
                    }
                },
            }
        }
    }

    /// A failure whose words may quote an answer. Every failure of a run passes here, so none can be forgotten.
    pub(crate) fn without_key(&self, failure: Failure) -> Failure {
        if failure.is_closed_pipe() {
            return failure;
        }
        Failure::new(failure.kind(), self.key.redact(&failure.to_string()))
    }

    /// Foreign words without the key.
    pub(crate) fn redact(&self, words: &str) -> String {
        self.key.redact(words)
    }

    /// Waits until the budget allows a call; false when the deadline comes first.
    fn wait_for_turn(&self, place: &str, deadline: &Deadline) -> Outcome<bool> {
        loop {
            if deadline.left().is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
            let Some(wait) = self.pace.turn()? else { return Ok(true) };
            if deadline.left().is_some_and(|left| wait >= left) {
                return Ok(false);
            }
            let seconds = wait.as_secs() + 1;
            if wait > self.max_wait {
                return Err(Failure::unavailable(format!(
                    "{place}: the next call may start in {seconds} s, longer than --max-wait; run again then"
                )));
            }
            if seconds > 2 {
                say!("{place}: waiting {seconds} s for the next call");
            }
            thread::sleep(wait);
        }
    }

    fn attempt<T>(
        &self,
        place: &str,
        endpoint: &str,
        parameters: &[(&str, &str)],
        read: &mut impl FnMut(Vec<u8>) -> Result<T, NotJson>,
    ) -> Outcome<Attempt<T>> {
        let mut url = reqwest::Url::parse(&format!("{}/{endpoint}", self.base_url))
            .map_err(|error| Failure::usage(format!("--base-url: {error}")))?;
        url.query_pairs_mut()
            .extend_pairs(parameters)
            .append_pair("file_format", "json")
            .append_pair("key", self.key.secret());
        let response = match self.client.get(url).send() {
            Ok(response) => response,
            Err(error) => return Ok(Attempt::Later(self.explain(error))),
        };
        let status = response.status();
        let retry_after = retry_after(&response);
        if status == StatusCode::OK {
            return Ok(match self.body(response) {
                Ok(body) => match read(body) {
                    Ok(value) => Attempt::Answered(Answer::Body(value)),
                    Err(NotJson) => Attempt::Later("the answer is not JSON, or was cut".to_owned()),
                },
                Err(reason) if reason == TOO_LONG => {
                    Attempt::Answered(Answer::Failing(format!("{place}: {TOO_LONG}")))
                }
                Err(reason) => Attempt::Later(format!("the answer was cut: {reason}")),
            });
        }
        let words = self.words(response);
        match status {
            StatusCode::TOO_MANY_REQUESTS => Ok(Attempt::Suspended(
                retry_after.or_else(|| minutes_in(&words)).unwrap_or(SUSPENSION + SUSPENSION_MARGIN),
            )),
            StatusCode::BAD_REQUEST => Ok(Attempt::Answered(Answer::NotInArchive(words))),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::denied(format!(
                "{place}: {status}: {words} (is the key right, and does its plan, Scratch Plus, include this endpoint?)"
            ))),
            StatusCode::NOT_FOUND => Err(Failure::config(format!(
                "{place}: {status}: there is no such path at {} (is --base-url right?)",
                self.base_url
            ))),
            StatusCode::REQUEST_TIMEOUT => Ok(Attempt::Later(format!("{status}"))),
            _ if status.is_server_error() => Ok(Attempt::Later(format!("{status}: {words}"))),
            _ => Err(Failure::unavailable(format!("{place}: unexpected answer {status}: {words}"))),
        }
    }

    /// The whole body, in one buffer: the client's own way has the pieces beside their sum, twice the memory.
    fn body(&self, mut response: Response) -> Result<Vec<u8>, String> {
        let started = Instant::now();
        let mut body = Vec::new();
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match response.read(&mut piece) {
                Ok(0) => return Ok(body),
                Ok(n) if body.len() + n > ANSWER_BYTES => return Err(TOO_LONG.to_owned()),
                Ok(n) => body.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let words = |error: std::io::Error| self.key.redact(&error.to_string());
                    return Err(error.downcast().map_or_else(words, |error| self.explain(error)));
                }
            }
            // The client's own timeout is for each read, which a server that drips never meets.
            if started.elapsed() > self.timeout {
                return Err(format!("not whole after {} s (--timeout)", self.timeout.as_secs_f64()));
            }
        }
    }

    /// The start of a refusal's body on one line, without the key.
    fn words(&self, response: Response) -> String {
        let mut body = Vec::new();
        // What cannot be read on is as long as it is.
        let _ = response.take(64 * REFUSAL_BYTES as u64).read_to_end(&mut body);
        // Where it was cut, half a key may stand.
        if body.len() == 64 * REFUSAL_BYTES {
            body.truncate(32 * REFUSAL_BYTES);
        }
        let text = String::from_utf8_lossy(&body);
        let message = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|value| value.get("message")?.as_str().map(str::to_owned))
            .unwrap_or_else(|| text.into_owned());
        // First what does not show, then the key, and only then it is shortened: half a key is a secret too.
        let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = words.chars().filter(|c| !c.is_control()).collect();
        self.key.redact(&shown).chars().take(REFUSAL_BYTES).collect()
    }

    /// An error of the HTTP client with its causes, without URL and key.
    fn explain(&self, error: reqwest::Error) -> String {
        let error = error.without_url();
        let mut words = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            words = format!("{words}: {cause}");
            source = cause.source();
        }
        self.key.redact(&words)
    }
}

/// How messages call a request: without the key, which is no parameter yet.
fn place(endpoint: &str, parameters: &[(&str, &str)]) -> String {
    let name = endpoint.rsplit('/').next().unwrap_or(endpoint);
    parameters.iter().fold(name.to_owned(), |place, (key, value)| format!("{place} {key}={value}"))
}

/// The body as it is, if it is an answer: half of one is none, nor is a page of a proxy. A body of one newline is
/// DataGolf's way to say "nothing".
pub(crate) fn json_or_nothing<B: AsRef<[u8]>>(body: B) -> Result<B, NotJson> {
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(body.as_ref()).is_ok();
    if body.as_ref().trim_ascii().is_empty() || is_json() { Ok(body) } else { Err(NotJson) }
}

fn retry_after(response: &Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(seconds)
}

/// "Your suspension will end in 5 minutes."
fn minutes_in(words: &str) -> Option<Duration> {
    let (_, rest) = words.split_once("end in ")?;
    let (number, unit) = rest.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    let length = if unit.starts_with("second") { number } else { number.saturating_mul(60) };
    Some(seconds(length) + SUSPENSION_MARGIN)
}

/// A server's idea of a length of time, a day at most.
fn seconds(number: u64) -> Duration {
    Duration::from_secs(number).min(LONGEST_SUSPENSION)
}

/// The key travels to this address, and messages name it.
fn check_base_url(base_url: &str) -> Outcome {
    let url = reqwest::Url::parse(base_url)
        .map_err(|error| Failure::usage(format!("--base-url: {error} (like https://feeds.datagolf.com)")))?;
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(Failure::usage(
            "--base-url holds a user, a password, a query or a fragment: it is only an address, and shows in messages",
        ));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(base_url) => Ok(()),
        _ => Err(Failure::usage("--base-url must be https:// (the key would travel in the clear)")),
    }
}

/// A proxy whose address is none would be passed by without a word. The value may hold a password: it is not repeated.
fn check_proxies() -> Outcome {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else { continue };
        let text = value.to_str().unwrap_or("?");
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let is_meant =
            reqwest::Url::parse(&with_scheme).is_ok_and(|url| url.has_host() && url.scheme() != "ftp");
        if !is_meant || reqwest::Proxy::all(text).is_err() {
            return Err(Failure::config(format!(
                "{name}: it is no address of a proxy (like http://proxy:3128)"
            )));
        }
    }
    Ok(())
}

fn is_loopback(url: &str) -> bool {
    let host =
        reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_is_read_from_the_words() {
        let five = minutes_in("Too many requests. Your suspension will end in 5 minutes.");
        assert_eq!(five, Some(Duration::from_secs(305)));
        assert_eq!(minutes_in("Your suspension will end in 40 seconds."), Some(Duration::from_secs(45)));
        assert_eq!(minutes_in("slow down"), None);
        let forged = minutes_in("Your suspension will end in 18446744073709551615 minutes.");
        assert_eq!(forged, Some(LONGEST_SUSPENSION + SUSPENSION_MARGIN));
    }

    #[test]
    fn only_loopback_may_be_unencrypted() {
        assert!(is_loopback("http://127.0.0.1:8080") && is_loopback("http://localhost:1/x"));
        assert!(is_loopback("http://[::1]:80"));
        assert!(!is_loopback("http://127.evil.com") && !is_loopback("http://10.0.0.1"));
        assert!(!is_loopback("http://localhost.evil.com"));
    }
}
