#![doc = include_str!("../README.md")]

mod model;
mod request;

pub use model::model;
pub use request::request;
