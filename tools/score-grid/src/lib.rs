//! `score-grid`: results and scores from the predicted counts of two sides. Its README says what it promises.
//!
//! How likely a pair of counts is, says `tools/lib/score_grid`.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Parser;
use diagnostics::{plural, say};
use failure::{Failure, Outcome};
use recipe::{Recipe, ScoreGrid};
use rows::{Ending, Row, Table, number};
use score_grid::Grid;

/// Results, totals and scores from the predicted counts of both sides of a meeting.
///
/// Example: predict --model goals.json rows.csv | score-grid --recipe scripts/football/goals.toml
#[derive(Parser)]
#[command(name = "score-grid", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV with two rows for each meeting; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The prediction problem (TOML), for its [score_grid].
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: PathBuf,
    /// The column of predicted counts (default: predicted_TARGET, as `predict` and `backtest` call it).
    #[arg(long, value_name = "NAME")]
    predicted: Option<String>,
    /// How many of the likeliest scores are written.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    likeliest: u32,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let recipe = Recipe::load(&args.recipe, input_files::read_text)?;
    let Some(grid) = &recipe.score_grid else {
        return Err(Failure::config(format!("{}: it has no [score_grid]", args.recipe.display())));
    };
    let target = &recipe.target.column;
    let predicted = args.predicted.clone().unwrap_or_else(|| format!("predicted_{target}"));
    let input = cli::input(args.input.as_deref())?;
    let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let columns = Columns {
        pair: grid.pair.iter().map(|name| table.require(name)).collect::<Outcome<_>>()?,
        side: table.require(&grid.side)?,
        predicted: table.require(&predicted)?,
        answer: table.position(target),
    };
    let name = table.name().to_owned();
    let mut out = cli::csv()?;
    out.write(header(grid, target, columns.answer.is_some(), args.likeliest))?;
    let mut waiting: HashMap<Vec<Vec<u8>>, (bool, Side)> = HashMap::new();
    let (mut pairs, mut rows) = (0u64, 0u64);
    while let Some(row) = table.next_row()? {
        let failed = |reason: String| Failure::data(format!("{name}: line {}: {reason}", row.line));
        let (is_first, side) = columns.read(&row, grid, &predicted, target).map_err(failed)?;
        rows += 1;
        let pair: Vec<Vec<u8>> = columns.pair.iter().map(|&at| row.cell(at).to_vec()).collect();
        let Some((is_other_first, other)) = waiting.remove(&pair) else {
            waiting.insert(pair, (is_first, side));
            continue;
        };
        if is_other_first == is_first {
            let cells: Vec<_> = pair.iter().map(|cell| String::from_utf8_lossy(cell)).collect();
            return Err(failed(format!(
                "{} has this side twice (line {} is the other one)",
                cells.join("/"),
                other.line
            )));
        }
        let sides = if is_first { [&side, &other] } else { [&other, &side] };
        let has_answers = columns.answer.is_some();
        out.write(record(grid, pair, sides, has_answers, args.likeliest).map_err(failed)?)?;
        pairs += 1;
    }
    if let Some(line) = waiting.values().map(|(_, side)| side.line).min() {
        return Err(Failure::data(format!(
            "{name}: {} without its other side, the first in line {line} (a meeting is what {} name)",
            plural(waiting.len() as u64, "row"),
            grid.pair.join(", ")
        )));
    }
    out.finish()?;
    say!("{} from {}", plural(pairs, "meeting"), plural(rows, "row"));
    Ok(())
}

/// Where things stand in the input.
struct Columns {
    pair: Vec<usize>,
    side: usize,
    predicted: usize,
    /// None where the answers are not known yet.
    answer: Option<usize>,
}

/// A side of a meeting.
struct Side {
    line: u64,
    mean: f64,
    /// What came out, if it is known.
    answer: Option<f64>,
}

impl Columns {
    /// A row's side, and whether it is the first one.
    fn read(
        &self,
        row: &Row<'_>,
        grid: &ScoreGrid,
        predicted: &str,
        target: &str,
    ) -> Result<(bool, Side), String> {
        let wrong = |name: &str, at: usize, what: &str| {
            format!("column {name:?}: {:?} is not {what}", String::from_utf8_lossy(row.cell(at)))
        };
        let is_first = match number::parse(row.cell(self.side)) {
            Some(1.0) => true,
            Some(0.0) => false,
            _ => return Err(wrong(&grid.side, self.side, "1 (the first side) or 0 (the second)")),
        };
        let mean = number::parse(row.cell(self.predicted)).filter(|mean| score_grid::is_mean(*mean));
        let mean = mean.ok_or_else(|| {
            let what = format!("the mean of a count: above 0, at most {}", score_grid::LARGEST_MEAN);
            wrong(predicted, self.predicted, &what)
        })?;
        let answer = match self.answer.filter(|&at| !row.cell(at).is_empty()) {
            None => None,
            Some(at) => {
                let answer =
                    number::parse(row.cell(at)).filter(|answer| *answer >= 0.0 && answer.fract() == 0.0);
                Some(answer.ok_or_else(|| wrong(target, at, "a count"))?)
            }
        };
        Ok((is_first, Side { line: row.line, mean, answer }))
    }
}

fn header(grid: &ScoreGrid, target: &str, has_answers: bool, likeliest: u32) -> Vec<String> {
    let mut names = grid.pair.clone();
    if has_answers {
        names.extend([format!("first_{target}"), format!("second_{target}"), grid.column.clone()]);
    }
    names.extend([format!("first_predicted_{target}"), format!("second_predicted_{target}")]);
    names.push(format!("predicted_{}", grid.column));
    names.extend(grid.classes.iter().map(|class| format!("probability_{class}")));
    names.extend(grid.over.iter().map(|line| format!("probability_over_{line}")));
    names.extend(
        (1..=likeliest).flat_map(|place| [format!("score_{place}"), format!("probability_score_{place}")]),
    );
    if has_answers {
        names.push("probability_of_score".to_owned());
    }
    names
}

/// A line of the output. `has_answers`: the input has a column for them.
fn record(
    grid: &ScoreGrid,
    pair: Vec<Vec<u8>>,
    [first, second]: [&Side; 2],
    has_answers: bool,
    likeliest: u32,
) -> Result<Vec<Vec<u8>>, String> {
    let cells = Grid::new(first.mean, second.mean, grid.rho).ok_or("these means have no grid")?;
    let text = |value: f64| number::text(value).into_bytes();
    let or_nothing = |value: Option<f64>| value.map_or_else(Vec::new, text);
    let class = |place: usize| grid.classes[place].clone().into_bytes();
    let answers = first.answer.zip(second.answer);
    let mut record = pair;
    if has_answers {
        record.extend([first.answer, second.answer].map(or_nothing));
        let came_out = answers.map(|(one, other)| 1 + usize::from(other > one) - usize::from(one > other));
        record.push(came_out.map_or_else(Vec::new, class));
    }
    let results = cells.results();
    let likeliest_result = (1..3).fold(0, |best, at| if results[at] > results[best] { at } else { best });
    record.extend([text(first.mean), text(second.mean), class(likeliest_result)]);
    record.extend(results.map(text));
    record.extend(grid.over.iter().map(|line| text(cells.over(*line))));
    for ((one, other), probability) in cells.likeliest(likeliest as usize) {
        record.extend([format!("{one}-{other}").into_bytes(), text(probability)]);
    }
    if has_answers {
        record.push(or_nothing(answers.map(|(one, other)| cells.cell(one as usize, other as usize))));
    }
    Ok(record)
}
