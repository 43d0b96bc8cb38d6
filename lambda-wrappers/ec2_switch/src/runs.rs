use std::time::Duration;

use amazon::{Amazon, SYSTEMS};
use failure::{Failure, Outcome};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::settings::Settings;

/// Systems Manager runs a shell by this document.
const DOCUMENT: &str = "AWS-RunShellScript";

/// A command's comment is how its run is found again.
const COMMENT: &str = "fairway run ";

/// A run that the instance was told of.
pub(crate) struct Run {
    pub(crate) name: String,
    status: String,
    asked: Option<Timestamp>,
}

impl Run {
    pub(crate) fn age(&self) -> Duration {
        let age = self.asked.map(|asked| Timestamp::now().duration_since(asked));
        age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default()
    }

    /// Whether it is under way, as far as Systems Manager knows.
    pub(crate) fn is_at_work(&self) -> bool {
        ["Pending", "InProgress", "Delayed", "Cancelling"].contains(&self.status.as_str())
    }

    /// Whether it need not be sent again: it is under way, or came to its end whatever that was. Systems Manager ends what takes too
    /// long and says `TimedOut`; what was never delivered says so, too.
    pub(crate) fn was_taken(&self) -> bool {
        self.is_at_work() || ["Success", "Failed"].contains(&self.status.as_str())
    }
}

/// Sends the bundle, the data's place and the command.
pub(crate) async fn send(amazon: &Amazon, instance: &str, settings: &Settings, run: &str) -> Outcome {
    let seconds = settings.longest_run.as_secs().to_string();
    let asked = json!({
        "DocumentName": DOCUMENT,
        "InstanceIds": [instance],
        "Comment": format!("{COMMENT}{run}"),
        "Parameters": {"commands": commands(settings, run), "executionTimeout": [seconds]},
    });
    let answer = amazon.call(SYSTEMS, "SendCommand", &asked).await?;
    match answer["Command"]["CommandId"].as_str() {
        Some(_) => Ok(()),
        None => {
            Err(Failure::unavailable(format!("{instance}: the command was not taken (it is sent again)")))
        }
    }
}

/// What the instance's shell runs. Names in it are our own or come from the template; a run's holds letters, digits, dots and dashes.
fn commands(settings: &Settings, run: &str) -> Vec<String> {
    let bucket = settings.bucket.trim_end_matches('/');
    vec![
        "set -euo pipefail".to_owned(),
        "work=$(mktemp -d); trap 'rm -rf \"$work\"' EXIT".to_owned(),
        format!("aws s3 cp --only-show-errors '{bucket}/{}' \"$work/bundle.zip\"", settings.bundle),
        "cd \"$work\" && python3 -m zipfile -e bundle.zip . && chmod +x worker bin/* pipeline/*".to_owned(),
        format!("FAIRWAY_BUCKET='{bucket}' ./worker '{run}'"),
    ]
}

/// The runs under way: those that take longer than any may, and the others. Systems Manager learns late of those that `ended` names.
pub(crate) fn at_work<'a>(
    told: &'a [Run],
    ended: &[String],
    longest: Duration,
) -> (Vec<&'a Run>, Vec<&'a Run>) {
    let at_work = told.iter().filter(|run| run.is_at_work() && !ended.contains(&run.name));
    at_work.partition(|run| run.age() > longest)
}

/// What the instance was told lately.
pub(crate) async fn told(amazon: &Amazon, instance: &str) -> Outcome<Vec<Run>> {
    let mut runs = Vec::new();
    let mut asked = json!({"InstanceId": instance, "MaxResults": 50});
    loop {
        let answer = amazon.call(SYSTEMS, "ListCommands", &asked).await?;
        runs.extend(answer["Commands"].as_array().into_iter().flatten().filter_map(read));
        match answer["NextToken"].as_str() {
            Some(next) if !next.is_empty() => asked["NextToken"] = json!(next),
            _ => return Ok(runs),
        }
    }
}

fn read(command: &Value) -> Option<Run> {
    let asked = &command["RequestedDateTime"];
    // Seconds since 1970, with a fraction; some servers write the instant.
    let seconds = asked.as_f64().and_then(|seconds| Timestamp::from_millisecond((seconds * 1e3) as i64).ok());
    Some(Run {
        name: command["Comment"].as_str()?.strip_prefix(COMMENT)?.to_owned(),
        status: command["Status"].as_str()?.to_owned(),
        asked: seconds.or_else(|| asked.as_str()?.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn run(name: &str, status: &str, hours_ago: u64) -> Run {
        let asked = (Timestamp::now() - HOUR * u32::try_from(hours_ago).unwrap()).as_second() as f64 + 0.5;
        let comment = format!("{COMMENT}{name}");
        read(&json!({"Comment": comment, "Status": status, "RequestedDateTime": asked})).unwrap()
    }

    fn names(runs: &[&Run]) -> Vec<String> {
        runs.iter().map(|run| run.name.clone()).collect()
    }

    #[test]
    fn what_has_ended_or_takes_too_long_keeps_nothing_running() {
        let told = [
            run("done", "Success", 1),
            run("late", "InProgress", 1),
            run("long", "InProgress", 9),
            run("new", "Pending", 0),
            run("lost", "TimedOut", 9),
        ];
        let (overdue, going) = at_work(&told, &["late".to_owned()], HOUR * 5);
        assert_eq!((names(&overdue), names(&going)), (vec!["long".to_owned()], vec!["new".to_owned()]));
        let (_, going) = at_work(&told, &[], HOUR * 5);
        assert_eq!(names(&going), ["late", "new"]);
    }

    #[test]
    fn what_was_never_delivered_is_sent_again_and_what_failed_is_not() {
        let taken = |status| run("x", status, 0).was_taken();
        assert!(["Pending", "InProgress", "Delayed", "Success", "Failed"].into_iter().all(taken));
        assert!(!["TimedOut", "Cancelled", "Undeliverable"].into_iter().any(taken));
    }

    #[test]
    fn commands_of_others_are_no_runs() {
        assert!(read(&json!({"Comment": "apt upgrade", "Status": "InProgress"})).is_none());
        assert!(read(&json!({"Status": "InProgress"})).is_none());
        let text = json!({"Comment": "fairway run x", "Status": "Success", "RequestedDateTime": "2026-03-01T10:00:00Z"});
        assert!(read(&text).unwrap().age() > HOUR);
    }
}
