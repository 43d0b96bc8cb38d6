use std::fmt::Write;

use diagnostics::{count, plural};
use jiff::civil::Date;

/// How many days outside of a season are named one by one.
const NAMED: usize = 100;

/// How many new headings are named.
const NAMED_HEADINGS: usize = 40;

/// What was normalised in a file or an answer. It is said once, when the end is reached.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) byte_order_mark: bool,
    /// The encoding, where it is not UTF-8.
    pub(crate) encoding: Option<&'static str>,
    /// Cells that are UTF-8 and not ASCII, and cells that are not UTF-8.
    pub(crate) utf8_cells: u64,
    pub(crate) other_cells: u64,
    /// Rows with more cells than the header, of which those beyond are empty.
    pub(crate) surplus: u64,
    /// Headings that are empty.
    pub(crate) unnamed: u64,
    /// Headings that the source does not list as known.
    pub(crate) new: Vec<String>,
    /// Cells with blanks around them.
    pub(crate) trimmed: u64,
    /// A date that is not written as ISO 8601 writes it.
    pub(crate) dates: Option<String>,
    /// Days outside of their season that were taken for unknown.
    outside: Vec<(Date, String)>,
    outside_count: u64,
    /// Rows that are kept among the rejects.
    pub(crate) rejected: u64,
    pub(crate) rows: u64,
    pub(crate) left_out: u64,
}

impl Notes {
    pub(crate) fn outside(&mut self, day: Date, season: &str) {
        self.outside_count += 1;
        if self.outside.len() < NAMED {
            self.outside.push((day, season.to_owned()));
        }
    }

    pub(crate) fn add(&mut self, other: Notes) {
        self.byte_order_mark |= other.byte_order_mark;
        self.encoding = self.encoding.or(other.encoding);
        self.utf8_cells += other.utf8_cells;
        self.other_cells += other.other_cells;
        self.surplus += other.surplus;
        self.unnamed += other.unnamed;
        self.new.extend(other.new);
        self.trimmed += other.trimmed;
        self.dates = self.dates.take().or(other.dates);
        self.outside_count += other.outside_count;
        let room = NAMED.saturating_sub(self.outside.len());
        self.outside.extend(other.outside.into_iter().take(room));
        self.rejected += other.rejected;
        self.rows += other.rows;
        self.left_out += other.left_out;
    }

    /// What is worth saying; nothing where all was as it should be.
    pub(crate) fn words(&self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        if self.byte_order_mark {
            words.push("a byte order mark was dropped".to_owned());
        }
        if let Some(encoding) = self.encoding {
            words.push(format!("read as {encoding}"));
        }
        if self.unnamed > 0 {
            words.push(format!("{} without a name", plural(self.unnamed, "heading")));
        }
        if !self.new.is_empty() {
            let more = self.new.len().saturating_sub(NAMED_HEADINGS);
            let named = self.new[..self.new.len() - more].join(", ");
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            words.push(format!("new headings, which nothing reads: {named}{more}"));
        }
        if self.surplus > 0 {
            words.push(format!("{} with empty cells beyond the header", plural(self.surplus, "row")));
        }
        if self.trimmed > 0 {
            words.push(format!("blanks around {}", plural(self.trimmed, "cell")));
        }
        if let Some(date) = &self.dates {
            words.push(format!("dates like {date}"));
        }
        if self.outside_count > 0 {
            let mut said =
                format!("{} outside of their season taken for unknown:", plural(self.outside_count, "day"));
            let mut last = None;
            for (day, season) in &self.outside {
                if last != Some((day, season)) {
                    let _ = write!(said, " {day} ({season})");
                }
                last = Some((day, season));
            }
            words.push(said);
        }
        if self.rejected > 0 {
            words.push(format!("{} rejected", plural(self.rejected, "row")));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Rows that were made and left out, for the summary.
    pub(crate) fn counted(&self) -> String {
        format!(
            "{} rows, {} left out, {} rejected",
            count(self.rows),
            count(self.left_out),
            count(self.rejected)
        )
    }
}
