use serde::{Deserialize, Serialize};

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
    },
    /// 1 where the feature is null, 0 elsewhere.
    Missing {
        /// Index into the body's features.
        feature: usize,
    },
}

impl Column {
    /// Its number for a row of features; a null is NaN.
    pub fn of(&self, row: &[f64]) -> f64 {
        match *self {
            Column::Number { feature, null, low, high } => {
                let x = row[feature];
                if x.is_nan() {
                    return null.unwrap_or(x);
                }
                let x = low.map_or(x, |low| x.max(low));
                high.map_or(x, |high| x.min(high))
            }
            Column::Missing { feature } => f64::from(u8::from(row[feature].is_nan())),
        }
    }

    /// The feature that it is made from.
    pub fn feature(&self) -> usize {
        match *self {
            Column::Number { feature, .. } | Column::Missing { feature } => feature,
        }
    }

    pub(crate) fn check(&self, features: usize) -> Result<(), String> {
        if self.feature() >= features {
            return Err(format!("a column points at feature {}, but there are {features}", self.feature()));
        }
        if let Column::Number { null, low, high, .. } = self {
            let numbers = [null, low, high];
            if !numbers.into_iter().flatten().all(|number| number.is_finite()) {
                return Err(format!("a number of the column of feature {} is not finite", self.feature()));
            }
            if matches!((low, high), (Some(low), Some(high)) if low > high) {
                return Err(format!("the limits of the column of feature {} are crossed", self.feature()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Column;

    #[test]
    fn nulls_and_limits() {
        let number = Column::Number { feature: 1, null: Some(7.0), low: Some(0.0), high: Some(9.0) };
        let of = |x: f64| number.of(&[0.0, x]);
        assert_eq!([of(f64::NAN), of(-1.0), of(4.0), of(99.0)], [7.0, 0.0, 4.0, 9.0]);
        assert_eq!(Column::Missing { feature: 0 }.of(&[f64::NAN]), 1.0);
        assert_eq!(Column::Missing { feature: 0 }.of(&[0.0]), 0.0);
        assert!(Column::Number { feature: 0, null: None, low: None, high: None }.of(&[f64::NAN]).is_nan());
        assert!(number.check(2).is_ok());
        assert!(number.check(1).is_err());
        assert!(Column::Number { feature: 0, null: None, low: Some(2.0), high: Some(1.0) }.check(1).is_err());
    }
}
