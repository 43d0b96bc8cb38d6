use std::fmt::Write;

use diagnostics::{count, plural};
use metrics::Scores;
use model_file::{Algorithm, Block, Body, Compared, Model, Term};

/// The card of a model, as text.
pub(crate) fn card(model: &Model) -> String {
    let body = model.body();
    let mut out = String::new();
    // Writing to a string never fails.
    let _ = write_card(model, body, &mut out);
    out
}

fn write_card(model: &Model, body: &Body, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{}  (sha256 {}…)", model.id(), &model.sha256()[..12])?;
    for line in wrapped(&body.recipe.description, 100) {
        writeln!(out, "  {line}")?;
    }
    let unit = body.target.unit.as_deref().map_or_else(String::new, |unit| format!(", in {unit}"));
    let what = match model.classes() {
        [] if body.target.counted => format!("the mean of a count{unit}"),
        [] => format!("a number{unit}"),
        classes => format!("one of {}: {}", plural(classes.len() as u64, "class"), shortened(classes)),
    };
    writeln!(out, "\npredicts    {}, {what}", body.target.name)?;
    writeln!(out, "algorithm   {}", body.chosen())?;
    let data = &body.data;
    let newest =
        data.newest.as_deref().map_or_else(String::new, |newest| format!(", the newest of {newest}"));
    writeln!(out, "trained on  {} rows{newest}", count(data.rows_trained))?;
    match &body.walk_forward {
        None => writeln!(
            out,
            "held out    {} rows of {}",
            count(data.rows_held_out),
            plural(data.groups_held_out, "group")
        )?,
        Some(walked) => writeln!(
            out,
            "judged by   {} rows of {}, each predicted from what was known before (walk forward)",
            count(walked.rows),
            plural(walked.blocks.len() as u64, "block")
        )?,
    }
    for excluded in body.data.manifest.iter().flat_map(|manifest| &manifest.excluded) {
        writeln!(out, "left out    {}", excluded.reason)?;
    }
    match (&body.metrics.held_out, &body.metrics.baseline.held_out) {
        (Some(own), Some(baseline)) => {
            writeln!(out, "            {}", figures(own))?;
            writeln!(out, "            always {}: {}", always(model), figures(baseline))?;
        }
        _ => writeln!(out, "            nothing was measured on rows that it never saw")?,
    }
    if let Some(intervals) = &body.intervals {
        writeln!(
            out,
            "interval    ± {:.4} holds {:.1} % of {} answers ({} % wanted)",
            intervals.half_width,
            100.0 * intervals.measured,
            count(intervals.rows_measured),
            100.0 * intervals.coverage
        )?;
    }
    blocks(body, out)?;
    candidates(body, out)?;
    writeln!(out, "\n{:<26} {:<10} {:>12} {:>13}", "feature", "unit", "from", "to")?;
    for feature in &body.features {
        let unit = feature.unit.as_deref().unwrap_or("");
        let nulls = if feature.nulls { "  or null" } else { "" };
        if feature.categories.is_empty() {
            writeln!(out, "{:<26} {unit:<10} {:>12} {:>13}{nulls}", feature.name, feature.min, feature.max)?;
        } else {
            writeln!(out, "{:<26} {}{nulls}", feature.name, shortened(&feature.categories))?;
        }
    }
    terms(model, out)?;
    let warnings = body.comparison.iter().flat_map(|comparison| &comparison.warnings);
    for (at, warning) in warnings.enumerate() {
        writeln!(out, "{}warning: {warning}", if at == 0 { "\n" } else { "" })?;
    }
    Ok(())
}

/// What it is compared with.
pub(crate) fn always(model: &Model) -> &'static str {
    if model.classes().is_empty() { "the mean" } else { "the shares" }
}

/// Scores in a line.
pub(crate) fn figures(scores: &Scores) -> String {
    match scores {
        Scores::Regression(scores) => {
            let r2 = scores.r2.map_or_else(String::new, |r2| format!(", R2 {r2:.4}"));
            format!("RMSE {:.4}, MAE {:.4}{r2}", scores.rmse, scores.mae)
        }
        Scores::Classification(scores) => {
            format!(
                "log loss {:.4}, accuracy {:.4}, Brier {:.4}",
                scores.log_loss, scores.accuracy, scores.brier
            )
        }
        Scores::Count(scores) => {
            let d2 = scores.d2.map_or_else(String::new, |d2| format!(", D2 {d2:.4}"));
            format!("deviance {:.4}, RMSE {:.4}{d2}", scores.deviance, scores.rmse)
        }
    }
}

/// The blocks of a model that walked forward.
fn blocks(body: &Body, out: &mut String) -> std::fmt::Result {
    let Some(walked) = &body.walk_forward else { return Ok(()) };
    let measure = body.metrics.trained.measure();
    writeln!(out, "\n{:<24} {:>7} {measure:>9} {:>9}  algorithm", "block", "rows", "baseline")?;
    for block in &walked.blocks {
        let Block { name, rows, rows_fitted, error, baseline, .. } = block;
        writeln!(
            out,
            "{name:<24} {:>7} {error:>9.4} {baseline:>9.4}  {}, fitted on {} rows",
            count(*rows),
            block.chosen(),
            count(*rows_fitted)
        )?;
    }
    Ok(())
}

fn candidates(body: &Body, out: &mut String) -> std::fmt::Result {
    let Some(comparison) = body.comparison.as_ref().filter(|comparison| !comparison.folds.is_empty()) else {
        return Ok(());
    };
    let folds = plural(comparison.folds.len() as u64, "fold");
    writeln!(out, "\ncandidate        {} in {folds}", body.metrics.trained.measure())?;
    for (at, Compared { name, mean_error, standard_error, failed, settings, tuned, .. }) in
        comparison.candidates.iter().enumerate()
    {
        write!(out, "{name:<16} ")?;
        match (mean_error, standard_error, failed) {
            (Some(mean), Some(error), _) => write!(out, "{mean:.4} ± {error:.4}")?,
            (_, _, reason) => write!(out, "failed: {}", reason.as_deref().unwrap_or_default())?,
        }
        if !tuned.is_empty() {
            let settings: Vec<String> =
                settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
            write!(out, "  {}", settings.join(", "))?;
        }
        let mark = match (at == comparison.chosen, Some(at) == comparison.best) {
            (true, true) => "  <- the best",
            (true, false) => "  <- as good as the best, and simpler",
            _ => "",
        };
        writeln!(out, "{mark}")?;
    }
    Ok(())
}

/// The coefficients of a sum.
fn terms(model: &Model, out: &mut String) -> std::fmt::Result {
    let body = model.body();
    let target = match &body.algorithm {
        Algorithm::Log1p { .. } => format!("logarithm of 1 + {}", body.target.name),
        _ => body.target.name.clone(),
    };
    let planes: Vec<(String, f64, &[Term])> = match body.algorithm.fitted() {
        Algorithm::Linear { intercept, terms }
        | Algorithm::Ridge { intercept, terms, .. }
        | Algorithm::Lasso { intercept, terms, .. }
        | Algorithm::ElasticNet { intercept, terms, .. } => {
            vec![(target, *intercept, terms)]
        }
        Algorithm::Poisson { intercept, terms, .. } => {
            vec![(format!("logarithm of the mean of {}", body.target.name), *intercept, terms)]
        }
        Algorithm::Logistic { planes, .. } => {
            // Of two classes, the one plane is the second one's.
            let classes = &model.classes()[model.classes().len() - planes.len()..];
            let named = planes.iter().zip(classes);
            named
                .map(|(plane, class)| {
                    (format!("log odds of {class}"), plane.intercept, plane.terms.as_slice())
                })
                .collect()
        }
        _ => return Ok(()),
    };
    // A table of many planes is none.
    for (name, intercept, terms) in planes.into_iter().take(3) {
        writeln!(out, "\n{name} =")?;
        writeln!(out, "{intercept:>16.6}")?;
        for Term { feature, coefficient } in terms {
            writeln!(out, "{coefficient:>+16.6} x {}", column_name(body, *feature))?;
        }
    }
    Ok(())
}

/// What a prepared column is called.
pub(crate) fn column_name(body: &Body, column: usize) -> String {
    match body.preparation.get(column) {
        None => body.features[column].name.clone(),
        Some(prepared) => {
            let feature = &body.features[prepared.feature()];
            prepared.name(&feature.name, &feature.categories)
        }
    }
}

fn shortened(texts: &[String]) -> String {
    match texts {
        [first, second, third, .., last] if texts.len() > 8 => format!("{first}, {second}, {third} … {last}"),
        texts => texts.join(", "),
    }
}

/// Lines of whole words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
