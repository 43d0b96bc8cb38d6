use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};

use clock::Instant;
use failure::{IoContext, Outcome};

/// How much of a run is read at a time while runs are merged.
const READ: usize = 256 * 1024;

/// Records in order of two instants and a key, however many there are: what does not fit into memory lies in files that
/// have no name, so that nothing is left of them whatever happens.
#[derive(Debug)]
pub(crate) struct Sorter {
    /// How many bytes may lie in memory.
    memory: usize,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    is_sorted: bool,
    runs: Vec<File>,
    /// From where on data decide between records that are equal otherwise; what is equal then stays as it came.
    ties: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    first: Instant,
    second: Instant,
    start: usize,
    key: u32,
    data: u32,
}

/// What was put in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) first: Instant,
    pub(crate) second: Instant,
    pub(crate) key: &'a [u8],
    pub(crate) data: &'a [u8],
}

impl Record<'_> {
    fn order(&self, other: &Record<'_>, ties: usize) -> Ordering {
        let order = (self.first, self.second, self.key).cmp(&(other.first, other.second, other.key));
        order.then_with(|| self.data.get(ties..).cmp(&other.data.get(ties..)))
    }
}

impl Sorter {
    /// Of records with equal instants and keys, the data from byte `ties` on decide.
    pub(crate) fn new(memory: usize, ties: usize) -> Sorter {
        Sorter { ties, memory, bytes: Vec::new(), entries: Vec::new(), is_sorted: true, runs: Vec::new() }
    }

    /// Adds a record, the data of which `write` appends.
    pub(crate) fn push(
        &mut self,
        first: Instant,
        second: Instant,
        key: &[u8],
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Outcome {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let data = self.bytes.len();
        write(&mut self.bytes);
        let (key, data) = ((data - start) as u32, (self.bytes.len() - data) as u32);
        let entry = Entry { first, second, start, key, data };
        let record = self.record(&entry);
        self.is_sorted &=
            self.entries.last().is_none_or(|last| self.record(last).order(&record, self.ties).is_le());
        self.entries.push(entry);
        if self.bytes.len() + self.entries.len() * size_of::<Entry>() > self.memory {
            self.spill()?;
        }
        Ok(())
    }

    fn record(&self, entry: &Entry) -> Record<'_> {
        let (key, data) = self.bytes[entry.start..].split_at(entry.key as usize);
        Record { first: entry.first, second: entry.second, key, data: &data[..entry.data as usize] }
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            let mut entries = std::mem::take(&mut self.entries);
            // What is equal stays in the order in which it came.
            entries.sort_by(|one, other| self.record(one).order(&self.record(other), self.ties));
            self.entries = entries;
        }
    }

    fn spill(&mut self) -> Outcome {
        self.sort();
        let file = tempfile::tempfile().place("a temporary file")?;
        let mut out = BufWriter::with_capacity(READ, file);
        for entry in &self.entries {
            let record = self.record(entry);
            write(&mut out, &record).place("a temporary file")?;
        }
        let mut file =
            out.into_inner().map_err(std::io::IntoInnerError::into_error).place("a temporary file")?;
        file.rewind().place("a temporary file")?;
        self.runs.push(file);
        self.bytes.clear();
        self.entries.clear();
        self.is_sorted = true;
        Ok(())
    }

    /// The records in order.
    pub(crate) fn finish(mut self) -> Outcome<Sorted> {
        self.sort();
        let mut runs = Vec::new();
        for file in std::mem::take(&mut self.runs) {
            runs.push(Run { input: BufReader::with_capacity(READ, file), head: Head::default() });
        }
        let mut heap = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            if run.advance()? {
                heap.push(Turn { head: std::mem::take(&mut run.head), number, ties: self.ties });
            }
        }
        Ok(Sorted { memory: self, next: 0, runs, heap, current: None })
    }
}

fn write(out: &mut impl Write, record: &Record<'_>) -> std::io::Result<()> {
    out.write_all(&record.first.0.to_le_bytes())?;
    out.write_all(&record.second.0.to_le_bytes())?;
    out.write_all(&(record.key.len() as u32).to_le_bytes())?;
    out.write_all(&(record.data.len() as u32).to_le_bytes())?;
    out.write_all(record.key)?;
    out.write_all(record.data)
}

#[derive(Debug, Default)]
struct Head {
    first: Instant,
    second: Instant,
    bytes: Vec<u8>,
    key: usize,
}

impl Head {
    fn record(&self) -> Record<'_> {
        let (key, data) = self.bytes.split_at(self.key);
        Record { first: self.first, second: self.second, key, data }
    }
}

#[derive(Debug)]
struct Run {
    input: BufReader<File>,
    head: Head,
}

impl Run {
    /// Reads the next record; `false` at the end, which lies between two records: the file is our own.
    fn advance(&mut self) -> Outcome<bool> {
        let mut sizes = [0; 24];
        let read = self.input.read(&mut sizes[..1]).place("a temporary file")?;
        if read == 0 {
            return Ok(false);
        }
        self.input.read_exact(&mut sizes[1..]).place("a temporary file")?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x] = sizes;
        self.head.first = Instant(i64::from_le_bytes([a, b, c, d, e, f, g, h]));
        self.head.second = Instant(i64::from_le_bytes([i, j, k, l, m, n, o, p]));
        self.head.key = u32::from_le_bytes([q, r, s, t]) as usize;
        let data = u32::from_le_bytes([u, v, w, x]) as usize;
        self.head.bytes.resize(self.head.key + data, 0);
        self.input.read_exact(&mut self.head.bytes).place("a temporary file")?;
        Ok(true)
    }
}

/// A run's next record; the heap hands out the greatest, so the order is turned round.
#[derive(Debug)]
struct Turn {
    head: Head,
    number: usize,
    ties: usize,
}

impl Ord for Turn {
    fn cmp(&self, other: &Turn) -> Ordering {
        self.head
            .record()
            .order(&other.head.record(), self.ties)
            .then(self.number.cmp(&other.number))
            .reverse()
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Turn) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Turn) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Turn {}

/// Sorted records, one after the other.
#[derive(Debug)]
pub(crate) struct Sorted {
    /// What was still in memory: younger than every run.
    memory: Sorter,
    next: usize,
    runs: Vec<Run>,
    heap: BinaryHeap<Turn>,
    /// The record that was handed out, and whose run has to be read on; none if it was one of memory.
    current: Option<Turn>,
}

impl Sorted {
    /// The next record.
    pub(crate) fn next(&mut self) -> Outcome<Option<Record<'_>>> {
        if let Some(turn) = self.current.take() {
            let run = &mut self.runs[turn.number];
            run.head = turn.head;
            if run.advance()? {
                self.heap.push(Turn {
                    head: std::mem::take(&mut run.head),
                    number: turn.number,
                    ties: turn.ties,
                });
            }
        }
        let in_memory = self.memory.entries.get(self.next).map(|entry| self.memory.record(entry));
        let is_of_run = match (self.heap.peek(), &in_memory) {
            (Some(turn), Some(record)) => turn.head.record().order(record, turn.ties).is_le(),
            (turn, _) => turn.is_some(),
        };
        if is_of_run {
            self.current = self.heap.pop();
            return Ok(self.current.as_ref().map(|turn| turn.head.record()));
        }
        self.next += 1;
        Ok(self.memory.entries.get(self.next - 1).map(|entry| self.memory.record(entry)))
    }
}

#[cfg(test)]
mod tests {
    use clock::Instant;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::Sorter;

    proptest! {
        #[test]
        fn the_order_is_the_same_however_little_memory_there_is(
            records in prop::collection::vec((0..5i64, 0..3i64, "[ab]{0,2}", any::<u8>()), 0..60),
            memory in 1..4_000usize,
        ) {
            let mut sorter = Sorter::new(memory, usize::MAX);
            for (first, second, key, data) in &records {
                let write = |bytes: &mut Vec<u8>| bytes.push(*data);
                sorter.push(Instant(*first), Instant(*second), key.as_bytes(), write).unwrap();
            }
            let mut sorted = sorter.finish().unwrap();
            let mut found = Vec::new();
            while let Some(record) = sorted.next().unwrap() {
                let key = String::from_utf8(record.key.to_vec()).unwrap();
                found.push((record.first.0, record.second.0, key, record.data[0]));
            }
            let mut expected = records;
            expected.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
            prop_assert_eq!(found, expected);
        }
    }
}
