use std::fmt;
use std::io;
use std::str::FromStr;

use crate::{Failure, Outcome};

/// Turns an `io::Result` into an [`Outcome`] that names the place.
pub trait IoContext<T> {
    /// `place` is a file, a stream or an object: whatever the reader of the message can look at.
    fn place(self, place: impl fmt::Display) -> Outcome<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn place(self, place: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure::io(place, &error))
    }
}

/// A setting from the environment; `None` if it is unset or empty. A value that is not what is `wanted`, like "true or
/// false", is [`crate::Kind::Config`].
pub fn variable<T: FromStr>(name: &str, wanted: &str) -> Outcome<Option<T>> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => {
            let bad = |_| Failure::config(format!("{name}={text}: not {wanted}"));
            text.parse().map(Some).map_err(bad)
        }
        _ => Ok(None),
    }
}
