use std::time::Duration;

use amazon::{Amazon, SYSTEMS};
use jiff::Timestamp;
use manners::{Failure, Outcome};
use serde_json::{Value, json};

use crate::settings::Settings;

/// Systems Manager runs a shell by this document.
const DOCUMENT: &str = "AWS-RunShellScript";

/// A command's comment is how its run is found again.
const COMMENT: &str = "fairway run ";

/// A run that the instance was told of.
pub(crate) struct Run {
    pub(crate) name: String,
    command: String,
    status: String,
    asked: Option<Timestamp>,
}

impl Run {
    pub(crate) fn age(&self) -> Duration {
        let age = self.asked.map(|asked| Timestamp::now().duration_since(asked));
        age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default()
    }

    fn is_at_work(&self) -> bool {
        ["Pending", "InProgress", "Delayed", "Cancelling"].contains(&self.status.as_str())
    }
}

/// Whether Systems Manager's agent on the instance can be told anything.
pub(crate) async fn is_listening(amazon: &Amazon, instance: &str) -> Outcome<bool> {
    let asked = json!({"Filters": [{"Key": "InstanceIds", "Values": [instance]}]});
    let answer = amazon.call(SYSTEMS, "DescribeInstanceInformation", &asked).await?;
    let known = answer["InstanceInformationList"].as_array();
    Ok(known.is_some_and(|known| known.iter().any(|one| one["PingStatus"] == "Online")))
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

/// Whether the instance was told of this run.
pub(crate) async fn was_sent(amazon: &Amazon, instance: &str, run: &str) -> Outcome<bool> {
    Ok(told(amazon, instance).await?.iter().any(|told| told.name == run && told.status != "Failed"))
}

/// The runs that are under way.
pub(crate) async fn at_work(amazon: &Amazon, instance: &str) -> Outcome<Vec<Run>> {
    Ok(told(amazon, instance).await?.into_iter().filter(Run::is_at_work).collect())
}

/// How long ago the newest run was sent, if it is over.
pub(crate) async fn newest_end(amazon: &Amazon, instance: &str) -> Outcome<Option<Duration>> {
    let told = told(amazon, instance).await?;
    Ok(told.iter().filter(|run| !run.is_at_work()).map(Run::age).min())
}

pub(crate) async fn cancel(amazon: &Amazon, instance: &str, run: &Run) -> Outcome {
    let asked = json!({"CommandId": run.command, "InstanceIds": [instance]});
    amazon.call(SYSTEMS, "CancelCommand", &asked).await.map(drop)
}

/// What the instance was told lately.
async fn told(amazon: &Amazon, instance: &str) -> Outcome<Vec<Run>> {
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
        command: command["CommandId"].as_str()?.to_owned(),
        status: command["Status"].as_str()?.to_owned(),
        asked: seconds.or_else(|| asked.as_str()?.parse().ok()),
    })
}
