use std::str::FromStr;

use crate::{Failure, Outcome};

/// A setting from the environment; none if it is empty. One that is not what is `wanted`, like "true or false", is a failure (78).
pub fn variable<T: FromStr>(name: &str, wanted: &str) -> Outcome<Option<T>> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => {
            let bad = |_| Failure::config(format!("{name}={text}: not {wanted}"));
            text.parse().map(Some).map_err(bad)
        }
        _ => Ok(None),
    }
}
