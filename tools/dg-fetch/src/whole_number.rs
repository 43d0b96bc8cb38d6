use schema::Value;
use serde::de::{self, Deserialize, Deserializer};

/// An integer that may come as text: `event_id` does in one endpoint and not in the other.
pub(crate) struct WholeNumber(pub(crate) i64);

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WholeNumber, D::Error> {
        whole_number(deserializer).map(WholeNumber)
    }
}

pub(crate) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Integer(value) => Some(value),
        Value::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(value as i64),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Number(_) | Value::Null => None,
    };
    number.ok_or_else(|| de::Error::custom("expected a whole number"))
}

pub(crate) fn maybe_whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    Ok(Option::<WholeNumber>::deserialize(deserializer)?.map(|number| number.0))
}
