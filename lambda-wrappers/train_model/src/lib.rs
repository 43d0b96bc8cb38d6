//! Training as a Lambda function: new CSVs start it, many at a time. Its README says what it promises.

use std::process::ExitCode;

use bucket_address::BucketAddress;
use failure::{Failure, Outcome};
use function::{Answer, Call, Script, Unit};
use jiff::Timestamp;
use notification::Notification;
use serde::{Deserialize, Serialize};

/// Where cleaned CSVs arrive, below the bucket's own prefix.
const TRAINING_DATA: &str = "training_data/";

/// Serves events until Lambda ends the process.
pub fn serve() -> ExitCode {
    function::judge("train_model", train)
}

/// What `train` prints: the model that is approved after it.
#[derive(Deserialize, Serialize)]
struct Approved {
    key: String,
    sha256: String,
    since: Option<Timestamp>,
    hold: Option<String>,
}

async fn train(call: Call) -> Outcome<Answer> {
    // A schedule's event, an empty one and a person's are no notifications: they train in any case.
    let arrived = match Notification::read(&call.event) {
        Some(notification) => {
            let arrived = training_data(&notification, &bucket_url()?);
            call.say(&format!(
                "{} new CSVs in {} notifications; {} say something else, {} make no sense",
                arrived.len(),
                notification.arrived.len(),
                notification.other,
                notification.odd
            ));
            if arrived.is_empty() {
                return Ok(Answer::skipped("no training data has arrived"));
            }
            Some(arrived.len())
        }
        None => None,
    };
    let ran = Script::new(&call, "train").run().await?;
    let mut answer = Answer::of(&ran);
    if let Some(arrived) = arrived {
        answer = answer.with("arrived", arrived);
    }
    // The last line is about the run.
    let approved: Option<Approved> = ran.output.lines().find_map(|line| serde_json::from_str(line).ok());
    if let Some(since) = approved.as_ref().and_then(|approved| approved.since) {
        let age = Timestamp::now().duration_since(since).as_secs_f64() / 86_400.0;
        answer = answer.counting("ModelAgeDays", Unit::None, age.max(0.0));
    }
    Ok(answer.with("approved", serde_json::to_value(approved).unwrap_or_default()))
}

fn bucket_url() -> Outcome<String> {
    std::env::var("FAIRWAY_BUCKET")
        .map_err(|_| Failure::config("FAIRWAY_BUCKET is not set: the bucket, like s3://name"))
}

/// The keys of new training data, each once. Everything else that a bucket can tell of is left, what training itself writes
/// before all: it must never start itself.
fn training_data(notification: &Notification, bucket: &str) -> Vec<String> {
    let bucket = BucketAddress::of(bucket);
    let prefix = bucket.key(TRAINING_DATA);
    let ours = notification
        .arrived
        .iter()
        .filter(|object| object.bucket == bucket.name && object.key.starts_with(&prefix));
    let mut keys: Vec<String> = ours.map(|object| object.key.clone()).collect();
    keys.sort();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::training_data;
    use notification::{Notification, Object};

    #[test]
    fn only_training_data_starts_training() {
        let object = |bucket: &str, key: &str| Object { bucket: bucket.to_owned(), key: key.to_owned() };
        let notification = Notification {
            arrived: vec![
                object("b", "golf/training_data/2.csv"),
                object("b", "golf/training_data/1 é.csv"),
                object("b", "golf/training_data/2.csv"),
                object("b", "golf/models/latest_model.json"),
                object("b", "training_data/other.csv"),
                object("c", "golf/training_data/3.csv"),
            ],
            ..Notification::default()
        };
        let keys = training_data(&notification, "s3://b/golf/");
        assert_eq!(keys, ["golf/training_data/1 é.csv", "golf/training_data/2.csv"]);
        assert_eq!(training_data(&notification, "s3://b"), ["training_data/other.csv"]);
    }
}
