#![doc = include_str!("../README.md")]
// A harness: what cannot be set up is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it")]

mod certificate;
mod cutter;
mod guarded;
mod mariadb;

pub use cutter::{Cut, Cutter};
pub use guarded::{Guarded, free_port};
pub use mariadb::MariaDb;
