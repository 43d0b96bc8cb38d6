#![doc = include_str!("../README.md")]

mod cell;
mod columns;
mod event;
mod identity;
mod listing;

pub use cell::Cell;
pub use columns::{COLUMNS, Kind, Round};
pub use event::{EVENT_V1, Event};
pub use identity::{Identity, IdentityColumns};
pub use listing::{LISTING_V1, Listing};
