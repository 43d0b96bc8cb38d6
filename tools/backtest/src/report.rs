//! One page of HTML about a walk forward.

use std::collections::BTreeMap;

use diagnostics::{count, plural};
use evaluation::{Line, Slope};
use failure::Outcome;
use fit::Walked;
use metrics::Scores;
use page::chart::{self, Axes, range};
use page::{Page, figure, tenths};

use crate::Judged;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(crate) fn page(judged: &Judged) -> Outcome<String> {
    let Judged { recipe, walked, other, report, .. } = judged;
    let measure = walked.kind.measure();
    let mut facts = vec![
        ("predicts", recipe.target.column.clone()),
        ("blocks", walked.blocks.len().to_string()),
        ("rows", format!("{} in {}", count(report.rows), plural(report.groups, "week"))),
    ];
    if let Some((other, _)) = other {
        facts.push(("against", other.recipe.name.clone()));
    }
    let title = format!("{} walks forward", recipe.recipe.name);
    let mut page = Page::new(&title, &recipe.recipe.description, &facts);
    metrics(judged, &mut page);
    page.heading(
        "Block by block",
        &format!(
            "{measure} of each block, predicted by a fit on what was known before the block's first question."
        ),
    );
    page.blocks(&walked.blocks, measure)?;
    page.push("</section>");
    over_time(judged, measure, &mut page)?;
    reliability(judged, &mut page)?;
    Ok(page.finish())
}

fn metrics(judged: &Judged, page: &mut Page) {
    let Judged { report, slopes, .. } = judged;
    page.heading(
        "How good it is",
        "Between low and high lie 95 % of the resamples of whole weeks. The baseline always predicts the mean of what was known before the block, or the shares of the classes.",
    );
    let mut header = vec!["metric", "model", "low", "high", "baseline"];
    if report.against.is_some() {
        header.extend(["against", "difference", "low", "high"]);
    }
    let row = |line: &Line| {
        let (low, high) = line.interval.unzip();
        let mut cells = vec![line.metric.replace('_', " ")];
        cells.extend([line.model, low, high, line.baseline].map(figure));
        if let Some(other) = &line.against {
            let (low, high) = other.interval.unzip();
            cells.extend([other.value, other.difference, low, high].map(figure));
        }
        (cells, false)
    };
    let slope = |Slope { class, slope, interval }: &Slope| {
        let (low, high) = interval.unzip();
        let mut cells = vec![format!("calibration slope of {class}")];
        cells.extend([*slope, low, high].map(figure));
        cells.resize(header.len(), String::new());
        (cells, false)
    };
    let lines = report.lines.iter().filter(|line| line.model.is_some()).map(row);
    let rows: Vec<_> = lines.chain(slopes.iter().map(slope)).collect();
    page.table(&header, &rows, false);
    page.push("</section>");
}

/// Rows of one stretch of time.
struct Stretch {
    rows: usize,
    errors: [Option<f64>; 3],
}

/// The errors of the walked rows, of the baseline and of the other recipe, by what `key` says of each row.
fn stretches<K: Ord>(judged: &Judged, key: impl Fn(&Walked, usize) -> K) -> BTreeMap<K, Stretch> {
    let Judged { walked, other, .. } = judged;
    let mut rows: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    let is_shared =
        |row: &u64| other.as_ref().is_none_or(|(_, other)| other.predictions.rows.binary_search(row).is_ok());
    for at in (0..walked.times.len()).filter(|at| is_shared(&walked.predictions.rows[*at])) {
        rows.entry(key(walked, at)).or_default().push(at);
    }
    let width = walked.kind.width();
    let wide = |values: &[f64], places: &[usize]| -> Vec<f64> {
        places.iter().flat_map(|&at| values[at * width..(at + 1) * width].iter().copied()).collect()
    };
    let stretch = |(key, places): (K, Vec<usize>)| {
        let predictions = &walked.predictions;
        let answers: Vec<f64> = places.iter().map(|&at| predictions.answers[at]).collect();
        let error = |said: &[f64]| Scores::of(&answers, said, walked.kind).map(|scores| scores.error());
        let theirs = other.as_ref().and_then(|(_, other)| {
            let rows = places.iter().map(|&at| predictions.rows[at]);
            let there: Result<Vec<usize>, usize> =
                rows.map(|row| other.predictions.rows.binary_search(&row)).collect();
            error(&wide(&other.predictions.said, &there.ok()?))
        });
        let own = error(&wide(&predictions.said, &places));
        let baseline = error(&wide(&predictions.baseline, &places));
        (key, Stretch { rows: places.len(), errors: [own, baseline, theirs] })
    };
    rows.into_iter().map(stretch).collect()
}

fn over_time(judged: &Judged, measure: &str, page: &mut Page) -> Outcome {
    page.heading(
        "Month by month",
        &format!("{measure} of what each month was about; the table adds up the same month of all years."),
    );
    let months = stretches(judged, |walked, at| (walked.times[at].day.year(), walked.times[at].day.month()));
    let names: Vec<String> = months.keys().map(|(year, month)| format!("{year}-{month:02}")).collect();
    let error = |which: usize| -> Vec<f64> {
        months.values().map(|stretch| stretch.errors[which].unwrap_or(f64::NAN)).collect()
    };
    let other = judged.other.as_ref().map(|(other, _)| other.recipe.name.as_str());
    let mut lines = vec![("model", error(0)), ("baseline", error(1))];
    lines.extend(other.map(|name| (name, error(2))));
    let axes = Axes {
        x: "month",
        y: measure,
        x_range: range((0..names.len()).map(|at| at as f64)),
        y_range: range(lines.iter().flat_map(|(_, values)| values.iter().copied())),
    };
    let picture = chart::lines(&axes, &names, &lines)?;
    page.pictures(&[("error over time", picture)]);
    let mut header = vec!["month", "rows", "model", "baseline"];
    header.extend(other);
    let of_year = stretches(judged, |walked, at| walked.times[at].day.month());
    let row = |(month, stretch): (&i8, &Stretch)| {
        let mut cells = vec![MONTHS[(*month as usize - 1).min(11)].to_owned(), stretch.rows.to_string()];
        cells.extend(stretch.errors.iter().take(header.len() - 2).map(|error| figure(*error)));
        (cells, false)
    };
    let rows: Vec<_> = of_year.iter().map(row).collect();
    page.table(&header, &rows, false);
    page.push("</section>");
    Ok(())
}

fn reliability(judged: &Judged, page: &mut Page) -> Outcome {
    let Judged { walked, rows, recipe, .. } = judged;
    let mut pictures = Vec::new();
    if walked.classes.is_empty() {
        page.heading(
            "Reliability",
            "Tenths of the rows in order of their predictions: on the line, answers are as predicted.",
        );
        let unit = recipe.columns.get(&recipe.target.column).and_then(|column| column.unit.clone());
        let unit = unit.map_or_else(String::new, |unit| format!(", {unit}"));
        let tenths = tenths(rows.said_and_right());
        let both = range(tenths.iter().flat_map(|point| [point.0, point.1]));
        let (x, y) = (format!("mean prediction{unit}"), format!("mean answer{unit}"));
        let axes = Axes { x: &x, y: &y, x_range: both.clone(), y_range: both };
        pictures.push((recipe.target.column.as_str(), chart::calibration(&axes, &tenths)?));
    } else {
        page.heading("Reliability", "Tenths of the rows in order of the probability of a class: on the line, it comes true as often as it says.");
        for (at, class) in walked.classes.iter().enumerate() {
            let tenths = tenths(rows.probability_and_right(at));
            let both = range(tenths.iter().flat_map(|point| [point.0, point.1]));
            let axes = Axes { x: "mean probability", y: "share", x_range: both.clone(), y_range: both };
            pictures.push((class.as_str(), chart::calibration(&axes, &tenths)?));
        }
    }
    page.pictures(&pictures);
    page.push("</section>");
    Ok(())
}
