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
