use diagnostics::plural;

/// One row: cells of text, and where they stand.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Line of the input on which the row begins; the header is line 1.
    pub line: u64,
    pub(crate) text: &'a [u8],
    /// Where each of the first cells begins in `text`, and the one after them: a byte follows each cell.
    pub(crate) starts: &'a [u32],
    /// How many cells there are.
    pub(crate) len: usize,
    /// One past the byte after the last cell.
    pub(crate) end: usize,
    pub(crate) form: Form,
}

/// How the cells of a row stand in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As in a CSV, and without a quote.
    Plain,
    /// As in a CSV, some between quotes that are not part of them.
    Quoted,
    /// Taken out of the CSV: they can hold commas, quotes and line ends.
    TakenOut,
}

impl<'a> Row<'a> {
    /// How many cells the row has.
    #[expect(clippy::len_without_is_empty, reason = "a row has at least one cell")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The cell at `index`; empty beyond the row's end, which a table never hands out.
    #[inline]
    pub fn cell(&self, index: usize) -> &'a [u8] {
        let Some(&[start, next]) = self.starts.get(index..index + 2) else { return self.later_cell(index) };
        let cell = &self.text[start as usize..next as usize - 1];
        match cell {
            [b'"', inner @ .., b'"'] if self.form == Form::Quoted => inner,
            _ => cell,
        }
    }

    /// A cell whose start was not kept.
    #[cold]
    fn later_cell(&self, index: usize) -> &'a [u8] {
        if index < self.len { self.cells().nth(index).unwrap_or_default() } else { &[] }
    }

    /// All cells in order.
    pub fn cells(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let row = *self;
        let known = row.starts.len() - 1;
        let mut at = row.starts[known] as usize;
        (0..row.len).map(move |index| if index < known { row.cell(index) } else { row.cell_from(&mut at) })
    }

    /// The cell that begins at `at`, which is moved on to the next one.
    fn cell_from(&self, at: &mut usize) -> &'a [u8] {
        let rest = self.text.get(*at..self.end - 1).unwrap_or_default();
        let (from, mark) = match rest {
            [b'"', ..] if self.form == Form::Quoted => (1, b'"'),
            _ => (0, b','),
        };
        let cell = &rest[from..];
        let cell = &cell[..memchr::memchr(mark, cell).unwrap_or(cell.len())];
        // Behind a closing quote there is a comma, or the end.
        *at += 2 * from + cell.len() + 1;
        cell
    }

    /// The whole row as a CSV has it, if no cell of it needs quotes.
    pub(crate) fn plain_text(&self) -> Option<&'a [u8]> {
        let first = *self.starts.first()?;
        (self.form == Form::Plain).then(|| &self.text[first as usize..self.end - 1])
    }

    /// Why a row of another number of cells than the header's `width` is refused.
    pub fn ragged(&self, width: usize) -> String {
        let cells = plural(self.len() as u64, "cell");
        format!("line {}: {cells}, but the header has {width}", self.line)
    }
}
