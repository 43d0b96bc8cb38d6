use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use cli::Stdout;
use clock::Now;
use diagnostics::say;
use failure::{Failure, Kind, Outcome};
use jiff::Timestamp;
use raw_answers::{KeptPage, Parameter, Parameters, SIDECAR_V1, Sidecar};
use reqwest::header::{CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED};
use reqwest::{StatusCode, Url};
use serde_json::Value;
use sources::{Method, Poll, Source, in_json};

use crate::address::Reach;
use crate::credentials::{Credentials, redact, unsigned};
use crate::exchange::{Exchange, For, Made, Reply, Request};
use crate::kept::{Kept, stamp};
use crate::pages;
use crate::verdict::{Asked, Verdict, judge};

/// What became of a source's requests.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Tally {
    pub(crate) source: String,
    /// Answers that were kept and printed.
    pub(crate) answers: u64,
    /// Requests that nothing had changed for.
    pub(crate) unchanged: u64,
    /// Requests that failed.
    pub(crate) failed: u64,
    /// Requests that were not made, because an earlier one showed that they would fail.
    pub(crate) left: u64,
    /// Bytes of the kept bodies.
    pub(crate) bytes: u64,
}

/// A run over one source.
pub(crate) struct Fetching<'a> {
    pub(crate) name: &'a str,
    pub(crate) source: &'a Source,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) kept: &'a Kept,
    pub(crate) now: Option<Now>,
    /// The service does not know who asks: no further request will do.
    is_unknown: bool,
}

/// So many refusals in a row are all of them.
const REFUSALS: u32 = 3;

/// What an answer is made of.
struct Whole {
    first: Reply,
    more: Vec<Reply>,
}

impl<'a> Fetching<'a> {
    pub(crate) fn new(
        name: &'a str,
        source: &'a Source,
        credentials: Option<Credentials>,
        kept: &'a Kept,
        now: Option<Now>,
    ) -> Fetching<'a> {
        Fetching { name, source, credentials, kept, now, is_unknown: false }
    }

    /// Makes every request; what fails keeps no other back, unless the others would fail, too. The first failure is
    /// returned beside the tally.
    pub(crate) fn run(
        &mut self,
        requests: &[Parameters],
        exchange: &mut Exchange,
        out: &mut Stdout,
    ) -> Outcome<(Tally, Option<Failure>)> {
        let mut tally = Tally { source: self.name.to_owned(), ..Tally::default() };
        let sidecars = if self.is_conditional() { self.kept.sidecars(self.name)? } else { Vec::new() };
        let (mut first, mut refusals) = (None, 0);
        exchange.start_source();
        for (at, parameters) in requests.iter().enumerate() {
            let failure = match self.one(parameters, &sidecars, exchange) {
                Ok(None) => {
                    tally.unchanged += 1;
                    refusals = 0;
                    continue;
                }
                Ok(Some((sidecar, bodies))) => {
                    tally.answers += 1;
                    tally.bytes += bodies.iter().map(|body| body.len() as u64).sum::<u64>();
                    let answer = sidecar.answer(bodies);
                    let mut line =
                        serde_json::to_vec(&answer).map_err(|error| Failure::io("stdout", &error.into()))?;
                    line.push(b'\n');
                    // At once: the next program works at it while the next answer is awaited.
                    out.send(&line)?;
                    refusals = 0;
                    continue;
                }
                Err(failure) if matches!(failure.kind(), Kind::Io | Kind::ClosedPipe) => return Err(failure),
                Err(failure) => {
                    Failure::new(failure.kind(), redact(self.credentials.as_ref(), &failure.to_string()))
                }
            };
            say!("{failure}");
            tally.failed += 1;
            let kind = failure.kind();
            first.get_or_insert(failure);
            // One that is refused may be one alone: a league that the plan lacks, a page that is closed.
            refusals = if matches!(kind, Kind::Denied | Kind::Unavailable) { refusals + 1 } else { 0 };
            if refusals >= REFUSALS || self.is_unknown || exchange.is_over() {
                tally.left = (requests.len() - at - 1) as u64;
                break;
            }
        }
        Ok((tally, first))
    }

    /// Whether only what changed is asked for. Of pages, none knows of the others' changes.
    fn is_conditional(&self) -> bool {
        self.source.conditional
            && self.source.method == Method::Get
            && self.source.pages.is_none()
            && self.source.poll.is_none()
    }

    /// One request: its answer, kept; none where nothing changed.
    fn one(
        &mut self,
        parameters: &Parameters,
        sidecars: &[String],
        exchange: &mut Exchange,
    ) -> Outcome<Option<(Sidecar, Vec<Vec<u8>>)>> {
        let mut request = request(self.name, self.source, parameters)?;
        let reach = Reach::of(self.source, &request.url);
        let sha256 = digest(&request);
        if let Some(newest) = self.kept.newest(sidecars, &sha256)? {
            for (header, condition) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
                if let Some(value) = newest.headers.get(header.as_str()) {
                    request.headers.push((condition.to_owned(), value.clone()));
                }
            }
        }
        let Some(whole) = self.whole(&request, &reach, parameters, exchange)? else { return Ok(None) };
        let at = self.now.map_or_else(Timestamp::now, Now::timestamp);
        let shown = |url: &Url| redact(self.credentials.as_ref(), url.as_str());
        let mut sidecar = Sidecar {
            v: SIDECAR_V1.to_owned(),
            source: self.name.to_owned(),
            parameters: parameters.clone(),
            method: request.method.name().to_owned(),
            url: shown(&whole.first.url),
            request_sha256: sha256,
            fetched_at: stamp(at),
            status: whole.first.status.as_u16(),
            headers: self.kept_headers(&whole.first.headers),
            sha256: fingerprint::of(&whole.first.body),
            size_bytes: whole.first.body.len() as u64,
            more: whole
                .more
                .iter()
                .map(|page| KeptPage {
                    url: shown(&page.url),
                    sha256: fingerprint::of(&page.body),
                    size_bytes: page.body.len() as u64,
                })
                .collect(),
        };
        let bodies: Vec<Vec<u8>> =
            std::iter::once(whole.first).chain(whole.more).map(|reply| reply.body).collect();
        self.kept.keep(&mut sidecar, &bodies)?;
        Ok(Some((sidecar, bodies)))
    }

    fn kept_headers(&self, headers: &HeaderMap) -> std::collections::BTreeMap<String, String> {
        let usual = [CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED];
        let wanted = self.source.keep.iter().filter_map(|name| name.parse::<HeaderName>().ok());
        let mut kept = std::collections::BTreeMap::new();
        for name in usual.into_iter().chain(wanted).filter(|name| *name != reqwest::header::SET_COOKIE) {
            if let Some(value) = headers.get(&name).and_then(|value| value.to_str().ok()) {
                kept.insert(name.as_str().to_owned(), redact(self.credentials.as_ref(), value));
            }
        }
        kept
    }

    /// The whole answer: all of its pages, or what a job made.
    fn whole(
        &mut self,
        request: &Request,
        reach: &Reach,
        parameters: &Parameters,
        exchange: &mut Exchange,
    ) -> Outcome<Option<Whole>> {
        let for_all = self.source.poll.is_none();
        let Some(first) = self.ask(request, reach, parameters, exchange, for_all)? else { return Ok(None) };
        if let Some(poll) = &self.source.poll {
            let first = self.polled(poll, request, first, parameters, exchange)?;
            return Ok(Some(Whole { first, more: Vec::new() }));
        }
        let mut whole = Whole { first, more: Vec::new() };
        let Some(rules) = &self.source.pages else { return Ok(Some(whole)) };
        let wrong = |reason: String| Failure::data(format!("{}: {reason}", request.place));
        let mut seen = BTreeSet::from([request.url.to_string()]);
        let mut size = whole.first.body.len() as u64;
        loop {
            let last = whole.more.last().unwrap_or(&whole.first);
            let number = u32::try_from(whole.more.len()).unwrap_or(u32::MAX) + 1;
            let body = last.original.as_deref().unwrap_or(&last.body);
            // A number or a cursor goes into the address that was asked; a link is meant from where it stands.
            let by_parameter = rules.number.is_some() || rules.cursor.is_some();
            let from = if by_parameter { &request.url } else { &last.url };
            let Some(next) = pages::next(rules, from, number, &last.headers, body).map_err(wrong)? else {
                return Ok(Some(whole));
            };
            let mut next = unsigned(&next, self.credentials.as_ref());
            next.set_fragment(None);
            if redact(self.credentials.as_ref(), next.as_str()) != next.as_str() {
                return Err(wrong("the address of its next page holds the secret".to_owned()));
            }
            if number >= rules.most {
                return Err(wrong(format!("more than {} pages (pages.most)", rules.most)));
            }
            if !seen.insert(next.to_string()) {
                return Err(wrong(format!("page {} leads to one that was there already", number)));
            }
            let page = Request {
                place: format!("{} page {}", request.place, number + 1),
                url: next,
                headers: headers_of(self.source),
                ..request.clone()
            };
            let Some(reply) = self.ask(&page, reach, parameters, exchange, true)? else {
                return Err(wrong(format!("page {}: 304 to a question without a condition", number + 1)));
            };
            // Two copies of every page are too many.
            whole.more.last_mut().unwrap_or(&mut whole.first).original = None;
            size += reply.body.len() as u64;
            if size > self.source.limits.body.0 {
                return Err(wrong(format!(
                    "its pages are longer than {} bytes (limits.body)",
                    self.source.limits.body.0
                )));
            }
            whole.more.push(reply);
        }
    }

    /// Asks for a job's result until it is there.
    fn polled(
        &mut self,
        poll: &Poll,
        request: &Request,
        first: Reply,
        parameters: &Parameters,
        exchange: &mut Exchange,
    ) -> Outcome<Reply> {
        let wrong = |reason: String| Failure::data(format!("{}: {reason}", request.place));
        let json: Value = serde_json::from_slice(&first.body).map_err(|error| wrong(error.to_string()))?;
        let id = match json.pointer(&poll.id) {
            Some(Value::String(id)) if !id.is_empty() => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => return Err(wrong(format!("there is no job at {} of the answer", poll.id))),
        };
        let mut parameters = parameters.clone();
        parameters.insert("id".to_owned(), Parameter::Text(id));
        let url = poll.url.fill_address(&parameters).map_err(wrong)?;
        let url = Url::parse(&url).map_err(|error| wrong(error.to_string()))?;
        let question = Request {
            place: format!("{} job", request.place),
            method: Method::Get,
            url: url.clone(),
            body: None,
            headers: request.headers.clone(),
        };
        let reach = Reach::of(self.source, &request.url);
        let started = Instant::now();
        loop {
            if let Some(reply) = self.ask(&question, &reach, &parameters, exchange, false)? {
                let json: Value =
                    serde_json::from_slice(&reply.body).map_err(|error| wrong(error.to_string()))?;
                let has = |name: &str| reply.headers.contains_key(name);
                let is_done =
                    poll.until.holds(reply.status.as_u16(), has, &reply.body, Some(&json), &parameters);
                if is_done.map_err(wrong)? {
                    let asked = Asked { conditionally: false, for_all: true };
                    let verdict =
                        judge(self.source, &parameters, reply.status, &reply.headers, &reply.body, asked)
                            .map_err(wrong)?;
                    return match verdict {
                        Verdict::Wrong(words) => Err(wrong(words)),
                        _ => Ok(reply),
                    };
                }
            }
            if exchange.deadline.left().is_some_and(|left| left < poll.every.0) {
                return Err(Failure::unavailable(format!(
                    "{}: the deadline leaves no time for its job; run again",
                    request.place
                )));
            }
            if started.elapsed() + poll.every.0 > poll.most.0 {
                return Err(Failure::unavailable(format!(
                    "{}: the job is not done after {} s (poll.most)",
                    request.place,
                    started.elapsed().as_secs()
                )));
            }
            thread::sleep(poll.every.0);
        }
    }

    /// One question, until its answer is one; none where nothing changed. `for_all` says whether it is to hold what a
    /// whole answer does.
    fn ask(
        &mut self,
        request: &Request,
        reach: &Reach,
        parameters: &Parameters,
        exchange: &mut Exchange,
        for_all: bool,
    ) -> Outcome<Option<Reply>> {
        let source = self.source;
        let conditionally =
            request.headers.iter().any(|(name, _)| name == IF_NONE_MATCH || name == IF_MODIFIED_SINCE);
        let of = For {
            reach,
            credentials: self.credentials.as_ref(),
            limits: &source.limits,
            robots: source.obeys_robots(),
        };
        let is_unknown = &mut self.is_unknown;
        exchange.ask(request, of, |reply| {
            let place = &request.place;
            let asked = Asked { conditionally, for_all };
            let verdict = judge(source, parameters, reply.status, &reply.headers, &reply.body, asked)
                .map_err(|reason| Failure::config(format!("{place}: {reason}")))?;
            Ok(match verdict {
                Verdict::Good => Made::Done(Some(reply)),
                Verdict::Unchanged => Made::Done(None),
                Verdict::Later(wait, words) => Made::Later(wait, words),
                Verdict::Refused(words) => {
                    *is_unknown = reply.status == StatusCode::UNAUTHORIZED;
                    return Err(Failure::denied(format!("{place}: {words}")));
                }
                Verdict::Wrong(words) => return Err(Failure::data(format!("{place}: {words}"))),
            })
        })
    }
}

/// The conditions of a question.
const IF_NONE_MATCH: &str = "if-none-match";
const IF_MODIFIED_SINCE: &str = "if-modified-since";

/// Which question it is: method, address, headers and body, without secrets and conditions.
fn digest(request: &Request) -> String {
    let mut text = format!("{}\n{}\n", request.method.name(), request.url);
    request.headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\n")));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(request.body.as_deref().unwrap_or_default());
    fingerprint::of(bytes)
}

/// The request of these parameters, without secrets and conditions.
pub(crate) fn request(name: &str, source: &Source, parameters: &Parameters) -> Outcome<Request> {
    let place =
        parameters.iter().fold(name.to_owned(), |place, (name, value)| format!("{place} {name}={value}"));
    let wrong = |reason: String| Failure::config(format!("{place}: {reason}"));
    let url = source.url.as_ref().ok_or_else(|| wrong("it has no address".to_owned()))?;
    let url = url.fill_address(parameters).map_err(wrong)?;
    let url = Url::parse(&url).map_err(|error| wrong(format!("{url:?}: {error}")))?;
    let body = match &source.body {
        None => None,
        Some(body) => Some(in_json(body, parameters).map_err(wrong)?.to_string().into_bytes()),
    };
    Ok(Request { place, method: source.method, url, body, headers: headers_of(source) })
}

/// The headers that the source names, without conditions.
fn headers_of(source: &Source) -> Vec<(String, String)> {
    source.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}
