#![doc = include_str!("../README.md")]
// A harness: what cannot be set up is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it")]

mod archive;
mod calls;
mod chance;
mod cloud;
mod faults;
pub mod football;
pub mod kills;
mod replay;
mod rerun;
mod served;
mod session;
mod small;
mod small_disk;

pub use archive::Archive;
pub use calls::{calls, changes};
pub use chance::{Chance, is_all};
pub use cloud::{Cloud, PASSWORD, packages};
pub use faults::{Faults, difference};
pub use replay::Replay;
pub use rerun::refresh_and_train;
pub use served::Served;
pub use session::{Ran, Session, bin_dir, repo, script};
pub use small::Small;
pub use small_disk::SmallDisk;
