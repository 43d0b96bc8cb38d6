use std::collections::BTreeMap;
use std::time::Duration;

use failure::{Failure, Outcome};
use reqwest::{StatusCode, Url};
use sources::{Limits, Method, Size};
use texting_robots::Robot;

use crate::address::place_of;
use crate::exchange::{Exchange, For, Made, Request};

/// What is read of a robots.txt (RFC 9309, 2.5).
const MOST_BYTES: usize = 500 * 1024;

/// What is received of one; more than this is not meant for robots.
const RECEIVED: Size = Size(64 << 20);

/// The rules for robots of each site that was asked; none where there are none.
pub(crate) type Robots = BTreeMap<String, Option<Robot>>;

/// Asks a site for its rules, once, and fails where they do not allow an address.
pub(crate) fn check(exchange: &mut Exchange, place: &str, url: &Url, of: For<'_>) -> Outcome {
    let site = place_of(url);
    if !exchange.robots.contains_key(&site) {
        let robot = fetch(exchange, url, of)?;
        if let Some(delay) = robot.as_ref().and_then(|robot| robot.delay).filter(|delay| *delay > 0.0) {
            if delay > of.limits.wait.0.as_secs_f32() {
                return Err(Failure::unavailable(format!(
                    "{place}: robots.txt asks for {delay} s between two calls, longer than limits.wait"
                )));
            }
            exchange.pauses.insert(site.clone(), Duration::from_secs_f32(delay));
        }
        exchange.robots.insert(site.clone(), robot);
    }
    match exchange.robots.get(&site).and_then(Option::as_ref) {
        Some(robot) if !robot.allowed(url.as_str()) => Err(Failure::denied(format!(
            "{place}: robots.txt of {site} does not allow this address to robots"
        ))),
        _ => Ok(()),
    }
}

fn fetch(exchange: &mut Exchange, url: &Url, of: For<'_>) -> Outcome<Option<Robot>> {
    let mut there = url.clone();
    there.set_path("/robots.txt");
    there.set_query(None);
    there.set_fragment(None);
    let place = format!("robots.txt of {}", place_of(url));
    let request =
        Request { place: place.clone(), method: Method::Get, url: there, body: None, headers: Vec::new() };
    // The source's own limits are for its answers.
    let limits = Limits { body: RECEIVED, ..*of.limits };
    let of = For { limits: &limits, robots: false, credentials: None, ..of };
    exchange.ask(&request, of, |reply| {
        Ok(match reply.status {
            status if status.is_success() => match Robot::new(crate::AGENT_NAME, beginning(&reply.body)) {
                Ok(robot) => Made::Done(Some(robot)),
                // What cannot be read forbids nothing in the standard; a site that tried to say something is asked by
                // hand.
                Err(_) => return Err(Failure::unavailable(format!("{place}: it cannot be read"))),
            },
            // "Unavailable" (RFC 9309, 2.3.1.3): everything is allowed.
            status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Made::Done(None),
            // "Unreachable" (2.3.1.4): nothing is.
            status => Made::Later(None, format!("{status}: without it nothing may be read there")),
        })
    })
}

/// What counts of long rules: whole lines, for half of one may forbid everything.
fn beginning(body: &[u8]) -> &[u8] {
    if body.len() <= MOST_BYTES {
        return body;
    }
    let end = body[..MOST_BYTES].iter().rposition(|byte| *byte == b'\n').map_or(MOST_BYTES, |at| at + 1);
    &body[..end]
}
