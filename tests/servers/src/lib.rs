#![doc = include_str!("../README.md")]
// A harness: what cannot be set up is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it")]

mod certificate;
mod cutter;
mod dispatcher;
mod emulator;
mod fault;
mod guarded;
mod mariadb;
mod moto;
mod seaweed;

pub use cutter::{Cut, Cutter};
pub use dispatcher::{Dispatcher, Started};
pub use emulator::{Emulator, Invoked};
pub use fault::{Fault, Trouble};
pub use guarded::{Guarded, free_port};
pub use mariadb::MariaDb;
pub use moto::Moto;
pub use seaweed::Seaweed;
