use serde::Deserialize;

/// What a run of `refresh` came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Events that had no rounds before and have them now.
    pub(crate) stored: u64,
    pub(crate) events: u64,
    /// Events whose rounds may be asked for now.
    pub(crate) unfetched: u64,
    pub(crate) unexported: u64,
}

/// A row of `db-query counts`.
#[derive(Deserialize)]
struct Row {
    partitions: u64,
    stored: u64,
    unfetched: u64,
    unexported: u64,
}

impl Counts {
    /// Reads what `refresh` printed: how far everything was before it and is after it. Nothing, if it did not get so far.
    pub(crate) fn read(output: &str) -> Option<Counts> {
        // The last line is about the run, in JSON.
        let rows: String =
            output.lines().filter(|line| !line.starts_with('{')).flat_map(|line| [line, "\n"]).collect();
        let mut table = csv::Reader::from_reader(rows.as_bytes());
        let rows: Vec<Row> = table.deserialize().collect::<Result<_, _>>().ok()?;
        let (before, after) = (rows.first()?, rows.get(1)?);
        Some(Counts {
            stored: after.stored.saturating_sub(before.stored),
            events: after.partitions,
            unfetched: after.unfetched,
            unexported: after.unexported,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn two_rows_are_a_run_and_anything_else_is_none() {
        let header = "partitions,stored,rows,unfetched,unexported\n";
        let counts = Counts::read(&format!("{header}44,3,100,41,0\n44,41,16379,0,2\n")).unwrap();
        assert_eq!(counts, Counts { stored: 38, events: 44, unfetched: 0, unexported: 2 });
        for cut in ["", header, &format!("{header}44,0,0,44,0\n"), "no csv at all"] {
            assert_eq!(Counts::read(cut), None, "{cut}");
        }
    }
}
