#![doc = include_str!("../README.md")]

mod connection;
mod events;
mod lease;
mod mysql;
mod open;
mod questions;
mod schema;
mod sqlite;
mod table;

pub use events::{Arrival, Export, Listed, Stored};
pub use lease::Lease;
pub use open::Access;
pub use questions::{Counts, DueEvent};
pub use schema::Tables;
pub use table::{Duplicates, Loaded, TableLoad, TypedColumn};

use connection::Connection;

/// An open database.
pub struct Db {
    connection: Box<dyn Connection>,
    tables: Tables,
}
