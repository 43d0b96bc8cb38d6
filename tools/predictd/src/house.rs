//! Every model that is served, and looking for the next ones.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use manners::Outcome;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::cache::Cache;
use crate::core::{Models, Served};
use crate::rounds::Rounds;
use crate::supply::{Source, Supply};
use crate::wanted::Wanted;

/// Where a cached model is there already, the bucket gets this long to name another before the port is opened.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// Of a look that takes longer is told while it goes on: the store tries for longer than people should not know of it.
const LATE: Duration = Duration::from_secs(10);

/// Every supply, by name.
pub(crate) struct House {
    supplies: Vec<Supply>,
    models: Arc<ArcSwap<Models>>,
}

impl House {
    /// Opens them all; `cache` is a folder.
    pub(crate) fn open(wanted: Vec<Wanted>, cache: Option<&Path>) -> Outcome<House> {
        let (mut supplies, mut models) = (Vec::new(), Vec::new());
        for Wanted { name, source } in wanted {
            let kept = match (&source, cache) {
                (Source::Bucket(url), Some(folder)) => {
                    let folder = name.as_deref().map_or(folder.to_owned(), |name| folder.join(name));
                    Some(Cache::open(&folder, url)?)
                }
                _ => None,
            };
            let supply = Supply::open_cached(source, kept)?;
            models.push((name, supply.served().clone()));
            supplies.push(supply);
        }
        Ok(House { supplies, models: Arc::new(ArcSwap::from_pointee(Models(models))) })
    }

    /// What is served, now and later.
    pub(crate) fn models(&self) -> Arc<ArcSwap<Models>> {
        self.models.clone()
    }

    /// Looks at each source again and again, for ever; comes back when those that were not seen yet have been, or take too long.
    pub(crate) async fn follow(self, every: Duration) -> Outcome {
        let mut first_looks = Vec::new();
        for (at, supply) in self.supplies.into_iter().enumerate() {
            let rounds = Rounds::every(every)?;
            let (seen, first_look) = oneshot::channel();
            let seen = supply.is_unseen().then_some(seen);
            tokio::spawn(follow(supply, at, self.models.clone(), rounds, seen));
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
    mut supply: Supply,
    at: usize,
    models: Arc<ArcSwap<Models>>,
    mut rounds: Rounds,
    mut first: Option<oneshot::Sender<()>>,
) {
    loop {
        let asked = match first {
            Some(_) => true,
            None => rounds.next().await,
        };
        let before = supply.served().clone();
        // Disks may be slow; the threads that answer requests must not wait for them.
        let mut look = tokio::task::spawn_blocking(move || (supply.look(asked), supply));
        let mut late = None;
        let looked = match timeout(LATE, &mut look).await {
            Ok(looked) => looked,
            Err(_) => {
                // Whoever reads what is said may be slow, too.
                late = tokio::task::spawn_blocking(move || before.late(LATE)).await.unwrap_or_default();
                late.iter().for_each(|late| put(&models, at, late));
                look.await
            }
        };
        let Ok((has_changed, back)) = looked else { return };
        supply = back;
        if has_changed || late.is_some() {
            put(&models, at, supply.served());
        }
        if let Some(late) = late.filter(|_| !has_changed) {
            let after = supply.served().clone();
            let _ = tokio::task::spawn_blocking(move || late.over(&after)).await;
        }
        drop(first.take());
    }
}

fn put(models: &ArcSwap<Models>, at: usize, served: &Served) {
    models.rcu(|models| {
        let mut models = Models::clone(models);
        models.0[at].1 = served.clone();
        models
    });
}
