use std::path::Path;
use std::sync::Arc;

use clock::Now;
use db::{Arrival, Db, Incoming};
use diagnostics::say;
use failure::{Failure, Kind, Outcome};
use schema::{PartitionKey, Schema, Table, Write};

use crate::arrivals::{Arrivals, Batch, Record};
use crate::tally::Tally;

/// How partitions are stored.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) allow_shrink: bool,
    pub(crate) backfill: bool,
    pub(crate) now: Now,
}

/// Stores partitions as they come. What is stored stays stored, whatever comes after it.
pub(crate) fn partitions(db: &mut Db, schema: Schema, input: Option<&Path>, how: How) -> Outcome {
    let schema = Arc::new(schema);
    let mut arrivals = Arrivals::of(cli::input(input)?, Arc::clone(&schema))?;
    let progress = cli::progress(None, "partitions");
    let mut tally = Tally::default();
    let outcome = loop {
        let batch = match arrivals.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => break Ok(()),
            Err(failure) => break Err(failure),
        };
        let size = batch.records.len();
        if let Err(failure) = store(db, &schema, batch, how, &mut tally) {
            break Err(failure);
        }
        progress.advance(size as u64);
    };
    drop(progress);
    tally.report();
    outcome?;
    match tally.refused.as_slice() {
        [] => Ok(()),
        refused => Err(Failure::data(format!("refused, and left as they were: {}", refused.join("; ")))),
    }
}

fn store(db: &mut Db, schema: &Schema, batch: Batch, how: How, tally: &mut Tally) -> Outcome {
    let Some(table) = batch.table.map(|at| &schema.tables[at]) else {
        for record in batch.records {
            let Record::Loaded(answer) = record else { continue };
            // What was refused is still to be loaded, so the answer is.
            if tally.has_refused_since_the_last_answer() {
                say!("{}: not noted as loaded, because a partition of it was refused", answer.raw);
                continue;
            }
            db.mark_loaded(&answer, how.now)?;
            tally.loaded += 1;
        }
        return Ok(());
    };
    let (mut whole, mut rows, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for record in batch.records {
        match record {
            Record::Partition(incoming) => whole.push(incoming),
            Record::Rows { key, rows: more, is_complete } => {
                rows.push(Part { key, rows: more, is_complete });
            }
            Record::Absent(key, reason) => absent.push((key, reason)),
            Record::Loaded(_) => {}
        }
    }
    store_whole(db, table, &whole, how, tally)?;
    store_rows(db, table, rows, how, tally)?;
    if !absent.is_empty() {
        db.put_off(table, &absent, how.now)?;
        tally.unavailable += absent.len() as u64;
    }
    Ok(())
}

/// Stores partitions together. What the database cannot take is found by storing them one by one: it must not keep the
/// others back.
fn store_whole(db: &mut Db, table: &Table, whole: &[Incoming], how: How, tally: &mut Tally) -> Outcome {
    if whole.is_empty() {
        return Ok(());
    }
    match db.store(table, whole, how.allow_shrink, how.now) {
        Ok((stored, left_out)) => {
            tally.ignored += left_out;
            whole.iter().zip(stored).for_each(|(partition, stored)| tally.count(partition, stored));
        }
        Err(failure) if failure.kind() != Kind::Data => return Err(failure),
        Err(failure) => match whole {
            [one] => tally.refused.push(format!("{}: {failure}", one.key)),
            _ => return whole.chunks(1).try_for_each(|one| store_whole(db, table, one, how, tally)),
        },
    }
    Ok(())
}

/// Rows of one partition, which stand for themselves.
#[derive(Clone)]
struct Part {
    key: PartitionKey,
    rows: Vec<Arrival>,
    is_complete: bool,
}

/// Stores rows together; where that makes no sense, partition by partition, so that one keeps no other back.
fn store_rows(db: &mut Db, table: &Table, parts: Vec<Part>, how: How, tally: &mut Tally) -> Outcome {
    if parts.is_empty() {
        return Ok(());
    }
    // Only rows that must not change can be refused by those that are there.
    let again = (table.write == Write::Append).then(|| parts.clone());
    let complete: Vec<PartitionKey> =
        parts.iter().filter(|part| part.is_complete).map(|part| part.key.clone()).collect();
    let rows: Vec<Arrival> = parts.into_iter().flat_map(|part| part.rows).collect();
    match (db.upsert(table, rows, &complete, how.backfill, how.now), again) {
        (Ok(upserted), _) => {
            tally.partitions += complete.len() as u64;
            tally.upserted(upserted);
            Ok(())
        }
        (Err(failure), Some(parts)) if failure.kind() == Kind::Data => match parts.as_slice() {
            [one] => {
                tally.refused.push(format!("{}: {failure}", one.key));
                Ok(())
            }
            _ => parts.into_iter().try_for_each(|part| store_rows(db, table, vec![part], how, tally)),
        },
        (Err(failure), _) => Err(failure),
    }
}
