//! S3 by Amazon's SDK. Read `bucket.rs` first.

mod address;
mod body;
mod bucket;
mod connection;
mod content;
mod digest;
mod errand;
mod limit;
mod patience;
mod refusal;
mod requests;

pub(crate) use body::ALTERED;
pub(crate) use bucket::Bucket;
pub use connection::S3Settings;
