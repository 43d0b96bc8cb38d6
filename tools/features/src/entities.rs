use std::path::Path;

use failure::Outcome;
use history::Listed;
use rows::{Ending, Table};

/// Reads the entities that a state is to have: a CSV of type, name and, where keys have more cells, name_2 and so on, and
/// alias, of which an entity has as many as it has rows.
pub(crate) fn read(path: &Path) -> Outcome<Vec<Listed>> {
    let input = cli::input(Some(path))?;
    let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let kind = table.require("type")?;
    let mut names = vec![table.require("name")?];
    while let Some(next) = table.position(&format!("name_{}", names.len() + 1)) {
        names.push(next);
    }
    let alias = table.position("alias");
    let mut listed: Vec<Listed> = Vec::new();
    while let Some(row) = table.next_row()? {
        let text = |at: usize| String::from_utf8_lossy(row.cell(at)).into_owned();
        let name: Vec<String> = names.iter().map(|&at| text(at)).filter(|cell| !cell.is_empty()).collect();
        let (kind, alias) = (text(kind), alias.map(text).filter(|alias| !alias.is_empty()));
        match listed.iter_mut().find(|known| known.kind == kind && known.name == name) {
            Some(known) => known.aliases.extend(alias),
            None => listed.push(Listed { kind, name, aliases: alias.into_iter().collect() }),
        }
    }
    Ok(listed)
}
