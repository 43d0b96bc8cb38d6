use std::str::FromStr;

use manners::Failure;

use crate::Recipe;

impl FromStr for Recipe {
    type Err = Failure;

    /// Parses and validates. The failure (exit 78) says line and column where TOML knows them.
    fn from_str(text: &str) -> Result<Recipe, Failure> {
        let mut recipe: Recipe =
            toml::from_str(text).map_err(|error| Failure::config(explain(text, &error)))?;
        recipe.sha256 = fingerprint::of(text);
        recipe.validate()?;
        Ok(recipe)
    }
}

fn explain(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let message = suggestion(message).map_or_else(|| message.to_owned(), |near| format!("{message}; {near}"));
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

/// serde says "unknown field `requred`, expected one of `required`, …" (or "expected `a` or `b`"): name the nearest.
fn suggestion(message: &str) -> Option<String> {
    let (_, rest) =
        message.split_once("unknown field `").or_else(|| message.split_once("unknown variant `"))?;
    let (wrong, expected) = rest.split_once('`')?;
    let known = expected.split('`').skip(1).step_by(2);
    nearest(wrong, known).map(|near| format!("did you mean `{near}`?"))
}

/// The name most like `wrong`, if any is like it.
pub(crate) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
