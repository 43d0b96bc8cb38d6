use std::time::Duration;

use http_client::{LONGEST_WAIT, seconds};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use raw_answers::Parameters;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde_json::Value;
use sources::{Is, Kind, Source, Wait};

/// What an answer is.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// An answer.
    Good,
    /// Nothing changed since the last one.
    Unchanged,
    /// The service says "later": how much, if it says that, and its words.
    Later(Option<Duration>, String),
    /// Credentials are refused, or robots are.
    Refused(String),
    /// The request makes no sense to the service, or the answer is not one.
    Wrong(String),
}

/// How long a service that says 429 without a time is left alone.
const USUAL_WAIT: Duration = Duration::from_secs(60);

/// What pages say that ask whether somebody is a person.
const CHALLENGES: [&str; 4] = [
    "<title>Just a moment...</title>",
    "/cdn-cgi/challenge-platform/",
    "cf-browser-verification",
    "g-recaptcha",
];

/// How a question was put.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    /// Only for what changed.
    pub(crate) conditionally: bool,
    /// The answer is to hold what a whole one does; a job's state is none.
    pub(crate) for_all: bool,
}

/// What a source says of an answer that came whole.
pub(crate) fn judge(
    source: &Source,
    parameters: &Parameters,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    asked: Asked,
) -> Result<Verdict, String> {
    if status == StatusCode::NOT_MODIFIED {
        return Ok(match asked.conditionally {
            true => Verdict::Unchanged,
            false => Verdict::Wrong("304: nothing changed since a question that nobody asked".to_owned()),
        });
    }
    if is_challenge(headers, body) {
        return Ok(Verdict::Refused(
            "the site refuses automated reading (a challenge); files by hand go into web-extract --source"
                .to_owned(),
        ));
    }
    let is_json = source.extract.as_ref().is_some_and(|extract| extract.kind == Kind::Json);
    let looks = source.rules.iter().any(|rule| rule.json.is_some())
        || source.holds.iter().any(sources::Condition::looks_into_json);
    let json: Option<Value> = if is_json || looks { serde_json::from_slice(body).ok() } else { None };
    let has = |name: &str| headers.contains_key(name);
    for rule in &source.rules {
        if !rule.condition().holds(status.as_u16(), has, body, json.as_ref(), parameters)? {
            continue;
        }
        let said = http_client::shortened(&words(body, json.as_ref(), rule.json.as_deref()));
        let words = match &rule.say {
            Some(say) if said.is_empty() => say.clone(),
            Some(say) => format!("{say}: {said}"),
            None => format!("{}: {said}", status.as_u16()),
        };
        return Ok(match rule.is {
            Is::Later => {
                let wait = rule.wait.as_ref().and_then(|wait| wait_of(wait, headers, body));
                let usual = rule.wait.is_none().then(|| retry_after(headers)).flatten();
                Verdict::Later(wait.or(usual).or(rule.wait.is_some().then_some(USUAL_WAIT)), words)
            }
            Is::Refused => Verdict::Refused(words),
            Is::Wrong => Verdict::Wrong(words),
        });
    }
    let said =
        || format!("{}: {}", status.as_u16(), http_client::shortened(&words(body, json.as_ref(), None)));
    Ok(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if source.is_page() => Verdict::Refused(format!(
            "{}: the site refuses automated reading; files by hand go into web-extract --source",
            status.as_u16()
        )),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Verdict::Refused(said()),
        StatusCode::PARTIAL_CONTENT => {
            Verdict::Wrong("206: a part of an answer that was asked for whole".to_owned())
        }
        StatusCode::TOO_MANY_REQUESTS => {
            Verdict::Later(Some(retry_after(headers).unwrap_or(USUAL_WAIT)), said())
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Verdict::Later(retry_after(headers), said()),
        _ if status.is_server_error() => Verdict::Later(retry_after(headers), said()),
        _ if !status.is_success() => Verdict::Wrong(said()),
        _ if is_json && json.is_none() => {
            Verdict::Later(None, "the answer is not JSON, or was cut".to_owned())
        }
        _ => {
            for condition in source.holds.iter().filter(|_| asked.for_all) {
                if !condition.holds(status.as_u16(), has, body, json.as_ref(), parameters)? {
                    let place =
                        condition.json.as_deref().or(condition.text.as_ref().map(sources::Template::text));
                    let wanted =
                        condition.equals.as_ref().map(|equals| equals.fill(parameters)).transpose()?;
                    return Ok(Verdict::Wrong(format!(
                        "the answer does not hold {}{}",
                        place.unwrap_or("what it should"),
                        wanted.map_or_else(String::new, |wanted| format!(" = {wanted:?}"))
                    )));
                }
            }
            Verdict::Good
        }
    })
}

fn is_challenge(headers: &HeaderMap, body: &[u8]) -> bool {
    let is_html = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html"));
    let says = || {
        let text = String::from_utf8_lossy(&body[..body.len().min(256 * 1024)]);
        CHALLENGES[..3].iter().any(|words| text.contains(words))
            || text.contains(CHALLENGES[3]) && text.len() < 16 * 1024
    };
    headers.get("cf-mitigated").is_some_and(|value| value.as_bytes() == b"challenge") || is_html && says()
}

/// What a refusal says: what is at the pointer, the member `message`, or the beginning of the body.
fn words(body: &[u8], json: Option<&Value>, pointer: Option<&str>) -> String {
    // A refusal is short; what is not need not be parsed for a word.
    let own =
        if json.is_none() && body.len() <= 64 * 1024 { serde_json::from_slice(body).ok() } else { None };
    let found = json.or(own.as_ref()).and_then(|json: &Value| {
        pointer
            .and_then(|pointer| json.pointer(pointer))
            .or_else(|| json.get("message"))
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    });
    let text =
        found.unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(8 * 1024)]).into_owned());
    http_client::on_one_line(&text)
}

fn wait_of(wait: &Wait, headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    match wait {
        Wait::Length(length) => Some(length.0.min(LONGEST_WAIT)),
        Wait::Header { header } => headers.get(header)?.to_str().ok().and_then(time_of),
        Wait::Words { words } => number_in(words, &String::from_utf8_lossy(body)),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok().and_then(time_of)
}

/// Seconds, a date of HTTP, or seconds since 1970: from now on.
fn time_of(text: &str) -> Option<Duration> {
    let text = text.trim();
    let until = |at: Timestamp| {
        seconds(u64::try_from(at.as_second() - Timestamp::now().as_second() + 1).unwrap_or(0))
    };
    match text.parse::<f64>() {
        // No wait lasts thirty years.
        Ok(number) if number >= 1e9 => Timestamp::from_second(number as i64).ok().map(until),
        Ok(number) if number >= 0.0 => Some(seconds(number.ceil() as u64)),
        Ok(_) => None,
        Err(_) => rfc2822::parse(text).ok().map(|at| until(at.timestamp())),
    }
}

/// The number where `{}` stands in the words; what follows tells minutes and hours.
fn number_in(words: &str, body: &str) -> Option<Duration> {
    let (before, after) = words.split_once("{}")?;
    let at = body.find(before)? + before.len();
    let digits: String = body[at..].chars().take_while(char::is_ascii_digit).collect();
    let number: u64 = digits.parse().ok()?;
    let rest = &body[at + digits.len()..];
    let unit = match after.trim_start().chars().next() {
        Some('m') => 60,
        Some('h') => 3600,
        _ => 1,
    };
    // A second more: "in 48 seconds" is rounded.
    rest.starts_with(after).then(|| seconds(number.saturating_mul(unit).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_found_however_it_is_written() {
        let secs = |text: &str| time_of(text).map(|wait| wait.as_secs());
        assert_eq!(secs("48"), Some(48));
        assert_eq!(secs("0.5"), Some(1));
        assert_eq!(secs("-1"), None);
        assert_eq!(secs("soon"), None);
        let now = Timestamp::now();
        let in_a_minute = now.checked_add(jiff::SignedDuration::from_secs(60)).unwrap();
        assert!((59..=62).contains(&secs(&in_a_minute.as_second().to_string()).unwrap()));
        let date = rfc2822::to_string(&in_a_minute.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        assert!((59..=62).contains(&secs(&date).unwrap()), "{date}");
        assert_eq!(secs("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        assert_eq!(secs("99999999"), Some(LONGEST_WAIT.as_secs()));
        let body = r#"{"message":"You reached your request limit. Wait 48 seconds.","errorCode":429}"#;
        assert_eq!(number_in("Wait {} seconds", body).map(|wait| wait.as_secs()), Some(49));
        assert_eq!(number_in("Wait {} minutes", "Wait 2 minutes"), Some(Duration::from_secs(121)));
        assert_eq!(number_in("Wait {} seconds", "Wait long"), None);
    }
}
