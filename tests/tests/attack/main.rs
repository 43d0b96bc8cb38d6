//! Attacks: errors at the n-th call, mutated files, restored copies of a database, a bucket behind a faulty proxy.
//! Whatever happens, a program ends as its page says, and a rerun ends as if nothing had happened.
//!
//! FAIRWAY_ALL=yes takes every point instead of a few; FAIRWAY_SEED repeats what was drawn.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod ends;
mod injected;
mod mutated;
mod restored;
#[cfg(feature = "s3")]
mod troubled;
