//! Which arriving rows may change something: the database compares them with those that are there.

use failure::Outcome;
use schema::{Column, Table, Type, Value, Write};

use super::batch::Candidate;
use super::decision::Found;
use crate::connection::{Conflict, Connection, INCOMING, Insert, list};
use crate::rows_of::key_names;
use crate::tables::create_sql;

/// The place of a row among those that wait.
const PLACE: &str = "fairway_place";
/// Whether a row is looked at even if it is as new as the one that is there.
const LOOK: &str = "fairway_look";

/// The columns by which a row wins, besides its digest: each once, and none of the key, which is equal in all versions.
pub(crate) fn ranking(table: &Table) -> Vec<usize> {
    let mut ranking = Vec::with_capacity(table.newer.len() + 1);
    for at in table.newer.iter().copied().chain(table.fetched_at()) {
        if !ranking.contains(&at) && !table.key.contains(&at) {
            ranking.push(at);
        }
    }
    ranking
}

/// The column that says from when on a row was known, unless it ranks rows.
fn known_column(table: &Table) -> Option<usize> {
    table.known_at().filter(|at| !ranking(table).contains(at))
}

/// Puts what decides about rows where the database can compare it with the rows that are there.
pub(super) fn stage(connection: &mut dyn Connection, table: &Table, chunk: &[Candidate]) -> Outcome {
    let ranking = ranking(table);
    let own = |name: &str| Column { name: name.to_owned(), kind: Type::Integer };
    let digest = table.digest_column().unwrap_or_default();
    let known_at = known_column(table);
    let of_table = table.key.iter().chain(&ranking).chain(&known_at).map(|&at| table.columns[at].clone());
    let columns: Vec<Column> = [own(PLACE), own(LOOK), own(digest)].into_iter().chain(of_table).collect();
    let key: Vec<String> = key_names(table).iter().map(|name| (*name).to_owned()).collect();
    connection.run(&format!("{} IF EXISTS {INCOMING}", connection.drop_temporary()), &[])?;
    connection.run(&create_sql(connection, "CREATE TEMPORARY TABLE", INCOMING, &columns, &key), &[])?;
    let staged: Vec<Vec<Value>> = chunk
        .iter()
        .enumerate()
        .map(|(place, candidate)| {
            let cells = table.key.iter().chain(&ranking).map(|&at| candidate.row[at].clone());
            let look = i64::from(candidate.is_to_look_at(table));
            [Value::Integer(place as i64), Value::Integer(look), Value::Integer(candidate.digest)]
                .into_iter()
                .chain(cells)
                .chain(known_at.map(|_| candidate.known.clone()))
                .collect()
        })
        .collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let rows: Vec<&[Value]> = staged.iter().map(Vec::as_slice).collect();
    connection.insert_all(&Insert { table: INCOMING, columns: &names, conflict: Conflict::Fail }, &rows)
}

/// The places of the rows that may change something, with what is there under their keys.
pub(super) fn found(connection: &mut dyn Connection, table: &Table) -> Outcome<Vec<(usize, Option<Found>)>> {
    let ranking = ranking(table);
    let names =
        |places: &[usize]| places.iter().map(|&at| table.columns[at].name.as_str()).collect::<Vec<_>>();
    let qualified = |of: &str, name: &str| format!("{of}.{}", connection.quote(name));
    let digest = table.digest_column().unwrap_or_default();
    let (new, old) = (qualified("i", digest), qualified("t", digest));
    let mut differs =
        vec![format!("{old} IS NULL"), format!("{old} <> {new}"), format!("{} <> 0", qualified("i", LOOK))];
    // What is only about a row is compared, too, where it decides who wins.
    if table.write == Write::Upsert {
        differs.extend(
            names(&ranking).into_iter().map(|name| {
                format!("NOT ({})", connection.same(&qualified("t", name), &qualified("i", name)))
            }),
        );
    }
    if let Some(at) = known_column(table) {
        let name = &table.columns[at].name;
        let (new, old) = (qualified("i", name), qualified("t", name));
        differs.push(format!("({old} IS NOT NULL AND ({new} IS NULL OR {new} < {old}))"));
    }
    let known_at: Vec<usize> = table.known_at().into_iter().collect();
    let parts: Vec<usize> = table.partition.iter().map(|part| part.column).collect();
    let shown: Vec<String> = [&ranking[..], &known_at, &parts]
        .concat()
        .iter()
        .map(|&at| qualified("t", &table.columns[at].name))
        .collect();
    let on: Vec<String> = key_names(table)
        .iter()
        .map(|name| format!("{} = {}", qualified("t", name), qualified("i", name)))
        .collect();
    // Whoever writes rows of a partition has locked the row about it, and nothing was read before that; elsewhere the rows
    // themselves are locked, which shows them as they are now.
    let lock = match table.write {
        // They never change: who adds to them need not have the right to.
        Write::Append => connection.for_share(),
        _ if table.rows_can_move() || !table.has_partition_rows() => connection.for_update(),
        _ => "",
    };
    let place = qualified("i", PLACE);
    // A row that is there has a key, whatever else somebody did to it.
    let is_there = qualified("t", key_names(table).first().copied().unwrap_or_default());
    let columns: Vec<String> = [place.clone(), is_there, old].into_iter().chain(shown).collect();
    let sql = format!(
        "SELECT {} FROM {INCOMING} i LEFT JOIN {} t ON {} WHERE {} ORDER BY {place}{lock}",
        list_raw(&columns),
        list(connection, &[&table.name]),
        on.join(" AND "),
        differs.join(" OR ")
    );
    let mut rows = Vec::new();
    connection.ask(&sql, &[], &mut |row| {
        let place = row[0].integer().and_then(|place| usize::try_from(place).ok()).unwrap_or(usize::MAX);
        rows.push((place, Found::read(table, &ranking, row)));
        Ok(())
    })?;
    Ok(rows)
}

fn list_raw(names: &[String]) -> String {
    names.join(", ")
}
