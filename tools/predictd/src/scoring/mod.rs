//! From the text of a body to rows of numbers, and to what the model says of them.

pub(crate) mod decode;
mod deserialize;
pub(crate) mod faults;
pub(crate) mod parallel;
pub(crate) mod reader;
pub(crate) mod scored;
