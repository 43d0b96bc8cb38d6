use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use raw_answers::{Parameter, Parameters};
use serde::de::{self, Deserialize, Deserializer};
use serde_json::Value;

/// A text with the names of parameters in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

/// What a parameter's value keeps in an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Template {
    /// Reads a template.
    pub fn new(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let end = rest[at..].find('}').filter(|_| rest[at..].starts_with('{'));
            let name = end.map(|end| &rest[at + 1..at + end]).filter(|name| is_name(name));
            let (Some(name), Some(end)) = (name, end) else {
                return Err(format!("{text:?}: a brace is not around the name of a parameter"));
            };
            parts.push(Part::Text(rest[..at].to_owned()));
            parts.push(Part::Name(name.to_owned()));
            rest = &rest[at + end + 1..];
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Template { text: text.to_owned(), parts })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Name(name) = part { Some(name.as_str()) } else { None })
    }

    /// The text with values, as they are.
    pub fn fill(&self, values: &Parameters) -> Result<String, String> {
        self.filled(values, |value| value)
    }

    /// The text with values that are percent-encoded.
    pub fn fill_address(&self, values: &Parameters) -> Result<String, String> {
        self.filled(values, |value| utf8_percent_encode(&value, PLAIN).to_string())
    }

    fn filled(&self, values: &Parameters, write: impl Fn(String) -> String) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Name(name) => text.push_str(&write(value(values, name, &self.text)?.to_string())),
            }
        }
        Ok(text)
    }
}

fn value<'a>(values: &'a Parameters, name: &str, text: &str) -> Result<&'a Parameter, String> {
    values.get(name).ok_or_else(|| format!("{text:?}: the request has no parameter {name:?}"))
}

/// Whether a text can be the name of a parameter.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// JSON with values: a text that is one name in braces becomes the value, with its type; texts with braces in them stay
/// as they are elsewhere, for JSON's own languages use them.
pub fn in_json(body: &Value, values: &Parameters) -> Result<Value, String> {
    Ok(match body {
        Value::String(text) => {
            let name =
                text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|name| is_name(name));
            match name {
                Some(name) => match value(values, name, text)? {
                    Parameter::Integer(value) => Value::from(*value),
                    Parameter::Text(value) => Value::from(value.as_str()),
                },
                None => body.clone(),
            }
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| in_json(item, values)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, item)| Ok((name.clone(), in_json(item, values)?)))
                .collect::<Result<_, String>>()?,
        ),
        other => other.clone(),
    })
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
        Template::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_names_do() {
        let values = Parameters::from([
            ("team".to_owned(), Parameter::Text("Nott'm & Co/é".to_owned())),
            ("year".to_owned(), Parameter::Integer(2025)),
        ]);
        let template = Template::new("https://x.org/{team}?y={year}").unwrap();
        assert_eq!(
            template.fill_address(&values).unwrap(),
            "https://x.org/Nott%27m%20%26%20Co%2F%C3%A9?y=2025"
        );
        assert!(Template::new("{gone}").unwrap().fill(&values).is_err());
        for wrong in ["a{b", "a}b", "{}", "{A b}"] {
            assert!(Template::new(wrong).is_err(), "{wrong}");
        }
        let body = serde_json::json!({ "query": "{ a { b } }", "y": ["{year}", "{team}"] });
        let filled = in_json(&body, &values).unwrap();
        assert_eq!(filled, serde_json::json!({ "query": "{ a { b } }", "y": [2025, "Nott'm & Co/é"] }));
    }
}
