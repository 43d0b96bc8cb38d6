use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use diagnostics::say;
use failure::{Failure, Outcome};
use http_client::{Cut, Deadline, RETRIES};
use pace::{Budget, Pace};
use reqwest::blocking::Client;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{NoProxy, StatusCode, Url};
use sources::{Limits, Method, Sources};

use crate::address::{Guard, Reach, place_of};
use crate::body::{self, BOMB};
use crate::credentials::{Credentials, redact, redact_body};
use crate::memory::Memories;
use crate::robots::{self, Robots};

/// More waits than this in one request are somebody else's doing.
const WAITS: u32 = 3;

/// More redirects than this go in a circle.
const REDIRECTS: usize = 5;

/// How one program calls hosts.
pub(crate) struct Exchange {
    client: Client,
    guard: Arc<Guard>,
    /// A loopback server that answers for all hosts.
    replay: Option<Url>,
    memories: Memories,
    hosts: BTreeMap<String, sources::Host>,
    /// When each host was last called, for pauses that robots.txt asks for.
    called: BTreeMap<String, Instant>,
    /// The pauses that robots.txt asks for.
    pub(crate) pauses: BTreeMap<String, Duration>,
    /// What sites say to robots.
    pub(crate) robots: Robots,
    /// How many calls there were of the source that is under way.
    calls: u32,
    /// Whether no further call of that source makes sense: the next turn is too far away.
    is_over: bool,
    pub(crate) deadline: Deadline,
    retry_delay: Duration,
    max_wait: Option<Duration>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// How messages call it.
    pub(crate) place: String,
    pub(crate) method: Method,
    /// Without secrets.
    pub(crate) url: Url,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, String)>,
}

/// For whom a request is made.
#[derive(Clone, Copy)]
pub(crate) struct For<'a> {
    pub(crate) reach: &'a Reach,
    pub(crate) credentials: Option<&'a Credentials>,
    pub(crate) limits: &'a Limits,
    /// Whether sites are asked first what robots may read.
    pub(crate) robots: bool,
}

/// A whole answer, whatever it says.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Without the secret.
    pub(crate) body: Vec<u8>,
    /// As it came, where the next address may stand in it.
    pub(crate) original: Option<Vec<u8>>,
    /// Where it came from at last, without secrets.
    pub(crate) url: Url,
}

/// What the caller makes of a reply.
pub(crate) enum Made<T> {
    /// This.
    Done(T),
    /// It is to be asked for again: after this long, if the service says so, for this reason.
    Later(Option<Duration>, String),
}

/// What one attempt came to.
enum Attempt {
    Reply(Box<Reply>),
    /// Worth another attempt, for this reason.
    Again(String),
}

/// Settings of [`Exchange`].
pub(crate) struct Calls {
    pub(crate) replay: Option<Url>,
    pub(crate) deadline: Deadline,
    pub(crate) retry_delay: Duration,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) memories: Memories,
}

impl Exchange {
    pub(crate) fn new(sources: &Sources, calls: Calls) -> Outcome<Exchange> {
        http_client::use_ring();
        let mut client = Client::builder().gzip(false);
        let proxy = match &sources.agent.proxy {
            None => {
                client = client.no_proxy();
                None
            }
            Some(address) => {
                http_client::check_proxy("[agent] proxy", address)?;
                let proxy = reqwest::Proxy::all(address)
                    .map_err(|_| Failure::config("[agent] proxy: not a proxy"))?;
                // What goes to this machine is nobody else's.
                client = client.proxy(proxy.no_proxy(NoProxy::from_string("localhost,127.0.0.0/8,::1")));
                Url::parse(address).ok()
            }
        };
        let guard = crate::address::shared(Guard::of(&sources.hosts, proxy.as_ref()));
        let contact =
            sources.agent.contact.as_ref().map_or_else(String::new, |contact| format!(" (+{contact})"));
        let client = client
            .connect_timeout(Duration::from_secs(20))
            .user_agent(format!("{}{contact}", crate::AGENT))
            // Each step is looked at here: where it leads, and what it may know.
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::clone(&guard))
            .build()
            .map_err(|error| {
                Failure::config(format!("HTTP client: {error} (is [agent] contact one line of ASCII?)"))
            })?;
        Ok(Exchange {
            client,
            guard,
            replay: calls.replay,
            memories: calls.memories,
            hosts: sources
                .hosts
                .iter()
                .map(|(host, known)| (host.to_ascii_lowercase(), known.clone()))
                .collect(),
            called: BTreeMap::new(),
            pauses: BTreeMap::new(),
            robots: Robots::default(),
            calls: 0,
            is_over: false,
            deadline: calls.deadline,
            retry_delay: calls.retry_delay,
            max_wait: calls.max_wait,
        })
    }

    /// The next calls are another source's.
    pub(crate) fn start_source(&mut self) {
        self.calls = 0;
        self.is_over = false;
    }

    /// Whether the next turn of the source is too far away for any of its requests.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Asks until `make` has made something of a reply. Waits for turns, waits where the service says so, asks again
    /// after what may pass.
    pub(crate) fn ask<T>(
        &mut self,
        request: &Request,
        of: For<'_>,
        mut make: impl FnMut(Reply) -> Outcome<Made<T>>,
    ) -> Outcome<T> {
        let place = &request.place;
        let max_wait = self.max_wait.unwrap_or(of.limits.wait.0);
        let mut pauses = http_client::pauses(self.retry_delay);
        let mut waits = 0;
        loop {
            let reason = match self.attempt(request, of, max_wait)? {
                Attempt::Again(reason) => reason,
                Attempt::Reply(reply) => {
                    // Who said it may be another host than the one that was asked.
                    let said_by = reply.url.clone();
                    match make(*reply)? {
                        Made::Done(made) => return Ok(made),
                        Made::Later(None, reason) => redact(of.credentials, &reason),
                        Made::Later(Some(wait), reason) => {
                            let reason = redact(of.credentials, &reason);
                            // Remembered for every run; the next turn waits for its end.
                            if self.replay.is_none() {
                                self.pace(&said_by, of.credentials)?.suspend(wait)?;
                            } else if wait > max_wait {
                                return Err(Failure::unavailable(format!(
                                    "{place}: {reason}; it says to wait {} s",
                                    wait.as_secs()
                                )));
                            }
                            waits += 1;
                            if waits > WAITS {
                                return Err(Failure::unavailable(format!(
                                    "{place}: it says \"later\" again and again: {reason}; run again later"
                                )));
                            }
                            say!("{place}: {reason}; it says to wait {} s", wait.as_secs());
                            continue;
                        }
                    }
                }
            };
            match pauses.next() {
                Some(pause) if self.deadline.left().is_none_or(|left| pause < left) => {
                    say!("{place}: {reason}; again in {:.1} s", pause.as_secs_f64());
                    thread::sleep(pause);
                }
                Some(_) => return Err(out_of_time(place)),
                None => {
                    return Err(Failure::unavailable(format!(
                        "{place}: {reason} ({} attempts)",
                        RETRIES + 1
                    )));
                }
            }
        }
    }

    /// One attempt, with the redirects that it leads to.
    fn attempt(&mut self, request: &Request, of: For<'_>, max_wait: Duration) -> Outcome<Attempt> {
        let For { reach, credentials, limits, .. } = of;
        let place = &request.place;
        let mut url = request.url.clone();
        for _ in 0..=REDIRECTS {
            let refused = |reason: String| Failure::config(format!("{place}: {reason}"));
            reach.check(&url).map_err(refused)?;
            self.guard.check_literal(&url, reach.may_know(&url)).map_err(refused)?;
            if of.robots {
                robots::check(self, place, &url, of)?;
            }
            self.wait_for_turn(place, &url, of, max_wait)?;
            let known = credentials.filter(|_| reach.may_know(&url));
            let started = Instant::now();
            let response = match self.send(request, &url, known, limits) {
                Ok(response) => response,
                Err(error) => {
                    let words = redact(credentials, &http_client::explain(error));
                    // What may not be connected to is not worth asking again.
                    if words.contains("of this machine or of a private network") {
                        return Err(Failure::config(format!("{place}: {words}")));
                    }
                    return Ok(Attempt::Again(words));
                }
            };
            let (status, headers) = (response.status(), response.headers().clone());
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
                let Some(next) = location.and_then(|location| url.join(location).ok()) else {
                    return Err(Failure::data(format!("{place}: {status} leads nowhere")));
                };
                if request.method == Method::Post && !matches!(status.as_u16(), 307 | 308) {
                    return Err(Failure::data(format!(
                        "{place}: {status} would make another request of a POST"
                    )));
                }
                url = crate::credentials::unsigned(&next, credentials);
                if redact(credentials, url.as_str()) != url.as_str() {
                    return Err(Failure::data(format!(
                        "{place}: {status} leads to an address that holds the secret"
                    )));
                }
                continue;
            }
            let most = if status.is_success() { limits.body.0 } else { limits.body.0.min(1 << 20) };
            // These have no body, whatever their headers say.
            let is_empty = matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT);
            let body = if is_empty { Ok(Vec::new()) } else { body::body(response, limits, most, started) };
            return match body {
                Ok(bytes) => {
                    let url = crate::credentials::unsigned(&url, credentials);
                    let original = credentials.is_some().then(|| bytes.clone());
                    let body = redact_body(credentials, bytes);
                    Ok(Attempt::Reply(Box::new(Reply { status, headers, body, original, url })))
                }
                Err(Cut::TooLong) if status.is_success() => Err(Failure::data(format!(
                    "{place}: the answer is longer than {most} bytes (limits.body)"
                ))),
                Err(Cut::TooLong) => {
                    Ok(Attempt::Again(format!("{status}, with more words than anybody reads")))
                }
                Err(Cut::Broken(reason)) if reason.contains(BOMB) || reason.contains("more was sent") => {
                    Err(Failure::data(format!("{place}: {reason}")))
                }
                Err(Cut::Broken(reason)) => {
                    Ok(Attempt::Again(format!("the answer was cut: {}", redact(credentials, &reason))))
                }
            };
        }
        Err(Failure::data(format!("{place}: more than {REDIRECTS} redirects")))
    }

    fn send(
        &self,
        request: &Request,
        url: &Url,
        credentials: Option<&Credentials>,
        limits: &Limits,
    ) -> reqwest::Result<reqwest::blocking::Response> {
        let mut signed = url.clone();
        if let Some(credentials) = credentials {
            credentials.sign(&mut signed);
        }
        let method =
            if request.method == Method::Post { reqwest::Method::POST } else { reqwest::Method::GET };
        let mut call = self
            .client
            .request(method, self.replayed(&signed))
            .timeout(limits.timeout.0)
            .header(ACCEPT_ENCODING, "gzip");
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        if let Some((name, value)) = credentials.and_then(Credentials::header)
            && let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value))
        {
            value.set_sensitive(true);
            call = call.header(name, value);
        }
        if let Some(body) = &request.body {
            call = call.header("content-type", "application/json").body(body.clone());
        }
        call.send()
    }

    /// Where a request really goes.
    fn replayed(&self, url: &Url) -> Url {
        let Some(replay) = &self.replay else { return url.clone() };
        let mut there = replay.clone();
        there.set_path(&format!("/{}{}", place_of(url), url.path()));
        there.set_query(url.query());
        there
    }

    /// The budget of a host, or of a secret's owner there.
    pub(crate) fn pace(&self, url: &Url, credentials: Option<&Credentials>) -> Outcome<Pace> {
        let place = place_of(url);
        let host = self.hosts.get(&place).or_else(|| self.hosts.get(url.host_str().unwrap_or_default()));
        let budget = Budget {
            per_minute: host.map_or(sources::PER_MINUTE, |host| host.per_minute),
            per_day: host.and_then(|host| host.per_day),
        };
        let owner = credentials.map_or_else(String::new, |credentials| {
            fingerprint::of(format!("{place}\n{}", credentials.secret.reveal()))[..16].to_owned()
        });
        Ok(Pace::new(self.memories.of(&place, &owner)?, budget))
    }

    fn wait_for_turn(&mut self, place: &str, url: &Url, of: For<'_>, max_wait: Duration) -> Outcome {
        self.calls += 1;
        if self.calls > of.limits.requests {
            self.is_over = true;
            return Err(Failure::unavailable(format!(
                "{place}: {} calls were made in this run (limits.requests)",
                of.limits.requests
            )));
        }
        if self.replay.is_some() {
            // Nobody's budget: this machine answers.
            return Ok(());
        }
        let pace = self.pace(url, of.credentials)?;
        let host = place_of(url);
        loop {
            if self.deadline.left().is_some_and(|left| left.is_zero()) {
                self.is_over = true;
                return Err(out_of_time(place));
            }
            let pause = self.pauses.get(&host).zip(self.called.get(&host));
            let pause =
                pause.map(|(pause, called)| pause.saturating_sub(called.elapsed())).unwrap_or_default();
            let wait = if pause.is_zero() { pace.turn()? } else { Some(pause) };
            let Some(wait) = wait else {
                self.called.insert(host, Instant::now());
                return Ok(());
            };
            let seconds = wait.as_secs() + 1;
            if wait > max_wait {
                self.is_over = true;
                return Err(Failure::unavailable(format!(
                    "{place}: the next call of {host} may start in {seconds} s, longer than limits.wait; run again then"
                )));
            }
            if self.deadline.left().is_some_and(|left| wait >= left) {
                self.is_over = true;
                return Err(out_of_time(place));
            }
            if seconds > 2 {
                say!("{place}: waiting {seconds} s for the next call of {host}");
            }
            thread::sleep(wait);
        }
    }
}

fn out_of_time(place: &str) -> Failure {
    Failure::unavailable(format!("{place}: the deadline leaves no time for it; run again"))
}
