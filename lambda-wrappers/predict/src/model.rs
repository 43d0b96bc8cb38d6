use std::env;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use artifact::Model;
use manners::{Failure, IoContext, Outcome, say};
use predictd::{Loaded, Served, Source, Supply};

/// Time between looks for a newer model when nobody says.
const POLL: Duration = Duration::from_secs(10);

/// The model as it was last seen, kept between invocations.
#[derive(Default)]
pub(crate) struct Supplied {
    supply: Option<Supply>,
    poll: Option<Duration>,
    fallback: Option<Arc<Loaded>>,
    seen: Option<(Instant, Arc<Served>)>,
}

impl Supplied {
    /// The model to serve now, looked for if the last look is old.
    pub(crate) fn look(&mut self) -> Arc<Served> {
        let before = match self.seen.take() {
            Some((when, served)) if when.elapsed() < self.poll.unwrap_or(POLL) => {
                return Arc::clone(&self.seen.insert((when, served)).1);
            }
            seen => seen.and_then(|(_, served)| served.trouble.clone()),
        };
        let served = match &mut self.supply {
            // It says itself what is new.
            Some(supply) => {
                supply.look(false);
                supply.served().clone()
            }
            None => {
                let served = self.open().unwrap_or_else(|failure| trouble(&failure));
                if let Some(news) = served.trouble.as_ref().filter(|trouble| before.as_ref() != Some(trouble))
                {
                    say!("{news}");
                }
                served
            }
        };
        let served = Arc::new(self.or_fallback(served));
        Arc::clone(&self.seen.insert((Instant::now(), served)).1)
    }

    fn open(&mut self) -> Outcome<Served> {
        self.poll = poll()?;
        let url = env::var("FAIRWAY_BUCKET")
            .map_err(|_| Failure::config("FAIRWAY_BUCKET is not set: the bucket, like s3://name"))?;
        let supply = Supply::open(Source::Bucket(url))?;
        let served = supply.served().clone();
        self.supply = Some(supply);
        Ok(served)
    }

    /// The model of the package serves as long as the bucket has none that can be had.
    fn or_fallback(&mut self, served: Served) -> Served {
        if served.loaded.is_some() {
            return served;
        }
        if self.fallback.is_none() {
            match fallback() {
                Ok(model) => self.fallback = model.map(Arc::new),
                Err(failure) => return trouble(&failure),
            }
        }
        Served { loaded: self.fallback.clone(), ..served }
    }
}

fn trouble(failure: &Failure) -> Served {
    Served { loaded: None, trouble: Some(failure.to_string()) }
}

/// The model that `FAIRWAY_FALLBACK_MODEL` names, a file of the package or elsewhere.
fn fallback() -> Outcome<Option<Loaded>> {
    let Some(name) = env::var("FAIRWAY_FALLBACK_MODEL").ok().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let bytes = std::fs::read(Path::new(&name)).place(&name)?;
    Ok(Some(Loaded::new(Model::parse(&name, &bytes)?, None)))
}

fn poll() -> Outcome<Option<Duration>> {
    let (name, wanted) = ("FAIRWAY_POLL", "a number of seconds");
    let seconds: Option<f64> = manners::variable(name, wanted)?;
    let bad = |seconds: f64| Failure::config(format!("{name}={seconds}: not {wanted}"));
    seconds.map(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| bad(seconds))).transpose()
}
