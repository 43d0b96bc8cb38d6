#![doc = include_str!("../README.md")]
// A harness: what cannot be set up is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it")]

mod archive;
mod cloud;
mod replay;
mod served;
mod session;

pub use archive::Archive;
pub use cloud::{Cloud, PASSWORD, packages};
pub use replay::Replay;
pub use served::Served;
pub use session::{Ran, Session, bin_dir, repo, script};
