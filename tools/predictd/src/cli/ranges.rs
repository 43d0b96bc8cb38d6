//! Numbers as flags and files give them, within what the program can keep.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A time. Fractions are allowed; 0 and times that no clock can add are not.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(try_from = "f64")]
pub(crate) struct Seconds(pub(crate) Duration);

/// How many of something there may be at a time.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(try_from = "u64")]
pub(crate) struct Count(pub(crate) u32);

/// The size of a body.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(try_from = "u64")]
pub(crate) struct BodyBytes(pub(crate) usize);

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Seconds, String> {
        if !(0.001..=31_536_000.0).contains(&seconds) {
            return Err("not between 0.001 and 31536000 seconds".to_owned());
        }
        Duration::try_from_secs_f64(seconds).map(Seconds).map_err(|error| error.to_string())
    }
}

impl TryFrom<u64> for Count {
    type Error = String;

    fn try_from(number: u64) -> Result<Count, String> {
        let number = u32::try_from(number).ok().filter(|number| (1..=1_000_000).contains(number));
        number.map(Count).ok_or_else(|| "not between 1 and 1000000".to_owned())
    }
}

impl TryFrom<u64> for BodyBytes {
    type Error = String;

    fn try_from(bytes: u64) -> Result<BodyBytes, String> {
        let bytes = usize::try_from(bytes).ok().filter(|bytes| (1..=1 << 30).contains(bytes));
        bytes.map(BodyBytes).ok_or_else(|| "not between 1 and 1073741824 bytes".to_owned())
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seconds, String> {
        text.parse::<f64>().map_err(|_| "not a number of seconds".to_owned())?.try_into()
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Count, String> {
        text.parse::<u64>().map_err(|_| "not a whole number".to_owned())?.try_into()
    }
}

impl FromStr for BodyBytes {
    type Err = String;

    fn from_str(text: &str) -> Result<BodyBytes, String> {
        text.parse::<u64>().map_err(|_| "not a number of bytes".to_owned())?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyBytes, Count, Seconds};

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!("0.25".parse::<Seconds>().unwrap().0.as_millis(), 250);
        for bad in ["0", "-1", "nan", "inf", "1e300", "soon", ""] {
            assert!(bad.parse::<Seconds>().is_err(), "{bad}");
        }
    }

    #[test]
    fn counts_and_sizes_are_positive_and_bounded() {
        assert_eq!(("1".parse(), "1000000".parse()), (Ok(Count(1)), Ok(Count(1_000_000))));
        assert_eq!("1073741824".parse(), Ok(BodyBytes(1 << 30)));
        for bad in ["0", "-1", "1.5", "99999999999", ""] {
            assert!(bad.parse::<Count>().is_err() && bad.parse::<BodyBytes>().is_err(), "{bad}");
        }
    }
}
