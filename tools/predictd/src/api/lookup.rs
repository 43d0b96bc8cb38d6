//! The two phases of a request: whoever handles it may need something that only a lookup knows.
//!
//! A handler asks nobody itself, for it may run on the thread that holds other connections. It says which keys it
//! needs; the transport looks them up in its own way, within its own time, and hands what it found to a second call.

use crate::api::response::Response;

/// What handling a request came to.
#[derive(Debug)]
pub enum Handled {
    /// It is answered.
    Answer(Response),
    /// It is to be handled again, with what was found under these keys.
    Needs(Needs),
}

/// Keys to look up. No request of today has any: each says every feature itself. So there is no value of this type, and
/// a transport that answers is complete.
#[derive(Debug)]
pub enum Needs {}

/// What was found under the keys of [`Needs`]: as yet nothing.
#[derive(Debug, Default)]
pub struct Found {}
