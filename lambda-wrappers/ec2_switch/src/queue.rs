use amazon::{Amazon, QUEUES};
use failure::Outcome;
use serde_json::json;

/// How many messages wait or are at work.
pub(crate) async fn length(amazon: &Amazon, url: &str) -> Outcome<u64> {
    let names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ];
    let asked = json!({"QueueUrl": url, "AttributeNames": names});
    let answer = amazon.call(QUEUES, "GetQueueAttributes", &asked).await?;
    let count =
        |name: &&str| answer["Attributes"][*name].as_str().and_then(|count| count.parse::<u64>().ok());
    // What cannot be counted is taken for work: an instance too many is cheaper than a run that is lost.
    Ok(names.iter().map(|name| count(name).unwrap_or(1)).sum())
}
