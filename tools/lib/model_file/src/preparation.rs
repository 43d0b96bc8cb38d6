use serde::{Deserialize, Serialize};

use crate::Feature;

/// One number that the algorithm sees, made from a row's features. A model without such columns sees the features as they come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "column", rename_all = "snake_case", deny_unknown_fields)]
pub enum Column {
    /// The feature's value, moved into limits.
    Number {
        /// Index into the body's features.
        feature: usize,
        /// What stands in for a null; without it a null stays one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        null: Option<f64>,
        /// Smaller values become this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<f64>,
        /// Larger values become this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<f64>,
        /// Taken off after that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean: Option<f64>,
        /// What is left is divided by this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deviation: Option<f64>,
    },
    /// 1 where the feature is null, 0 elsewhere.
    Missing {
        /// Index into the body's features.
        feature: usize,
    },
    /// 1 where the feature is this text, 0 elsewhere.
    Category {
        /// Index into the body's features.
        feature: usize,
        /// Index into the feature's categories.
        category: u32,
    },
    /// 1 where the feature is none of these texts, or null; 0 elsewhere.
    Other {
        /// Index into the body's features.
        feature: usize,
        /// Indices into the feature's categories.
        known: Vec<u32>,
    },
    /// The place of the feature's text among these, from 0; -1 where it is none of them, or null.
    Ordinal {
        /// Index into the body's features.
        feature: usize,
        /// Indices into the feature's categories.
        order: Vec<u32>,
    },
}

impl Column {
    /// Its number for a row of features; a null is NaN.
    pub fn of(&self, row: &[f64]) -> f64 {
        let place = |list: &[u32], x: f64| list.iter().position(|category| f64::from(*category) == x);
        match self {
            Column::Number { feature, null, low, high, mean, deviation } => {
                let mut x = row[*feature];
                if x.is_nan() {
                    x = null.unwrap_or(x);
                } else {
                    x = low.map_or(x, |low| x.max(low));
                    x = high.map_or(x, |high| x.min(high));
                }
                (x - mean.unwrap_or(0.0)) / deviation.unwrap_or(1.0)
            }
            Column::Missing { feature } => f64::from(u8::from(row[*feature].is_nan())),
            Column::Category { feature, category } => {
                f64::from(u8::from(row[*feature] == f64::from(*category)))
            }
            Column::Other { feature, known } => f64::from(u8::from(place(known, row[*feature]).is_none())),
            Column::Ordinal { feature, order } => {
                place(order, row[*feature]).map_or(-1.0, |place| place as f64)
            }
        }
    }

    /// The feature that it is made from.
    pub fn feature(&self) -> usize {
        match self {
            Column::Number { feature, .. }
            | Column::Missing { feature }
            | Column::Category { feature, .. }
            | Column::Other { feature, .. }
            | Column::Ordinal { feature, .. } => *feature,
        }
    }

    /// What it is called in messages, after the feature that it is made from.
    pub fn name(&self, feature: &str, categories: &[String]) -> String {
        match self {
            Column::Number { .. } | Column::Ordinal { .. } => feature.to_owned(),
            Column::Missing { .. } => format!("{feature} is null"),
            Column::Category { category, .. } => match categories.get(*category as usize) {
                Some(text) => format!("{feature} is {text:?}"),
                None => format!("{feature} is text {category}"),
            },
            Column::Other { .. } => format!("{feature} is another text"),
        }
    }

    pub(crate) fn check(&self, features: &[Feature]) -> Result<(), String> {
        let at = self.feature();
        let Some(feature) = features.get(at) else {
            return Err(format!("a column points at feature {at}, but there are {}", features.len()));
        };
        let named: &[u32] = match self {
            Column::Category { category, .. } => std::slice::from_ref(category),
            Column::Other { known: list, .. } | Column::Ordinal { order: list, .. } => list,
            Column::Number { .. } | Column::Missing { .. } => &[],
        };
        if let Some(category) = named.iter().find(|category| **category as usize >= feature.categories.len())
        {
            return Err(format!("a column names text {category} of feature {at}, which does not have it"));
        }
        if let Column::Number { null, low, high, mean, deviation, .. } = self {
            let numbers = [null, low, high, mean, deviation];
            if !numbers.into_iter().flatten().all(|number| number.is_finite()) {
                return Err(format!("a number of the column of feature {at} is not finite"));
            }
            if matches!((low, high), (Some(low), Some(high)) if low > high) {
                return Err(format!("the limits of the column of feature {at} are crossed"));
            }
            if deviation.is_some_and(|deviation| deviation <= 0.0) {
                return Err(format!("the deviation of the column of feature {at} is not above 0"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(categories: &[&str]) -> Feature {
        Feature {
            name: "x".to_owned(),
            unit: None,
            description: None,
            nulls: false,
            categories: categories.iter().map(|text| (*text).to_owned()).collect(),
            min: 0.0,
            max: 1.0,
        }
    }

    fn number(feature: usize, low: f64, high: f64) -> Column {
        let (low, high) = (Some(low), Some(high));
        Column::Number { feature, null: Some(7.0), low, high, mean: None, deviation: None }
    }

    #[test]
    fn nulls_and_limits() {
        let features = [feature(&[]), feature(&[])];
        let moved = number(1, 0.0, 9.0);
        let of = |x: f64| moved.of(&[0.0, x]);
        assert_eq!([of(f64::NAN), of(-1.0), of(4.0), of(99.0)], [7.0, 0.0, 4.0, 9.0]);
        assert_eq!(Column::Missing { feature: 0 }.of(&[f64::NAN]), 1.0);
        assert_eq!(Column::Missing { feature: 0 }.of(&[0.0]), 0.0);
        let plain = |deviation: Option<f64>| Column::Number {
            feature: 0,
            null: None,
            low: None,
            high: None,
            mean: Some(3.0),
            deviation,
        };
        assert!(plain(None).of(&[f64::NAN]).is_nan());
        assert_eq!(plain(Some(2.0)).of(&[7.0]), 2.0);
        assert!(plain(Some(0.0)).check(&features).unwrap_err().contains("not above 0"));
        assert!(moved.check(&features).is_ok());
        assert!(moved.check(&features[..1]).unwrap_err().contains("points at feature 1"));
        assert!(number(0, 2.0, 1.0).check(&features).unwrap_err().contains("crossed"));
    }

    #[test]
    fn texts() {
        let features = [feature(&["a", "b", "c"])];
        let of = |column: &Column| [-1.0, 0.0, 1.0, 2.0, f64::NAN].map(|x| column.of(&[x]));
        assert_eq!(of(&Column::Category { feature: 0, category: 1 }), [0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(of(&Column::Other { feature: 0, known: vec![0, 2] }), [1.0, 0.0, 1.0, 0.0, 1.0]);
        let ordinal = Column::Ordinal { feature: 0, order: vec![2, 0] };
        assert_eq!(of(&ordinal), [-1.0, 1.0, -1.0, 0.0, -1.0]);
        assert!(ordinal.check(&features).is_ok());
        let outside = Column::Category { feature: 0, category: 3 };
        assert!(outside.check(&features).unwrap_err().contains("text 3"));
        assert_eq!(features[0].place_of(b"c"), 2.0);
        assert_eq!(features[0].place_of(b"d"), -1.0);
    }
}
