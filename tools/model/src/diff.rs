use std::fmt::Write;

use diagnostics::count;
use model_file::Model;

use crate::show::{column_name, figures};

/// What two models differ in, a line each; a line that says so if nothing does.
pub(crate) fn differences(first: &Model, second: &Model) -> String {
    let mut out = String::new();
    let (one, other) = (first.body(), second.body());
    let mut line = |what: &str, one: String, other: String| {
        if one != other {
            // Writing to a string never fails.
            let _ = writeln!(out, "{what}\n  - {one}\n  + {other}");
        }
    };
    line("training key", one.training_key.clone(), other.training_key.clone());
    line("made by", one.made_by.clone(), other.made_by.clone());
    line("recipe", one.recipe.name.clone(), other.recipe.name.clone());
    line(
        "training sections of the recipe",
        one.recipe.training_sections_sha256.clone(),
        other.recipe.training_sections_sha256.clone(),
    );
    line("data", one.data.sha256.clone(), other.data.sha256.clone());
    line("rows trained on", count(one.data.rows_trained), count(other.data.rows_trained));
    line("rows held out", count(one.data.rows_held_out), count(other.data.rows_held_out));
    let newest = |model: &Model| model.body().data.newest.clone().unwrap_or_else(|| "none".to_owned());
    line("newest row", newest(first), newest(second));
    line("target", one.target.name.clone(), other.target.name.clone());
    line("classes", one.target.classes.join(", "), other.target.classes.join(", "));
    let names = |model: &Model| {
        let features = model.body().features.iter().map(|feature| feature.name.clone());
        features.collect::<Vec<_>>().join(", ")
    };
    line("features", names(first), names(second));
    let columns = |model: &Model| {
        let body = model.body();
        let columns = 0..body.preparation.len();
        columns.map(|column| column_name(body, column)).collect::<Vec<_>>().join(", ")
    };
    line("prepared columns", columns(first), columns(second));
    line("algorithm", one.chosen(), other.chosen());
    let held_out =
        |model: &Model| model.body().metrics.held_out.as_ref().map_or_else(|| "none".to_owned(), figures);
    // Each on its own held-out rows: only `score --against` compares.
    line("own held-out figures (score --against compares)", held_out(first), held_out(second));
    if first.sha256() == second.sha256() {
        return "the same model\n".to_owned();
    }
    if out.is_empty() { "the fitted numbers only\n".to_owned() } else { out }
}
