use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use clean::Counts;
use db::{Db, Due, Noted};
use failure::{Failure, IoContext, Kind, Outcome};
use rows::{Ending, Table, Text};
use schema::{ContentDigest, PartitionKey, Source, Value, Write};

use crate::{Job, publish};

const PLACE: &str = "temporary file";

/// Partitions that are being cleaned at a time, at most.
const AT_ONCE: usize = 8;

/// Partitions as they are published, collected before the first of them is: a database that is read while a bucket is slow would
/// keep its writers waiting.
pub(crate) struct Spooled {
    file: Appended,
    /// In the order of what is due.
    pub(crate) parts: Vec<Part>,
    /// Whether rows were exported that could not be held against what was stored.
    pub(crate) are_unchecked: bool,
}

/// A partition that was read.
pub(crate) struct Part {
    /// Which of those that are due.
    pub(crate) due: usize,
    /// Rows of the database.
    pub(crate) n_rows: u64,
    /// Whether they are, or may be, others than were stored.
    pub(crate) is_damaged: bool,
    /// What is published of them; without rows: nothing.
    pub(crate) cleaned: Outcome<Cleaned>,
}

/// Where the bytes of an object lie, before it is written.
#[derive(Default)]
pub(crate) struct Cleaned {
    from: u64,
    size_bytes: usize,
    pub(crate) sha256: String,
    /// What cleaning did, where the export has a recipe.
    pub(crate) counts: Option<Counts>,
}

/// Asks for the rows of every partition that is due, in one pass, and cleans them meanwhile; from its beginning again if the server
/// went away. Rows of a table are held against what was stored.
pub(crate) fn spool(db: &mut Db, job: &Job<'_>, due: &[Due]) -> Outcome<Spooled> {
    loop {
        let pass = one_pass(db, job, due).and_then(|mut spooled| {
            if spooled.parts.iter().any(|part| part.is_damaged) {
                let stored = Stored::of(db, job)?;
                for at in 0..spooled.parts.len() {
                    if spooled.parts[at].is_damaged {
                        spooled.look_again(db, job, due, &stored, at)?;
                    }
                }
            }
            Ok(spooled)
        });
        match pass {
            Ok(spooled) => return Ok(spooled),
            Err(_) if db.may_ask_again() => {}
            Err(failure) => return Err(failure),
        }
    }
}

fn one_pass(db: &mut Db, job: &Job<'_>, due: &[Due]) -> Outcome<Spooled> {
    let stored = Stored::of(db, job)?;
    let file = Appended { file: tempfile::tempfile().place(PLACE)?, end: AtomicU64::new(0) };
    // This thread waits for the database, and needs a core for what comes.
    let n_cleaners =
        thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).clamp(1, AT_ONCE);
    let mut parts: Vec<Part> = thread::scope(|scope| {
        let (to_clean, raw) = sync_channel::<Raw>(n_cleaners);
        let (give_back, used) = sync_channel::<Raw>(2 * n_cleaners);
        // Only those who clean hold the receiving end: when none of them is left, nothing more is sent.
        let raw = Arc::new(Mutex::new(raw));
        let (its_stored, its_file) = (&stored, &file);
        let mut cleaners = Vec::with_capacity(n_cleaners);
        for (raw, give_back) in std::iter::repeat_n((raw, give_back), n_cleaners) {
            let clean = move || clean_all(raw, give_back, job, due, its_stored, its_file);
            match thread::Builder::new().spawn_scoped(scope, clean) {
                Ok(cleaner) => cleaners.push(cleaner),
                // Fewer take longer.
                Err(_) if !cleaners.is_empty() => break,
                Err(error) => return Err(Failure::io("starting a thread", &error)),
            }
        }
        let read = read_all(db, job, due, &stored, &used, &mut |raw| to_clean.send(raw).is_ok());
        drop(to_clean);
        let mut parts = Vec::with_capacity(due.len());
        for cleaner in cleaners {
            match cleaner.join() {
                Ok(cleaned) => parts.extend(cleaned?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        read.map(|()| parts)
    })?;
    parts.sort_unstable_by_key(|part| part.due);
    let are_unchecked = stored.table.is_some() && !stored.are_checked && !parts.is_empty();
    Ok(Spooled { file, parts, are_unchecked })
}

/// What rows of a table must be, and which of their columns are exported. Of the rows of a SELECT nothing is known.
struct Stored<'a> {
    table: Option<&'a schema::Table>,
    /// The places of the exported columns.
    exported: Vec<usize>,
    /// Of those that say what a row is.
    counted: Vec<usize>,
    noted: BTreeMap<PartitionKey, Noted>,
    /// Whether rows are held against what is noted.
    are_checked: bool,
}

impl<'a> Stored<'a> {
    fn of(db: &mut Db, job: &Job<'a>) -> Outcome<Stored<'a>> {
        let Source::Table(name) = &job.export.source else {
            let (exported, counted) = (Vec::new(), Vec::new());
            return Ok(Stored { table: None, exported, counted, noted: BTreeMap::new(), are_checked: false });
        };
        let table = job.schema.table(name)?;
        let (noted, are_checked) = (db.noted(table)?, db.can_tell_damage(table)?);
        // What is only about a row is exported where a recipe asks for it.
        let exported =
            (0..table.columns.len()).filter(|&at| job.rules.recipe.is_some() || !table.is_about(at));
        Ok(Stored {
            exported: exported.collect(),
            counted: table.counted(),
            table: Some(table),
            noted,
            are_checked,
        })
    }
}

impl Stored<'_> {
    /// The names of the exported columns.
    fn names(&self) -> Vec<String> {
        let columns = self.table.map_or(&[][..], |table| &table.columns);
        self.exported.iter().map(|&at| columns[at].name.clone()).collect()
    }
}

/// Cells that wait to be text: cells are larger than their text, so those of a large partition do not wait all together.
const CELLS: usize = 128 * 1024;

/// The rows of a partition as the database has them.
#[derive(Default)]
struct Raw {
    due: usize,
    n_rows: u64,
    /// The line that opens the object.
    header: Vec<u8>,
    /// The first rows.
    text: Text,
    /// The rows after them, one after the other. Whoever cleans them makes text of them.
    cells: Vec<Value>,
    columns: usize,
    /// Of the rows so far.
    digest: ContentDigest,
    /// Whether each of them is the one that was stored.
    are_rows: bool,
}

impl Raw {
    fn begin(&mut self, due: usize) {
        (self.due, self.n_rows, self.are_rows) = (due, 0, true);
        self.digest = ContentDigest::new();
        self.text.clear();
    }

    fn row(&mut self, row: &[Value], stored: &Stored<'_>) {
        self.n_rows += 1;
        self.columns = row.len();
        self.cells.extend_from_slice(row);
        if self.cells.len() >= CELLS {
            self.make_text(stored);
        }
    }

    fn make_text(&mut self, stored: &Stored<'_>) {
        for row in self.cells.chunks_exact(self.columns.max(1)) {
            match stored.table {
                None => row.iter().for_each(|value| value.push_to(&mut self.text)),
                Some(table) => {
                    stored.exported.iter().for_each(|&at| row[at].push_to(&mut self.text));
                    match row.get(table.columns.len()) {
                        Some(digest) => {
                            self.are_rows &= db::is_row(table, &row[..table.columns.len()], digest);
                        }
                        None => self.digest.add(stored.counted.iter().map(|&at| &row[at])),
                    }
                }
            }
            self.text.end_row();
        }
        self.cells.clear();
    }

    /// Whether the rows are those that were stored, at the first look.
    fn is_whole(&mut self, partition: &PartitionKey, stored: &Stored<'_>) -> bool {
        let digest = std::mem::take(&mut self.digest);
        let Some(table) = stored.table.filter(|_| stored.are_checked) else { return true };
        let noted = stored.noted.get(partition);
        let n_rows = noted.map_or(0, |noted| noted.n_rows);
        let is_counted = !table.has_partition_rows() || n_rows == self.n_rows as i64;
        match table.write {
            Write::Replace => {
                let noted = noted.and_then(|noted| noted.content_sha256.as_deref());
                is_counted && noted == Some(digest.sha256().as_str())
            }
            Write::Upsert | Write::Append => is_counted && self.are_rows,
        }
    }
}

/// Hands the rows of every partition to `take`, until it wants no more. Memory that was `used` is used again.
fn read_all(
    db: &mut Db,
    job: &Job<'_>,
    due: &[Due],
    stored: &Stored<'_>,
    used: &Receiver<Raw>,
    take: &mut dyn FnMut(Raw) -> bool,
) -> Outcome {
    let mut header: Option<Vec<u8>> = None;
    for (at, due) in due.iter().enumerate() {
        let mut raw = used.try_recv().unwrap_or_default();
        raw.begin(at);
        let names = ask(db, job, stored, &due.partition, &mut |row| {
            raw.row(row, stored);
            Ok(())
        })?;
        raw.header = header_of(&names);
        if *header.get_or_insert_with(|| raw.header.clone()) != raw.header {
            return Err(Failure::data("the columns of the export's SQL differ from partition to partition"));
        }
        if !take(raw) {
            break;
        }
    }
    Ok(())
}

/// Cleans partition after partition. Bad rows are a partition's own fault; whatever else goes wrong ends it.
fn clean_all(
    raw: Arc<Mutex<Receiver<Raw>>>,
    give_back: SyncSender<Raw>,
    job: &Job<'_>,
    due: &[Due],
    stored: &Stored<'_>,
    file: &Appended,
) -> Outcome<Vec<Part>> {
    let mut parts = Vec::new();
    loop {
        let next = raw.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut raw) = next else { return Ok(parts) };
        raw.make_text(stored);
        let is_damaged = !raw.is_whole(&due[raw.due].partition, stored);
        let cleaned = match raw.n_rows {
            _ if is_damaged => Ok(Cleaned::default()),
            0 => Ok(Cleaned::default()),
            _ => clean_one(&raw, job, &due[raw.due], file),
        };
        if let Err(failure) = cleaned.as_ref()
            && failure.kind() != Kind::Data
        {
            return cleaned.map(|_| parts);
        }
        parts.push(Part { due: raw.due, n_rows: raw.n_rows, is_damaged, cleaned });
        // Nobody needs it when all is read.
        let _ = give_back.try_send(raw);
    }
}

fn clean_one(raw: &Raw, job: &Job<'_>, due: &Due, file: &Appended) -> Outcome<Cleaned> {
    publish::check_names(due)?;
    let mut csv = raw.header.as_slice().chain(raw.text.bytes());
    let mut bytes = Vec::with_capacity(raw.header.len() + raw.text.bytes().len());
    let counts = match &job.rules.recipe {
        None => {
            csv.read_to_end(&mut bytes).place(PLACE)?;
            None
        }
        Some(recipe) => {
            let table = Table::open(due.partition.to_string(), csv, Ending::Terminated)?;
            Some(clean::clean_here(recipe, table, &mut bytes)?)
        }
    };
    Ok(Cleaned {
        from: file.append(&bytes)?,
        size_bytes: bytes.len(),
        sha256: fingerprint::of(&bytes),
        counts,
    })
}

/// Hands every row of a partition to `row` and returns the names of the cells that are exported.
fn ask(
    db: &mut Db,
    job: &Job<'_>,
    stored: &Stored<'_>,
    partition: &PartitionKey,
    row: &mut dyn FnMut(&[Value]) -> Outcome,
) -> Outcome<Vec<String>> {
    if let Some(table) = stored.table {
        db.rows_and_digests(table, partition, row)?;
        return Ok(stored.names());
    }
    match (&job.export.source, &job.rules.sql) {
        (Source::Sql(file), Some((sql, places))) => {
            let parameters: Vec<Value> = places.iter().map(|&place| partition.0[place].clone()).collect();
            db.sql_with(sql, &parameters, row).map_err(|failure| match failure.kind() {
                // What the database cannot make sense of stands in a file.
                Kind::Usage => Failure::config(format!("{file}: {failure}")),
                _ => failure.at(file),
            })
        }
        (Source::Sql(file) | Source::Table(file), _) => {
            Err(Failure::config(format!("{file}: it was not read")))
        }
    }
}

fn header_of(names: &[String]) -> Vec<u8> {
    let mut text = Text::default();
    names.iter().for_each(|name| text.push(name.as_bytes()));
    text.end_row();
    text.bytes().to_vec()
}

/// A file that several threads append to.
struct Appended {
    file: File,
    end: AtomicU64,
}

impl Appended {
    /// Appends bytes, and returns where they begin.
    fn append(&self, bytes: &[u8]) -> Outcome<u64> {
        let from = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(bytes, from).place(PLACE)?;
        Ok(from)
    }
}

impl Spooled {
    /// Looks again at a partition that is damaged at the first look. A load beside this may have stored other rows,
    /// nullable columns may be younger than the partition, and its digest may be of another schema's columns.
    fn look_again(
        &mut self,
        db: &mut Db,
        job: &Job<'_>,
        due: &[Due],
        stored: &Stored<'_>,
        at: usize,
    ) -> Outcome {
        let part = &mut self.parts[at];
        let due = &due[part.due];
        let Some(table) = stored.table else { return Ok(()) };
        let rows = match db.undamaged_rows(table, &due.partition)? {
            Ok(rows) => rows,
            Err(damage) => {
                let place = if table.partition.is_empty() { &table.name } else { &due.partition.to_string() };
                let remedy = match table.write {
                    Write::Replace => "it will be fetched again, and can be exported then",
                    _ => {
                        "db-load verify notes it as one to fetch again; a key that is none, db-load delete takes away"
                    }
                };
                let what = damage.what;
                part.cleaned = Err(Failure::data(format!("{place}: damaged: {what} ({remedy})")));
                return Ok(());
            }
        };
        let mut raw = Raw { header: header_of(&stored.names()), ..Raw::default() };
        rows.iter().for_each(|row| raw.row(row, stored));
        raw.make_text(stored);
        (part.is_damaged, part.n_rows) = (false, raw.n_rows);
        part.cleaned = match raw.n_rows {
            0 => Ok(Cleaned::default()),
            _ => match clean_one(&raw, job, due, &self.file) {
                Err(failure) if failure.kind() != Kind::Data => return Err(failure),
                cleaned => cleaned,
            },
        };
        Ok(())
    }

    /// An object's bytes.
    pub(crate) fn bytes(&self, cleaned: &Cleaned) -> Outcome<Vec<u8>> {
        let mut bytes = vec![0; cleaned.size_bytes];
        self.file.file.read_exact_at(&mut bytes, cleaned.from).place(PLACE)?;
        Ok(bytes)
    }
}
