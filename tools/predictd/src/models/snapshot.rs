//! What is served at one moment. A request is answered from one snapshot, whole.

use std::fmt;
use std::sync::Arc;

use model_file::Work;

use crate::models::model::LoadedModel;

/// What there is of one model.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// The last good model; none until the first.
    pub loaded: Option<Arc<LoadedModel>>,
    /// Why that is not what should be served, if it is not.
    pub stale_reason: Option<String>,
}

/// A route of `POST /predict/NAME`, and what answers there.
#[derive(Clone, Debug)]
pub struct ModelRoute {
    /// A route that is alone needs no name.
    pub name: Option<Arc<str>>,
    /// Its model.
    pub served: Served,
}

/// How many rows one request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowLimits {
    /// To be predicted.
    pub rows: usize,
    /// To be explained, too: trees take some time for it.
    pub explained: usize,
}

impl Default for RowLimits {
    fn default() -> RowLimits {
        RowLimits { rows: 10_000, explained: 1_000 }
    }
}

/// Steps of work ([`Work`]) for one request: about half a second of one core.
const WORK: u64 = 250_000_000;

impl RowLimits {
    /// What is left of them for a model of which each row is so much work.
    pub(crate) fn by_work(self, work: Work) -> RowLimits {
        // One row may be more; then it is one.
        let most = |limit: usize, work: u64| {
            limit.min(usize::try_from(WORK / work.max(1)).unwrap_or(usize::MAX).max(1))
        };
        RowLimits { rows: most(self.rows, work.predict), explained: most(self.explained, work.explain) }
    }

    /// Of a request that wants explanations, or of one that does not.
    pub(crate) fn most(self, explain: bool) -> usize {
        if explain { self.explained } else { self.rows }
    }
}

/// Every route, each with its model. A server keeps it behind one pointer, which a request loads once.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// In the order in which they were named.
    pub routes: Vec<ModelRoute>,
    /// Of every request.
    pub limits: RowLimits,
}

impl Snapshot {
    /// One model, which needs no name.
    pub fn only(served: Served) -> Snapshot {
        Snapshot { routes: vec![ModelRoute { name: None, served }], limits: RowLimits::default() }
    }

    /// The most that one row is to predict.
    pub(crate) fn work_of_a_row(&self) -> u64 {
        let loaded = self.routes.iter().filter_map(|route| route.served.loaded.as_ref());
        loaded.map(|loaded| loaded.work().predict).max().unwrap_or_default()
    }

    /// The names of all routes that have one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().filter_map(|route| route.name.as_deref())
    }

    /// A path that can be asked.
    pub fn example(&self) -> String {
        self.names().next().map_or("/predict".to_owned(), |name| format!("/predict/{name}"))
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, ModelRoute { name, served }) in self.routes.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            if let Some(name) = name {
                write!(f, "{name}=")?;
            }
            f.write_str(served.loaded.as_ref().map_or("no model yet", |loaded| loaded.id()))?;
        }
        Ok(())
    }
}
