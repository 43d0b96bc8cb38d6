use std::io::{Read, Write};
use std::sync::Arc;

use artifact::{FeatureColumns, Model};
use manners::{Failure, IoContext, Outcome};
use metrics::most_probable;
use rejects::{Batch, Rejects};
use relay::in_order;
use rows::{Block, Table, Text, Walk};

/// What happened to the rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Rows with a prediction.
    pub(crate) predicted: u64,
    /// Rows kept in the rejects file.
    pub(crate) rejected: u64,
}

/// What is added to a row besides the prediction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct More {
    /// The probability of each class.
    pub(crate) probabilities: bool,
    /// Between what the answer should lie.
    pub(crate) interval: bool,
    /// What each feature contributes.
    pub(crate) explain: bool,
}

/// What became of one block of rows.
#[derive(Default)]
struct Predicted {
    text: Text,
    rows: u64,
    rejected: Batch,
    /// Why the rest of the block was not looked at.
    refused: Option<String>,
}

/// What is added to a row.
struct Added {
    model: Arc<Model>,
    features: FeatureColumns,
    more: More,
    keeps_rejects: bool,
}

impl Added {
    fn columns(&self) -> Vec<String> {
        let mut columns = vec![format!("predicted_{}", self.model.body().target.name)];
        if !self.model.classes().is_empty() {
            columns.push("probability".to_owned());
        }
        if self.more.probabilities {
            columns.extend(self.model.classes().iter().map(|class| format!("probability_{class}")));
        }
        if self.more.interval {
            columns.extend(["low".to_owned(), "high".to_owned()]);
        }
        if self.more.explain {
            columns.push("base".to_owned());
            let features = self.model.body().features.iter();
            columns.extend(features.map(|feature| format!("contribution_{}", feature.name)));
        }
        columns
    }

    /// `predicted` is a number, or the probability of each class; `row` has the features.
    fn push(&self, row: &[f64], predicted: &[f64], line: &mut Text) -> Result<(), String> {
        let best = most_probable(predicted);
        if self.model.classes().is_empty() {
            predicted.iter().for_each(|number| line.push_number(*number));
        } else {
            line.push(self.model.classes()[best].as_bytes());
            line.push_number(predicted[best]);
        }
        if self.more.probabilities {
            predicted.iter().for_each(|probability| line.push_number(*probability));
        }
        if let Some(intervals) = self.model.body().intervals.as_ref().filter(|_| self.more.interval) {
            line.push_number(predicted[0] - intervals.half_width);
            line.push_number(predicted[0] + intervals.half_width);
        }
        if self.more.explain {
            let explanation = self.model.body().explain(row, best)?;
            line.push_number(explanation.base);
            explanation.contributions.iter().for_each(|contribution| line.push_number(*contribution));
        }
        Ok(())
    }
}

/// Copies every row with one more cell, `predicted_<target>`; of classes, with the `probability` of that one, too. Memory does not grow with the input.
pub(crate) fn predict<R: Read + Send + 'static, W: Write>(
    model: &Arc<Model>,
    more: More,
    table: Table<R>,
    mut out: W,
    mut rejects: Option<&mut Rejects>,
) -> Outcome<Counts> {
    let features = FeatureColumns::find(model, &table)?;
    let added = Added { model: Arc::clone(model), features, more, keeps_rejects: rejects.is_some() };
    let columns = added.columns();
    if let Some(column) = columns.iter().find(|column| table.position(column).is_some()) {
        return Err(table.failure(&format!("it has a column {column:?} already")));
    }
    let width = table.header().len();
    let mut header = Text::default();
    table.header().iter().chain(&columns).for_each(|name| header.push(name.as_bytes()));
    header.end_row();
    out.write_all(header.bytes()).and_then(|()| out.flush()).place("stdout")?;
    if let Some(rejects) = rejects.as_mut() {
        rejects.start(table.header())?;
    }
    let name = table.name().to_owned();
    let mut blocks = table.into_blocks();
    let next_block = move || blocks.next_block(Block::default());
    let mut predicted = 0;
    in_order(
        next_block,
        move |block| added.predict(block, width),
        |block| {
            out.write_all(block.text.bytes()).place("stdout")?;
            predicted += block.rows;
            match (block.refused, rejects.as_mut()) {
                (Some(reason), _) => Err(Failure::data(format!("{name}: {reason}"))),
                (None, Some(rejects)) => rejects.keep_all(&block.rejected),
                (None, None) => Ok(()),
            }
        },
    )?;
    out.flush().place("stdout")?;
    Ok(Counts { predicted, rejected: rejects.map_or(0, |rejects| rejects.kept()) })
}

impl Added {
    /// All rows of a block together: reads their features, predicts, and writes them in a second walk.
    fn predict(&self, block: Block, width: usize) -> Predicted {
        let mut done =
            Predicted { text: Text::with_room_for(2 * block.size_bytes()), ..Predicted::default() };
        let mut rows = Walk::over(block);
        let (mut values, mut all_values, mut read) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(row) = rows.next_row() {
            let found = match row.len() == width {
                true => self.features.read(&row, &mut values),
                false => Err(row.ragged(width)),
            };
            if found.is_ok() {
                all_values.extend_from_slice(&values);
            }
            let is_over = found.is_err() && !self.keeps_rejects;
            read.push(found);
            if is_over {
                break;
            }
        }
        let mut said = Vec::new();
        self.model.answers(&all_values, &mut said);
        let body = self.model.body();
        let mut answers =
            all_values.chunks_exact(body.features.len()).zip(said.chunks_exact(body.answers_of_a_row()));
        rows.again();
        for found in read {
            let Some(row) = rows.next_row() else { break };
            let answer = found.and_then(|()| {
                // As many answers as rows that were read.
                let (values, said) = answers.next().unwrap_or_default();
                FeatureColumns::check(&row, said).map(|()| (values, said))
            });
            match answer {
                Ok((values, said)) => {
                    row.cells().for_each(|cell| done.text.push(cell));
                    if let Err(reason) = self.push(values, said, &mut done.text) {
                        done.refused = Some(format!("--explain: {}: {reason}", self.model.id()));
                        break;
                    }
                    done.text.end_row();
                    done.rows += 1;
                }
                Err(reason) if self.keeps_rejects => done.rejected.push(&row, &reason),
                Err(reason) => {
                    done.refused = Some(format!("{reason} (--rejects FILE keeps such rows)"));
                    break;
                }
            }
        }
        done
    }
}
