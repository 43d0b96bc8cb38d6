#![doc = include_str!("../README.md")]

use std::sync::OnceLock;

use failure::{Failure, Kind, Outcome};

/// Starts the threads, once. Fails with [`Kind::Io`] where the system gives none.
pub fn start() -> Outcome {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || rayon::ThreadPoolBuilder::new().build_global().map_err(|error| error.to_string());
    STARTED
        .get_or_init(start)
        .clone()
        .map_err(|error| Failure::new(Kind::Io, format!("starting threads: {error}")))
}
