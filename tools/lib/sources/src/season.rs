use std::collections::BTreeMap;

use clock::Date;
use serde::Deserialize;
use serde::de::{self, Deserializer};

/// When the days of a season lie. A season is written `2025-26`, or `2025` where it ends in the year in which it
/// begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// Its first possible day.
    pub begins: MonthDay,
    /// Its last possible day.
    pub ends: MonthDay,
    /// Seasons that ended later, with their last day.
    #[serde(default)]
    pub late: BTreeMap<String, Day>,
}

/// A day of any year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthDay {
    month: i8,
    day: i8,
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub Date);

impl MonthDay {
    /// The year in which what began last on this day had begun.
    pub fn year_of(self, today: Date) -> i16 {
        if (today.month(), today.day()) >= (self.month, self.day) { today.year() } else { today.year() - 1 }
    }

    fn of(self, year: i16) -> Option<Date> {
        Date::new(year, self.month, self.day).ok()
    }
}

impl Season {
    /// The years of a season: that in which it begins, and that in which it ends.
    pub fn years(season: &str) -> Option<(i16, i16)> {
        let year = |text: &str| {
            (text.len() == 4).then(|| text.parse::<i16>().ok()).flatten().filter(|year| *year >= 1000)
        };
        match season.split_once('-') {
            None => year(season).map(|year| (year, year)),
            Some((begins, ends)) => {
                let begins = year(begins)?;
                let is_next = ends == format!("{:02}", (begins + 1).rem_euclid(100))
                    || ends == (begins + 1).to_string();
                is_next.then_some((begins, begins + 1))
            }
        }
    }

    /// The first and the last day on which a season can be played; `None` where the text is not a season.
    pub fn days(&self, season: &str) -> Option<(Date, Date)> {
        let (first, last) = Season::years(season)?;
        let ends = match self.late.get(season) {
            Some(day) => day.0,
            None => self.ends.of(last)?,
        };
        Some((self.begins.of(first)?, ends))
    }
}

impl<'de> Deserialize<'de> for MonthDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MonthDay, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A year without 29 February: a season begins every year.
        format!("2025-{text}")
            .parse::<Date>()
            .ok()
            .filter(|_| text.len() == 5)
            .map(|date| MonthDay { month: date.month(), day: date.day() })
            .ok_or_else(|| {
                de::Error::custom(format_args!("{text:?} is not a month and a day like \"07-01\""))
            })
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || de::Error::custom(format_args!("{text:?} is not a date like \"2020-08-31\""));
        if !clock::is_date(text.as_bytes()) {
            return Err(wrong());
        }
        text.parse().map(Day).map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_has_its_days() {
        let season: Season =
            toml::from_str("begins = \"08-01\"\nends = \"07-31\"\nlate = { \"2019-20\" = \"2020-08-31\" }")
                .unwrap();
        let days = |text: &str| season.days(text).map(|(first, last)| format!("{first} {last}"));
        assert_eq!(days("2024-25").as_deref(), Some("2024-08-01 2025-07-31"));
        assert_eq!(days("1999-00").as_deref(), Some("1999-08-01 2000-07-31"));
        assert_eq!(days("2019-20").as_deref(), Some("2019-08-01 2020-08-31"));
        for wrong in ["2024-26", "24-25", "2024-25-26", "", "2024-5", "x"] {
            assert_eq!(days(wrong), None, "{wrong}");
        }
    }
}
