#![doc = include_str!("../README.md")]

mod causes;
mod context;
mod failure;
mod kind;

pub use causes::{causes, innermost};
pub use context::{IoContext, variable};
pub use failure::{Failure, Outcome, PipeClosed};
pub use kind::Kind;
