//! One page of HTML that needs nothing else.

use std::fmt::Write;
use std::io::BufReader;
use std::path::Path;

use diagnostics::{count, plural};
use evaluation::{Line, Report, Resampling, Rows, Which};
use failure::{IoContext, Outcome};
use metrics::Confusion;
use model_file::{Comparison, Model};
use page::chart::{self, Axes, label, range};
use page::{Page, figure, html, tenths};
use rows::{Ending, Table};

use crate::probe::{self, Dependence, Probe};
use crate::scores::{self, Scores};
use crate::show::always;

/// Points in a picture: more are one blot, and a page of megabytes.
const POINTS: usize = 1_500;

/// Classes that each have a curve.
const MOST_CURVES: usize = 6;

/// Bins of residuals.
const BARS: usize = 30;

/// The page for a model, from the held-out rows of a CSV.
pub(crate) fn page(model: &Model, path: &Path, seed: u64) -> Outcome<String> {
    let name = path.display().to_string();
    let which = which(model);
    let rows = if model.body().walk_forward.is_some() {
        fit::walked_rows(model, None, &name, &input_files::read(path).place(&name)?)?
    } else {
        let file = BufReader::new(input_files::open(path).place(&name)?);
        Rows::read(model, None, Table::open(name.clone(), file, Ending::Terminated)?, which)?
    };
    let report = rows.report(Resampling { samples: 1_000, seed });
    let confusion = rows.confusion();
    let said_and_right = rows.said_and_right();
    let of_classes = classes_alone(model, &rows);
    let scores = scores::scores(model, path, rows.places(), &said_and_right)?;
    drop(rows);
    let probe = Probe::read(model, path, which)?;
    let body = model.body();
    let mut card = Card { model, page: Page::new(&model.id(), &body.recipe.description, &facts(model)) };
    card.figures(&report);
    card.warnings();
    card.blocks()?;
    card.candidates();
    match &confusion {
        None => card.numbers(&said_and_right)?,
        Some(confusion) => card.classes(said_and_right, of_classes, confusion)?,
    }
    if let Some(scores) = &scores {
        card.scores(scores)?;
    }
    card.importances(&probe.permutation_importance(seed), probe::gain(model).as_deref(), &report);
    card.dependences(&probe.dependences())?;
    card.features();
    Ok(card.page.finish())
}

/// Of each class its probability and 1 if it is the right one, row by row; nothing where the classes are many.
fn classes_alone(model: &Model, rows: &Rows) -> Vec<Vec<(f64, f64)>> {
    let classes = model.classes().len();
    let drawn = if classes <= MOST_CURVES { classes } else { 0 };
    (0..drawn).map(|class| rows.probability_and_right(class)).collect()
}

/// What stands under the title.
fn facts(model: &Model) -> Vec<(&'static str, String)> {
    let body = model.body();
    let unit = body.target.unit.as_deref().map_or_else(String::new, |unit| format!(" ({unit})"));
    let newest = body.data.newest.as_deref();
    let newest = newest.map_or_else(String::new, |newest| format!(", the newest of {newest}"));
    let judged = match &body.walk_forward {
        None => (
            "held out",
            format!(
                "{} rows of {}, which it never saw",
                count(body.data.rows_held_out),
                plural(body.data.groups_held_out, "group")
            ),
        ),
        Some(walked) => (
            "judged by",
            format!(
                "{} rows of {}, each predicted from what was known before",
                count(walked.rows),
                plural(walked.blocks.len() as u64, "block")
            ),
        ),
    };
    vec![
        ("predicts", format!("{}{unit}", body.target.name)),
        ("algorithm", body.chosen()),
        ("trained on", format!("{} rows{newest}", count(body.data.rows_trained))),
        judged,
        ("sha256", model.sha256().to_owned()),
    ]
}

/// The held-out rows; those it was fitted on, if none was held out.
fn which(model: &Model) -> Which {
    if model.body().data.rows_held_out > 0 { Which::HeldOut } else { Which::All }
}

struct Card<'a> {
    model: &'a Model,
    page: Page,
}

impl Card<'_> {
    /// The rows that judge it.
    fn judging(&self) -> &'static str {
        match which(self.model) {
            _ if self.model.body().walk_forward.is_some() => "Rows of the blocks",
            Which::HeldOut => "Held-out rows",
            _ => "Rows that it was fitted on",
        }
    }

    /// The rows in which features are changed.
    fn probed(&self) -> &'static str {
        match which(self.model) {
            Which::HeldOut => "the held-out rows",
            _ => "the rows that it was fitted on",
        }
    }

    fn figures(&mut self, report: &Report) {
        let seen = if self.model.body().walk_forward.is_some() {
            "that were each predicted from what was known before, by week"
        } else if which(self.model) == Which::HeldOut {
            "that it never saw"
        } else {
            "that it was fitted on, for none was held out: trust none of this"
        };
        self.page.heading(
            "How good it is",
            &format!(
                "On {} of {} {seen}. Between low and high lie 95 % of 1,000 resamples of whole groups; the baseline always predicts {}.",
                plural(report.rows, "row"),
                plural(report.groups, "group"),
                always(self.model)
            ),
        );
        let row = |line: &Line| {
            let (low, high) = line.interval.unzip();
            let cells = [line.model, low, high, line.baseline].map(figure);
            let mut row = vec![line.metric.replace('_', " ")];
            row.extend(cells);
            (row, false)
        };
        let rows: Vec<_> = report.lines.iter().filter(|line| line.model.is_some()).map(row).collect();
        self.page.table(&["metric", "model", "low", "high", "baseline"], &rows, false);
        if let Some(intervals) = &self.model.body().intervals {
            self.page.push(&format!(
                "<p>Its interval, ± {:.4}, holds {:.1} % of {} held-out answers that it was not learnt from; {} % are wanted.</p>",
                intervals.half_width,
                100.0 * intervals.measured,
                count(intervals.rows_measured),
                100.0 * intervals.coverage
            ));
        }
        self.page.push("</section>");
    }

    fn warnings(&mut self) {
        let warnings: Vec<String> =
            self.model.body().comparison.iter().flat_map(|comparison| comparison.warnings.clone()).collect();
        if warnings.is_empty() {
            return;
        }
        self.page.heading("Warnings", "Look at these before you trust it.");
        let items: String = warnings.iter().map(|warning| format!("<li>{}</li>\n", html(warning))).collect();
        self.page.push(&format!("<ul class=\"warnings\">\n{items}</ul>\n</section>"));
    }

    /// The blocks of a model that walked forward.
    fn blocks(&mut self) -> Outcome {
        let Some(walked) = &self.model.body().walk_forward else { return Ok(()) };
        let measure = self.model.body().metrics.trained.measure();
        self.page.heading(
            "Block by block",
            &format!(
                "{measure} of each block, predicted by the same procedure, fitted on what was known before the block's first question."
            ),
        );
        self.page.blocks(&walked.blocks, measure)?;
        self.page.push("</section>");
        Ok(())
    }

    fn candidates(&mut self) {
        let body = self.model.body();
        let Some(comparison) = body.comparison.as_ref().filter(|comparison| !comparison.folds.is_empty())
        else {
            return;
        };
        let Comparison { folds, candidates, chosen, best, .. } = comparison;
        let measure = body.metrics.trained.measure();
        self.page.heading(
            "How it was chosen",
            &format!(
                "{measure} in {} of the training rows, each predicted by models of others. Of those within one standard error of the best, the first, which is the simplest, is taken.",
                plural(folds.len() as u64, "fold")
            ),
        );
        let numbered: Vec<String> = (1..=folds.len()).map(|fold| format!("fold {fold}")).collect();
        let mut header = vec!["candidate", "mean", "± error"];
        header.extend(numbered.iter().map(String::as_str));
        header.push("settings");
        let rows: Vec<_> = candidates
            .iter()
            .enumerate()
            .map(|(at, one)| {
                let mark = if Some(at) == *best { " (best)" } else { "" };
                let mut row =
                    vec![format!("{}{mark}", one.name), figure(one.mean_error), figure(one.standard_error)];
                row.extend((0..folds.len()).map(|fold| figure(one.errors.get(fold).copied())));
                let settings: Vec<String> = one
                    .settings
                    .iter()
                    .map(|(name, value)| format!("{} {value}", name.replace('_', " ")))
                    .collect();
                row.push(one.failed.clone().unwrap_or_else(|| settings.join(", ")));
                (row, at == *chosen)
            })
            .collect();
        self.page.table(&header, &rows, true);
        self.page.push("</section>");
    }

    fn numbers(&mut self, points: &[(f64, f64)]) -> Outcome {
        self.page.heading(
            "Predicted and actual",
            &format!("{}. On the line, a prediction is right.", self.judging()),
        );
        let target = &self.model.body().target;
        let unit = target.unit.as_deref().map_or_else(String::new, |unit| format!(", {unit}"));
        let (x, y) = (format!("predicted{unit}"), format!("actual{unit}"));
        let x_range = range(points.iter().map(|point| point.0));
        let y_range = range(points.iter().map(|point| point.1));
        let axes = Axes { x: &x, y: &y, x_range: x_range.clone(), y_range };
        let step = points.len().div_ceil(POINTS).max(1);
        let thinned: Vec<(f64, f64)> = points.iter().copied().step_by(step).collect();
        let scatter = chart::scatter(&axes, &thinned)?;
        let residuals: Vec<f64> = points.iter().map(|(predicted, actual)| actual - predicted).collect();
        let residual_range = range(residuals.iter().copied());
        let bars = bars(&residuals, &residual_range);
        let x = format!("actual less predicted{unit}");
        let most = bars.iter().map(|bar| bar.2).fold(0.0, f64::max);
        let axes = Axes { x: &x, y: "rows", x_range: residual_range, y_range: 0.0..1.05 * most };
        let histogram = chart::histogram(&axes, &bars)?;
        let tenths = tenths(points.to_vec());
        let (x, y) = (format!("mean prediction{unit}"), format!("mean answer{unit}"));
        let both = range(tenths.iter().flat_map(|point| [point.0, point.1]));
        let axes = Axes { x: &x, y: &y, x_range: both.clone(), y_range: both };
        let calibration = chart::calibration(&axes, &tenths)?;
        self.page.pictures(&[
            ("predicted and actual", scatter),
            ("residuals", histogram),
            ("calibration: tenths of the rows in order of their predictions", calibration),
        ]);
        self.page.push("</section>");
        Ok(())
    }

    /// `of_classes`: of each class its probability and 1 if it is the right one, row by row.
    fn classes(
        &mut self,
        said_and_right: Vec<(f64, f64)>,
        of_classes: Vec<Vec<(f64, f64)>>,
        confusion: &Confusion,
    ) -> Outcome {
        self.page.heading(
            "Reliability",
            &format!(
                "{} in tenths of a probability: of the most probable class's, and of each class's where there are at most {MOST_CURVES}. On \
                 the line, as many are right as the probability says.",
                self.judging()
            ),
        );
        let curve = |points: Vec<(f64, f64)>| {
            let axes = Axes {
                x: "mean probability",
                y: "share that is right",
                x_range: 0.0..1.0,
                y_range: 0.0..1.0,
            };
            chart::calibration(&axes, &tenths(points))
        };
        let mut pictures = vec![("the most probable class", curve(said_and_right)?)];
        for (class, points) in self.model.classes().iter().zip(of_classes) {
            pictures.push((class.as_str(), curve(points)?));
        }
        self.page.pictures(&pictures);
        self.page.push("</section>");
        self.page.heading("Confusion", "Right classes in rows, predicted ones in columns.");
        let classes = self.model.classes();
        let mut header = vec!["right"];
        header.extend(classes.iter().map(String::as_str));
        let row = |(class, counts): (&String, &Vec<u64>)| {
            let mut row = vec![class.clone()];
            row.extend(
                counts.iter().map(|count| if *count == 0 { "·".to_owned() } else { count.to_string() }),
            );
            (row, false)
        };
        let rows: Vec<_> = classes.iter().zip(&confusion.counts).map(row).collect();
        self.page.table(&header, &rows, false);
        self.page.push("</section>");
        Ok(())
    }

    /// How likely each score was, beside how often it came out.
    fn scores(&mut self, scores: &Scores) -> Outcome {
        self.page.heading(
            "Scores",
            &format!(
                "The counts of both sides in {}, in per cent: the mean of what was said before, and how often they came out.",
                plural(scores.meetings, "meeting")
            ),
        );
        let darkest = scores.said.iter().chain(&scores.came_out).copied().fold(f64::MIN_POSITIVE, f64::max);
        let names = Scores::names();
        let picture = |shares: &[f64]| chart::heat("second side", "first side", &names, shares, darkest);
        self.page.pictures(&[("said", picture(&scores.said)?), ("came out", picture(&scores.came_out)?)]);
        self.page.push("</section>");
        Ok(())
    }

    fn importances(&mut self, permutation: &[f64], gain: Option<&[f64]>, report: &Report) {
        let measure = report.lines.first().map_or("error", |line| line.metric).replace('_', " ");
        self.page.heading(
            "What matters",
            &format!("How much larger the {measure} on {} is when a feature's values are dealt out anew among them.", self.probed()),
        );
        let mut order: Vec<usize> = (0..permutation.len()).collect();
        order.sort_by(|one, other| permutation[*other].total_cmp(&permutation[*one]).then(one.cmp(other)));
        let largest = permutation.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let gain_header = if gain.is_some() { "<th scope=\"col\">gain</th>" } else { "" };
        let mut table = format!(
            "<div class=\"wide\"><table class=\"bars\">\n<thead><tr><th scope=\"col\">feature</th><th scope=\"col\">{}</th><th></th>{gain_header}</tr></thead>\n<tbody>\n",
            html(&measure)
        );
        for at in order {
            let share = (100.0 * permutation[at] / largest).clamp(0.0, 100.0);
            let gain = gain.map_or_else(String::new, |gain| format!("<td>{:.1} %</td>", 100.0 * gain[at]));
            let _ = writeln!(
                table,
                "<tr><th scope=\"row\">{}</th><td>{:+.4}</td><td class=\"bar\"><span style=\"width:{share:.1}%\"></span></td>{gain}</tr>",
                html(&self.model.body().features[at].name),
                permutation[at]
            );
        }
        table.push_str("</tbody>\n</table></div>");
        self.page.push(&table);
        if gain.is_some() {
            self.page.push("<p>Gain is the share of what all splits explain in the training rows that those on the feature do.</p>");
        }
        self.page.push("</section>");
    }

    fn dependences(&mut self, dependences: &[Dependence]) -> Outcome {
        let what = match self.model.classes().last() {
            None => "The mean prediction".to_owned(),
            Some(class) => format!("The mean probability of {class}"),
        };
        self.page.heading(
            "How it depends on each feature",
            &format!("{what} when one feature is set to a value in all of {} and the others stay as they are. All pictures have the same height of axis.", self.probed()),
        );
        let y_range = range(dependences.iter().flat_map(|one| one.points.iter().map(|point| point.1)));
        let features = &self.model.body().features;
        let mut pictures = Vec::new();
        for Dependence { feature, points } in dependences {
            let feature = &features[*feature];
            if !feature.categories.is_empty() {
                continue;
            }
            let unit = feature.unit.as_deref().map_or_else(String::new, |unit| format!(", {unit}"));
            let x = format!("{}{unit}", feature.name);
            let axes = Axes {
                x: &x,
                y: "",
                x_range: range(points.iter().map(|point| point.0)),
                y_range: y_range.clone(),
            };
            pictures.push((feature.name.as_str(), chart::line(&axes, points)?));
        }
        self.page.pictures(&pictures);
        for Dependence { feature, points } in dependences {
            let feature = &features[*feature];
            if feature.categories.is_empty() {
                continue;
            }
            let rows: Vec<_> = feature
                .categories
                .iter()
                .zip(points)
                .map(|(category, point)| (vec![category.clone(), figure(Some(point.1))], false))
                .collect();
            self.page.table(&[&feature.name, "mean"], &rows, false);
        }
        self.page.push("</section>");
        Ok(())
    }

    fn features(&mut self) {
        self.page
            .heading("What it was trained on", "Values beyond these ranges are beyond what the model knows.");
        let rows: Vec<_> = self
            .model
            .body()
            .features
            .iter()
            .map(|feature| {
                let unit = feature.unit.clone().unwrap_or_default();
                let description = feature.description.clone().unwrap_or_default();
                let nulls = if feature.nulls { "yes" } else { "no" }.to_owned();
                let (from, to) = match feature.categories.len() {
                    0 => (label(feature.min), label(feature.max)),
                    texts => (plural(texts as u64, "text"), String::new()),
                };
                (vec![feature.name.clone(), unit, from, to, nulls, description], false)
            })
            .collect();
        self.page.table(&["feature", "unit", "from", "to", "nulls", "what it is"], &rows, true);
        self.page.push("</section>");
    }
}

/// From, to and count.
fn bars(values: &[f64], range: &std::ops::Range<f64>) -> Vec<(f64, f64, f64)> {
    let width = (range.end - range.start) / BARS as f64;
    let mut counts = [0.0; BARS];
    for value in values {
        let at = ((value - range.start) / width) as usize;
        counts[at.min(BARS - 1)] += 1.0;
    }
    let bar = |(at, count): (usize, f64)| {
        (range.start + at as f64 * width, range.start + (at + 1) as f64 * width, count)
    };
    counts.into_iter().enumerate().map(bar).collect()
}
