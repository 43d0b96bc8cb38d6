#![doc = include_str!("../README.md")]

mod ending;
mod lines;
pub mod number;
mod table;
mod writer;

pub use ending::Ending;
pub use lines::Lines;
pub use table::{Row, Table};
pub use writer::{csv_failure, writer};
