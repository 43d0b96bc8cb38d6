//! JSON of what always serialises.

use serde::Serialize;

/// Strings, finite numbers and lists of them always serialise.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
