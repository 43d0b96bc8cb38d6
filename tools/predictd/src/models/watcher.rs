//! Looks at the source of every model again and again, and swaps what is served.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use failure::Outcome;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::models::args::ModelArg;
use crate::models::cache::Cache;
use crate::models::poll_timer::PollTimer;
use crate::models::snapshot::{ModelRoute, RowLimits, Served, Snapshot};
use crate::models::source::{ModelSource, Source, news};
use crate::telemetry::announce::announce;

/// Where a cached model is there already, the bucket gets this long to name another before the port is opened.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// Of a look that takes longer is told while it goes on: the store tries for longer than people should not know of it.
const LATE: Duration = Duration::from_secs(10);

/// The source of each route's model, and what is served of all of them.
pub(crate) struct ModelSet {
    sources: Vec<ModelSource>,
    snapshot: Arc<ArcSwap<Snapshot>>,
}

impl ModelSet {
    /// Opens them all; `cache` is a folder.
    pub(crate) fn open(wanted: Vec<ModelArg>, cache: Option<&Path>, limits: RowLimits) -> Outcome<ModelSet> {
        let (mut sources, mut routes) = (Vec::new(), Vec::new());
        for ModelArg { name, source } in wanted {
            let kept = match (&source, cache) {
                (Source::Bucket { url, prefix }, Some(folder)) => {
                    let folder = name.as_deref().map_or(folder.to_owned(), |name| folder.join(name));
                    Some(Cache::open(&folder, url, prefix)?)
                }
                _ => None,
            };
            let source = ModelSource::open(source, kept)?;
            routes.push(ModelRoute { name, served: source.served().clone() });
            sources.push(source);
        }
        Ok(ModelSet { sources, snapshot: Arc::new(ArcSwap::from_pointee(Snapshot { routes, limits })) })
    }

    /// What is served, now and later.
    pub(crate) fn snapshot(&self) -> Arc<ArcSwap<Snapshot>> {
        self.snapshot.clone()
    }

    /// Looks at each source again and again, for ever; comes back when those that were not seen yet have been, or take
    /// too long.
    pub(crate) async fn follow(self, every: Duration) -> Outcome {
        let mut first_looks = Vec::new();
        for (at, source) in self.sources.into_iter().enumerate() {
            let timer = PollTimer::every(every)?;
            let (seen, first_look) = oneshot::channel();
            let seen = source.is_unseen().then_some(seen);
            tokio::spawn(follow(source, at, self.snapshot.clone(), timer, seen));
            first_looks.push(first_look);
        }
        let all = async {
            for look in first_looks {
                // What was seen long ago says so by dropping its end.
                let _ = look.await;
            }
        };
        let _ = timeout(FIRST_LOOK, all).await;
        Ok(())
    }
}

async fn follow(
    mut source: ModelSource,
    at: usize,
    snapshot: Arc<ArcSwap<Snapshot>>,
    mut timer: PollTimer,
    mut first: Option<oneshot::Sender<()>>,
) {
    loop {
        let asked = match first {
            Some(_) => true,
            None => timer.next().await,
        };
        let before = source.served().clone();
        // Disks may be slow; the threads that answer requests must not wait for them.
        let mut look = tokio::task::spawn_blocking(move || (source.look(asked), source));
        let mut late = None;
        let looked = match timeout(LATE, &mut look).await {
            Ok(looked) => looked,
            Err(_) => {
                if let Some(served) = overdue(&before) {
                    tell(&before, &served).await;
                    put(&snapshot, at, &served);
                    late = Some(served);
                }
                look.await
            }
        };
        let Ok((has_changed, back)) = looked else { return };
        source = back;
        if has_changed || late.is_some() {
            put(&snapshot, at, source.served());
        }
        if let Some(late) = late.filter(|_| !has_changed) {
            tell(&late, source.served()).await;
        }
        drop(first.take());
    }
}

/// The same, stale because a look takes so long; none if it is stale already.
fn overdue(served: &Served) -> Option<Served> {
    let reason = format!("looking at its source takes longer than {} s", LATE.as_secs());
    served.stale_reason.is_none().then(|| Served { stale_reason: Some(reason), ..served.clone() })
}

async fn tell(before: &Served, after: &Served) {
    if let Some(news) = news(before, after) {
        let _ = announce(news).await;
    }
}

fn put(snapshot: &ArcSwap<Snapshot>, at: usize, served: &Served) {
    snapshot.rcu(|snapshot| {
        let mut snapshot = Snapshot::clone(snapshot);
        snapshot.routes[at].served = served.clone();
        snapshot
    });
}
