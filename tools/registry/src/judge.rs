use std::io::BufReader;
use std::path::PathBuf;

use ::evaluation::{Against, Resampling, Rows, Which, verdicts};
use failure::{Failure, IoContext, Outcome};
use model_file::Model;
use recipe::{Gate, Recipe, Verdict};
use rows::{Ending, Table};

/// Resamples for the test that a comparison's verdict shows; intervals are not shown.
const RESAMPLING: Resampling = Resampling { samples: 1, seed: 1 };

/// What a model has to keep.
pub(crate) struct Judge {
    gates: Vec<Gate>,
    /// Rows to ask the gates with.
    rows: Option<PathBuf>,
}

impl Judge {
    /// The gates of the recipe, if there are rows to ask them with. `is_named`: somebody named the recipe here, and so
    /// means its gates.
    pub(crate) fn new(recipe: Option<&Recipe>, is_named: bool, rows: Option<PathBuf>) -> Outcome<Judge> {
        match (recipe, &rows) {
            (None, Some(_)) => {
                Err(Failure::usage("--rows: name the recipe whose gates are asked with them (--recipe)"))
            }
            (Some(recipe), None) if is_named && !recipe.gates.is_empty() => {
                Err(Failure::usage("--recipe: its gates have to be asked with rows (--rows)"))
            }
            (Some(recipe), Some(_)) => Ok(Judge { gates: recipe.gates.clone(), rows }),
            (_, None) => Ok(Judge { gates: Vec::new(), rows }),
        }
    }

    /// Whether a model may serve. It must have been measured on rows that it never saw, and beat always predicting the mean, or the shares of the
    /// classes, there; and the gates must hold, some of which compare it with the approved one.
    pub(crate) fn verdicts(&self, model: &Model, approved: Option<&Model>) -> Outcome<Vec<Verdict>> {
        let mut all = own_word(model);
        if failed(&all).is_some() {
            // Where nothing was held out, there is nothing to ask the gates with.
            return Ok(all);
        }
        if let Some(path) = self.rows.as_ref().filter(|_| !self.gates.is_empty()) {
            let name = path.display().to_string();
            let approved = approved.map(Against::Model);
            let rows = if model.body().walk_forward.is_some() {
                let text = input_files::read(path).place(&name)?;
                all.push(as_it_ships(model, &name, &text)?);
                fit::walked_rows(model, approved, &name, &text)?
            } else {
                let file = BufReader::new(input_files::open(path).place(&name)?);
                let table = Table::open(name, file, Ending::Terminated)?;
                Rows::read(model, approved, table, Which::HeldOut)?
            };
            all.extend(verdicts(&self.gates, &rows, RESAMPLING));
        }
        Ok(all)
    }
}

/// By what the model says of itself.
fn own_word(model: &Model) -> Vec<Verdict> {
    let metrics = &model.body().metrics;
    let (Some(own), Some(baseline)) = (&metrics.held_out, &metrics.baseline.held_out) else {
        return vec![Verdict { rule: "it was measured on held-out rows".to_owned(), passed: false }];
    };
    vec![Verdict {
        rule: format!(
            "held-out {} {:.6} is below the baseline's {:.6}",
            own.measure(),
            own.error(),
            baseline.error()
        ),
        passed: own.error() < baseline.error(),
    }]
}

/// Blocks judge how a model is made, and not what was made: that, too, is held against the rows, which it was fitted on.
fn as_it_ships(model: &Model, name: &str, rows: &[u8]) -> Outcome<Verdict> {
    let rows = Rows::read(model, None, Table::open(name, rows, Ending::Terminated)?, Which::All)?;
    let report = rows.report(Resampling { samples: 0, ..RESAMPLING });
    let line = report.lines.first();
    let values = line.and_then(|line| Some((line.metric, line.model?, line.baseline?)));
    let (metric, own, baseline) = values.unwrap_or(("error", f64::NAN, f64::NAN));
    Ok(Verdict {
        rule: format!("as it ships, {metric} {own:.6} on the rows is below the baseline's {baseline:.6}"),
        passed: own < baseline,
    })
}

/// The rules that failed, in words.
pub(crate) fn failed(verdicts: &[Verdict]) -> Option<String> {
    let rules: Vec<&str> =
        verdicts.iter().filter(|verdict| !verdict.passed).map(|verdict| verdict.rule.as_str()).collect();
    (!rules.is_empty()).then(|| format!("these rules do not hold: {}", rules.join("; ")))
}

/// Whether `model` was trained on older data than the approved one: then the approved one stays.
pub(crate) fn is_superseded(model: &Model, approved: &Model) -> bool {
    let same_problem = model.body().recipe.name == approved.body().recipe.name;
    match (&model.body().data.newest, &approved.body().data.newest) {
        (Some(own), Some(theirs)) => same_problem && own < theirs,
        _ => false,
    }
}
