use std::path::Path;

use db::{Db, Duplicates, TypedColumn};
use manners::{Outcome, count, plural, say};
use recipe::Recipe;
use rows::{Ending, Row, Table, number};
use wire::{Cell, Kind};

/// What `db-load rows` was asked to do.
pub(crate) struct Load {
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    pub(crate) last_wins: bool,
    pub(crate) allow_unterminated: bool,
}

/// Loads a CSV into a table. Cells are text unless a recipe types their column; an empty cell is null.
pub(crate) fn rows(db: &mut Db, input: Option<&Path>, recipe: Option<&Recipe>, load: &Load) -> Outcome {
    let input = manners::input(input)?;
    let mut table =
        Table::open(input.name, input.reader, Ending::allowing_unterminated(load.allow_unterminated))?;
    let columns: Vec<TypedColumn> = table
        .header()
        .iter()
        .map(|name| TypedColumn { name: name.clone(), kind: kind_of(name, recipe) })
        .collect();
    let duplicates = if load.last_wins { Duplicates::LastWins } else { Duplicates::Refuse };
    let name = table.name().to_owned();
    let mut loading = db.load_table(&load.table, columns.clone(), &load.key, duplicates)?;
    let progress = manners::progress(None, "rows");
    while let Some(row) = table.next_row()? {
        let line = row.line;
        let cells =
            typed(&row, &columns).map_err(|reason| manners::Failure::data(format!("{name}: {reason}")))?;
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

fn kind_of(name: &str, recipe: Option<&Recipe>) -> Kind {
    let of_name = |(own, column): (&String, &recipe::Column)| {
        (own == name || column.from.as_deref() == Some(name)).then_some(column.kind)
    };
    match recipe.and_then(|recipe| recipe.columns.iter().find_map(of_name)) {
        Some(recipe::Kind::Number) => Kind::Real,
        Some(recipe::Kind::Integer) => Kind::Int,
        Some(recipe::Kind::Text | recipe::Kind::Date) | None => Kind::Text,
    }
}

fn typed(row: &Row<'_>, columns: &[TypedColumn]) -> Result<Vec<Cell>, String> {
    let cell = |(at, column): (usize, &TypedColumn)| {
        let text = std::str::from_utf8(row.cell(at))
            .map_err(|_| format!("line {}, column {:?}: not valid UTF-8", row.line, column.name))?;
        if text.is_empty() {
            return Ok(Cell::Null);
        }
        let wrong =
            |what: &str| format!("line {}, column {:?}: {text:?} is not {what}", row.line, column.name);
        match column.kind {
            Kind::Text => Ok(Cell::from(text)),
            Kind::Int => text.parse().map(Cell::Int).map_err(|_| wrong("an integer")),
            Kind::Real => number::parse(text.as_bytes()).map(Cell::Real).ok_or_else(|| wrong("a number")),
        }
    };
    columns.iter().enumerate().map(cell).collect()
}
