use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use diagnostics::say;
use failure::{Failure, Outcome};
use http_client::{Cut, Deadline, RETRIES, seconds, unsigned};
use pace::{Budget, Pace};
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use secret::Secret;

use crate::Calls;

/// What a suspension lasts when DataGolf does not say.
const SUSPENSION: Duration = Duration::from_secs(5 * 60);

/// "Ends in 5 minutes" is rounded; asking a little later spares a second suspension.
const SUSPENSION_MARGIN: Duration = Duration::from_secs(5);

/// More suspensions than this in one call are somebody else's doing.
const SUSPENSIONS: u32 = 2;

/// A season of rounds is some 20 MB; a longer answer is none.
const ANSWER_BYTES: usize = 128 << 20;
const TOO_LONG: &str = "the answer is longer than 128 MiB, which none of DataGolf's is";

/// The DataGolf API: one key, one pace.
pub(crate) struct Api {
    client: Client,
    base_url: String,
    key: Secret,
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
        let key = read_key(calls.key_file.as_deref())?;
        http_client::use_ring();
        let base_url = calls.base_url.trim_end_matches('/').to_owned();
        let mut client = Client::builder();
        // What goes to this machine is nobody else's; a proxy that cannot be meant is not passed by.
        if http_client::is_loopback(&check_base_url(&base_url)?) {
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
        let name = &fingerprint::of(format!("{base_url}\n{}", key.reveal()))[..16];
        let memory = pace::File::new(calls.state_dir.as_deref(), &format!("dg-fetch-{name}"))?;
        let budget = Budget { per_minute: calls.calls_per_minute.into(), per_day: None };
        let pace = Pace::new(Box::new(memory), budget);
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
        let mut delays = http_client::pauses(self.retry_delay);
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
            .append_pair("key", self.key.reveal());
        let response = match self.client.get(url).send() {
            Ok(response) => response,
            Err(error) => return Ok(Attempt::Later(self.explain(error))),
        };
        let status = response.status();
        let retry_after = http_client::retry_after(response.headers());
        if status == StatusCode::OK {
            return Ok(match http_client::read_body(response, ANSWER_BYTES, Instant::now(), self.timeout) {
                Ok(body) => match read(body) {
                    Ok(value) => Attempt::Answered(Answer::Body(value)),
                    Err(NotJson) => Attempt::Later("the answer is not JSON, or was cut".to_owned()),
                },
                Err(Cut::TooLong) => Attempt::Answered(Answer::Failing(format!("{place}: {TOO_LONG}"))),
                Err(Cut::Broken(reason)) => {
                    Attempt::Later(format!("the answer was cut: {}", self.key.redact(&reason)))
                }
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

    /// The start of a refusal's body on one line, without the key.
    fn words(&self, response: Response) -> String {
        // First what does not show, then the key, and only then it is shortened: half a key is a secret too.
        http_client::shortened(&self.key.redact(&http_client::words_of_refusal(response)))
    }

    /// An error of the HTTP client with its causes, without URL and key.
    fn explain(&self, error: reqwest::Error) -> String {
        self.key.redact(&http_client::explain(error))
    }
}

/// The key, from a file or the variable.
fn read_key(file: Option<&Path>) -> Outcome<Secret> {
    let text = match file {
        Some(path) => input_files::read_text(path)?,
        None => std::env::var("DATAGOLF_API_KEY").map_err(|_| {
            Failure::denied("there is no API key: set DATAGOLF_API_KEY, or name a file with --key-file")
        })?,
    };
    Secret::from_text(&text)
        .ok_or_else(|| Failure::denied("the API key is empty or holds spaces or odd characters"))
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

/// "Your suspension will end in 5 minutes."
fn minutes_in(words: &str) -> Option<Duration> {
    let (_, rest) = words.split_once("end in ")?;
    let (number, unit) = rest.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    let length = if unit.starts_with("second") { number } else { number.saturating_mul(60) };
    Some(seconds(length) + SUSPENSION_MARGIN)
}

/// The key travels to this address, and messages name it.
fn check_base_url(base_url: &str) -> Outcome<reqwest::Url> {
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
        "https" => Ok(url),
        "http" if http_client::is_loopback(&url) => Ok(url),
        _ => Err(Failure::usage("--base-url must be https:// (the key would travel in the clear)")),
    }
}

/// A proxy whose address is none would be passed by without a word.
fn check_proxies() -> Outcome {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else { continue };
        http_client::check_proxy(name, value.to_str().unwrap_or("?"))?;
    }
    Ok(())
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
        assert_eq!(forged, Some(http_client::LONGEST_WAIT + SUSPENSION_MARGIN));
    }
}
