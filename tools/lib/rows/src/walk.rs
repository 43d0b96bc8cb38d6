use crate::blocks::{Block, newlines};
use crate::marks::{CHUNK, Marks, between};
use crate::odd::OddRow;
use crate::row::{Form, Row};

/// Walks over the rows of blocks, one block after the other.
///
/// Rows whose quotes stand as RFC 4180 wants them are cut at the marks, 64 bytes at a time, and their cells are not
/// copied. Every other row goes through the `csv` crate's reader: what a row is, it defines.
#[derive(Debug)]
pub struct Walk {
    block: Block,
    /// At least so many starts of cells are kept of a row.
    wanted: usize,
    /// Where the block's first row begins, and on which line.
    begin: (usize, u64),
    chunk: Chunk,
    /// The row under way: its line, and its cells in the block, as `Row` has them.
    line: u64,
    starts: Vec<u32>,
    /// How many starts there are, and how many cells.
    known: usize,
    cells: usize,
    /// One past the byte after the last cell.
    end: usize,
    has_quotes: bool,
    /// The row under way, if its cells are not in the block.
    odd: Option<Box<OddRow>>,
    is_odd: bool,
}

/// The 64 bytes under way, and what their marks mean.
#[derive(Debug, Default)]
struct Chunk {
    /// Where the next chunk begins.
    next: usize,
    /// Commas and line ends that were not reached yet, and which of them are line ends.
    ends: u64,
    row_ends: u64,
    /// All ones when the next chunk begins inside quotes.
    inside: u64,
    /// Bit 0: the next chunk begins with a cell.
    cell_begins: u64,
    has_quotes: bool,
    /// A quote or a carriage return is where it means something else than usual.
    is_odd: bool,
    /// A newline is inside quotes.
    has_inner_newline: bool,
}

impl Chunk {
    /// A walk that begins with a row at `at`.
    fn before(at: usize) -> Chunk {
        Chunk { next: at, cell_begins: 1, ..Chunk::default() }
    }

    /// Goes on to the next 64 bytes; `false` at the end.
    #[inline]
    fn advance(&mut self, bytes: &[u8]) -> bool {
        let Some(left) = bytes.get(self.next..).filter(|left| !left.is_empty()) else { return false };
        let marks = match left.first_chunk() {
            Some(chunk) => Marks::of(chunk),
            None => {
                let mut chunk = [0; CHUNK];
                chunk[..left.len()].copy_from_slice(left);
                Marks::of(&chunk)
            }
        };
        let after = left.get(CHUNK).copied();
        let quoted = between(marks.quotes) ^ self.inside;
        let outside = !quoted;
        self.ends = (marks.commas | marks.newlines) & outside;
        self.row_ends = marks.newlines & outside;

        self.has_quotes = marks.quotes | self.inside != 0;
        self.has_inner_newline = marks.newlines & quoted != 0;
        self.is_odd = false;
        if marks.quotes != 0 {
            let begins = (self.ends << 1) | self.cell_begins;
            let ends = marks.commas | marks.newlines | marks.returns;
            let ends_next = (ends >> 1) | (u64::from(matches!(after, Some(b',' | b'\n' | b'\r'))) << 63);
            self.is_odd = marks.quotes & quoted & !begins != 0 || marks.quotes & outside & !ends_next != 0;
        }
        if marks.returns != 0 {
            let newline_next = (marks.newlines >> 1) | (u64::from(after == Some(b'\n')) << 63);
            self.is_odd |= marks.returns & outside & !newline_next != 0;
        }
        self.inside = if quoted >> 63 == 1 { u64::MAX } else { 0 };
        self.cell_begins = self.ends >> 63;
        self.next += CHUNK;
        true
    }

    /// Pushes the start of the cell after each end up to that of the row, while fewer than `wanted` are known; where the next row
    /// begins, if the row ends in this chunk.
    #[inline]
    fn cut(
        &mut self,
        starts: &mut Vec<u32>,
        known: &mut usize,
        cells: &mut usize,
        wanted: usize,
    ) -> Option<usize> {
        let row_end = self.row_ends & self.row_ends.wrapping_neg();
        let mut ends = if row_end == 0 { self.ends } else { self.ends & (row_end | (row_end - 1)) };
        self.ends ^= ends;
        self.row_ends ^= row_end;
        let many = ends.count_ones() as usize;
        // Of a chunk before the first there is nothing to cut.
        let first = (self.next + 1).wrapping_sub(CHUNK);
        if *known < wanted {
            if starts.len() < *known + CHUNK + 2 {
                starts.resize(2 * (*known + CHUNK + 2), 0);
            }
            for start in &mut starts[*known + 1..][..many] {
                *start = first as u32 + ends.trailing_zeros();
                ends &= ends.wrapping_sub(1);
            }
            *known += many;
        }
        *cells += many;
        (row_end != 0).then(|| first + row_end.trailing_zeros() as usize)
    }
}

impl Default for Walk {
    fn default() -> Walk {
        Walk {
            block: Block::default(),
            wanted: usize::MAX,
            begin: (0, 0),
            chunk: Chunk::default(),
            line: 0,
            starts: Vec::new(),
            known: 0,
            cells: 0,
            end: 0,
            has_quotes: false,
            odd: None,
            is_odd: false,
        }
    }
}

impl Walk {
    /// A walk over one block.
    pub fn over(block: Block) -> Walk {
        let mut walk = Walk::default();
        walk.start(block);
        walk
    }

    /// The same, for somebody who asks for the first cells of rows: where others begin is looked for when they are asked for.
    pub fn wanting(self, cells: usize) -> Walk {
        Walk { wanted: cells, ..self }
    }

    /// Starts on another block, and gives back the one before.
    pub fn start(&mut self, block: Block) -> Block {
        self.chunk = Chunk::before(block.at);
        self.begin = (block.at, block.line);
        std::mem::replace(&mut self.block, block)
    }

    /// Goes back to the block's first row.
    pub fn again(&mut self) {
        (self.block.at, self.block.line) = self.begin;
        self.chunk = Chunk::before(self.block.at);
    }

    /// What is left of the block.
    pub(crate) fn into_rest(self) -> Block {
        self.block
    }

    /// The next row of the block.
    #[inline]
    pub fn next_row(&mut self) -> Option<Row<'_>> {
        self.advance().then(|| self.row())
    }

    /// The row to which [`Walk::advance`] came.
    #[inline]
    pub(crate) fn row(&self) -> Row<'_> {
        match &self.odd {
            Some(odd) if self.is_odd => odd.row(self.line),
            _ => Row {
                line: self.line,
                text: self.block.bytes(),
                starts: &self.starts[..=self.known],
                len: self.cells,
                end: self.end,
                form: if self.has_quotes { Form::Quoted } else { Form::Plain },
            },
        }
    }

    /// Goes on to the next row; `false` at the end of the block.
    pub(crate) fn advance(&mut self) -> bool {
        self.skip_blank_lines();
        let from = self.block.at;
        if from == self.block.filled() {
            return false;
        }
        self.line = self.block.line;
        (self.known, self.cells) = (0, 0);
        if self.starts.is_empty() {
            self.starts.resize(CHUNK, 0);
        }
        self.starts[0] = from as u32;
        let bytes = self.block.bytes();
        let (mut quotes, mut odd, mut inner_newline) =
            (self.chunk.has_quotes, self.chunk.is_odd, self.chunk.has_inner_newline);
        let after = loop {
            let ends = self.chunk.cut(&mut self.starts, &mut self.known, &mut self.cells, self.wanted);
            if let Some(after) = ends {
                break after;
            }
            if !self.chunk.advance(bytes) {
                odd = true;
                break 0;
            }
            quotes |= self.chunk.has_quotes;
            odd |= self.chunk.is_odd;
            inner_newline |= self.chunk.has_inner_newline;
        };
        self.is_odd = odd;
        if odd {
            return self.advance_oddly();
        }
        self.has_quotes = quotes;
        self.end = after;
        if bytes[after - 2] == b'\r' {
            self.end -= 1;
            if self.known == self.cells {
                self.starts[self.known] -= 1;
            }
        }
        self.block.line += if inner_newline { newlines(&bytes[from..after]) } else { 1 };
        self.block.at = after;
        true
    }

    /// A line without a character is no row.
    #[inline]
    fn skip_blank_lines(&mut self) {
        let from = self.block.at;
        while let Some(b'\n' | b'\r') = self.block.bytes().get(self.block.at) {
            self.block.line += u64::from(self.block.bytes()[self.block.at] == b'\n');
            self.block.at += 1;
        }
        if self.block.at > from {
            self.chunk = Chunk::before(self.block.at);
        }
    }

    #[cold]
    fn advance_oddly(&mut self) -> bool {
        let from = self.block.at;
        let odd = self.odd.get_or_insert_default();
        let length = odd.read(&self.block.bytes()[from..]);
        self.block.line += newlines(&self.block.bytes()[from..from + length]);
        self.block.at = from + length;
        self.chunk = Chunk::before(self.block.at);
        true
    }
}
