use std::io::{Read, Write};
use std::path::Path;

use cells::Cells;
use diagnostics::{count, plural, say};
use failure::{Failure, IoContext, Outcome};
use fingerprint::Hashed;
use manifest::{Excluded, MANIFEST_V1, Manifest, Part};
use recipe::{OnBadObject, Recipe};
use rows::{Ending, Table, Writer};
use store::Store;

/// Joins the CSVs below `prefix` in key order. The manifest appears only when everything was written. If the recipe wants bad objects left out,
/// each is in memory while it is looked through.
pub(crate) fn cat(store: &Store, prefix: &str, manifest: Option<&Path>, recipe: Option<&Recipe>) -> Outcome {
    if !prefix.ends_with('/') {
        // Otherwise a/b would also join a/b_old, and keys relative to it would start with a slash.
        return Err(Failure::usage(format!("prefix {prefix:?} does not end with a slash")));
    }
    let entries = store.list(prefix)?;
    if entries.is_empty() {
        return Err(Failure::data(format!(
            "{prefix}: there are no objects below this prefix (bucket ls lists all)"
        )));
    }
    let mut joined = Writer::new(Hashed::new(cli::stdout()?));
    let mut header: Option<Header> = None;
    let mut objects = Vec::with_capacity(entries.len());
    let mut excluded: Vec<Excluded> = Vec::new();
    let excluding = recipe.filter(|recipe| recipe.training.on_bad_object == OnBadObject::Exclude);
    let readers = store.readers(entries.iter().map(|entry| entry.key.as_str()));
    for (entry, reader) in entries.iter().zip(readers) {
        let reader = reader?
            .ok_or_else(|| Failure::unavailable(format!("{}: removed while it was being read", entry.key)))?;
        let mut input = Hashed::new(reader);
        let key = entry.key.strip_prefix(prefix).unwrap_or(&entry.key).to_owned();
        let rows = match excluding {
            None => append(&entry.key, &mut input, &mut header, &mut joined)?,
            Some(recipe) => {
                let mut bytes = Vec::new();
                input.read_to_end(&mut bytes).place(&entry.key)?;
                if let Err(failure) = look_through(&entry.key, &bytes, recipe) {
                    say!("{failure}: left out");
                    excluded.push(Excluded { key, sha256: input.hex(), reason: failure.to_string() });
                    let most = recipe.training.bad_objects_at_most.unwrap_or(0) as usize;
                    if excluded.len() > most {
                        return Err(Failure::data(format!(
                            "more bad objects than [training] bad_objects_at_most = {most} of the recipe: repair them"
                        )));
                    }
                    continue;
                }
                append(&entry.key, &mut bytes.as_slice(), &mut header, &mut joined)?
            }
        };
        objects.push(Part { key, sha256: input.hex(), rows });
    }
    if objects.is_empty() {
        return Err(Failure::data(format!(
            "{prefix}: every object was left out: nothing is left to train on"
        )));
    }
    let joined = joined.finish().place("stdout")?;
    let rows = objects.iter().map(|part| part.rows).sum();
    let record = Manifest {
        v: MANIFEST_V1.to_owned(),
        joined_sha256: joined.hex(),
        rows,
        objects,
        excluded,
        steps: Vec::new(),
    };
    if let Some(path) = manifest {
        record.publish(path)?;
    }
    let without = match record.excluded.len() {
        0 => String::new(),
        excluded => format!(", {excluded} left out"),
    };
    say!("{} of {}{without}", count(rows) + " rows", plural(record.objects.len() as u64, "object"));
    Ok(())
}

/// The header of the first object, and whose it is.
struct Header {
    columns: Vec<String>,
    key: String,
}

/// Whether `fit` can read an object: its columns, and every cell that it looks at.
fn look_through(key: &str, bytes: &[u8], recipe: &Recipe) -> Outcome {
    let mut table = Table::open(key, bytes, Ending::Terminated)?;
    // Not the first object's: that one may be the bad one.
    let columns = recipe.output_columns();
    if table.header() != columns {
        let (own, columns) = (table.header().join(","), columns.join(","));
        return Err(table.failure(&format!("its header is {own}, but the recipe's rows have {columns}")));
    }
    let cells = Cells::find(recipe, &table)?;
    while let Some(row) = table.next_row()? {
        let read = cells.read(&row, |_, _| {});
        read.map_err(|reason| Failure::data(format!("{key}: line {}, {reason}", row.line)))?;
    }
    Ok(())
}

fn append<R: Read, W: Write>(
    key: &str,
    input: &mut R,
    header: &mut Option<Header>,
    joined: &mut Writer<W>,
) -> Outcome<u64> {
    let mut table = Table::open(key, input, Ending::Terminated)?;
    match header {
        None => {
            joined.write(table.header()).place("stdout")?;
            *header = Some(Header { columns: table.header().to_vec(), key: key.to_owned() });
        }
        Some(first) if first.columns == table.header() => {}
        Some(first) => {
            return Err(table.failure(&format!(
                "its header is {}, but that of {} is {}",
                table.header().join(","),
                first.key,
                first.columns.join(",")
            )));
        }
    }
    let mut rows = 0;
    while let Some(row) = table.next_row()? {
        joined.write_row(&row).place("stdout")?;
        rows += 1;
    }
    Ok(rows)
}
