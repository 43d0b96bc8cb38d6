#![doc = include_str!("../README.md")]

mod connection;
mod delete;
mod digests;
mod exports;
mod grants;
mod history;
mod lease;
mod loaded;
mod migrations;
mod mysql;
mod open;
mod partitions;
mod questions;
mod rebuild;
mod replace;
mod rows_of;
mod sqlite;
mod table;
mod tables;
mod upsert;
mod users;
mod verify;

pub use delete::Deleted;
pub use exports::{Due, Inputs, Mark, Marks};
pub use grants::{Role, grants, grants_to};
pub use lease::Lease;
pub use loaded::LoadedAnswer;
pub use migrations::{Change, ViewSql};
pub use open::Access;
pub use partitions::{Listed, Listing};
pub use questions::{Counts, PartitionRow};
pub use replace::{Incoming, Stored};
pub use rows_of::Wanted;
pub use table::{Duplicates, Loaded, TableLoad};
pub use upsert::{Arrival, Upserted};
pub use users::{User, UserPassword};
pub use verify::{Damage, Judged, Noted, is_row};

use connection::Connection;

/// An open database, as one system sees it.
pub struct Db {
    connection: Box<dyn Connection>,
    /// The system's name; empty where a program asks about no system.
    system: String,
}

/// The variable in which a program that holds a lease tells those that it starts: `SYSTEM/PURPOSE/DIGEST`, the digest also
/// being the database's.
pub const LEASE: &str = "FAIRWAY_LEASE";

impl Db {
    /// [`Db::lease`], unless the program that started this one holds it.
    pub fn lease_unless_inherited(&mut self, purpose: &str) -> failure::Outcome<Option<Lease>> {
        let held = std::env::var(LEASE).is_ok_and(|held| held == self.lease_name(purpose));
        if held { Ok(None) } else { self.lease(purpose).map(Some) }
    }

    /// What [`LEASE`] says where the lease for a purpose is held.
    pub fn lease_name(&self, purpose: &str) -> String {
        format!("{}/{purpose}/{}", self.system, self.connection.lease_digest(&self.system, purpose))
    }

    /// Takes the lease of this system for a purpose; a failure of kind unavailable when somebody has it.
    pub fn lease(&mut self, purpose: &str) -> failure::Outcome<Lease> {
        self.connection.lease(&self.system, purpose)
    }
}
