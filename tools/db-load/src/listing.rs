use std::path::Path;

use clock::Now;
use db::{Db, Listing};
use diagnostics::{count, plural, say};
use failure::{Failure, Outcome};
use rows::{Ending, Lines};
use schema::Schema;

/// Takes over a whole list. Every line says how many there are, so a list that was cut anywhere is refused.
pub(crate) fn listing(db: &mut Db, schema: &Schema, input: Option<&Path>, now: Now) -> Outcome {
    let input = cli::input(input)?;
    let mut lines = Lines::open(input.name, input.reader, Ending::Terminated);
    let mut table = None;
    let mut listings: Vec<Listing> = Vec::new();
    let mut last = (0, 0);
    while let Some((_, line)) = lines.next_line()? {
        let record = wire::Listing::from_line(line).map_err(|reason| lines.failure(reason))?;
        let of = match table {
            None => listed_table(schema, &record.table)?,
            Some(of) => of,
        };
        if record.table != of.name {
            return Err(
                lines.failure(format!("the list is of table {}, and then of {}", of.name, record.table))
            );
        }
        if record.line != last.0 + 1 || (last.1 != 0 && record.lines != last.1) {
            return Err(lines.failure(format!(
                "line {} of {} stands where line {} of the list should be: nothing was stored",
                record.line,
                record.lines,
                last.0 + 1
            )));
        }
        last = (record.line, record.lines);
        let (key, values) = record.fit(of).map_err(|reason| lines.failure(reason))?;
        listings.push(Listing { key, values });
        table = Some(of);
    }
    let Some(table) = table else {
        return Err(lines.failure("the input is empty: a list has lines, so the stream was cut"));
    };
    if last.0 != last.1 {
        return Err(lines.failure(format!(
            "the list has {} lines, but only {} came: the stream was cut; nothing was stored",
            last.1, last.0
        )));
    }
    let listed = db.list(table, &listings, now)?;
    say!(
        "{} listed: {} new, {} corrected, {} as before",
        plural(listings.len() as u64, "partition"),
        count(listed.new),
        count(listed.changed),
        count(listed.same)
    );
    Ok(())
}

fn listed_table<'a>(schema: &'a Schema, name: &str) -> Outcome<&'a schema::Table> {
    let table = schema.table(name).map_err(|failure| Failure::data(failure.to_string()))?;
    match table.has_partition_rows() {
        true => Ok(table),
        false => Err(Failure::data(format!(
            "table {name} keeps no rows about its partitions, so nothing lists them"
        ))),
    }
}
