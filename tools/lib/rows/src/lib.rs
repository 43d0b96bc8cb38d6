#![doc = include_str!("../README.md")]

mod blocks;
mod boundary;
mod ending;
mod lines;
mod marks;
mod members;
pub mod number;
mod odd;
mod row;
mod table;
mod text;
mod walk;
mod writer;

pub use blocks::{Block, Blocks};
pub use ending::Ending;
pub use lines::Lines;
pub use members::Members;
pub use row::Row;
pub use table::Table;
pub use text::Text;
pub use walk::Walk;
pub use writer::Writer;
