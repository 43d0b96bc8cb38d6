use std::io::{self, Chain, Cursor, Read};

use csv::ByteRecord;
use manners::{Failure, IoContext, Outcome, plural};

use crate::ending::{Ended, Ending};

/// A CSV input with a header, read one row at a time.
pub struct Table<R> {
    name: String,
    csv: csv::Reader<Ended<Chain<Cursor<Vec<u8>>, R>>>,
    header: Vec<String>,
    record: ByteRecord,
    ending: Ending,
}

/// One row: cells of text, and where they stand.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Line of the input on which the row begins; the header is line 1.
    pub line: u64,
    record: &'a ByteRecord,
}

impl<'a> Row<'a> {
    /// The cell at `index`; empty beyond the row's end, which a table never hands out.
    pub fn cell(&self, index: usize) -> &'a [u8] {
        self.record.get(index).unwrap_or_default()
    }

    /// All cells in order.
    pub fn cells(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.record.iter()
    }

    /// The row as the CSV writer takes it.
    pub fn record(&self) -> &'a ByteRecord {
        self.record
    }
}

/// What reading one row gave.
enum Read1 {
    Row(u64),
    Ragged(u64),
    End,
}

impl<R: Read> Table<R> {
    /// Reads the header. `name` is how messages call the input.
    pub fn open(name: impl Into<String>, mut reader: R, ending: Ending) -> Outcome<Table<R>> {
        let name = name.into();
        let head = without_byte_order_mark(&mut reader).place(&name)?;
        let input = Ended::new(Cursor::new(head).chain(reader));
        let csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(256 * 1024)
            .from_reader(input);
        let mut table = Table { name, csv, header: Vec::new(), record: ByteRecord::new(), ending };
        table.read_header()?;
        Ok(table)
    }

    fn read_header(&mut self) -> Outcome {
        match self.read()? {
            Read1::End => return Err(self.failure("the input is empty: a header line was expected")),
            Read1::Row(_) | Read1::Ragged(_) => {}
        }
        for cell in &self.record {
            let name = std::str::from_utf8(cell)
                .map_err(|_| self.failure("line 1: a column name is not valid UTF-8"))?;
            if self.header.iter().any(|seen| seen == name) {
                return Err(self.failure(&format!("line 1: column {name:?} stands twice in the header")));
            }
            self.header.push(name.to_owned());
        }
        Ok(())
    }

    /// How messages call this input.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The column names.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Where a column stands, if it does.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.header.iter().position(|name| name == column)
    }

    /// Where a column stands, or a failure that lists what there is.
    pub fn require(&self, column: &str) -> Outcome<usize> {
        self.position(column).ok_or_else(|| {
            self.failure(&format!("no column {column:?} in the header (it has {})", self.header.join(", ")))
        })
    }

    /// The next row; a row with more or fewer cells than the header is a failure.
    pub fn next_row(&mut self) -> Outcome<Option<Row<'_>>> {
        match self.read()? {
            Read1::End => Ok(None),
            Read1::Row(line) => Ok(Some(Row { line, record: &self.record })),
            Read1::Ragged(line) => Err(self.failure(&self.ragged(line))),
        }
    }

    /// The next row, ragged or not: `Err` holds the reason beside it, for programs that keep rejects.
    pub fn next_row_or_reject(&mut self) -> Outcome<Option<Result<Row<'_>, (Row<'_>, String)>>> {
        match self.read()? {
            Read1::End => Ok(None),
            Read1::Row(line) => Ok(Some(Ok(Row { line, record: &self.record }))),
            Read1::Ragged(line) => {
                let reason = self.ragged(line);
                Ok(Some(Err((Row { line, record: &self.record }, reason))))
            }
        }
    }

    /// A failure of bad data (exit 65) at this input.
    pub fn failure(&self, reason: &str) -> Failure {
        Failure::data(format!("{}: {reason}", self.name))
    }

    fn ragged(&self, line: u64) -> String {
        format!(
            "line {line}: {}, but the header has {}",
            plural(self.record.len() as u64, "cell"),
            self.header.len()
        )
    }

    fn read(&mut self) -> Outcome<Read1> {
        let more = self.csv.read_byte_record(&mut self.record).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.failure(&error.to_string())
            }
            csv::ErrorKind::Io(error) => Failure::io(&self.name, &error),
            other => self.failure(&format!("{other:?}")),
        })?;
        // Before the row is handed out: the last row of a cut stream can look whole.
        self.csv.get_ref().check(self.ending).map_err(|failure| failure.at(&self.name))?;
        self.csv.get_mut().row_ended();
        let line = self.record.position().map_or(0, csv::Position::line);
        Ok(match more {
            false => Read1::End,
            true if self.record.len() == self.header.len() => Read1::Row(line),
            true => Read1::Ragged(line),
        })
    }
}

/// Reads up to three bytes and gives back those that are not a byte order mark.
fn without_byte_order_mark(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(3);
    reader.take(3).read_to_end(&mut head)?;
    if head == [0xEF, 0xBB, 0xBF] {
        head.clear();
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use manners::Exit;

    fn read(text: &str, ending: Ending) -> Outcome<Vec<Vec<String>>> {
        let mut table = Table::open("x.csv", text.as_bytes(), ending)?;
        let mut rows = Vec::new();
        while let Some(row) = table.next_row()? {
            rows.push(row.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect());
        }
        Ok(rows)
    }

    #[test]
    fn reads_quotes_newlines_and_a_byte_order_mark() {
        let rows = read("\u{feff}a,b\n\"x, \"\"y\"\"\",\"1\n2\"\n", Ending::Terminated).unwrap();
        assert_eq!(rows, [["x, \"y\"", "1\n2"]]);
        assert_eq!(read("a\r\n1\r\n", Ending::Terminated).unwrap(), [["1"]]);
    }

    #[test]
    fn every_cut_of_a_table_is_seen_or_ends_at_a_line() {
        let whole = "a,b\n1,\"x\ny\"\n2,\"z\"\n";
        for cut in 1..whole.len() {
            let part = &whole[..cut];
            let complete_lines = ["a,b\n", "a,b\n1,\"x\ny\"\n"].contains(&part);
            assert_eq!(read(part, Ending::Terminated).is_ok(), complete_lines, "{part:?}");
        }
    }

    #[test]
    fn the_cut_row_is_not_handed_out_first() {
        let mut table = Table::open("x", "a\n1\n2".as_bytes(), Ending::Terminated).unwrap();
        assert!(table.next_row().unwrap().is_some());
        assert_eq!(table.next_row().unwrap_err().exit(), Exit::Data);
        assert_eq!(read("a\n1\n2", Ending::Any).unwrap(), [["1"], ["2"]]);
    }

    #[test]
    fn bad_headers_and_rows_name_their_place() {
        let twice = read("a,a\n", Ending::Terminated).unwrap_err().to_string();
        assert_eq!(twice, "x.csv: line 1: column \"a\" stands twice in the header");
        let ragged = read("a,b\n1,2\n3\n", Ending::Terminated).unwrap_err().to_string();
        assert_eq!(ragged, "x.csv: line 3: 1 cell, but the header has 2");
        assert!(read("", Ending::Terminated).unwrap_err().to_string().contains("empty"));
    }
}
