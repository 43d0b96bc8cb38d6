use std::io::Read;
use std::path::Path;

use db::{Db, Duplicates, TypedColumn};
use manners::{Failure, IoContext, Outcome, count, plural, say};
use recipe::Recipe;
use rows::{Ending, Row, Table, number};
use wire::{Cell, Kind};

use crate::flat::Flat;

/// What `db-load rows` was asked to do.
pub(crate) struct Load {
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    pub(crate) last_wins: bool,
    pub(crate) allow_unterminated: bool,
}

/// Loads a CSV, or flat JSON objects, into a table. Cells are text unless a recipe types their column; an empty cell and a null are null.
pub(crate) fn rows(db: &mut Db, input: Option<&Path>, recipe: Option<&Recipe>, load: &Load) -> Outcome {
    let manners::Input { name, mut reader } = manners::input(input)?;
    let ending = Ending::allowing_unterminated(load.allow_unterminated);
    let mut first = [0];
    let read = reader.read(&mut first).place(&name)?;
    let reader = first[..read].chain(reader);
    let place = name.clone();
    let (columns, mut next_row): (Vec<String>, NextRow<'_>) = match first {
        [b'{'] => {
            let mut flat = Flat::open(name.clone(), reader, ending)?;
            (flat.columns().to_vec(), Box::new(move || flat.next_row()))
        }
        _ => {
            let mut table = Table::open(name.clone(), reader, ending)?;
            let header = table.header().to_vec();
            let names = header.clone();
            let next = move || match table.next_row()? {
                Some(row) => cells(&row, &names).map(Some).map_err(|failure| failure.at(&place)),
                None => Ok(None),
            };
            (header, Box::new(next))
        }
    };
    let columns: Vec<TypedColumn> =
        columns.into_iter().map(|name| TypedColumn { kind: kind_of(&name, recipe), name }).collect();
    let duplicates = if load.last_wins { Duplicates::LastWins } else { Duplicates::Refuse };
    let mut loading = db.load_table(&load.table, columns.clone(), &load.key, duplicates)?;
    let progress = manners::progress(None, "rows");
    while let Some((line, cells)) = next_row()? {
        let cells =
            typed(line, cells, &columns).map_err(|reason| Failure::data(format!("{name}: {reason}")))?;
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

/// A line's number and its cells; none of a null.
type Cells = (u64, Vec<Option<String>>);
type NextRow<'a> = Box<dyn FnMut() -> Outcome<Option<Cells>> + 'a>;

fn cells(row: &Row<'_>, names: &[String]) -> Outcome<Cells> {
    let text = |(cell, name): (&[u8], &String)| match std::str::from_utf8(cell) {
        Ok("") => Ok(None),
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(Failure::data(format!("line {}, column {name:?}: not valid UTF-8", row.line))),
    };
    Ok((row.line, row.cells().zip(names).map(text).collect::<Outcome<_>>()?))
}

/// As the recipe has it; what was predicted of a column is of that column's type.
fn kind_of(name: &str, recipe: Option<&Recipe>) -> Kind {
    let bare = name.strip_prefix("predicted_").unwrap_or(name);
    let of_name = |(own, column): (&String, &recipe::Column)| {
        (own == bare || column.from.as_deref() == Some(bare)).then_some(column.kind)
    };
    match recipe.and_then(|recipe| recipe.columns.iter().find_map(of_name)) {
        // A prediction of a whole number is none.
        Some(recipe::Kind::Integer) if bare != name => Kind::Real,
        Some(recipe::Kind::Number) => Kind::Real,
        Some(recipe::Kind::Integer) => Kind::Int,
        Some(recipe::Kind::Text | recipe::Kind::Date) | None => Kind::Text,
    }
}

fn typed(line: u64, cells: Vec<Option<String>>, columns: &[TypedColumn]) -> Result<Vec<Cell>, String> {
    let cell = |(cell, column): (Option<String>, &TypedColumn)| {
        let Some(text) = cell else { return Ok(Cell::Null) };
        let wrong = |what: &str| format!("line {line}, column {:?}: {text:?} is not {what}", column.name);
        match column.kind {
            Kind::Text => Ok(Cell::from(text.as_str())),
            Kind::Int => text.parse().map(Cell::Int).map_err(|_| wrong("an integer")),
            Kind::Real => number::parse(text.as_bytes()).map(Cell::Real).ok_or_else(|| wrong("a number")),
        }
    };
    cells.into_iter().zip(columns).map(cell).collect()
}
