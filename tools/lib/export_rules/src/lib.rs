#![doc = include_str!("../README.md")]

use std::path::Path;

use failure::{Failure, Outcome};
use recipe::Recipe;
use schema::{Export, Source};

/// What rows of an export are made by.
#[derive(Debug)]
pub struct Rules {
    /// The SELECT with `?` for its parameters, and which part of the partition stands at each; `None` where a table is
    /// exported.
    pub sql: Option<(String, Vec<usize>)>,
    /// Cleans the rows; `None` where they are exported as they are.
    pub recipe: Option<Recipe>,
    /// Hex sha256 of the rules.
    pub digest: String,
}

impl Rules {
    /// Reads what the export names, relative to the schema's file. A SELECT may read any view, so `views`, those that the
    /// database has with the digests of their SELECTs, are rules of its rows, too: one that was edited and not yet made
    /// changes nothing.
    pub fn load(schema: &Path, export: &Export, views: &[(String, String)]) -> Outcome<Rules> {
        let folder = schema.parent().unwrap_or(Path::new(""));
        let mut fingerprint = fingerprint::Fingerprint::new();
        let sql = match &export.source {
            Source::Table(table) => {
                fingerprint.add(format!("table {table}\n"));
                None
            }
            Source::Sql(file) => {
                let path = folder.join(file);
                let text = input_files::read_text(&path)?;
                let text = text.trim().trim_end_matches(';');
                fingerprint.add(format!("sql {}\n{text}\n", text.len()));
                for (name, sha256) in views {
                    fingerprint.add(format!("view {name} {sha256}\n"));
                }
                let at = |failure: Failure| failure.at(path.display());
                Some(export.bind(text).map_err(at)?)
            }
        };
        let recipe =
            export.clean.as_ref().map(|file| Recipe::load(&folder.join(file), input_files::read_text));
        let recipe = recipe.transpose()?;
        if let Some(recipe) = &recipe {
            fingerprint.add(recipe.cleaning_rules());
        }
        Ok(Rules { sql, recipe, digest: fingerprint.hex() })
    }
}
