use std::env;
use std::path::Path;
use std::time::Duration;

use diagnostics::say;
use failure::{Failure, IoContext, Outcome};
use model_file::Model;
use predictd::{LoadedModel, ModelSource, Served, Source};

/// Time between looks for a newer model when nobody says.
const POLL: Duration = Duration::from_secs(10);

/// The approved model and where it comes from, kept between invocations.
#[derive(Default)]
pub(crate) struct Approved {
    source: Option<ModelSource>,
    poll: Duration,
    /// What was wrong with the settings when that was last said.
    said: Option<String>,
}

impl Approved {
    /// The model to serve now, looked for if the last look is old.
    pub(crate) fn look(&mut self) -> Served {
        self.try_look().unwrap_or_else(|failure| {
            let reason = failure.to_string();
            if self.said.as_ref() != Some(&reason) {
                say!("{reason}");
            }
            self.said = Some(reason.clone());
            Served { loaded: None, stale_reason: Some(reason) }
        })
    }

    fn try_look(&mut self) -> Outcome<Served> {
        let source = match &mut self.source {
            Some(source) => source,
            None => {
                self.poll = poll()?;
                let url = env::var("FAIRWAY_BUCKET")
                    .map_err(|_| Failure::config("FAIRWAY_BUCKET is not set: the bucket, like s3://name"))?;
                self.source.insert(ModelSource::unseen(Source::bucket(url)))
            }
        };
        source.look_after(self.poll);
        // The model of the package serves as long as the bucket has had none.
        if source.served().loaded.is_none()
            && let Some(model) = fallback()?
        {
            source.fall_back(model);
        }
        Ok(source.served().clone())
    }
}

/// The model that `FAIRWAY_FALLBACK_MODEL` names, a file of the package or elsewhere.
fn fallback() -> Outcome<Option<LoadedModel>> {
    let Some(name) = env::var("FAIRWAY_FALLBACK_MODEL").ok().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let bytes = std::fs::read(Path::new(&name)).place(&name)?;
    Ok(Some(LoadedModel::new(Model::parse(&name, &bytes)?, None)))
}

fn poll() -> Outcome<Duration> {
    let (name, wanted) = ("FAIRWAY_POLL", "a number of seconds");
    let seconds: Option<f64> = failure::variable(name, wanted)?;
    let bad = |seconds: f64| Failure::config(format!("{name}={seconds}: not {wanted}"));
    let poll = seconds.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| bad(seconds)));
    poll.unwrap_or(Ok(POLL))
}
