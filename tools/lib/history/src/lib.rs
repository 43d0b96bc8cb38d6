#![doc = include_str!("../README.md")]

mod batch;
mod columns;
mod engine;
mod explain;
mod made;
mod names;
mod output;
mod plan;
mod rating;
mod record;
mod sorter;
mod state;
mod times;
mod track;

pub use batch::{Batch, Counts, Options};
pub use plan::Plan;
pub use state::{About, Listed, STATE};
pub use times::{TimeColumns, Times};
