use std::collections::BTreeMap;

use clock::Date;
use jiff::ToSpan;
use raw_answers::{Parameter, Parameters};
use serde::Deserialize;

use crate::season::MonthDay;

/// The requests of a source.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Each {
    /// One a table.
    Tables(Vec<BTreeMap<String, Given>>),
    /// One a combination.
    Lists(BTreeMap<String, Vec<Given>>),
}

/// A parameter as the file gives it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Given {
    /// As it is.
    Value(Parameter),
    /// Today and so many days, as a date.
    Days {
        /// How many; before today they are negative.
        days: i32,
    },
    /// The year in which the season of today began, where seasons begin on this day.
    Year {
        /// Month and day.
        year: MonthDay,
    },
    /// The season of today, like `2025-26`.
    Years {
        /// Month and day on which it begins.
        years: MonthDay,
    },
    /// The season of today, like `2526`.
    ShortYears {
        /// Month and day on which it begins.
        short_years: MonthDay,
    },
}

impl Default for Each {
    fn default() -> Each {
        Each::Tables(vec![BTreeMap::new()])
    }
}

impl Given {
    /// Its value on a day.
    pub fn on(&self, today: Date) -> Result<Parameter, String> {
        Ok(match self {
            Given::Value(value) => value.clone(),
            Given::Days { days } => {
                let day =
                    today.checked_add(days.days()).map_err(|error| format!("days = {days}: {error}"))?;
                Parameter::Text(day.to_string())
            }
            Given::Year { year } => Parameter::Integer(year.year_of(today).into()),
            Given::Years { years } => {
                let begins = years.year_of(today);
                Parameter::Text(format!("{begins}-{:02}", (begins + 1).rem_euclid(100)))
            }
            Given::ShortYears { short_years } => {
                let begins = short_years.year_of(today);
                Parameter::Text(format!("{:02}{:02}", begins.rem_euclid(100), (begins + 1).rem_euclid(100)))
            }
        })
    }
}

impl Each {
    /// The parameters of every request on a day.
    pub fn on(&self, today: Date) -> Result<Vec<Parameters>, String> {
        match self {
            Each::Tables(tables) => tables
                .iter()
                .map(|table| table.iter().map(|(name, given)| Ok((name.clone(), given.on(today)?))).collect())
                .collect(),
            Each::Lists(lists) => {
                let mut all = vec![Parameters::new()];
                for (name, list) in lists {
                    let mut longer = Vec::with_capacity(all.len() * list.len());
                    for before in &all {
                        for given in list {
                            let mut parameters = before.clone();
                            parameters.insert(name.clone(), given.on(today)?);
                            longer.push(parameters);
                        }
                    }
                    all = longer;
                }
                Ok(all)
            }
        }
    }

    /// The names that every request has.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Each::Tables(tables) => {
                let first = tables.first().into_iter().flat_map(BTreeMap::keys);
                first
                    .filter(|name| tables.iter().all(|table| table.contains_key(*name)))
                    .map(String::as_str)
                    .collect()
            }
            Each::Lists(lists) => lists.keys().map(String::as_str).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn parameters_follow_the_day() {
        let each: BTreeMap<String, Each> = toml::from_str(
            r#"
            [[each]]
            from = { days = -3 }
            year = { year = "07-01" }
            season = { years = "07-01" }
            short = { short_years = "07-01" }
            "#,
        )
        .unwrap();
        let on = |day| {
            let all = each["each"].on(day).unwrap();
            all[0].values().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(on(date(2026, 7, 1)), "2026-06-28 2026-27 2627 2026");
        assert_eq!(on(date(2026, 6, 30)), "2026-06-27 2025-26 2526 2025");
        assert_eq!(on(date(1999, 12, 31)), "1999-12-28 1999-00 9900 1999");
    }

    #[test]
    fn lists_give_every_combination() {
        let each: BTreeMap<String, Each> =
            toml::from_str(r#"each = { a = ["x", "y"], b = [1, 2, 3] }"#).unwrap();
        assert_eq!(each["each"].on(date(2026, 1, 1)).unwrap().len(), 6);
    }
}
