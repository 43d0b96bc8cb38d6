use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, WINDOWS_1252};
use failure::{Failure, IoContext, Outcome};
use raw_answers::Parameters;
use rows::{Block, Blocks, Ending, Row, Table, Walk};
use sources::Extract;

use crate::cell::{Cell, Members};
use crate::made::Made;
use crate::notes::Notes;
use crate::plan::{Member, Plan};
use crate::shape::Shaper;

/// No header is longer.
const LONGEST_HEADER: usize = 1 << 20;

/// What names of columns begin with that nobody can ask for.
const UNNAMED: char = '\u{1}';

/// A CSV whose header is read: plain commas from here on.
pub(crate) type Plain<R> = Chain<Cursor<Vec<u8>>, R>;

/// The columns of a CSV, and where each table finds its members.
pub(crate) struct Layout {
    width: usize,
    /// By table of the plan, by member.
    places: Vec<Vec<Option<usize>>>,
}

/// Opens a CSV: drops its byte order mark, decodes it, reads its header, and finds what the plan wants.
pub(crate) fn open<R: Read>(
    name: &str,
    reader: R,
    plan: &Plan,
    notes: &mut Notes,
) -> Outcome<(Layout, Blocks<Plain<Foreign<R>>>)> {
    let extract = &plan.extract;
    let mut reader =
        Foreign::of(reader, extract).map_err(|reason| Failure::config(format!("{name}: {reason}")))?;
    let (names, width) = header(name, &mut reader, extract, notes)?;
    let mut line = rows::Text::default();
    names.iter().for_each(|name| line.push(name.as_bytes()));
    line.end_row();
    let ending = Ending::allowing_unterminated(extract.allow_unterminated);
    let table = Table::open(name, Cursor::new(line.bytes().to_vec()).chain(reader), ending)?;
    let place = |member: &Member| -> Outcome<Option<usize>> {
        let found = member.names.iter().find_map(|name| names.iter().position(|known| known == name));
        if found.is_none() && !member.optional {
            let wanted = member.names.join(" or ");
            let near = suggestion::nearest(&wanted, names.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; the nearest is {near:?}"));
            return Err(Failure::data(format!(
                "{name}: there is no column {wanted:?} (it has {}{near})",
                shown(&names)
            )));
        }
        Ok(found)
    };
    let places = plan
        .tables
        .iter()
        .map(|table| table.members.iter().map(place).collect())
        .collect::<Outcome<Vec<Vec<_>>>>()?;
    if let Some(known) = &plan.known {
        let is_read = |at: usize| places.iter().flatten().any(|place| *place == Some(at));
        let new = names
            .iter()
            .enumerate()
            .filter(|(at, name)| !name.starts_with(UNNAMED) && !known.is_match(name) && !is_read(*at));
        notes.new.extend(new.map(|(_, name)| name.clone()));
    }
    Ok((Layout { width, places }, table.into_blocks()))
}

/// The names of a header, as many as fit into a message.
fn shown(names: &[String]) -> String {
    let known: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !name.starts_with(UNNAMED)).collect();
    let more = known.len().saturating_sub(40);
    let list = known[..known.len() - more].join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

/// The names of a header. What has no name, or one that was there before, gets one that nobody asks for.
fn header<R: Read>(
    place: &str,
    reader: &mut Foreign<R>,
    extract: &Extract,
    notes: &mut Notes,
) -> Outcome<(Vec<String>, usize)> {
    let mut line = Vec::new();
    let is_cut = loop {
        let before = line.len();
        let n = reader
            .by_ref()
            .take((LONGEST_HEADER - before) as u64)
            .read_until(b'\n', &mut line)
            .place(place)?;
        if line.len() >= LONGEST_HEADER {
            return Err(Failure::data(format!(
                "{place}: the header is longer than {LONGEST_HEADER} bytes: is it a CSV?"
            )));
        }
        // A quote that is open goes on in the next line.
        if n == 0 || !is_open(&line) {
            break n == 0 || !line.ends_with(b"\n");
        }
    };
    if line.starts_with(&[0xEF, 0xBB, 0xBF]) {
        line.drain(..3);
        notes.byte_order_mark = true;
    }
    if is_cut && !line.is_empty() && !extract.allow_unterminated {
        return Err(Failure::data(format!("{place}: its header lacks its newline: it was cut")));
    }
    if line.is_empty() {
        return Err(Failure::data(format!("{place}: it is empty; a header was expected")));
    }
    let mut cells = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_slice());
    let mut record = csv::ByteRecord::new();
    cells
        .read_byte_record(&mut record)
        .map_err(|error| Failure::data(format!("{place}: its header cannot be read: {error}")))?;
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(record.len());
    for (at, cell) in record.iter().enumerate() {
        let name = decoded(cell, notes).trim().to_owned();
        if name.is_empty() {
            notes.unnamed += 1;
            names.push(format!("{UNNAMED}{at}"));
        } else if seen.insert(name.clone()) {
            names.push(name);
        } else {
            names.push(format!("{UNNAMED}{at} {name}"));
        }
    }
    let width = names.len();
    Ok((names, width))
}

/// Whether a row of a CSV ends inside of a cell: a quote opens one at its beginning, and nowhere else.
fn is_open(line: &[u8]) -> bool {
    let (mut is_quoted, mut at_start) = (false, true);
    let mut bytes = line.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if is_quoted && bytes.peek() == Some(&&b'"') => {
                bytes.next();
            }
            b'"' if is_quoted => is_quoted = false,
            b'"' if at_start => is_quoted = true,
            _ => {}
        }
        at_start = !is_quoted && *byte == b',';
    }
    is_quoted
}

/// A failure of a CSV in words that belong here: there is no flag for its last line.
pub(crate) fn words(failure: &Failure) -> String {
    let words = failure.to_string();
    let words = words.strip_prefix("it: ").unwrap_or(&words);
    words.replace("--allow-unterminated", "allow_unterminated = true")
}

/// Some cells cannot be UTF-8, and others are: then nobody knows what any of them is.
pub(crate) fn check_encoding(notes: &Notes) -> Result<(), String> {
    match notes.utf8_cells > 0 && notes.other_cells > 0 {
        true => Err("some cells are UTF-8 and some cannot be: say what it is (extract.encoding)".to_owned()),
        false => Ok(()),
    }
}

/// A cell as text: UTF-8, or where it cannot be, windows-1252.
fn decoded<'a>(cell: &'a [u8], notes: &mut Notes) -> Cow<'a, str> {
    match std::str::from_utf8(cell) {
        Ok(text) => {
            // ASCII says nothing about the encoding.
            notes.utf8_cells += u64::from(!text.is_ascii());
            Cow::Borrowed(text)
        }
        Err(_) => {
            notes.other_cells += 1;
            notes.encoding = Some("windows-1252");
            WINDOWS_1252.decode_without_bom_handling(cell).0
        }
    }
}

/// Makes rows of a block, and leaves the block empty, for its memory to be used again.
pub(crate) fn read_block(
    plan: &Plan,
    layout: &Layout,
    parameters: &Parameters,
    block: &mut Block,
    made: &mut Made,
) -> Result<(), String> {
    let mut shapers = plan
        .tables
        .iter()
        .map(|table| Shaper::new(plan, table, parameters))
        .collect::<Result<Vec<_>, String>>()?;
    let read = read_rows(plan, layout, &mut shapers, block, made);
    shapers.into_iter().for_each(|shaper| made.finish(shaper));
    read
}

fn read_rows(
    plan: &Plan,
    layout: &Layout,
    shapers: &mut [Shaper<'_>],
    block: &mut Block,
    made: &mut Made,
) -> Result<(), String> {
    let wanted = layout.places.iter().flatten().flatten().max().map_or(0, |last| last + 1);
    let mut walk = Walk::over(std::mem::take(block)).wanting(wanted);
    while let Some(row) = walk.next_row() {
        if row.len() != layout.width
            && let Err(reason) = fits(&row, layout.width, &mut made.notes)
        {
            made.reject(plan, 0, reason, &row)?;
            continue;
        }
        for (at, (shaper, places)) in shapers.iter_mut().zip(&layout.places).enumerate() {
            made.add(plan, at, shaper, &RowMembers { row, places }, &row)?;
        }
    }
    *block = walk.start(Block::default());
    Ok(())
}

/// The members of a row, as they are asked for.
struct RowMembers<'a> {
    row: Row<'a>,
    places: &'a [Option<usize>],
}

impl Members for RowMembers<'_> {
    fn cell(&self, at: usize, notes: &mut Notes) -> Cell<'_> {
        self.bytes(at).map_or(Cell::Null, |bytes| Cell::Text(decoded(bytes, notes)))
    }

    #[inline]
    fn bytes(&self, at: usize) -> Option<&[u8]> {
        self.places[at].map(|place| self.row.cell(place))
    }
}

/// Whether a row of another width than the header's is one all the same: empty cells at its end are nothing.
fn fits(row: &Row<'_>, width: usize, notes: &mut Notes) -> Result<(), String> {
    if row.len() < width {
        return Err(format!("{} cells, but the header has {width}", row.len()));
    }
    if row.cells().skip(width).any(|cell| !cell.trim_ascii().is_empty()) {
        return Err(format!(
            "{} cells, but the header has {width}: are two files glued under one header?",
            row.len()
        ));
    }
    notes.surplus += 1;
    Ok(())
}

/// A CSV in UTF-8 with commas, whatever it was.
pub(crate) struct Foreign<R> {
    inner: Inner<R>,
}

enum Inner<R> {
    Plain(BufReader<R>),
    Decoded(BufReader<Decoded<R>>),
    Delimited(BufReader<Delimited<Box<Foreign<R>>>>),
}

impl<R: Read> Foreign<R> {
    fn of(reader: R, extract: &Extract) -> Result<Foreign<R>, String> {
        let encoding = match extract.encoding.as_deref() {
            None => None,
            Some(label) => Some(
                Encoding::for_label(label.as_bytes())
                    .ok_or_else(|| format!("{label:?} is not the label of an encoding, like windows-1252"))?,
            ),
        };
        let inner = match encoding {
            // What is UTF-8 is read as it is; what cannot be is found cell by cell.
            None => Inner::Plain(BufReader::new(reader)),
            Some(encoding) => Inner::Decoded(BufReader::new(Decoded::new(reader, encoding))),
        };
        let plain = Foreign { inner };
        Ok(match extract.delimiter.filter(|delimiter| *delimiter != ',') {
            None => plain,
            Some(delimiter) => Foreign {
                inner: Inner::Delimited(BufReader::new(Delimited::new(Box::new(plain), delimiter))),
            },
        })
    }

    fn by_ref(&mut self) -> &mut Foreign<R> {
        self
    }
}

impl<R: Read> Read for Foreign<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.inner {
            Inner::Plain(reader) => reader.read(into),
            Inner::Decoded(reader) => reader.read(into),
            Inner::Delimited(reader) => reader.read(into),
        }
    }
}

impl<R: Read> BufRead for Foreign<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.inner {
            Inner::Plain(reader) => reader.fill_buf(),
            Inner::Decoded(reader) => reader.fill_buf(),
            Inner::Delimited(reader) => reader.fill_buf(),
        }
    }

    fn consume(&mut self, n: usize) {
        match &mut self.inner {
            Inner::Plain(reader) => reader.consume(n),
            Inner::Decoded(reader) => reader.consume(n),
            Inner::Delimited(reader) => reader.consume(n),
        }
    }
}

/// Bytes of an encoding as UTF-8. What the encoding does not know is an error: a row is never cut short or changed.
struct Decoded<R> {
    reader: R,
    decoder: Decoder,
    encoding: &'static Encoding,
    raw: Vec<u8>,
    text: String,
    at: usize,
    over: bool,
}

impl<R: Read> Decoded<R> {
    fn new(reader: R, encoding: &'static Encoding) -> Decoded<R> {
        let decoder = encoding.new_decoder_with_bom_removal();
        Decoded {
            reader,
            decoder,
            encoding,
            raw: vec![0; 64 * 1024],
            text: String::new(),
            at: 0,
            over: false,
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.over {
            let n = self.reader.read(&mut self.raw)?;
            self.over = n == 0;
            self.text.clear();
            self.at = 0;
            let room = self.decoder.max_utf8_buffer_length(n).unwrap_or(4 * n + 16);
            self.text.reserve(room);
            let (result, _, had_errors) =
                self.decoder.decode_to_string(&self.raw[..n], &mut self.text, self.over);
            if had_errors || result == CoderResult::OutputFull {
                let words =
                    format!("it is not {}: a byte sequence means nothing there", self.encoding.name());
                return Err(io::Error::other(Failure::data(words)));
            }
        }
        let n = into.len().min(self.text.len() - self.at);
        into[..n].copy_from_slice(&self.text.as_bytes()[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// A CSV of another delimiter with commas.
struct Delimited<R> {
    records: csv::Reader<Ends<R>>,
    record: csv::ByteRecord,
    out: Vec<u8>,
    at: usize,
    /// The row before: whether its line end was there shows when the next one comes, or none.
    held: Vec<u8>,
    over: bool,
}

/// Knows the last byte that was read, and how many quotes there were.
struct Ends<R> {
    inner: R,
    last: Option<u8>,
    quotes: u64,
}

impl<R: Read> Read for Ends<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        if n > 0 {
            self.last = Some(into[n - 1]);
            self.quotes += memchr::memchr_iter(b'"', &into[..n]).count() as u64;
        }
        Ok(n)
    }
}

impl<R: Read> Delimited<R> {
    fn new(reader: R, delimiter: char) -> Delimited<R> {
        let records = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(u8::try_from(u32::from(delimiter)).unwrap_or(b','))
            .from_reader(Ends { inner: reader, last: None, quotes: 0 });
        let record = csv::ByteRecord::new();
        Delimited { records, record, out: Vec::new(), at: 0, held: Vec::new(), over: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.at = 0;
        let mut text = rows::Text::default();
        while self.out.len() < 32 * 1024 && !self.over {
            let is_there = self.records.read_byte_record(&mut self.record).map_err(io::Error::from)?;
            self.out.append(&mut self.held);
            if is_there {
                text.clear();
                self.record.iter().for_each(|cell| text.push(cell));
                text.end_row();
                self.held.extend_from_slice(text.bytes());
                continue;
            }
            self.over = true;
            let ends = self.records.get_ref();
            if ends.quotes % 2 == 1 {
                return Err(io::Error::other(Failure::data("it ends inside of a quoted cell: it was cut")));
            }
            // A last row without its line end is handed on without one: whoever reads it sees the cut.
            if ends.last.is_some_and(|byte| byte != b'\n') {
                self.out.pop();
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Delimited<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.out.len() && !self.over {
            self.fill()?;
        }
        let bytes = &self.out[self.at..];
        let n = into.len().min(bytes.len());
        into[..n].copy_from_slice(&bytes[..n]);
        self.at += n;
        Ok(n)
    }
}
