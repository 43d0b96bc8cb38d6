//! Answers POST /predict with the approved model. Start reading at [`run`] and at [`handle`].
//!
//! Folders import downwards only: `cli` starts, `http` knows sockets, `api` is what is asked and answered without a
//! transport, `scoring` makes rows of bodies, `models` is what is served and where it comes from, `telemetry` is
//! measured and logged. Without the feature `server` the library is `api` and what it stands on, for those who bring a
//! transport of their own.

mod api;
#[cfg(feature = "server")]
mod cli;
#[cfg(feature = "server")]
mod http;
mod models;
mod scoring;
mod telemetry;

pub use crate::api::lookup::{Found, Handled, Needs};
pub use crate::api::request::{Request, Wanted};
pub use crate::api::response::{Predicted, Response};
pub use crate::api::router::handle;
#[cfg(feature = "server")]
pub use crate::cli::args::Args;
#[cfg(feature = "server")]
pub use crate::cli::run::run;
pub use crate::models::cache::Cache;
pub use crate::models::model::LoadedModel;
pub use crate::models::snapshot::{ModelRoute, RowLimits, Served, Snapshot};
pub use crate::models::source::{ModelSource, Source};
pub use crate::scoring::scored::Scored;
pub use crate::telemetry::drift::{Drift, DriftMonitor};
