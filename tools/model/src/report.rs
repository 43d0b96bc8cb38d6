//! One page of HTML that needs nothing else.

use std::fmt::Write;
use std::io::BufReader;
use std::path::Path;

use diagnostics::{count, plural};
use evaluation::{Line, Report, Resampling, Rows, Which};
use failure::{IoContext, Outcome};
use metrics::Confusion;
use model_file::{Comparison, Model};
use rows::{Ending, Table};

use crate::chart::{self, Axes, label, range};
use crate::probe::{self, Dependence, Probe};
use crate::show::{algorithm, always};

/// Points in a picture: more are one blot, and a page of megabytes.
const POINTS: usize = 1_500;

/// Bins of residuals, and of calibration.
const BARS: usize = 30;
const TENTHS: usize = 10;

/// The page for a model, from the held-out rows of a CSV.
pub(crate) fn page(model: &Model, path: &Path, seed: u64) -> Outcome<String> {
    let name = path.display().to_string();
    let table =
        Table::open(name.clone(), BufReader::new(input_files::open(path).place(&name)?), Ending::Terminated)?;
    let which = which(model);
    let rows = Rows::read(model, None, table, which)?;
    let report = rows.report(Resampling { samples: 1_000, seed });
    let confusion = rows.confusion();
    drop(rows);
    let probe = Probe::read(model, path, which)?;
    let mut page = Page { model, out: String::new() };
    page.head();
    page.figures(&report);
    page.warnings();
    page.candidates();
    match &confusion {
        None => page.numbers(&probe)?,
        Some(confusion) => page.classes(&probe, confusion)?,
    }
    page.importances(&probe.permutation_importance(seed), probe::gain(model).as_deref(), &report);
    page.dependences(&probe.dependences())?;
    page.features();
    page.out.push_str("</main>\n</html>\n");
    Ok(page.out)
}

/// The held-out rows; those it was fitted on, if none was held out.
fn which(model: &Model) -> Which {
    if model.body().data.rows_held_out > 0 { Which::HeldOut } else { Which::All }
}

struct Page<'a> {
    model: &'a Model,
    out: String,
}

/// Text as HTML shows it.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Up to four digits behind the point.
fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

impl Page<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn heading(&mut self, title: &str, words: &str) {
        self.push(&format!("<section>\n<h2>{}</h2>\n<p>{}</p>", html(title), html(words)));
    }

    /// A table; the first cell of a row is its name, and the last one is text if `ends_in_words`.
    fn table(&mut self, header: &[&str], rows: &[(Vec<String>, bool)], ends_in_words: bool) {
        let cells: String =
            header.iter().map(|name| format!("<th scope=\"col\">{}</th>", html(name))).collect();
        let class = if ends_in_words { " class=\"words\"" } else { "" };
        let mut table =
            format!("<div class=\"wide\"><table{class}>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n");
        for (row, is_marked) in rows {
            let mark = if *is_marked { " class=\"chosen\"" } else { "" };
            let mut cells = row.iter();
            let first = cells
                .next()
                .map_or_else(String::new, |cell| format!("<th scope=\"row\">{}</th>", html(cell)));
            let rest: String = cells.map(|cell| format!("<td>{}</td>", html(cell))).collect();
            // Writing to a string never fails.
            let _ = writeln!(table, "<tr{mark}>{first}{rest}</tr>");
        }
        table.push_str("</tbody>\n</table></div>");
        self.push(&table);
    }

    fn head(&mut self) {
        let body = self.model.body();
        let id = html(&self.model.id());
        let unit = body.target.unit.as_deref().map_or_else(String::new, |unit| format!(" ({unit})"));
        let newest = body
            .data
            .newest
            .as_deref()
            .map_or_else(String::new, |newest| format!(", the newest of {newest}"));
        self.push(&format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{id}</title>\n<style>{STYLE}</style>\n<main>\n<header>\n<h1>{id}</h1>\n<p class=\"lead\">{}</p>\n<dl>\n\
             <dt>predicts</dt><dd>{}{}</dd>\n<dt>algorithm</dt><dd>{}</dd>\n<dt>trained on</dt><dd>{} rows{}</dd>\n\
             <dt>held out</dt><dd>{} rows of {}, which it never saw</dd>\n<dt>sha256</dt><dd class=\"code\">{}</dd>\n</dl>\n</header>",
            html(&body.recipe.description),
            html(&body.target.name),
            html(&unit),
            html(&algorithm(body)),
            count(body.data.rows_trained),
            html(&newest),
            count(body.data.rows_held_out),
            plural(body.data.groups_held_out, "group"),
            self.model.sha256(),
        ));
    }

    fn figures(&mut self, report: &Report) {
        let seen = if which(self.model) == Which::HeldOut {
            "that it never saw"
        } else {
            "that it was fitted on, for none was held out: trust none of this"
        };
        self.heading(
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
        self.table(&["metric", "model", "low", "high", "baseline"], &rows, false);
        if let Some(intervals) = &self.model.body().intervals {
            self.push(&format!(
                "<p>Its interval, ± {:.4}, holds {:.1} % of {} held-out answers that it was not learnt from; {} % are wanted.</p>",
                intervals.half_width,
                100.0 * intervals.measured,
                count(intervals.rows_measured),
                100.0 * intervals.coverage
            ));
        }
        self.push("</section>");
    }

    fn warnings(&mut self) {
        let warnings: Vec<String> =
            self.model.body().comparison.iter().flat_map(|comparison| comparison.warnings.clone()).collect();
        if warnings.is_empty() {
            return;
        }
        self.heading("Warnings", "Look at these before you trust it.");
        let items: String = warnings.iter().map(|warning| format!("<li>{}</li>\n", html(warning))).collect();
        self.push(&format!("<ul class=\"warnings\">\n{items}</ul>\n</section>"));
    }

    fn candidates(&mut self) {
        let body = self.model.body();
        let Some(comparison) = body.comparison.as_ref().filter(|comparison| !comparison.folds.is_empty())
        else {
            return;
        };
        let Comparison { folds, candidates, chosen, best, .. } = comparison;
        let measure = body.metrics.trained.measure();
        self.heading(
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
        self.table(&header, &rows, true);
        self.push("</section>");
    }

    fn pictures(&mut self, pictures: &[(&str, String)]) {
        let figures: String = pictures
            .iter()
            .map(|(caption, svg)| {
                let svg =
                    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", html(caption)), 1);
                format!("<figure>{svg}<figcaption>{}</figcaption></figure>\n", html(caption))
            })
            .collect();
        self.push(&format!("<div class=\"pictures\">\n{figures}</div>"));
    }

    fn numbers(&mut self, probe: &Probe<'_>) -> Outcome {
        let points = probe.predicted_and_actual();
        self.heading("Predicted and actual", "Held-out rows. On the line, a prediction is right.");
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
        let tenths = tenths(points);
        let (x, y) = (format!("mean prediction{unit}"), format!("mean answer{unit}"));
        let both = range(tenths.iter().flat_map(|point| [point.0, point.1]));
        let axes = Axes { x: &x, y: &y, x_range: both.clone(), y_range: both };
        let calibration = chart::calibration(&axes, &tenths)?;
        self.pictures(&[
            ("predicted and actual", scatter),
            ("residuals", histogram),
            ("calibration: tenths of the rows in order of their predictions", calibration),
        ]);
        self.push("</section>");
        Ok(())
    }

    fn classes(&mut self, probe: &Probe<'_>, confusion: &Confusion) -> Outcome {
        self.heading(
            "Reliability",
            "Held-out rows in tenths of the most probable class's probability: on the line, as many are right as the probability says.",
        );
        let tenths = tenths(probe.confidence_and_right());
        let axes =
            Axes { x: "mean probability", y: "share that is right", x_range: 0.0..1.0, y_range: 0.0..1.0 };
        let curve = chart::calibration(&axes, &tenths)?;
        self.pictures(&[("reliability", curve)]);
        self.push("</section>");
        self.heading("Confusion", "Right classes in rows, predicted ones in columns.");
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
        self.table(&header, &rows, false);
        self.push("</section>");
        Ok(())
    }

    fn importances(&mut self, permutation: &[f64], gain: Option<&[f64]>, report: &Report) {
        let measure = report.lines.first().map_or("error", |line| line.metric).replace('_', " ");
        self.heading(
            "What matters",
            &format!("How much larger the {measure} on held-out rows is when a feature's values are dealt out anew among them."),
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
        self.push(&table);
        if gain.is_some() {
            self.push("<p>Gain is the share of what all splits explain in the training rows that those on the feature do.</p>");
        }
        self.push("</section>");
    }

    fn dependences(&mut self, dependences: &[Dependence]) -> Outcome {
        let what = match self.model.classes().last() {
            None => "The mean prediction".to_owned(),
            Some(class) => format!("The mean probability of {class}"),
        };
        self.heading(
            "How it depends on each feature",
            &format!("{what} when one feature is set to a value in all held-out rows and the others stay as they are. All pictures have the same height of axis."),
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
        self.pictures(&pictures);
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
            self.table(&[&feature.name, "mean"], &rows, false);
        }
        self.push("</section>");
        Ok(())
    }

    fn features(&mut self) {
        self.heading("What it was trained on", "Values beyond these ranges are beyond what the model knows.");
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
        self.table(&["feature", "unit", "from", "to", "nulls", "what it is"], &rows, true);
        self.push("</section>");
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

/// Means of tenths of the points, in order of their first numbers.
fn tenths(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
    let size = points.len().div_ceil(TENTHS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let rows = part.len() as f64;
        (
            part.iter().map(|point| point.0).sum::<f64>() / rows,
            part.iter().map(|point| point.1).sum::<f64>() / rows,
        )
    };
    points.chunks(size).map(mean).collect()
}

const STYLE: &str = "\
:root{color-scheme:light}body,html{margin:0;background:#f4f5f7;color:#1c2430;font:16px/1.5 system-ui,sans-serif}\
main{max-width:1040px;margin:0 auto;padding:24px 16px 64px}header,section{background:#fff;border:1px solid #dfe3e8;border-radius:10px;padding:20px 24px;margin:0 0 20px}\
h1{font-size:1.6rem;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:0 0 4px}p{margin:0 0 12px;color:#4a5563}.lead{font-size:1.05rem}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}dt{color:#4a5563}dd{margin:0;overflow-wrap:anywhere}.code{font-family:ui-monospace,monospace;font-size:.85rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}\
th,td{padding:4px 14px 4px 0;text-align:right;white-space:nowrap;border-bottom:1px solid #edf0f3}th[scope=row],thead th:first-child,.words td:last-child,.words thead th:last-child{text-align:left}\
thead th{color:#4a5563;font-weight:600}th[scope=row]{font-weight:400}tr.chosen th,tr.chosen td{font-weight:700;background:#eaf3fb}\
.bars .bar{width:320px;min-width:120px}.bar span{display:block;height:12px;border-radius:3px;background:#0072b2}.warnings li{color:#8a3b00}\
.pictures{display:flex;flex-wrap:wrap;gap:12px}figure{margin:0}figcaption{font-size:.85rem;color:#4a5563;text-align:center}figure svg{max-width:100%;height:auto}";
