//! `db-query`: questions to the database. Its README says what it promises.

mod answer;
mod loaded;

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand};
use cli::{Clock, DatabaseArgs};
use clock::Now;
use db::{Access, Db, PartitionRow, Wanted};
use export_rules::Rules;
use failure::{Failure, Outcome};
use schema::{Export, PartitionKey, Schema, Table, Type, Value};

use answer::Answer;

/// Answers questions about the database, as CSV.
///
/// Example: db-query unfetched --db sqlite:golf.db --schema scripts/golf/schema.toml | dg-fetch rounds | db-load partitions
#[derive(Parser)]
#[command(name = "db-query", version, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    question: Question,
}

#[derive(ClapArgs)]
struct OfTable {
    /// The table, where the schema has several with partitions.
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    #[command(flatten)]
    clock: Clock,
}

#[derive(Subcommand)]
enum Question {
    /// Which partitions have no rows yet, or were corrected since: those to fetch.
    Unfetched {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        of: OfTable,
    },
    /// Which raw answers are not in the tables, or were extracted by other rules: those to extract. Reads the listing of the bucket.
    Unloaded {
        /// CSV of `bucket ls raw/`; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseArgs,
        /// CSV of `web-extract digests`: source, extract_digest.
        #[arg(long, value_name = "FILE")]
        digests: PathBuf,
    },
    /// Which partitions with rows are of late: those to fetch again for corrections.
    Recent {
        #[command(flatten)]
        database: DatabaseArgs,
        /// How far back.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(..=5_200))]
        weeks: u32,
        #[command(flatten)]
        of: OfTable,
    },
    /// Which partitions' objects are missing or were made from other rows or rules.
    Unexported {
        #[command(flatten)]
        database: DatabaseArgs,
        /// Only this export.
        #[arg(long, value_name = "EXPORT")]
        export: Option<String>,
    },
    /// How far everything is, in one row: partitions, stored, rows, unfetched, unexported.
    Counts {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        of: OfTable,
    },
    /// The rows of a table, in the order of its key.
    Rows {
        /// The table; without it, the one that has partitions.
        table: Option<String>,
        #[command(flatten)]
        database: DatabaseArgs,
        /// Only this partition, like pga/2025/14; may be repeated. Without it: all.
        #[arg(long = "partition", value_name = "PARTITION")]
        partitions: Vec<String>,
        /// As the rows were known at this instant.
        #[arg(long, value_name = "INSTANT", conflicts_with = "history")]
        as_of: Option<String>,
        /// Every version of every row, with the instant from which on it was known.
        #[arg(long, conflicts_with = "partitions")]
        history: bool,
    },
    /// The answer to a question in the database's own SQL; nothing can be changed.
    Sql {
        #[command(flatten)]
        database: DatabaseArgs,
        /// One SELECT.
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        statement: Option<String>,
        /// Read it from this file.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.question {
        Question::Unfetched { database, of } => {
            let schema = database.parse_schema::<Schema>()?;
            let table = schema.partitioned(of.table.as_deref())?;
            let rows = open(&database, &schema)?.unfetched(table, of.clock.now())?;
            due(table, &rows)
        }
        Question::Recent { database, weeks, of } => {
            let schema = database.parse_schema::<Schema>()?;
            let table = schema.partitioned(of.table.as_deref())?;
            let rows = open(&database, &schema)?.recent(table, weeks, of.clock.now())?;
            due(table, &rows)
        }
        Question::Unloaded { input, database, digests } => {
            let schema = database.parse_schema::<Schema>()?;
            loaded::unloaded(&mut open(&database, &schema)?, input.as_deref(), &digests)
        }
        Question::Unexported { database, export } => {
            let schema = database.parse_schema::<Schema>()?;
            unexported(&mut open(&database, &schema)?, &schema, database.schema_path()?, export.as_deref())
        }
        Question::Counts { database, of } => {
            let schema = database.parse_schema::<Schema>()?;
            counts(&mut open(&database, &schema)?, &schema, database.schema_path()?, &of)
        }
        Question::Rows { table, database, partitions, as_of, history } => {
            let schema = database.parse_schema::<Schema>()?;
            let table = match &table {
                Some(name) => schema.table(name)?,
                None => schema.partitioned(None)?,
            };
            let parse = |text: &String| PartitionKey::parse(table, text).map_err(Failure::usage);
            let partitions = partitions.iter().map(parse).collect::<Outcome<Vec<_>>>()?;
            let as_of = as_of.as_deref().map(instant).transpose()?;
            if (as_of.is_some() || history) && !table.history {
                return Err(Failure::usage(format!(
                    "table {} keeps no history (history = true in the schema, before rows change)",
                    table.name
                )));
            }
            rows(open(&database, &schema)?, table, &partitions, as_of.as_deref(), history)
        }
        Question::Sql { database, statement, file } => {
            let statement = match (statement, file) {
                (_, Some(file)) => input_files::read_text(&file)?,
                (statement, None) => statement.unwrap_or_default(),
            };
            sql(Db::open(&database.db, Access::Read)?, statement.trim().trim_end_matches(';'))
        }
    }
}

fn open(database: &DatabaseArgs, schema: &Schema) -> Outcome<Db> {
    Db::open_for(&database.db, Access::Read, schema)
}

/// The canonical text of an instant of the command line.
fn instant(text: &str) -> Outcome<String> {
    let now: Now = text.parse().map_err(|reason| Failure::usage(format!("--as-of: {reason}")))?;
    let value = Type::Instant.accept(Value::from(now.timestamp().to_string()));
    value.map(|value| value.to_text()).map_err(|reason| Failure::usage(format!("--as-of: {reason}")))
}

fn due(table: &Table, rows: &[PartitionRow]) -> Outcome {
    let mut answer = Answer::new()?;
    let partitions = &table.partitions;
    let parts = table.partition.iter().map(|part| partitions.name(&part.name));
    let listing = partitions.listing.iter().map(|column| column.name.as_str());
    let names: Vec<&str> = ["partition", "revision"].into_iter().chain(parts).chain(listing).collect();
    answer.header(&names)?;
    for row in rows {
        let opening = [Value::from(row.key.to_string()), Value::Integer(row.revision)];
        answer.row(&[&opening[..], &row.key.0, &row.listing].concat())?;
    }
    answer.send()
}

fn unexported(db: &mut Db, schema: &Schema, path: &Path, only: Option<&str>) -> Outcome {
    let exports: Vec<&Export> = match only {
        Some(name) => vec![schema.export(name)?],
        None => schema.exports.iter().collect(),
    };
    let views = db.views()?;
    let mut answer = Answer::new()?;
    answer.header(&["export", "partition", "object_key"])?;
    for export in exports {
        for due in db.due_exports(schema, export, &Rules::load(path, export, &views)?.digest)? {
            answer.row(&[
                Value::from(export.name.as_str()),
                Value::from(due.partition.to_string()),
                Value::from(due.object_key),
            ])?;
        }
    }
    answer.send()
}

fn counts(db: &mut Db, schema: &Schema, path: &Path, of: &OfTable) -> Outcome {
    let table = schema.partitioned(of.table.as_deref())?;
    let counts = db.counts(table, of.clock.now())?;
    let views = db.views()?;
    let mut unexported = 0;
    for export in schema.exports.iter().filter(|export| export.over.contains(&table.name)) {
        unexported +=
            db.due_exports(schema, export, &Rules::load(path, export, &views)?.digest)?.len() as i64;
    }
    let mut answer = Answer::new()?;
    answer.header(&["partitions", "stored", "rows", "unfetched", "unexported"])?;
    let row = [counts.partitions, counts.stored, counts.rows, counts.unfetched, unexported];
    answer.row(&row.map(Value::Integer))?;
    answer.send()
}

/// The rows of some partitions, or of all.
fn rows(db: Db, table: &Table, partitions: &[PartitionKey], as_of: Option<&str>, history: bool) -> Outcome {
    let (answer, ()) = ask(db, |db, answer| {
        let wanted = if partitions.is_empty() { Wanted::All } else { Wanted::Of(partitions) };
        if history || as_of.is_some() {
            answer.header(&Db::history_columns(table))?;
        } else {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            answer.header(&names)?;
        }
        let mut row = |row: &[Value]| answer.row(row);
        match as_of {
            _ if history => db.history(table, &mut row),
            Some(as_of) => db.rows_as_of(table, wanted, as_of, &mut row),
            None => db.rows(table, wanted, &mut row),
        }
    })?;
    answer.send()
}

fn sql(db: Db, statement: &str) -> Outcome {
    let (answer, columns) = ask(db, |db, answer| db.sql(statement, &mut |row| answer.row(row)))?;
    answer.send_with_header(&columns)
}

/// Collects a whole answer, from its beginning again if the server went away meanwhile. The database is closed before the
/// first byte goes out: a reader that holds it while the pipe is full would block the writer.
fn ask<T>(mut db: Db, question: impl Fn(&mut Db, &mut Answer) -> Outcome<T>) -> Outcome<(Answer, T)> {
    loop {
        let mut answer = Answer::new()?;
        match question(&mut db, &mut answer) {
            Ok(value) => return Ok((answer, value)),
            Err(_) if db.may_ask_again() => {}
            Err(failure) => return Err(failure),
        }
    }
}
