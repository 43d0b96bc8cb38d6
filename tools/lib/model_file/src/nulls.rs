//! Rows with nulls: NaN in memory, `null` in JSON, which has no NaN.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(row: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    let row: Vec<Option<f64>> = row.iter().map(|value| (!value.is_nan()).then_some(*value)).collect();
    row.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let row = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(row.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}
