//! What a client may take of the server, and until when.

use std::time::Duration;

/// A connection's buffer: the longest header, and the most that is read at a time.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;

/// What the settings say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) body_bytes: usize,
    pub(crate) connections: u32,
    pub(crate) requests: u32,
    pub(crate) request_time: Duration,
    pub(crate) drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 4 << 20,
            connections: 1024,
            requests: 256,
            request_time: Duration::from_secs(10),
            drain_time: Duration::from_secs(30),
        }
    }
}

/// What becomes of connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Every answer is the last on its connection.
    LastCall,
    /// Connections on which nothing is under way are closed.
    Closing,
}
