use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use cli::Input;
use db::{Arrival, Incoming, LoadedAnswer};
use failure::{Failure, IoContext, Outcome};
use rows::{Ending, Lines};
use schema::{PartitionKey, Schema, Table, Value, Write};
use wire::{Line, Partition};

/// Records that wait between the thread that reads them and the one that stores them; golf's are some 200 kB each.
const WAITING: usize = 8;

/// Partitions that share a transaction when they come faster than they can be stored one by one.
const TOGETHER: usize = 16;

/// Rows that are stored together in tables that take them one by one.
pub(crate) const ROWS_TOGETHER: usize = 50_000;

/// Something to store, of one table.
pub(crate) enum Record {
    /// All rows of a partition, which replace those that are there.
    Partition(Incoming),
    /// Rows of a partition, each for itself; `is_complete` where no more come.
    Rows { key: PartitionKey, rows: Vec<Arrival>, is_complete: bool },
    /// A partition that the source does not have yet.
    Absent(PartitionKey, String),
    /// An answer came to its end.
    Loaded(LoadedAnswer),
}

/// Records that are stored together: of one table, and of one kind.
pub(crate) struct Batch {
    /// The table; `None` for the ends of answers.
    pub(crate) table: Option<usize>,
    pub(crate) records: Vec<Record>,
}

type Next = (Option<usize>, Record);

/// Records as they come in, read, checked and hashed while earlier ones are being stored.
pub(crate) struct Arrivals {
    /// Ends with `None`: a reader that vanished is not an input that ended.
    incoming: Receiver<Outcome<Option<Next>>>,
    waiting: Option<Next>,
    ended: Option<Outcome>,
}

impl Arrivals {
    pub(crate) fn of(input: Input, schema: Arc<Schema>) -> Outcome<Arrivals> {
        let (sender, incoming) = sync_channel(WAITING);
        // Not joined: when storing fails, it may still be waiting for its input, and ends with the program.
        let read = move || {
            let mut reader = Reader {
                lines: Lines::open(input.name, input.reader, Ending::Terminated),
                schema,
                parts: None,
            };
            loop {
                let next = reader.next();
                let is_last = !matches!(next, Ok(Some(_)));
                if sender.send(next).is_err() || is_last {
                    return;
                }
            }
        };
        thread::Builder::new().name("reader".to_owned()).spawn(read).place("starting a thread")?;
        Ok(Arrivals { incoming, waiting: None, ended: None })
    }

    /// The next records, at least one unless the input has ended. What came before bad input is handed out first.
    pub(crate) fn next_batch(&mut self) -> Outcome<Option<Batch>> {
        let Some((table, first)) = self.next(true) else {
            return self.ended.take().unwrap_or(Ok(())).map(|()| None);
        };
        let mut size = size_of(&first);
        let mut batch = Batch { table, records: vec![first] };
        while size < ROWS_TOGETHER && !matches!(batch.records.last(), Some(Record::Loaded(_))) {
            let whole = batch.records.iter().filter(|record| matches!(record, Record::Partition(_))).count();
            if whole >= TOGETHER {
                break;
            }
            // Whatever is there is stored now; the next one may be minutes away.
            let Some((table, record)) = self.next(false) else { break };
            if table != batch.table {
                self.waiting = Some((table, record));
                break;
            }
            size += size_of(&record);
            batch.records.push(record);
        }
        Ok(Some(batch))
    }

    fn next(&mut self, wait: bool) -> Option<Next> {
        if let Some(waiting) = self.waiting.take() {
            return Some(waiting);
        }
        if self.ended.is_some() {
            return None;
        }
        let next = if wait {
            self.incoming.recv().unwrap_or_else(|_| Err(Failure::unavailable("the input's reader broke off")))
        } else {
            self.incoming.try_recv().ok()?
        };
        match next {
            Ok(Some(next)) => return Some(next),
            Ok(None) => self.ended = Some(Ok(())),
            Err(failure) => self.ended = Some(Err(failure)),
        }
        None
    }
}

fn size_of(record: &Record) -> usize {
    match record {
        Record::Rows { rows, .. } => rows.len(),
        Record::Partition(_) | Record::Absent(..) | Record::Loaded(_) => 1,
    }
}

struct Reader<R> {
    lines: Lines<R>,
    schema: Arc<Schema>,
    /// A partition of which parts came, and its end did not.
    parts: Option<Parts>,
}

struct Parts {
    table: usize,
    key: PartitionKey,
    last: u64,
    listing: Option<Vec<Value>>,
    /// Those of a table whose partitions are replaced: others are stored as they come.
    rows: Vec<Vec<Value>>,
}

impl Parts {
    fn cut(&self) -> String {
        format!("{}: its part {} came and its end did not: the stream was cut", self.key, self.last)
    }
}

impl<R: Read> Reader<R> {
    fn next(&mut self) -> Outcome<Option<Next>> {
        loop {
            let (number, line) = match self.lines.next_line()? {
                None => {
                    return self
                        .parts
                        .as_ref()
                        .map_or(Ok(None), |parts| Err(self.lines.failure(parts.cut())));
                }
                Some((number, line)) => (number, Line::from_bytes(line)),
            };
            let line = line.map_err(|reason| self.lines.failure(reason))?;
            let next = match line {
                Line::Loaded(mark) => {
                    if let Some(parts) = &self.parts {
                        return Err(self.lines.failure(parts.cut()));
                    }
                    let answer = LoadedAnswer { raw: mark.raw, extract_digest: mark.extract_digest };
                    Ok(Some((None, Record::Loaded(answer))))
                }
                Line::Partition(partition) => self.partition(number, partition),
            };
            if let Some(next) = next.map_err(|reason| self.lines.failure(reason))? {
                return Ok(Some(next));
            }
        }
    }

    /// What a record is for its table; `None` while parts of it are still to come.
    fn partition(&mut self, line: u64, mut record: Partition) -> Result<Option<Next>, String> {
        let schema = Arc::clone(&self.schema);
        let at = schema.tables.iter().position(|table| table.name == record.table);
        let Some(at) = at else { return Err(format!("table {:?} is not in the schema", record.table)) };
        let table = &schema.tables[at];
        let (key, rows) = record.rows_of(table)?;
        if let Some(reason) = record.unavailable {
            return if table.has_partition_rows() {
                Ok(Some((Some(at), Record::Absent(key, reason))))
            } else {
                Err(format!("{key}: table {} keeps no rows about its partitions to note that in", table.name))
            };
        }
        let listing = record.listing_of(table)?;
        if self.parts.as_ref().is_some_and(|parts| (parts.table, &parts.key) != (at, &key)) {
            return Err(format!("{key}: it comes between the parts of another partition"));
        }
        let part = record.part.unwrap_or(1);
        let before = self.parts.as_ref().map_or(0, |parts| parts.last);
        if part != before + 1 {
            return Err(format!("{key}: part {part} comes where part {} should", before + 1));
        }
        let is_end = record.part.is_none() || record.end == Some(true);
        if table.write != Write::Replace {
            // Rows that stand for themselves need not wait for the others.
            let parts = Parts { table: at, key: key.clone(), last: part, listing: None, rows: Vec::new() };
            self.parts = (!is_end).then_some(parts);
            let rows = rows.into_iter().map(|row| Arrival { line, row }).collect();
            return Ok(Some((Some(at), Record::Rows { key, rows, is_complete: is_end })));
        }
        let parts = match self.parts.take() {
            Some(mut parts) => {
                parts.rows.extend(rows);
                Parts { last: part, ..parts }
            }
            None => Parts { table: at, key, last: part, listing, rows },
        };
        if !is_end {
            self.parts = Some(parts);
            return Ok(None);
        }
        whole(table, parts).map(|incoming| Some((Some(at), Record::Partition(incoming))))
    }
}

fn whole(table: &Table, parts: Parts) -> Result<Incoming, String> {
    Incoming::new(table, parts.key, parts.listing, None, parts.rows)
}
