use bucket_address::BucketAddress;
use failure::{Failure, Outcome};
use notification::Notification;
use serde_json::Value;

/// Why the function was called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Something was uploaded to be trained on: the runs' names.
    Work(Vec<String>),
    /// Runs have ended: their names.
    Result(Vec<String>),
    /// Time has gone by.
    Watchdog,
    /// Nothing that concerns it.
    Nothing(&'static str),
}

/// Uploads that start a run.
const INPUT: &str = "input/";

/// What runs write.
const OUTPUT: &str = "output/";
const RESULT: &str = "/result.json";

pub(crate) fn wake(event: &Value, bucket: &BucketAddress) -> Outcome<Wake> {
    if event.get("watchdog").and_then(Value::as_bool) == Some(true) {
        return Ok(Wake::Watchdog);
    }
    let notification = Notification::read(event)
        .ok_or_else(|| Failure::data("this event is neither a notification of S3 nor the watchdog's"))?;
    let ours = |object: &&notification::Object| object.bucket == bucket.name;
    let keys =
        notification.arrived.iter().filter(ours).filter_map(|object| object.key.strip_prefix(&bucket.prefix));
    let keys: Vec<&str> = keys.collect();
    let mut runs: Vec<String> = keys.iter().filter_map(|key| key.strip_prefix(INPUT)).map(run_name).collect();
    runs.sort();
    runs.dedup();
    if !runs.is_empty() {
        return Ok(Wake::Work(runs));
    }
    let ended = keys.iter().filter_map(|key| key.strip_prefix(OUTPUT)?.strip_suffix(RESULT));
    let ended: Vec<String> = ended.map(str::to_owned).collect();
    if !ended.is_empty() {
        return Ok(Wake::Result(ended));
    }
    Ok(Wake::Nothing("no input and no result has arrived"))
}

/// The run of an upload, as a name that a shell and a key take as it is: what is not a letter or a digit becomes a dash, so a
/// fingerprint at its end keeps names apart.
fn run_name(key: &str) -> String {
    let plain: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let short: String = plain.trim_matches(['-', '.']).chars().take(60).collect();
    format!("{short}-{}", &fingerprint::of(key.as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(keys: &[&str]) -> Wake {
        let record = |key: &&str| json!({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": key}}});
        let event = json!({"Records": keys.iter().map(record).collect::<Vec<_>>()});
        wake(&event, &BucketAddress::of("s3://b/golf")).unwrap()
    }

    #[test]
    fn uploads_are_runs_and_results_are_not() {
        let Wake::Work(runs) =
            read(&["golf/input/march.csv", "golf/input/march.csv", "golf/output/x/result.json"])
        else {
            panic!("work")
        };
        assert_eq!(runs.len(), 1);
        assert!(runs[0].starts_with("march.csv-"), "{runs:?}");
        assert_eq!(read(&["golf/output/march/result.json"]), Wake::Result(vec!["march".to_owned()]));
        assert!(matches!(read(&["golf/output/march/model.json", "input/x"]), Wake::Nothing(_)));
    }

    #[test]
    fn names_hold_nothing_that_a_shell_would_read() {
        let names: Vec<String> =
            ["a b.csv", "a-b.csv", "$(reboot)", "'; rm -rf /", "../../é"].map(run_name).into();
        assert!(
            names.iter().all(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))),
            "{names:?}"
        );
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn the_watchdog_and_nonsense() {
        let bucket = BucketAddress::of("s3://b");
        assert_eq!(wake(&json!({"watchdog": true}), &bucket).unwrap(), Wake::Watchdog);
        assert!(wake(&json!({"x": 1}), &bucket).is_err());
    }
}
