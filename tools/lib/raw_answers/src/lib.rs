#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Serialize};

/// The version of [`Answer`].
pub const ANSWER_V1: &str = "fairway.answer/1";

/// The version of [`Sidecar`].
pub const SIDECAR_V1: &str = "fairway.sidecar/1";

/// Below this prefix answers are kept.
pub const PREFIX: &str = "raw/";

/// What a sidecar's key ends with; bodies have no such name.
pub const SIDECAR_SUFFIX: &str = ".json";

/// What a request was about, by name.
pub type Parameters = BTreeMap<String, Parameter>;

/// One value of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parameter::Integer(value) => write!(f, "{value}"),
            Parameter::Text(value) => f.write_str(value),
        }
    }
}

/// An answer with its bodies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// [`ANSWER_V1`].
    pub v: String,
    /// Whose answer it is.
    pub source: String,
    /// What was asked.
    pub parameters: Parameters,
    /// The key of its sidecar.
    pub raw: String,
    /// The address, without secrets.
    pub url: String,
    /// When it was fetched, as RFC 3339.
    pub fetched_at: String,
    /// The status of HTTP.
    pub status: u16,
    /// The headers that are kept, by names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The digest of the body.
    pub sha256: String,
    /// The body.
    #[serde(flatten)]
    pub body: Body,
    /// Further pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Page>,
}

/// A further page of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The address, without secrets.
    pub url: String,
    /// The digest of the body.
    pub sha256: String,
    /// The body.
    #[serde(flatten)]
    pub body: Body,
}

/// A body: text where it is UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// UTF-8.
    #[serde(rename = "body")]
    Text(String),
    /// Other bytes, in base 64.
    #[serde(rename = "body_base64")]
    Base64(String),
}

impl Body {
    /// A body of these bytes.
    pub fn of(bytes: Vec<u8>) -> Body {
        match String::from_utf8(bytes) {
            Ok(text) => Body::Text(text),
            Err(error) => Body::Base64(BASE64_STANDARD.encode(error.as_bytes())),
        }
    }

    /// The bytes; `None` where they are not base 64.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Body::Text(text) => Some(text.into_bytes()),
            Body::Base64(text) => BASE64_STANDARD.decode(text).ok(),
        }
    }
}

/// What is kept beside a body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    /// [`SIDECAR_V1`].
    pub v: String,
    /// Whose answer it is.
    pub source: String,
    /// What was asked.
    pub parameters: Parameters,
    /// The method of HTTP.
    pub method: String,
    /// The address, without secrets.
    pub url: String,
    /// The digest of method, address, headers and body of the request, without secrets and conditions.
    pub request_sha256: String,
    /// When it was fetched: UTC with milliseconds.
    pub fetched_at: String,
    /// The status of HTTP.
    pub status: u16,
    /// The headers that are kept, by names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The digest of the body.
    pub sha256: String,
    /// How long the body is.
    pub size_bytes: u64,
    /// Further pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<KeptPage>,
}

/// A further page of a kept answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptPage {
    /// The address, without secrets.
    pub url: String,
    /// The digest of the body.
    pub sha256: String,
    /// How long the body is.
    pub size_bytes: u64,
}

impl Sidecar {
    /// Its key.
    pub fn key(&self) -> String {
        let time: String = self.fetched_at.chars().filter(|c| *c != ':').collect();
        let request = self.request_sha256.get(..8).unwrap_or_default();
        format!("{}{time}_{request}{SIDECAR_SUFFIX}", self.folder())
    }

    /// The key of a body.
    pub fn body_key(&self, sha256: &str) -> String {
        format!("{}{sha256}", self.folder())
    }

    /// The digests of its bodies, in the order of the pages.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.sha256.as_str()).chain(self.more.iter().map(|page| page.sha256.as_str()))
    }

    fn folder(&self) -> String {
        format!("{PREFIX}{}/{}/", self.source, self.fetched_at.get(..7).unwrap_or_default())
    }

    /// Reads a sidecar, and checks that it is the one of this key.
    pub fn read(key: &str, bytes: &[u8]) -> Result<Sidecar, String> {
        let sidecar: Sidecar =
            serde_json::from_slice(bytes).map_err(|error| format!("not a sidecar: {error}"))?;
        if sidecar.v != SIDECAR_V1 {
            return Err(format!("version {:?}, but this program reads {SIDECAR_V1:?}", sidecar.v));
        }
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !sidecar.digests().all(is_digest) {
            return Err("a digest in it is not one".to_owned());
        }
        if sidecar.key() != key {
            return Err(format!("it is the sidecar of {}", sidecar.key()));
        }
        Ok(sidecar)
    }

    /// The answer, with the bodies of its pages in their order.
    pub fn answer(self, bodies: impl IntoIterator<Item = Vec<u8>>) -> Answer {
        let raw = self.key();
        let mut bodies = bodies.into_iter().map(Body::of);
        let mut next = || bodies.next().unwrap_or_else(|| Body::Text(String::new()));
        Answer {
            v: ANSWER_V1.to_owned(),
            raw,
            source: self.source,
            parameters: self.parameters,
            url: self.url,
            fetched_at: self.fetched_at,
            status: self.status,
            headers: self.headers,
            sha256: self.sha256,
            body: next(),
            more: self
                .more
                .into_iter()
                .map(|page| Page { url: page.url, sha256: page.sha256, body: next() })
                .collect(),
        }
    }
}
