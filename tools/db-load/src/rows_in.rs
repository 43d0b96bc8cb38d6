use std::path::PathBuf;

use clock::Now;
use db::{Arrival, Db, Duplicates, Upserted};
use diagnostics::{count, plural, say};
use failure::{Failure, Outcome};
use recipe::Recipe;
use schema::{Column, Schema, Table, Type, Value, Write};

use crate::arrivals::ROWS_TOGETHER;
use crate::records::Records;
use crate::tally::report_rows;

/// What `db-load rows` was asked to do with a table that the schema does not have.
pub(crate) struct Load {
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    pub(crate) last_wins: bool,
    pub(crate) recipe: Option<PathBuf>,
}

/// Loads rows into a table of the schema, 50,000 at a time. Columns that the input lacks are null.
pub(crate) fn into_schema(
    db: &mut Db,
    table: &Table,
    mut records: Records,
    backfill: bool,
    now: Now,
) -> Outcome {
    if table.write == Write::Replace {
        return Err(Failure::usage(format!(
            "table {} is replaced partition by partition, which `db-load partitions` does",
            table.name
        )));
    }
    let name = records.name.clone();
    let data = |reason: String| Failure::data(format!("{name}: {reason}"));
    let places = places(table, &records.columns).map_err(data)?;
    let progress = cli::progress(None, "rows");
    let mut done = Upserted::default();
    let mut waiting: Vec<Arrival> = Vec::new();
    loop {
        let next = records.next_row()?;
        let is_end = next.is_none();
        if let Some((line, cells)) = next {
            let mut row = vec![Value::Null; table.columns.len()];
            for (&at, cell) in places.iter().zip(cells) {
                let column = &table.columns[at];
                let Some(cell) = cell else { continue };
                row[at] = column
                    .kind
                    .parse(&cell)
                    .map_err(|reason| data(format!("line {line}, column {:?}: {reason}", column.name)))?;
            }
            table.check_key(&row).map_err(|reason| data(format!("line {line}: {reason}")))?;
            waiting.push(Arrival { line, row });
            progress.advance(1);
        }
        if waiting.len() >= ROWS_TOGETHER || is_end {
            let more = db.upsert(table, std::mem::take(&mut waiting), &[], backfill, now);
            let more = more.map_err(|failure| failure.at(&name))?;
            done.read += more.read;
            done.new += more.new;
            done.changed += more.changed;
            done.about += more.about;
            done.ignored += more.ignored;
        }
        if is_end {
            break;
        }
    }
    drop(progress);
    say!("{}", report_rows(&done));
    Ok(())
}

/// Where the columns of an input stand in the table.
fn places(table: &Table, columns: &[String]) -> Result<Vec<usize>, String> {
    let mut places = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        let place = table.position(column).ok_or_else(|| {
            let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            format!("column {column:?} is not in table {} ({})", table.name, known.join(", "))
        })?;
        if columns[..at].contains(column) {
            return Err(format!("column {column:?} stands twice"));
        }
        places.push(place);
    }
    match table.key.iter().find(|at| !places.contains(at)) {
        Some(&missing) => Err(format!(
            "column {:?} of the key of table {} is missing",
            table.columns[missing].name, table.name
        )),
        None => Ok(places),
    }
}

/// Loads rows into a table that is made when it is not there, all of them or none. Cells are text unless a recipe types their
/// column.
pub(crate) fn into_any(db: &mut Db, schema: Option<&Schema>, mut records: Records, load: &Load) -> Outcome {
    if load.key.is_empty() {
        return Err(Failure::usage(format!(
            "table {} is not in a schema: name the columns that identify a row with --key",
            load.table
        )));
    }
    if let Some(of) = schema.and_then(|schema| owner(schema, &load.table)) {
        return Err(Failure::usage(format!(
            "table {} belongs to {of}, which `db-load` writes itself",
            load.table
        )));
    }
    let recipe = load.recipe.as_ref().map(|path| Recipe::load(path, input_files::read_text)).transpose()?;
    let name = records.name.clone();
    let columns: Vec<Column> = records
        .columns
        .iter()
        .map(|name| Column { kind: kind_of(name, recipe.as_ref()), name: name.clone() })
        .collect();
    let duplicates = if load.last_wins { Duplicates::LastWins } else { Duplicates::Refuse };
    let mut loading = db.load_table(&load.table, columns.clone(), &load.key, duplicates)?;
    let progress = cli::progress(None, "rows");
    while let Some((line, cells)) = records.next_row()? {
        let cell = |(cell, column): (Option<String>, &Column)| match cell {
            None => Ok(Value::Null),
            Some(text) => column.kind.parse(&text).map_err(|reason| {
                Failure::data(format!("{name}: line {line}, column {:?}: {reason}", column.name))
            }),
        };
        let cells = cells.into_iter().zip(&columns).map(cell).collect::<Outcome<_>>()?;
        loading.add(line, cells).map_err(|failure| failure.at(&name))?;
        progress.advance(1);
    }
    let loaded = loading.finish()?;
    drop(progress);
    say!(
        "{}: {} written, {} as before{}",
        plural(loaded.read, "row"),
        count(loaded.written),
        count(loaded.read - loaded.written - loaded.replaced),
        if loaded.replaced > 0 {
            format!(", {} replaced by a later one", count(loaded.replaced))
        } else {
            String::new()
        }
    );
    Ok(())
}

/// The table of the schema that a table of this name belongs to, if it is one of ours.
fn owner(schema: &Schema, name: &str) -> Option<String> {
    let is = |table: &&Table| {
        let partitions = table.has_partition_rows().then_some(table.partitions.table.as_str());
        let history = table.history.then(|| table.history_table());
        partitions.into_iter().chain(history.as_deref()).any(|own| own.eq_ignore_ascii_case(name))
    };
    let of_schema = schema.tables.iter().find(is).map(|table| format!("table {}", table.name));
    let own = name.to_ascii_lowercase().starts_with("fairway_").then(|| "the programs".to_owned());
    of_schema.or(own)
}

/// As the recipe has it; what was predicted of a column is of that column's type.
fn kind_of(name: &str, recipe: Option<&Recipe>) -> Type {
    let bare = name.strip_prefix("predicted_").unwrap_or(name);
    let of_name = |(own, column): (&String, &recipe::Column)| {
        (own == bare || column.from.as_deref() == Some(bare)).then_some(column.kind)
    };
    match recipe.and_then(|recipe| recipe.columns.iter().find_map(of_name)) {
        // A prediction of a whole number can have a fraction.
        Some(Type::Integer) if bare != name => Type::Number,
        Some(kind @ (Type::Number | Type::Integer)) => kind,
        Some(Type::Text(_) | Type::Date | Type::Instant) | None => Type::Text(None),
    }
}
