//! Starts the instance that trains when there is work, sends it the work, and stops it when there is none. Its README says what it
//! promises.
//!
//! `events.rs` is what wakes the function, `instance.rs` the machine, `runs.rs` the work that it does.

mod events;
mod instance;
mod queue;
mod runs;
mod settings;

use std::process::ExitCode;
use std::sync::OnceLock;

use amazon::Amazon;
use function::{Answer, Call};
use manners::{Exit, Failure, Outcome};
use serde_json::json;

use events::Wake;
use instance::{Instance, State};
use settings::Settings;

/// Serves events until Lambda ends the process.
pub fn serve() -> ExitCode {
    function::judge("ec2_switch", switch)
}

fn amazon() -> Outcome<&'static Amazon> {
    static AMAZON: OnceLock<Amazon> = OnceLock::new();
    match AMAZON.get() {
        Some(amazon) => Ok(amazon),
        None => {
            let amazon = Amazon::from_env()?;
            Ok(AMAZON.get_or_init(|| amazon))
        }
    }
}

async fn switch(call: Call) -> Outcome<Answer> {
    let settings = Settings::from_env()?;
    let amazon = amazon()?;
    let instance = Instance::find(amazon, &settings.tag).await?;
    match events::wake(&call.event, &settings.place)? {
        Wake::Nothing(why) => Ok(Answer::skipped(why)),
        Wake::Work(runs) => {
            // One message may tell of several uploads; each is a run of its own.
            for run in &runs {
                work(amazon, &instance, &settings, run).await?;
                call.say(&format!("run {run} was sent to {}", instance.id));
            }
            Ok(Answer::done(format!("{} sent to {}", manners::plural(runs.len() as u64, "run"), instance.id))
                .with("runs", json!(runs)))
        }
        Wake::Result => rest(amazon, &instance, &settings, "a result was written").await,
        Wake::Watchdog => watch(amazon, &instance, &settings, &call).await,
    }
}

/// Sends a run to the instance, once it is there: what is not yet is tried again, for its message stays in the queue.
async fn work(amazon: &Amazon, instance: &Instance, settings: &Settings, run: &str) -> Outcome {
    let later = |words: &str| Failure::unavailable(format!("{}: {words} (run {run} waits)", instance.id));
    match instance.state {
        State::Stopped => {
            instance.start(amazon).await?;
            Err(later("it was stopped and starts now"))
        }
        State::Starting => Err(later("it starts")),
        State::Stopping => Err(later("it is stopping, and can be started when it has stopped")),
        State::Running if !runs::is_listening(amazon, &instance.id).await? => {
            Err(later("it runs, and Systems Manager does not reach it yet"))
        }
        // A message may come twice: a run that was sent is not sent again.
        State::Running if runs::was_sent(amazon, &instance.id, run).await? => Ok(()),
        State::Running => runs::send(amazon, &instance.id, settings, run).await,
    }
}

/// Stops the instance if nothing waits and nothing runs.
async fn rest(amazon: &Amazon, instance: &Instance, settings: &Settings, why: &str) -> Outcome<Answer> {
    if instance.state != State::Running {
        return Ok(Answer::done(format!("{why}; {} is {}", instance.id, instance.state.name())));
    }
    let waiting = queue::length(amazon, &settings.queue).await?;
    let at_work = runs::at_work(amazon, &instance.id).await?;
    if waiting > 0 || !at_work.is_empty() {
        return Ok(Answer::done(format!(
            "{why}; {} goes on: {waiting} waiting, {} at work",
            instance.id,
            at_work.len()
        )));
    }
    instance.stop(amazon).await?;
    Ok(Answer::done(format!("{why}; nothing waits: {} stops", instance.id)).with("stopped", true))
}

/// Ends runs that take too long, and stops an instance that idles: whose training died wrote no result.
async fn watch(amazon: &Amazon, instance: &Instance, settings: &Settings, call: &Call) -> Outcome<Answer> {
    if instance.state != State::Running || instance.age() < settings.idle {
        return Ok(Answer::done(format!("{} is {}", instance.id, instance.state.name())));
    }
    let mut overdue = 0_u32;
    for run in runs::at_work(amazon, &instance.id).await? {
        if run.age() > settings.longest_run {
            call.journal.error(&call.request, &format!("{}: at work for too long: cancelled", run.name));
            runs::cancel(amazon, &instance.id, &run).await?;
            overdue += 1;
        }
    }
    let newest = runs::newest_end(amazon, &instance.id).await?;
    if newest.is_some_and(|age| age < settings.idle) {
        return Ok(Answer::done(format!("{} has just ended a run", instance.id)));
    }
    let answer = rest(amazon, instance, settings, "the watchdog looked").await?;
    if overdue == 0 {
        return Ok(answer);
    }
    // A person should know.
    Ok(Answer::failed(&Failure::new(Exit::Data, format!("{overdue} runs took too long and were cancelled"))))
}
