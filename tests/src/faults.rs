use std::collections::BTreeSet;

/// The lines that one text has and the other lacks, if there are some.
pub fn difference(expected: &str, found: &str) -> Option<String> {
    let lines = |text: &str, other: &str, sign: char| -> Vec<String> {
        let other: BTreeSet<&str> = other.lines().collect();
        text.lines().filter(|line| !other.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    let differing = [lines(expected, found, '-'), lines(found, expected, '+')].concat().join("\n");
    (expected != found).then_some(differing)
}

/// Faults that were found: all are told, because one run finds more than one.
#[derive(Default)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Notes what is wrong at a place, if something is.
    pub fn note(&mut self, place: &str, wrong: impl IntoIterator<Item = String>) {
        self.0.extend(wrong.into_iter().map(|wrong| format!("{place}: {wrong}")));
    }

    /// How many were noted.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Fails if something was noted.
    #[track_caller]
    pub fn assert_none(&self) {
        assert!(self.0.is_empty(), "{} faults:\n{}", self.0.len(), self.0.join("\n\n"));
    }
}
