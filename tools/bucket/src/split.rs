use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use clap::Args as ClapArgs;
use manners::{Failure, IoContext, Outcome, count, plural, say};
use rows::{Ending, Row, Table, Text};
use store::Store;

use crate::regular_file;

/// Objects that are being written at a time: a bucket is waited for more than it works.
const AT_ONCE: usize = 8;

/// Which rows become which object.
#[derive(ClapArgs)]
pub(crate) struct Split {
    /// CSV with a row for each object: `object_key`, and the columns of --by.
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Columns whose values say to which object a row belongs.
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    by: Vec<String>,
    /// The CSV. Rows of one object stand together.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// One object under way: its place in the list and its bytes.
struct Part {
    index: usize,
    bytes: Vec<u8>,
}

/// Writes the rows of a CSV as one object each for the rows of a list, under the CSV's header, and prints the list with
/// their digests. An object of the list without rows is a header.
pub(crate) fn split(store: &Store, split: &Split) -> Outcome {
    let list = List::read(&split.list, &split.by)?;
    let from = regular_file(&split.from)?;
    let mut table = Table::open(split.from.display().to_string(), from, Ending::Terminated)?;
    let by = split.by.iter().map(|column| table.require(column)).collect::<Outcome<Vec<_>>>()?;
    let writers =
        Writers { store, keys: &list.keys, digests: Mutex::default(), broken: AtomicBool::new(false) };
    let rows = writers.run(|parts| cut(&mut table, &by, &list, parts))?;
    let digests = writers.digests.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut out = manners::stdout()?;
    out.write_all(list.with(&digests).bytes()).and_then(|()| out.flush()).place("stdout")?;
    say!("{} from {} rows", plural(list.keys.len() as u64, "object"), count(rows));
    Ok(())
}

/// The objects that are wanted.
struct List {
    header: Vec<String>,
    rows: Vec<Vec<Vec<u8>>>,
    keys: Vec<String>,
    /// Where the object of some values of --by stands.
    index: HashMap<Vec<u8>, usize>,
}

impl List {
    fn read(path: &Path, by: &[String]) -> Outcome<List> {
        let name = path.display().to_string();
        let file = std::fs::File::open(path).place(&name)?;
        let mut table = Table::open(name, file, Ending::Terminated)?;
        let by = by.iter().map(|column| table.require(column)).collect::<Outcome<Vec<_>>>()?;
        let key = table.require("object_key")?;
        let mut list = List {
            header: table.header().to_vec(),
            rows: Vec::new(),
            keys: Vec::new(),
            index: HashMap::new(),
        };
        let mut seen = HashSet::new();
        while let Some(row) = table.next_row()? {
            let object_key = String::from_utf8_lossy(row.cell(key)).into_owned();
            let earlier = list.index.insert(values(&row, &by), list.keys.len());
            let (line, cells) = (row.line, row.cells().map(<[u8]>::to_vec).collect());
            if earlier.is_some() || !seen.insert(object_key.clone()) {
                return Err(table.failure(&format!("line {line}: an object stands in the list twice")));
            }
            list.rows.push(cells);
            list.keys.push(object_key);
        }
        Ok(list)
    }

    /// The list with a column more.
    fn with(&self, digests: &HashMap<usize, String>) -> Text {
        let mut text = Text::default();
        self.header.iter().for_each(|name| text.push(name.as_bytes()));
        text.push(b"sha256");
        text.end_row();
        for (index, row) in self.rows.iter().enumerate() {
            row.iter().for_each(|cell| text.push(cell));
            text.push(digests.get(&index).map_or(&b""[..], |digest| digest.as_bytes()));
            text.end_row();
        }
        text
    }
}

/// The values of some columns, with a border that no cell of UTF-8 holds.
fn values(row: &Row<'_>, columns: &[usize]) -> Vec<u8> {
    let mut values = Vec::new();
    for &column in columns {
        values.extend_from_slice(row.cell(column));
        values.push(0xff);
    }
    values
}

/// Cuts the rows into parts and hands each on when it is whole. Returns how many rows there were.
fn cut<R: Read>(
    table: &mut Table<R>,
    by: &[usize],
    list: &List,
    parts: &mut dyn FnMut(Part) -> bool,
) -> Outcome<u64> {
    let mut header = Text::default();
    table.header().iter().for_each(|name| header.push(name.as_bytes()));
    header.end_row();
    let name = table.name().to_owned();
    let mut started = vec![false; list.keys.len()];
    let mut current: Option<(usize, Vec<u8>, Text)> = None;
    let (mut rows, mut wanted) = (0, true);
    let mut end = |part: Option<(usize, Vec<u8>, Text)>| match part {
        Some((index, _, text)) => parts(Part { index, bytes: [header.bytes(), text.bytes()].concat() }),
        None => true,
    };
    while wanted && let Some(row) = table.next_row()? {
        rows += 1;
        let whose = values(&row, by);
        if current.as_ref().is_none_or(|(_, current, _)| *current != whose) {
            wanted = end(current.take());
            let line = row.line;
            let &index = list.index.get(&whose).ok_or_else(|| {
                Failure::data(format!("{name}: line {line}: the row belongs to no object of the list"))
            })?;
            if std::mem::replace(&mut started[index], true) {
                return Err(Failure::data(format!(
                    "{name}: line {line}: rows of {} stand apart (sort the CSV)",
                    list.keys[index]
                )));
            }
            current = Some((index, whose, Text::default()));
        }
        if let Some((_, _, text)) = &mut current {
            text.push_row(&row);
        }
    }
    wanted = wanted && end(current.take());
    for index in (0..started.len()).filter(|&index| !started[index]) {
        wanted = wanted && end(Some((index, Vec::new(), Text::default())));
    }
    Ok(rows)
}

/// What writes parts beside each other.
struct Writers<'a> {
    store: &'a Store,
    keys: &'a [String],
    /// Of the objects that are there.
    digests: Mutex<HashMap<usize, String>>,
    broken: AtomicBool,
}

impl Writers<'_> {
    /// Runs what makes the parts; it is told to stop (`false`) when one could not be written.
    fn run<T>(&self, make: impl FnOnce(&mut dyn FnMut(Part) -> bool) -> Outcome<T>) -> Outcome<T> {
        let (sender, parts) = sync_channel::<Part>(AT_ONCE);
        let parts = Mutex::new(parts);
        thread::scope(|scope| {
            let writers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| self.write(&parts))).collect();
            let made = make(&mut |part| self.hand(&sender, part));
            drop(sender);
            // The first failure of a writer is why the parts ended, if one did.
            for writer in writers {
                writer.join().unwrap_or_else(|_| Err(Failure::unavailable("a writer broke off")))?;
            }
            made
        })
    }

    fn hand(&self, sender: &SyncSender<Part>, part: Part) -> bool {
        !self.broken.load(Ordering::Relaxed) && sender.send(part).is_ok()
    }

    fn write(&self, parts: &Mutex<Receiver<Part>>) -> Outcome {
        loop {
            let next = parts.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Part { index, bytes }) = next else { return Ok(()) };
            if self.broken.load(Ordering::Relaxed) {
                continue;
            }
            if let Err(failure) = self.store.put(&self.keys[index], &mut bytes.as_slice()) {
                self.broken.store(true, Ordering::Relaxed);
                // The others go on taking parts, so that nobody waits for room.
                while parts.lock().unwrap_or_else(PoisonError::into_inner).recv().is_ok() {}
                return Err(failure);
            }
            let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
            digests.insert(index, fingerprint::of(&bytes));
        }
    }
}
