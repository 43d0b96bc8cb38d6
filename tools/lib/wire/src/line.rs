use serde::{Deserialize, Serialize};

use crate::Partition;

/// The version of [`LoadedMark`].
pub const LOADED_V1: &str = "fairway.loaded/1";

/// Says that every partition of an answer came before this line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadedMark {
    /// [`LOADED_V1`].
    pub v: String,
    /// The answer's raw object.
    pub raw: String,
    /// What its rows were extracted with.
    pub extract_digest: String,
}

/// One line of what `db-load partitions` reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A partition, or a part of one.
    Partition(Partition),
    /// The end of an answer.
    Loaded(LoadedMark),
}

impl Line {
    /// Reads one line of the wire and checks that it is whole.
    pub fn from_bytes(line: &[u8]) -> Result<Line, String> {
        // One look at the whole line is faster than one at each text of it.
        let line = std::str::from_utf8(line).map_err(|error| format!("not a wire record: {error}"))?;
        match Partition::from_line(line) {
            Ok(partition) => Ok(Line::Partition(partition)),
            // Few lines are no partition, and those are short.
            Err(reason) => match serde_json::from_str::<LoadedMark>(line) {
                Ok(mark) if mark.v == LOADED_V1 => Ok(Line::Loaded(mark)),
                _ => Err(reason),
            },
        }
    }
}
