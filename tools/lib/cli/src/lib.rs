#![doc = include_str!("../README.md")]

mod flags;
mod input;
mod progress;
mod start;
mod stdout;

pub use flags::{BucketArg, Clock, DatabaseArgs};
pub use input::{Input, input, parse_file};
pub use progress::{Progress, progress};
pub use start::start;
pub use stdout::{Csv, Stdout, check_stdout_is_open, csv, stdout};
