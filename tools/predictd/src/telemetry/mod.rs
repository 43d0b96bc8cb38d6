//! What is measured, and the logs. It knows models by their files, and nothing of requests.

#[cfg(feature = "server")]
pub(crate) mod announce;
#[cfg(feature = "server")]
pub(crate) mod counters;
pub(crate) mod drift;
#[cfg(feature = "server")]
pub(crate) mod log_writer;
#[cfg(feature = "server")]
pub(crate) mod metrics;
pub(crate) mod per_thread;
#[cfg(feature = "server")]
pub(crate) mod request_log;
