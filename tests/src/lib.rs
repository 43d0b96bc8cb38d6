#![doc = include_str!("../README.md")]
// A harness: what cannot be set up is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it")]

mod replay;
mod session;

pub use replay::Replay;
pub use session::{Ran, Session, bin_dir, repo, script};
