//! Where the last whole row of a piece of CSV ends.

use csv_core::ReadRecordResult;
use memchr::{memchr, memrchr};

/// The end of the last whole row of `bytes`, which begin with a row; `None` if not one is whole.
///
/// Almost always only the quotes are looked at. A quote at the beginning of a cell opens it; where one stands anywhere
/// else outside, the `csv` crate's reader decides, for it defines what a row is here.
pub(crate) fn last_row_end(bytes: &[u8]) -> Option<usize> {
    let mut end = None;
    let mut outside = 0;
    loop {
        let opening = memchr(b'"', &bytes[outside..]).map(|at| outside + at);
        if let Some(newline) = memrchr(b'\n', &bytes[outside..opening.unwrap_or(bytes.len())]) {
            end = Some(outside + newline + 1);
        }
        let Some(opening) = opening else { break };
        if opening > 0 && !matches!(bytes[opening - 1], b',' | b'\n' | b'\r') {
            return last_row_end_by_reading(bytes);
        }
        let Some(closing) = closing_quote(bytes, opening + 1) else { break };
        // Whatever comes next: text after the closing quote belongs to the cell, up to the next comma or line end.
        outside = closing + 1;
    }
    // Rows may also end in a lone carriage return.
    if end.is_none() && memchr(b'\r', bytes).is_some() { last_row_end_by_reading(bytes) } else { end }
}

/// The first quote from `from` on that is not one of a doubled pair.
fn closing_quote(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let quote = from + memchr(b'"', &bytes[from..])?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

fn last_row_end_by_reading(bytes: &[u8]) -> Option<usize> {
    let mut reader = csv_core::Reader::new();
    let (mut text, mut ends) = ([0; 4096], [0; 256]);
    let (mut at, mut end) = (0, None);
    while at < bytes.len() {
        // What does not fit is dropped: only where rows end counts.
        let (result, read, _, _) = reader.read_record(&bytes[at..], &mut text, &mut ends);
        at += read;
        if result == ReadRecordResult::Record {
            end = Some(at);
        }
    }
    end
}
