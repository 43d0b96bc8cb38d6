//! What a request says besides its body.

use crate::core::Response;
use crate::problem::problem;

/// How the rows of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Csv {
        /// What RFC 4180's parameter `header` says; most clients say nothing.
        has_header: Option<bool>,
    },
}

/// By its media type, or why it is not read.
pub(crate) fn form(content_type: Option<&str>) -> Result<Form, Response> {
    let Some(content_type) = content_type else { return Ok(Form::Json) };
    let refused = || {
        let remedy = "send content-type: application/json, or none, or text/csv";
        problem(415, &format!("the body must be application/json or text/csv, in UTF-8 ({remedy})"))
    };
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let mut form = if kind.eq_ignore_ascii_case("application/json") {
        Form::Json
    } else if kind.eq_ignore_ascii_case("text/csv") {
        Form::Csv { has_header: None }
    } else {
        return Err(refused());
    };
    for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return Err(refused());
        }
        if let Form::Csv { has_header } = &mut form
            && name.eq_ignore_ascii_case("header")
        {
            *has_header = Some(!value.eq_ignore_ascii_case("absent"));
        }
    }
    Ok(form)
}

/// What the query asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    /// What each feature contributes.
    pub(crate) explain: bool,
    /// Not to be counted for drift, nor to be logged.
    pub(crate) trial: bool,
}

impl Wishes {
    /// Refuses what it does not know: a typo must not become a default.
    pub(crate) fn of(query: Option<&str>) -> Result<Wishes, Response> {
        let mut wishes = Wishes::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let wish = match name {
                "explain" => &mut wishes.explain,
                "trial" => &mut wishes.trial,
                _ => {
                    return Err(problem(
                        400,
                        "the query may say explain=true and trial=true, and nothing else",
                    ));
                }
            };
            *wish = match value {
                "true" => true,
                "false" => false,
                _ => return Err(problem(400, &format!("{name} in the query is neither true nor false"))),
            };
        }
        Ok(wishes)
    }
}
