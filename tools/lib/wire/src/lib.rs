#![doc = include_str!("../README.md")]

mod line;
mod listing;
mod members;
mod partition;

pub use line::{LOADED_V1, Line, LoadedMark};
pub use listing::{LISTING_V2, Listing};
pub use members::Members;
pub use partition::{PARTITION_V1, Partition};
