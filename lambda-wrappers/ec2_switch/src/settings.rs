use std::env;
use std::time::Duration;

use bucket_address::BucketAddress;
use failure::{Failure, Outcome};

/// What the template says.
pub(crate) struct Settings {
    /// The bucket, like `s3://name`.
    pub(crate) bucket: String,
    /// Its name and prefix.
    pub(crate) address: BucketAddress,
    /// The tag of the instance, name and value.
    pub(crate) tag: (String, String),
    /// Where work waits.
    pub(crate) queue: String,
    /// The key of the bundle: programs and scripts.
    pub(crate) bundle: String,
    /// An instance that has had nothing to do for so long is stopped by the watchdog.
    pub(crate) idle: Duration,
    /// A run that takes longer is cancelled.
    pub(crate) longest_run: Duration,
}

impl Settings {
    pub(crate) fn from_env() -> Outcome<Settings> {
        let bucket = needed("FAIRWAY_BUCKET", "the bucket, like s3://name")?;
        let tag = needed("FAIRWAY_INSTANCE_TAG", "the instance's tag, like fairway:trainer=golf")?;
        let (name, value) = tag.split_once('=').ok_or_else(|| {
            Failure::config(format!("FAIRWAY_INSTANCE_TAG is {tag:?}, which is not NAME=VALUE"))
        })?;
        let number = |name: &str, usual: u64| Ok(failure::variable(name, "a whole number")?.unwrap_or(usual));
        Ok(Settings {
            address: BucketAddress::of(&bucket),
            bucket,
            tag: (name.to_owned(), value.to_owned()),
            queue: needed("FAIRWAY_QUEUE_URL", "the URL of the queue in which work waits")?,
            bundle: needed("FAIRWAY_BUNDLE", "the key of the bundle, like bundles/train_model.zip")?,
            idle: Duration::from_secs(60 * number("FAIRWAY_IDLE_MINUTES", 15)?),
            longest_run: Duration::from_secs(3_600 * number("FAIRWAY_RUN_HOURS", 4)?),
        })
    }
}

fn needed(name: &str, what: &str) -> Outcome<String> {
    let value = env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| Failure::config(format!("{name} is not set: {what}")))
}
