#![doc = include_str!("../README.md")]

mod gates;
mod report;
mod resample;
mod scored;

pub use gates::verdicts;
pub use report::{Compared, Line, Report, Slope};
pub use resample::Resampling;
pub use scored::{Predictions, Rows, Which};
