use std::fmt;
use std::str::FromStr;

use clock::{Civil, Instant, Zone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time as a recipe writes it: `"3h"`, `"30d"` (30 times 24 hours), or on a calendar: `"1 day"`, `"2 months"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Period {
    text: String,
    length: Length,
}

/// How long it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// So many microseconds.
    Micros(i64),
    /// What the calendar of a zone makes of it.
    Civil(Civil),
}

/// What a period ends with, and how many microseconds that is.
const UNITS: [(&str, i64); 5] = [
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

impl Period {
    /// How long it is.
    pub fn length(&self) -> Length {
        self.length
    }

    /// Its microseconds, where it does not depend on a calendar.
    pub fn micros(&self) -> Option<i64> {
        match self.length {
            Length::Micros(micros) => Some(micros),
            Length::Civil(_) => None,
        }
    }

    /// The longest that it can be, in microseconds: months of 31 days, and a day's change of the clock more.
    pub fn longest(&self) -> i64 {
        match self.length {
            Length::Micros(micros) => micros,
            Length::Civil(Civil { months, days }) => {
                (i64::from(months) * 31 + i64::from(days) + 1) * UNITS[3].1
            }
        }
    }

    /// The instant so much before `at`; `None` where the calendar has none.
    pub fn before(&self, at: Instant, zone: &Zone) -> Option<Instant> {
        match self.length {
            Length::Micros(micros) => Some(at.minus(micros)),
            Length::Civil(civil) => zone.earlier(at, civil),
        }
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Period, String> {
        let length = length(text).ok_or_else(|| {
            format!(
                "{text:?} is not a length of time like \"90s\", \"15m\", \"3h\", \"30d\", \"2w\" (of 24 hours a day), or \
                 \"1 day\", \"2 weeks\", \"1 month\" (of a calendar)"
            )
        })?;
        Ok(Period { text: text.to_owned(), length })
    }
}

fn length(text: &str) -> Option<Length> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: i32 = number.parse().ok().filter(|number| *number > 0)?;
    if let Some((_, micros)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return i64::from(number).checked_mul(*micros).map(Length::Micros);
    }
    // A century is longer than any season.
    let of = |days: i32, months: i32| {
        let civil = Civil { days: number.checked_mul(days)?, months: number.checked_mul(months)? };
        (civil.days <= 36_525 && civil.months <= 1_200).then_some(Length::Civil(civil))
    };
    match unit {
        " day" | " days" => of(1, 0),
        " week" | " weeks" => of(7, 0),
        " month" | " months" => of(0, 1),
        _ => None,
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Period, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use clock::Civil;

    use super::{Length, Period};

    #[test]
    fn a_day_of_24_hours_is_not_a_day_of_the_calendar() {
        let length = |text: &str| text.parse::<Period>().map(|period| period.length());
        assert_eq!(length("1d"), Ok(Length::Micros(86_400_000_000)));
        assert_eq!(length("1 day"), Ok(Length::Civil(Civil { days: 1, months: 0 })));
        assert_eq!(length("2 weeks"), Ok(Length::Civil(Civil { days: 14, months: 0 })));
        for bad in [
            "",
            "d",
            "0d",
            "-1d",
            "1.5h",
            "1 d",
            "1 hour",
            "1  day",
            "99999999999d",
            "2147483647 months",
            "1D",
        ] {
            assert!(length(bad).is_err_and(|said| said.contains("like")), "{bad}");
        }
    }
}
