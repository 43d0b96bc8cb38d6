use failure::Outcome;
use rayon::prelude::*;
use rows::Text;

/// How many rows one thread puts into text at a time.
const CHUNK: usize = 512;

/// Answered questions that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The questions' own cells as CSV, one behind the other, and where each ends.
    texts: Vec<u8>,
    ends: Vec<usize>,
    /// What the calendar says of each.
    calendar: Vec<i16>,
    calendar_width: usize,
    /// What the features say of each.
    pub(crate) values: Vec<f64>,
    width: usize,
}

impl Output {
    pub(crate) fn new(calendar_width: usize, width: usize) -> Output {
        Output { calendar_width, width, ..Output::default() }
    }

    /// Adds a question, the cells of which `write` appends.
    pub(crate) fn push(&mut self, calendar: &[i16], write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.texts);
        self.ends.push(self.texts.len());
        self.calendar.extend_from_slice(calendar);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Writes all rows, in their order.
    pub(crate) fn send(&mut self, write: &mut dyn FnMut(&[u8]) -> Outcome) -> Outcome {
        let rows: Vec<usize> = (0..self.ends.len()).collect();
        let texts: Vec<Text> = rows.par_chunks(CHUNK).map(|rows| self.text(rows)).collect();
        texts.iter().try_for_each(|text| write(text.bytes()))?;
        self.texts.clear();
        self.ends.clear();
        self.calendar.clear();
        self.values.clear();
        Ok(())
    }

    fn text(&self, rows: &[usize]) -> Text {
        let mut text = Text::with_room_for(rows.len() * (64 + 16 * self.width));
        for &row in rows {
            let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
            // Several cells, which are CSV already.
            text.push_plain(&self.texts[start..self.ends[row]]);
            for number in &self.calendar[row * self.calendar_width..(row + 1) * self.calendar_width] {
                match number {
                    -1 => text.push_plain(b""),
                    number => text.push_number(f64::from(*number)),
                }
            }
            for value in &self.values[row * self.width..(row + 1) * self.width] {
                match value.is_nan() {
                    true => text.push_plain(b""),
                    false => text.push_number(*value),
                }
            }
            text.end_row();
        }
        text
    }
}
