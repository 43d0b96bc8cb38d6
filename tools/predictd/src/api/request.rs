//! A request, and what it says besides its rows.

use crate::api::response::{Response, problem};

/// A request, its body whole.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// In capitals, as HTTP writes it.
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    /// The header of that name.
    pub content_type: Option<&'a str>,
    /// The header of that name.
    pub accept: Option<&'a str>,
    /// Every byte.
    pub body: &'a [u8],
    /// What `GET /metrics` answers, where the transport measures anything.
    pub metrics: Option<&'a dyn Fn() -> String>,
    /// Whether the answer is still waited for, where the transport knows: asked between rows that take long.
    pub wanted: Wanted<'a>,
}

/// Whether an answer is still waited for; without anybody to ask, it is.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a>(pub Option<&'a (dyn Fn() -> bool + Sync)>);

impl Wanted<'_> {
    /// Fails when nobody waits any more, or the time is over.
    pub(crate) fn check(self) -> Result<(), Response> {
        match self.0.is_none_or(|is_wanted| is_wanted()) {
            true => Ok(()),
            false => Err(problem(503, "the answer took too long; send fewer rows, or try again")),
        }
    }
}

/// How the rows of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    Json,
    Csv {
        /// What RFC 4180's parameter `header` says; most clients say nothing.
        has_header: Option<bool>,
    },
}

/// By its media type, or why it is not read.
pub(crate) fn media_type(content_type: Option<&str>) -> Result<MediaType, Response> {
    let Some(content_type) = content_type else { return Ok(MediaType::Json) };
    let refused = || {
        let remedy = "send content-type: application/json, or none, or text/csv";
        problem(415, &format!("the body must be application/json or text/csv, in UTF-8 ({remedy})"))
    };
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let mut media_type = if kind.eq_ignore_ascii_case("application/json") {
        MediaType::Json
    } else if kind.eq_ignore_ascii_case("text/csv") {
        MediaType::Csv { has_header: None }
    } else {
        return Err(refused());
    };
    for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return Err(refused());
        }
        if let MediaType::Csv { has_header } = &mut media_type
            && name.eq_ignore_ascii_case("header")
        {
            *has_header = Some(!value.eq_ignore_ascii_case("absent"));
        }
    }
    Ok(media_type)
}

/// What the query asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QueryOptions {
    /// What each feature contributes.
    pub(crate) explain: bool,
    /// Not to be counted for drift, nor to be logged.
    pub(crate) trial: bool,
}

impl QueryOptions {
    /// Refuses what it does not know: a typo must not become a default.
    pub(crate) fn of(query: Option<&str>) -> Result<QueryOptions, Response> {
        let mut options = QueryOptions::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let option = match name {
                "explain" => &mut options.explain,
                "trial" => &mut options.trial,
                _ => {
                    return Err(problem(
                        400,
                        "the query may say explain=true and trial=true, and nothing else",
                    ));
                }
            };
            *option = match value {
                "true" => true,
                "false" => false,
                _ => return Err(problem(400, &format!("{name} in the query is neither true nor false"))),
            };
        }
        Ok(options)
    }
}

/// What is sent is UTF-8, or it is not read.
pub(crate) fn text(body: &[u8]) -> Result<&str, Response> {
    std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to() + 1;
        problem(400, &format!("the body is not UTF-8: byte {place} belongs to no character"))
    })
}

pub(crate) fn json_text(body: &[u8]) -> Result<&str, Response> {
    let text = text(body)?;
    match text.trim_ascii().is_empty() {
        true => Err(problem(400, "the body is empty; send a JSON object of fields, or an array of them")),
        false => Ok(text),
    }
}
