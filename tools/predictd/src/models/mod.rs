//! Models: what is served at one moment, and where it comes from.

#[cfg(feature = "server")]
pub(crate) mod args;
pub(crate) mod cache;
pub(crate) mod json;
pub(crate) mod model;
#[cfg(feature = "server")]
pub(crate) mod poll_timer;
pub(crate) mod snapshot;
pub(crate) mod source;
#[cfg(feature = "server")]
pub(crate) mod watcher;
