//! Everything that knows sockets, HTTP and keys, and nothing else does.

pub(crate) mod auth;
mod connection;
mod idle;
pub(crate) mod limits;
pub(crate) mod server;
pub(crate) mod service;
mod workers;
