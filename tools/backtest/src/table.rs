use std::io::Cursor;

use cli::Stdout;
use failure::Outcome;
use fit::Walked;
use metrics::most_probable;
use recipe::Recipe;
use rows::{Ending, Table, Text, number};

use crate::Judged;

/// Writes a row for each prediction: its block, the keys, the answer, what was said, and what the other recipe said.
pub(crate) fn write(judged: &Judged, name: &str, text: &[u8]) -> Outcome {
    let Judged { recipe, walked, other, .. } = judged;
    let mut table = Table::open(name, Cursor::new(text), Ending::Terminated)?;
    let target = &recipe.target.column;
    let kept: Vec<&String> = recipe.keys.columns.iter().chain([target]).collect();
    let places = kept.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>()?;
    let mut line = Text::default();
    line.push(b"block");
    kept.iter().for_each(|name| line.push(name.as_bytes()));
    header(recipe, "", &mut line);
    if other.is_some() {
        header(recipe, "against_", &mut line);
    }
    line.end_row();
    let mut out: Stdout = cli::stdout()?;
    out.send(line.bytes())?;
    let (mut row_number, mut at) = (0, 0);
    while let Some(row) = table.next_row()? {
        if walked.predictions.rows.get(at) == Some(&row_number) {
            line.clear();
            line.push(walked.blocks[walked.block_of[at] as usize].name.as_bytes());
            places.iter().for_each(|&place| line.push(row.cell(place)));
            said(walked, Some(at), &mut line);
            if let Some((_, other)) = other {
                said(other, other.predictions.rows.binary_search(&row_number).ok(), &mut line);
            }
            line.end_row();
            out.write(line.bytes())?;
            at += 1;
        }
        row_number += 1;
    }
    out.finish()
}

fn header(recipe: &Recipe, before: &str, line: &mut Text) {
    line.push(format!("{before}predicted_{}", recipe.target.column).as_bytes());
    for class in &recipe.target.classes {
        line.push(format!("{before}probability_{class}").as_bytes());
    }
}

/// The prediction at a place, and the probabilities of classes; empty cells where there is none.
fn said(walked: &Walked, at: Option<usize>, line: &mut Text) {
    let classes = &walked.classes;
    let width = classes.len().max(1);
    let cells = classes.len() + 1;
    let Some(at) = at else {
        (0..cells).for_each(|_| line.push(b""));
        return;
    };
    let said = &walked.predictions.said[at * width..(at + 1) * width];
    match classes.get(most_probable(said)) {
        Some(best) => {
            line.push(best.as_bytes());
            said.iter().for_each(|probability| line.push(number::text(*probability).as_bytes()));
        }
        None => line.push(number::text(said[0]).as_bytes()),
    }
}
