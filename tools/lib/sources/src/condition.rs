use serde::Deserialize;
use serde_json::Value;

use crate::Length;
use crate::template::Template;

/// What may be true of an answer: all that it names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The status.
    pub status: Option<Statuses>,
    /// There is a header of this name.
    pub header: Option<String>,
    /// This stands in the body.
    pub text: Option<Template>,
    /// There is something at this pointer (RFC 6901) of the body's JSON: neither null, false, nor empty.
    pub json: Option<String>,
    /// And it is this, as text.
    pub equals: Option<Template>,
}

/// One status, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Statuses {
    /// This one.
    One(u16),
    /// One of these.
    Some(Vec<u16>),
}

impl Statuses {
    /// Whether a status is among them.
    pub fn contain(&self, status: u16) -> bool {
        match self {
            Statuses::One(one) => *one == status,
            Statuses::Some(some) => some.contains(&status),
        }
    }
}

/// What a condition makes of an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// As in [`Condition`].
    pub status: Option<Statuses>,
    /// As in [`Condition`].
    pub header: Option<String>,
    /// As in [`Condition`].
    pub text: Option<Template>,
    /// As in [`Condition`].
    pub json: Option<String>,
    /// As in [`Condition`].
    pub equals: Option<Template>,
    /// What the answer is then.
    pub is: Is,
    /// Where the time to wait stands.
    pub wait: Option<Wait>,
    /// What to say to the user.
    pub say: Option<String>,
}

impl Rule {
    /// When it counts.
    pub fn condition(&self) -> Condition {
        Condition {
            status: self.status.clone(),
            header: self.header.clone(),
            text: self.text.clone(),
            json: self.json.clone(),
            equals: self.equals.clone(),
        }
    }
}

/// What an answer is that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Is {
    /// The service says "later".
    Later,
    /// Credentials are refused, or robots are.
    Refused,
    /// The request makes no sense to the service.
    Wrong,
}

/// Where the time to wait stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Wait {
    /// Here.
    Length(Length),
    /// In a header: seconds, a date of HTTP, or seconds since 1970.
    Header {
        /// Its name.
        header: String,
    },
    /// In the words of the body: `Wait {} seconds`.
    Words {
        /// The words around the number; the unit follows from them.
        words: String,
    },
}

/// Whether there is something in a value.
pub(crate) fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

impl Condition {
    /// Whether anything is named.
    pub fn is_empty(&self) -> bool {
        self.status.is_none() && self.header.is_none() && self.text.is_none() && self.json.is_none()
    }

    /// Whether it takes the body's JSON to tell.
    pub fn looks_into_json(&self) -> bool {
        self.json.is_some()
    }

    /// Whether it is true of an answer; an error where a template names what the request does not have.
    pub fn holds(
        &self,
        status: u16,
        has_header: impl Fn(&str) -> bool,
        body: &[u8],
        json: Option<&Value>,
        parameters: &raw_answers::Parameters,
    ) -> Result<bool, String> {
        if self.status.as_ref().is_some_and(|statuses| !statuses.contain(status)) {
            return Ok(false);
        }
        if self.header.as_ref().is_some_and(|name| !has_header(name)) {
            return Ok(false);
        }
        if let Some(text) = &self.text {
            let text = text.fill(parameters)?;
            if !contains(body, text.as_bytes()) {
                return Ok(false);
            }
        }
        let Some(pointer) = &self.json else { return Ok(true) };
        let Some(found) = json.and_then(|json| json.pointer(pointer)) else { return Ok(false) };
        match &self.equals {
            None => Ok(is_something(found)),
            Some(wanted) => Ok(shown(found) == wanted.fill(parameters)?),
        }
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

/// A value of JSON as texts are compared with it.
pub(crate) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
