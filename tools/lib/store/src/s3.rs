//! S3 by Amazon's SDK. Read `bucket.rs` first.

mod address;
mod body;
mod bucket;
mod connection;
mod content;
mod errand;
mod patience;
mod refusal;

pub(crate) use bucket::Bucket;
pub use connection::S3Settings;
