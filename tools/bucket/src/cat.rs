use std::io::{Read, Write};
use std::path::Path;

use fingerprint::Hashed;
use manifest::{MANIFEST_V1, Manifest, Part};
use manners::{Failure, IoContext, Outcome, count, plural, say};
use outfile::OutFile;
use rows::{Ending, Table, Writer};
use store::Store;

/// Joins the CSVs below `prefix` in key order. The manifest appears only when everything was written.
pub(crate) fn cat(store: &Store, prefix: &str, manifest: Option<&Path>) -> Outcome {
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
    let mut joined = Writer::new(Hashed::new(manners::stdout()?));
    let mut header: Option<Header> = None;
    let mut objects = Vec::with_capacity(entries.len());
    let readers = store.readers(entries.iter().map(|entry| entry.key.as_str()));
    for (entry, reader) in entries.iter().zip(readers) {
        let reader = reader?
            .ok_or_else(|| Failure::unavailable(format!("{}: removed while it was being read", entry.key)))?;
        let mut input = Hashed::new(reader);
        let rows = append(&entry.key, &mut input, &mut header, &mut joined)?;
        let key = entry.key.strip_prefix(prefix).unwrap_or(&entry.key).to_owned();
        objects.push(Part { key, sha256: input.hex(), rows });
    }
    let joined = joined.finish().place("stdout")?;
    let rows = objects.iter().map(|part| part.rows).sum();
    let record = Manifest { v: MANIFEST_V1.to_owned(), joined_sha256: joined.hex(), rows, objects };
    if let Some(path) = manifest {
        let mut file = OutFile::create(path).place(path.display())?;
        file.write_all(record.to_text().as_bytes()).and_then(|()| file.publish()).place(path.display())?;
    }
    say!("{} of {}", count(rows) + " rows", plural(record.objects.len() as u64, "object"));
    Ok(())
}

/// The header of the first object, and whose it is.
struct Header {
    columns: Vec<String>,
    key: String,
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
