use db::{Incoming, Stored, Upserted};
use diagnostics::{count, plural, say};

/// What a run of `db-load` did.
#[derive(Default)]
pub(crate) struct Tally {
    new: u64,
    changed: u64,
    same: u64,
    rows: u64,
    pub(crate) unavailable: u64,
    pub(crate) ignored: u64,
    /// Partitions whose rows stand for themselves.
    pub(crate) partitions: u64,
    upserted: Upserted,
    /// Answers that came to their end.
    pub(crate) loaded: u64,
    pub(crate) refused: Vec<String>,
    /// How many of those came before the last end of an answer.
    refused_before: usize,
}

impl Tally {
    pub(crate) fn count(&mut self, partition: &Incoming, stored: Stored) {
        match stored {
            Stored::New => self.new += 1,
            Stored::Changed => self.changed += 1,
            Stored::Same => self.same += 1,
            Stored::Unavailable => self.unavailable += 1,
            Stored::Refused(reason) => return self.refused.push(format!("{}: {reason}", partition.key)),
        }
        self.rows += partition.rows.len() as u64;
    }

    /// Whether a partition was refused between the end of the last answer and this one.
    pub(crate) fn has_refused_since_the_last_answer(&mut self) -> bool {
        let before = std::mem::replace(&mut self.refused_before, self.refused.len());
        before < self.refused.len()
    }

    pub(crate) fn upserted(&mut self, more: Upserted) {
        self.upserted.read += more.read;
        self.upserted.new += more.new;
        self.upserted.changed += more.changed;
        self.upserted.about += more.about;
        self.upserted.ignored += more.ignored;
    }

    pub(crate) fn report(&self) {
        let whole = self.new + self.changed + self.same;
        let refused =
            if self.refused.is_empty() { String::new() } else { format!(", {} refused", self.refused.len()) };
        let answers = if self.loaded > 0 {
            format!("; {}", plural(self.loaded, "whole answer"))
        } else {
            String::new()
        };
        let rows = (self.partitions > 0 || self.upserted.read > 0)
            .then(|| format!("{} of {}", report_rows(&self.upserted), plural(self.partitions, "partition")));
        let is_about_whole = whole + self.unavailable > 0 || !self.refused.is_empty();
        let partitions = (is_about_whole || rows.is_none()).then(|| {
            format!(
                "{} with {}: {} new, {} changed, {} as before, {} not available yet{refused}",
                plural(whole, "partition"),
                plural(self.rows, "row"),
                count(self.new),
                count(self.changed),
                count(self.same),
                count(self.unavailable),
            )
        });
        for line in rows.into_iter().chain(partitions) {
            say!("{line}{answers}");
        }
        if self.ignored > 0 {
            say!("{} deleted for ever, and left out", plural(self.ignored, "row"));
        }
    }
}

/// What rows did, in one line.
pub(crate) fn report_rows(done: &Upserted) -> String {
    let about =
        if done.about > 0 { format!(", {} of another origin", count(done.about)) } else { String::new() };
    let ignored = if done.ignored > 0 {
        format!(", {} deleted for ever and ignored", count(done.ignored))
    } else {
        String::new()
    };
    format!(
        "{}: {} new, {} changed, {} as before{about}{ignored}",
        plural(done.read, "row"),
        count(done.new),
        count(done.changed),
        count(done.same())
    )
}
