#![doc = include_str!("../README.md")]

use std::io::Read;
use std::sync::Arc;

use failure::Outcome;
use metrics::most_probable;
use model_file::{FeatureColumns, Model};
use rejects::Batch;
use rows::{Block, Table, Text, Walk};

/// What is added to a row besides the prediction.
#[derive(Clone, Copy, Debug, Default)]
pub struct More {
    /// The probability of each class.
    pub probabilities: bool,
    /// Between what the answer should lie; nothing, where the model does not say.
    pub interval: bool,
    /// Which features lie beyond the training rows.
    pub outside: bool,
    /// What each feature contributes.
    pub explain: bool,
    /// The texts that the model does not know, beside the rows.
    pub unknown: bool,
}

/// What becomes of the rows of one CSV.
#[derive(Debug)]
pub struct Predictions {
    model: Arc<Model>,
    features: FeatureColumns,
    more: More,
    keeps_rejects: bool,
    /// Columns of the table.
    width: usize,
    header: Vec<String>,
}

/// What became of one block of rows.
#[derive(Debug, Default)]
pub struct Predicted {
    /// The rows, each with its predictions.
    pub text: Text,
    /// How many.
    pub rows: u64,
    /// Their features, row by row.
    pub values: Vec<f64>,
    /// What the model said of them: a number for each row, or the probability of each class.
    pub said: Vec<f64>,
    /// Texts that the model does not know, by their place among the values, if that was asked for.
    pub unknown: Vec<(usize, String)>,
    /// Rows that cannot be predicted, where they are kept.
    pub rejected: Batch,
    /// Why the rest of the block was not looked at.
    pub refused: Option<Refused>,
}

/// Why a row has no prediction, or not all that was asked for.
#[derive(Debug)]
pub enum Refused {
    /// What is wrong with the row, and where.
    Row(String),
    /// Why the model does not explain itself.
    Unexplained(String),
}

impl Predictions {
    /// Finds the model's features in a table; `keeps_rejects`: rows that cannot be predicted are kept, and the others go on. Fails where a feature is
    /// missing, or the table has a column that would be added.
    pub fn of<R: Read>(
        model: &Arc<Model>,
        more: More,
        keeps_rejects: bool,
        table: &Table<R>,
    ) -> Outcome<Predictions> {
        let features = FeatureColumns::find(model, table)?;
        let header = table.header().to_vec();
        let mut predictions = Predictions {
            model: Arc::clone(model),
            features,
            more,
            keeps_rejects,
            width: header.len(),
            header,
        };
        let columns = predictions.columns();
        if let Some(column) = columns.iter().find(|column| table.position(column).is_some()) {
            return Err(table.failure(&format!("it has a column {column:?} already")));
        }
        predictions.header.extend(columns);
        Ok(predictions)
    }

    /// The header of what is written, a line.
    pub fn header(&self) -> Text {
        let mut header = Text::default();
        self.header.iter().for_each(|name| header.push(name.as_bytes()));
        header.end_row();
        header
    }

    fn columns(&self) -> Vec<String> {
        let mut columns = vec![format!("predicted_{}", self.model.body().target.name)];
        let mut add = |name: &str| columns.push(name.to_owned());
        if !self.model.classes().is_empty() {
            add("probability");
        }
        if self.more.probabilities {
            self.model.classes().iter().for_each(|class| add(&format!("probability_{class}")));
        }
        if self.more.interval && self.model.body().intervals.is_some() {
            ["low", "high"].into_iter().for_each(&mut add);
        }
        if self.more.outside {
            add("outside_training_range");
        }
        if self.more.explain {
            add("base");
            let features = self.model.body().features.iter();
            features.for_each(|feature| add(&format!("contribution_{}", feature.name)));
        }
        columns
    }

    /// `predicted` is a number, or the probability of each class; `row` has the features.
    fn push(&self, row: &[f64], predicted: &[f64], line: &mut Text) -> Result<(), String> {
        let best = most_probable(predicted);
        let body = self.model.body();
        if self.model.classes().is_empty() {
            predicted.iter().for_each(|number| line.push_number(*number));
        } else {
            line.push(self.model.classes()[best].as_bytes());
            line.push_number(predicted[best]);
        }
        if self.more.probabilities {
            predicted.iter().for_each(|probability| line.push_number(*probability));
        }
        if let Some(intervals) = body.intervals.as_ref().filter(|_| self.more.interval) {
            intervals.around(predicted[0]).into_iter().for_each(|end| line.push_number(end));
        }
        if self.more.outside {
            let names: Vec<&str> = body.outside(row).map(|feature| feature.name.as_str()).collect();
            line.push(names.join(" ").as_bytes());
        }
        if self.more.explain {
            let explanation = body.explain(row, best)?;
            line.push_number(explanation.base);
            explanation.contributions.iter().for_each(|contribution| line.push_number(*contribution));
        }
        Ok(())
    }

    /// All rows of a block together: reads their features, predicts, and writes them in a second walk.
    pub fn predict(&self, block: Block) -> Predicted {
        let mut done =
            Predicted { text: Text::with_room_for(2 * block.size_bytes()), ..Predicted::default() };
        let mut rows = Walk::over(block);
        let (mut values, mut read) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next_row() {
            let found = match row.len() == self.width {
                true => self.features.read(&row, &mut values),
                false => Err(row.ragged(self.width)),
            };
            if found.is_ok() {
                done.values.extend_from_slice(&values);
            }
            let is_over = found.is_err() && !self.keeps_rejects;
            read.push(found);
            if is_over {
                break;
            }
        }
        self.model.answers(&done.values, &mut done.said);
        let body = self.model.body();
        let mut answers = done
            .values
            .chunks_exact(body.features.len())
            .zip(done.said.chunks_exact(body.answers_of_a_row()))
            .enumerate();
        rows.again();
        for found in read {
            let Some(row) = rows.next_row() else { break };
            let answer = found.and_then(|()| {
                // As many answers as rows that were read.
                let (at, (values, said)) = answers.next().unwrap_or_default();
                FeatureColumns::check(&row, said).map(|()| (at, values, said))
            });
            match answer {
                Ok((at, values, said)) => {
                    if self.more.unknown {
                        let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
                        let unknown = self.features.unknown(&row, values);
                        done.unknown.extend(
                            unknown.map(|(place, cell)| (at * body.features.len() + place, text(cell))),
                        );
                    }
                    row.cells().for_each(|cell| done.text.push(cell));
                    if let Err(reason) = self.push(values, said, &mut done.text) {
                        let reason = format!("no explanation by {}: {reason}", self.model.id());
                        done.refused = Some(Refused::Unexplained(reason));
                        break;
                    }
                    done.text.end_row();
                    done.rows += 1;
                }
                Err(reason) if self.keeps_rejects => done.rejected.push(&row, &reason),
                Err(reason) => {
                    done.refused = Some(Refused::Row(reason));
                    break;
                }
            }
        }
        done
    }
}
