//! The command line: flags, the file of settings, and what is started with them.

pub(crate) mod args;
mod config;
mod healthcheck;
mod keys;
mod ranges;
pub(crate) mod run;
mod service_manager;
