use diagnostics::plural;

/// One row: cells of text, and where they stand.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Line of the input on which the row begins; the header is line 1.
    pub line: u64,
    pub(crate) text: &'a [u8],
    /// Where each cell begins in `text`, and one past the byte after the last cell: a byte follows each cell.
    pub(crate) starts: &'a [u32],
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
        self.starts.len() - 1
    }

    /// The cell at `index`; empty beyond the row's end, which a table never hands out.
    #[inline]
    pub fn cell(&self, index: usize) -> &'a [u8] {
        let Some(&[start, next]) = self.starts.get(index..index + 2) else { return &[] };
        let cell = &self.text[start as usize..next as usize - 1];
        match cell {
            [b'"', inner @ .., b'"'] if self.form == Form::Quoted => inner,
            _ => cell,
        }
    }

    /// All cells in order.
    pub fn cells(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let row = *self;
        (0..row.len()).map(move |index| row.cell(index))
    }

    /// The whole row as a CSV has it, if no cell of it needs quotes.
    pub(crate) fn plain_text(&self) -> Option<&'a [u8]> {
        let (&[first, ..], &[.., end]) = (self.starts, self.starts) else { return None };
        (self.form == Form::Plain).then(|| &self.text[first as usize..end as usize - 1])
    }

    /// Why a row of another number of cells than the header's `width` is refused.
    pub fn ragged(&self, width: usize) -> String {
        let cells = plural(self.len() as u64, "cell");
        format!("line {}: {cells}, but the header has {width}", self.line)
    }
}
