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

use amazon::Amazon;
use failure::{Failure, Kind, Outcome};
use function::{Answer, Call};
use serde_json::json;

use events::Wake;
use instance::{Instance, State};
use settings::Settings;

/// Serves events until Lambda ends the process.
pub fn serve() -> ExitCode {
    function::judge("ec2_switch", switch)
}

async fn switch(call: Call) -> Outcome<Answer> {
    let settings = Settings::from_env()?;
    let amazon = Amazon::shared()?;
    let instance = Instance::find(amazon, &settings.tag).await?;
    match events::wake(&call.event, &settings.address)? {
        Wake::Nothing(why) => Ok(Answer::skipped(why)),
        Wake::Work(runs) => {
            // One message may tell of several uploads; each is a run of its own.
            for run in &runs {
                work(amazon, &instance, &settings, run).await?;
                call.say(&format!("run {run} was sent to {}", instance.id));
            }
            Ok(Answer::done(format!(
                "{} sent to {}",
                diagnostics::plural(runs.len() as u64, "run"),
                instance.id
            ))
            .with("runs", json!(runs)))
        }
        Wake::Result(ended) => rest(amazon, &instance, &settings, &ended).await,
        Wake::Watchdog => watch(amazon, &instance, &settings).await,
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
        State::Running => {
            // A message may come twice: a run that was sent is not sent again.
            let told = runs::told(amazon, &instance.id).await?;
            if told.iter().any(|told| told.name == run && told.was_taken()) {
                return Ok(());
            }
            runs::send(amazon, &instance.id, settings, run).await
        }
    }
}

/// Stops the instance if nothing waits and nothing runs. `ended`: runs whose results are there; Systems Manager may not know yet.
async fn rest(
    amazon: &Amazon,
    instance: &Instance,
    settings: &Settings,
    ended: &[String],
) -> Outcome<Answer> {
    if instance.state != State::Running {
        return Ok(Answer::done(format!("{} is {}", instance.id, instance.state.name())));
    }
    let waiting = queue::length(amazon, &settings.queue).await?;
    let told = runs::told(amazon, &instance.id).await?;
    let (overdue, at_work) = runs::at_work(&told, ended, settings.longest_run + settings.idle);
    if waiting > 0 || !at_work.is_empty() {
        let (id, at_work) = (&instance.id, at_work.len());
        return Ok(Answer::done(format!("{id} goes on: {waiting} waiting, {at_work} at work")));
    }
    instance.stop(amazon).await?;
    if let Some(overdue) = overdue.first() {
        // Systems Manager should have ended it: a person should know.
        let words =
            format!("{} stops, although run {} has not ended: it takes too long", instance.id, overdue.name);
        return Ok(Answer::failed(&Failure::new(Kind::Data, words)));
    }
    Ok(Answer::done(format!("nothing waits: {} stops", instance.id)).with("stopped", true))
}

/// Stops an instance that idles: whose training died wrote no result.
async fn watch(amazon: &Amazon, instance: &Instance, settings: &Settings) -> Outcome<Answer> {
    let told = runs::told(amazon, &instance.id).await?;
    let newest = told.iter().filter(|run| !run.is_at_work()).map(runs::Run::age).min();
    if instance.age() < settings.idle || newest.is_some_and(|age| age < settings.idle) {
        return Ok(Answer::done(format!(
            "{} is {}, and has not idled for long",
            instance.id,
            instance.state.name()
        )));
    }
    rest(amazon, instance, settings, &[]).await
}
