use std::collections::BTreeMap;
use std::time::Duration;

use clock::Date;
use raw_answers::Parameters;
use serde::Deserialize;

use crate::condition::{Condition, Rule};
use crate::extract::{Extract, Kind};
use crate::parameter::Each;
use crate::size::{Length, Size};
use crate::template::Template;

/// One source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The address; a source without one is files that somebody gives to `web-extract`.
    pub url: Option<Template>,
    /// What files that somebody gives are called: a regular expression whose named groups are their parameters.
    pub file: Option<String>,
    /// Files that lie beside them and are left out, and why.
    #[serde(default)]
    pub ignore: BTreeMap<String, String>,
    /// The method.
    #[serde(default)]
    pub method: Method,
    /// The JSON that is sent.
    pub body: Option<serde_json::Value>,
    /// The requests.
    #[serde(default)]
    pub each: Each,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The secret that goes with each request.
    pub secret: Option<SecretPlace>,
    /// Where redirects and further pages may lead, beside the host of the address.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Headers that are kept beside an answer.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Whether to ask only for what changed.
    #[serde(default = "yes")]
    pub conditional: bool,
    /// Whether `robots.txt` is obeyed.
    pub robots: Option<bool>,
    /// Who allowed to read pages whose site allows no robots in its terms.
    pub permission: Option<String>,
    /// How an answer goes on.
    pub pages: Option<Pages>,
    /// How the answer of a job is had.
    pub poll: Option<Poll>,
    /// What a whole answer holds.
    #[serde(default)]
    pub holds: Vec<Condition>,
    /// What answers are none.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// How much is enough.
    #[serde(default)]
    pub limits: Limits,
    /// What rows an answer holds.
    pub extract: Option<Extract>,
    /// `extract` as the file has it: equal texts make equal rows of equal answers.
    #[serde(skip)]
    pub extract_text: String,
}

fn yes() -> bool {
    true
}

/// The method of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    #[default]
    Get,
    /// POST.
    Post,
}

impl Method {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// Where a secret comes from, and where it goes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretPlace {
    /// The variable that holds it; with `_FILE` behind it, the variable that names a file.
    pub variable: String,
    /// The header.
    pub header: Option<String>,
    /// What stands before it there.
    #[serde(default)]
    pub prefix: String,
    /// The parameter of the address.
    pub query: Option<String>,
}

/// How an answer goes on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// The parameter of the address with the number of the page, from 1.
    pub number: Option<String>,
    /// How many pages there are: a pointer into the body.
    pub total: Option<String>,
    /// What to ask with next: a pointer into the body.
    pub cursor: Option<String>,
    /// The parameter of the address that takes it.
    pub parameter: Option<String>,
    /// The next address: a pointer into the body.
    pub next: Option<String>,
    /// Whether the next address stands in the header `Link`.
    #[serde(default)]
    pub link: bool,
    /// More pages than this are a mistake.
    #[serde(default = "most_pages")]
    pub most: u32,
}

fn most_pages() -> u32 {
    100
}

/// How the answer of a job is had.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// The job's name: a pointer into the first answer.
    pub id: String,
    /// Where to ask for it, with `{id}`.
    pub url: Template,
    /// When it is done.
    pub until: Condition,
    /// The pause between two questions.
    pub every: Length,
    /// After this long it is given up.
    pub most: Length,
}

/// How much is enough.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a body.
    pub body: Size,
    /// How many times longer than what was sent a body may be.
    pub ratio: u64,
    /// The time of a whole answer.
    pub timeout: Length,
    /// The longest wait for a turn, or where a service says "later".
    pub wait: Length,
    /// Requests of a run.
    pub requests: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body: Size(64 << 20),
            ratio: 200,
            timeout: Length(Duration::from_secs(120)),
            wait: Length(Duration::from_secs(360)),
            requests: 1000,
        }
    }
}

impl Source {
    /// Whether `robots.txt` is obeyed.
    pub fn obeys_robots(&self) -> bool {
        self.robots.unwrap_or(self.is_page())
    }

    /// Whether its answers are pages for people.
    pub fn is_page(&self) -> bool {
        self.extract.as_ref().is_some_and(|extract| extract.kind == Kind::Html)
    }

    /// The parameters of every request on a day.
    pub fn requests(&self, today: Date) -> Result<Vec<Parameters>, String> {
        self.each.on(today)
    }
}
