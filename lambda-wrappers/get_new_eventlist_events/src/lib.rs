//! The weekly refresh as a Lambda function: `refresh` with what Secrets Manager keeps, again by itself until everything is
//! fetched. Its README says what it promises.

mod counts;
mod handover;
mod setup;

use std::process::ExitCode;
use std::sync::OnceLock;

use amazon::Amazon;
use diagnostics::Exit;
use failure::{Failure, Outcome};
use function::{Answer, Call, Ran, Script, Unit, Verdict};
use jiff::Timestamp;
use secrets::Secrets;
use serde_json::json;

use counts::Counts;
use handover::Handover;

/// How often runs that follow from one start may start a further one.
const MAX_HOPS: u64 = 10;

/// So much of the time may go by until the last call to DataGolf starts; the rest is for storing and exporting.
const FETCHING: f64 = 0.6;

/// Serves events until Lambda ends the process.
pub fn serve() -> ExitCode {
    function::judge("get_new_eventlist_events", refresh)
}

/// Between invocations only the secrets are kept.
fn secrets() -> Outcome<&'static Secrets> {
    static SECRETS: OnceLock<Secrets> = OnceLock::new();
    let amazon = Amazon::shared()?;
    Ok(SECRETS.get_or_init(|| Secrets::new(amazon)))
}

async fn refresh(call: Call) -> Outcome<Answer> {
    let handover = Handover::read(&call.event);
    match (setup::is_for_setup(), handover.setup) {
        (true, true) => return setup::run(&call, secrets()?).await,
        (true, false) => {
            return Err(Failure::config("this function only sets up the database: send {\"setup\": true}"));
        }
        (false, true) => return Err(setup::not_here()),
        (false, false) => {}
    }
    handover.take_over();
    let secrets = secrets()?;
    let script = if handover.probe { "probe" } else { "refresh" };
    let ran = setup::advise(run(&call, script, secrets).await?);
    let answer = Answer::of(&ran);
    if handover.probe {
        return Ok(answer);
    }
    let Some(counts) = Counts::read(&ran.output) else { return Ok(answer) };
    let more = counts.unfetched > 0;
    let mut answer = answer
        .with("stored", counts.stored)
        .with(
            "counts",
            json!({"events": counts.events, "unfetched": counts.unfetched, "unexported": counts.unexported}),
        )
        .with("more", more)
        .with("hop", handover.hop)
        .counting("EventsStored", Unit::Count, counts.stored as f64)
        .counting("EventsUnfetched", Unit::Count, counts.unfetched as f64)
        .counting("EventsUnexported", Unit::Count, counts.unexported as f64);
    // Events that the archive does not have must not loop: who stored nothing does not go on. Lambda itself repeats what failed
    // and may pass.
    let goes_on =
        more && counts.stored > 0 && handover.hop < max_hops()? && answer.verdict() != Verdict::Later;
    if goes_on {
        let next = handover.next();
        Amazon::shared()?.invoke_later(&call.function, &next).await?;
        call.say(&format!(
            "started hop {} for the {} events that are left",
            handover.hop + 1,
            counts.unfetched
        ));
    }
    answer = answer.with("goes_on", goes_on);
    Ok(answer)
}

/// Runs the script; once more if somebody was refused with a secret that was rotated meanwhile.
pub(crate) async fn run(call: &Call, script: &str, secrets: &Secrets) -> Outcome<Ran> {
    let known = secrets.variables().await?;
    let ran = attempt(call, script, &known).await?;
    if ran.code != i32::from(Exit::Denied.code()) {
        return Ok(ran);
    }
    secrets.forget();
    let fresh = secrets.variables().await?;
    if fresh == known {
        return Ok(ran);
    }
    call.say("refused with a secret that has been rotated since: again with the new one");
    attempt(call, script, &fresh).await
}

async fn attempt(call: &Call, script: &str, secrets: &[(String, String)]) -> Outcome<Ran> {
    let last_call = Timestamp::now() + call.left().mul_f64(FETCHING);
    Script::new(call, script).set_secrets(secrets).set("DATAGOLF_DEADLINE", last_call.to_string()).run().await
}

fn max_hops() -> Outcome<u64> {
    Ok(failure::variable("FAIRWAY_MAX_HOPS", "a whole number")?.unwrap_or(MAX_HOPS))
}
