use std::path::Path;

use failure::{Failure, Outcome};
use recipe::Recipe;
use serde::Deserialize;

/// Which events the problem is about: the recipe's `[source]`, overridden by flags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// Must be `datagolf`: another program fetches other sources.
    #[serde(default)]
    kind: Option<String>,
    /// Only this tour.
    #[serde(default)]
    pub(crate) tour: Option<String>,
    /// Only events with every stat.
    #[serde(default)]
    pub(crate) full_stats: bool,
}

impl Source {
    pub(crate) fn read(recipe: Option<&Path>, tour: Option<String>, full_stats: bool) -> Outcome<Source> {
        let mut source = match recipe {
            None => Source::default(),
            Some(path) => {
                let at = |failure: Failure| failure.at(path.display());
                let recipe = Recipe::load(path, input_files::read_text)?;
                let source = Source::deserialize(recipe.source)
                    .map_err(|error| at(Failure::config(format!("[source]: {}", error.message()))))?;
                if source.kind.as_deref().is_some_and(|kind| kind != "datagolf") {
                    return Err(at(Failure::config(
                        "[source] kind is not \"datagolf\": another program fetches it",
                    )));
                }
                source
            }
        };
        source.tour = tour.or(source.tour);
        source.full_stats |= full_stats;
        Ok(source)
    }
}
