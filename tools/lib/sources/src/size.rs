use std::time::Duration;

use jiff::SignedDuration;
use serde::de::{self, Deserialize, Deserializer};

/// A number of bytes, written like `64MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match &text[at..] {
            "" | "B" => Some(1_u64),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        let number: Option<u64> = text[..at].parse().ok();
        number
            .zip(unit)
            .and_then(|(number, unit)| number.checked_mul(unit))
            .filter(|bytes| *bytes > 0)
            .map(Size)
            .ok_or_else(|| {
                de::Error::custom(format_args!("{text:?} is not a number of bytes like \"64MiB\""))
            })
    }
}

/// A length of time, written like `90s` or `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(pub Duration);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Length, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<SignedDuration>()
            .ok()
            .and_then(|length| Duration::try_from(length).ok())
            .map(Length)
            .ok_or_else(|| {
                de::Error::custom(format_args!("{text:?} is not a length of time like \"90s\" or \"2m\""))
            })
    }
}
