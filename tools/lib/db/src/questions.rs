use manners::{Exit, Failure, Now, Outcome};
use wire::{COLUMNS, Cell, Identity};

use crate::connection::{Connection, collect};
use crate::schema::ROUND_KEY;
use crate::{Db, Lease};

const HOURS_A_WEEK: i64 = 7 * 24;

/// An event that somebody should do something about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEvent {
    /// Which.
    pub event: Identity,
    /// As listed.
    pub event_name: String,
    /// ISO date of its end, as listed.
    pub event_completed: String,
    /// Revision of its stored rounds; 0 means none.
    pub rounds_rev: i64,
}

/// How far everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Events listed.
    pub events: i64,
    /// Those of them whose rounds are stored.
    pub with_rounds: i64,
    /// Rounds stored, by the events' own counts.
    pub rounds: i64,
    /// Events that [`Db::unfetched`] names.
    pub unfetched: i64,
    /// Events that [`Db::unexported`] names.
    pub unexported: i64,
}

/// Rounds are missing or were corrected since, and may be asked for now.
const UNFETCHED: &str = "(rounds_rev = 0 OR refetch <> 0) AND (next_try_at IS NULL OR next_try_at <= ?)";

/// The newest rounds have not been published.
const UNEXPORTED: &str = "rounds_rev > 0 AND (exported_rev IS NULL OR exported_rev <> rounds_rev)";

impl Db {
    /// Events whose rounds are missing or were corrected since, and may be asked for now; newest season first.
    pub fn unfetched(&mut self, now: Now) -> Outcome<Vec<DueEvent>> {
        self.due(UNFETCHED, &[Cell::from(now.text())])
    }

    /// Events with rounds that ended in the last `weeks` weeks: corrections are found by fetching them again.
    pub fn recent(&mut self, weeks: u32, now: Now) -> Outcome<Vec<DueEvent>> {
        let since = now.plus_hours(-HOURS_A_WEEK * i64::from(weeks)).date();
        self.due("rounds_rev > 0 AND event_completed >= ?", &[Cell::from(since)])
    }

    /// Events whose newest rounds have not been published.
    pub fn unexported(&mut self) -> Outcome<Vec<DueEvent>> {
        self.due(UNEXPORTED, &[])
    }

    /// How far everything is, at one moment.
    pub fn counts(&mut self, now: Now) -> Outcome<Counts> {
        let count = |condition: &str| format!("COUNT(CASE WHEN {condition} THEN 1 END)");
        // MySQL's sums are decimals until they are cast; to SQLite that is any number.
        let sql = format!(
            "SELECT COUNT(*), {}, CAST(COALESCE(SUM(n_rounds), 0) AS SIGNED), {}, {} FROM {}",
            count("rounds_rev > 0"),
            count(UNFETCHED),
            count(UNEXPORTED),
            self.tables.events
        );
        let rows = self.asked(&sql, &[Cell::from(now.text())])?;
        let number = |at: usize| {
            let number = rows.first().and_then(|row| row.get(at)?.int());
            number.ok_or_else(|| Failure::data(format!("{}: cannot be counted", self.tables.events)))
        };
        Ok(Counts {
            events: number(0)?,
            with_rounds: number(1)?,
            rounds: number(2)?,
            unfetched: number(3)?,
            unexported: number(4)?,
        })
    }

    fn due(&mut self, condition: &str, parameters: &[Cell]) -> Outcome<Vec<DueEvent>> {
        let sql = format!(
            "SELECT tour, calendar_year, event_id, event_name, event_completed, rounds_rev FROM {} WHERE {condition} \
             ORDER BY calendar_year DESC, tour, event_id",
            self.tables.events
        );
        self.asked(&sql, parameters)?
            .iter()
            .map(|row| {
                Ok(DueEvent {
                    event: crate::events::identity_of(row)?,
                    event_name: row[3].text().unwrap_or_default().to_owned(),
                    event_completed: row[4].text().unwrap_or_default().to_owned(),
                    rounds_rev: row[5].int().unwrap_or(0),
                })
            })
            .collect()
    }

    fn asked(&mut self, sql: &str, parameters: &[Cell]) -> Outcome<Vec<Vec<Cell>>> {
        loop {
            match collect(self.connection.as_mut(), sql, parameters) {
                Err(_) if self.may_ask_again() => {}
                answer => return answer,
            }
        }
    }

    /// Every round, in key order.
    pub fn all_rounds(&mut self, row: &mut dyn FnMut(&[Cell]) -> Outcome) -> Outcome {
        ask_rounds(self.connection.as_mut(), &self.tables.rounds, "", &[], row)
    }

    /// The rounds of some events, in key order.
    pub fn rounds(&mut self, events: &[Identity], row: &mut dyn FnMut(&[Cell]) -> Outcome) -> Outcome {
        let (connection, table) = (self.connection.as_mut(), &self.tables.rounds);
        let mut ordered = events.to_vec();
        ordered.sort();
        ordered.dedup();
        for event in ordered {
            let parameters =
                [Cell::from(event.tour), Cell::Int(event.calendar_year), Cell::Int(event.event_id)];
            ask_rounds(connection, table, "WHERE tour = ? AND year = ? AND event_id = ?", &parameters, row)?;
        }
        Ok(())
    }

    /// After a failure of [`Db::rounds`], [`Db::all_rounds`] or [`Db::sql`]: whether the same question can be asked again, now, from its
    /// beginning. Waits for a server that is away.
    pub fn may_ask_again(&mut self) -> bool {
        self.connection.again(true)
    }

    /// The answer to any question in the database's own SQL. Returns the column names.
    pub fn sql(&mut self, sql: &str, row: &mut dyn FnMut(&[Cell]) -> Outcome) -> Outcome<Vec<String>> {
        let first = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if !["select", "with", "values", "explain"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
            return Err(Failure::usage("only a question can be asked: start with SELECT, WITH or VALUES"));
        }
        self.connection.ask(sql, &[], row).map_err(|failure| match failure.exit() {
            // What the database cannot make sense of was typed on the command line.
            Exit::Config => Failure::usage(failure.to_string()),
            _ => failure,
        })
    }

    /// Takes the lease called `name`; exit 69 when somebody has it.
    pub fn lease(&mut self, name: &str) -> Outcome<Lease> {
        self.connection.lease(name)
    }
}

fn ask_rounds(
    connection: &mut dyn Connection,
    table: &str,
    condition: &str,
    parameters: &[Cell],
    row: &mut dyn FnMut(&[Cell]) -> Outcome,
) -> Outcome {
    let names: Vec<String> = COLUMNS.iter().map(|(name, _)| connection.quote(name)).collect();
    let sql =
        format!("SELECT {} FROM {table} {condition} ORDER BY {}", names.join(", "), ROUND_KEY.join(", "));
    connection.ask(&sql, parameters, row).map(drop)
}
