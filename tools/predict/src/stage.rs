use std::io::Read;
use std::sync::Arc;

use cli::Stdout;
use failure::{Failure, Outcome};
use model_file::Model;
use predictions::{More, Predictions, Refused};
use rejects::Rejects;
use relay::in_order;
use rows::{Block, Table};

/// What happened to the rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Rows with a prediction.
    pub(crate) predicted: u64,
    /// Rows kept in the rejects file.
    pub(crate) rejected: u64,
}

/// Copies every row with its prediction, block by block. Memory does not grow with the input.
pub(crate) fn predict<R: Read + Send + 'static>(
    model: &Arc<Model>,
    more: More,
    table: Table<R>,
    mut out: Stdout,
    mut rejects: Option<&mut Rejects>,
) -> Outcome<Counts> {
    let predictions = Predictions::of(model, more, rejects.is_some(), &table)?;
    out.send(predictions.header().bytes())?;
    if let Some(rejects) = rejects.as_mut() {
        rejects.start(table.header())?;
    }
    let name = table.name().to_owned();
    let mut blocks = table.into_blocks();
    let next_block = move || blocks.next_block(Block::default());
    let mut predicted = 0;
    in_order(
        next_block,
        move |block| predictions.predict(block),
        |block| {
            out.write(block.text.bytes())?;
            predicted += block.rows;
            match (block.refused, rejects.as_mut()) {
                (Some(Refused::Row(reason)), _) => {
                    Err(Failure::data(format!("{name}: {reason} (--rejects FILE keeps such rows)")))
                }
                (Some(Refused::Unexplained(reason)), _) => Err(Failure::data(format!("--explain: {reason}"))),
                (None, Some(rejects)) => rejects.keep_all(&block.rejected),
                (None, None) => Ok(()),
            }
        },
    )?;
    out.finish()?;
    Ok(Counts { predicted, rejected: rejects.map_or(0, |rejects| rejects.kept()) })
}
