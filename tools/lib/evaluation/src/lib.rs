#![doc = include_str!("../README.md")]

mod gates;
mod report;
mod resample;
mod scored;
mod stored;

pub use gates::verdicts;
pub use report::{Compared, Line, Report, Slope};
pub use resample::Resampling;
pub use scored::{Against, Predictions, Rows, Which};
