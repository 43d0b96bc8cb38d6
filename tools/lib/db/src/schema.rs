use manners::{Failure, Outcome};
use wire::{COLUMNS, Kind};

use crate::connection::{Connection, list};

/// The key of the rounds table.
pub(crate) const ROUND_KEY: [&str; 5] = ["tour", "year", "event_id", "dg_id", "round_num"];

/// The columns of the events table; the first three are its key, those that end in `_at` record times.
const EVENT_COLUMNS: [(&str, Kind); 19] = [
    ("tour", Kind::Text),
    ("calendar_year", Kind::Int),
    ("event_id", Kind::Int),
    ("event_name", Kind::Text),
    ("event_completed", Kind::Text),
    ("sg_categories", Kind::Text),
    ("traditional_stats", Kind::Text),
    ("refetch", Kind::Int),
    ("n_rounds", Kind::Int),
    ("rounds_rev", Kind::Int),
    ("content_sha256", Kind::Text),
    ("exported_rev", Kind::Int),
    ("object_key", Kind::Text),
    ("object_sha256", Kind::Text),
    ("unavailable", Kind::Text),
    ("next_try_at", Kind::Text),
    ("listed_at", Kind::Text),
    ("stored_at", Kind::Text),
    ("exported_at", Kind::Text),
];

/// What the state's tables are called.
#[derive(Clone, Debug)]
pub struct Tables {
    /// One row an event.
    pub events: String,
    /// One row a player's round.
    pub rounds: String,
}

impl Default for Tables {
    fn default() -> Tables {
        Tables {
            events: "pga_with_sg_cat_eventslist".to_owned(),
            rounds: "player_round_stats_pga_with_sg_data".to_owned(),
        }
    }
}

impl Tables {
    /// The usual names, or those that a recipe gives.
    pub fn named(events: Option<&str>, rounds: Option<&str>) -> Outcome<Tables> {
        let usual = Tables::default();
        let name = |given: Option<&str>, usual: String| match given {
            None => Ok(usual),
            Some(name) => check_name(name).map(|()| name.to_owned()),
        };
        Ok(Tables { events: name(events, usual.events)?, rounds: name(rounds, usual.rounds)? })
    }
}

/// A table's name must not need quoting, so that people can type it.
pub(crate) fn check_name(name: &str) -> Outcome {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || name.is_empty() || name.len() > 64 || name.as_bytes()[0].is_ascii_digit() {
        return Err(Failure::config(format!(
            "table name {name:?}: use up to 64 letters, digits and `_`, a letter first"
        )));
    }
    Ok(())
}

pub(crate) fn create(connection: &mut dyn Connection, tables: &Tables) -> Outcome {
    create_table(connection, &tables.events, &EVENT_COLUMNS, &["tour", "calendar_year", "event_id"])?;
    create_table(connection, &tables.rounds, &COLUMNS, &ROUND_KEY)
}

fn create_table(
    connection: &mut dyn Connection,
    table: &str,
    columns: &[(&str, Kind)],
    key: &[&str],
) -> Outcome {
    let present = connection.columns_of(table)?;
    if present.is_empty() {
        let sql = create_sql(connection, "CREATE TABLE IF NOT EXISTS", table, columns, key);
        return connection.run(&sql, &[]).map(drop);
    }
    let altered = |how: String| {
        Err(Failure::config(format!(
            "table {table} {how}: it was made or altered by something else (rename it, or name another one in the \
             recipe's [tables])"
        )))
    };
    for (name, kind) in columns {
        match present.iter().find(|(there, _)| there == name) {
            None => return altered(format!("has no column {name:?}")),
            Some((_, there)) if *there != Some(*kind) => {
                let wanted = connection.column_type(*kind, key.contains(name));
                return altered(format!("has a column {name:?} that is not {wanted}"));
            }
            Some(_) => {}
        }
    }
    let there = connection.key_of(table)?;
    if there != key {
        return altered(format!("has the key ({}), not ({})", there.join(", "), key.join(", ")));
    }
    match connection.table_misfit(table)? {
        Some(misfit) => altered(misfit),
        None => Ok(()),
    }
}

/// A statement that makes a table; key columns are NOT NULL. Without a key, rows may stand twice.
pub(crate) fn create_sql(
    connection: &dyn Connection,
    create: &str,
    table: &str,
    columns: &[(&str, Kind)],
    key: &[&str],
) -> String {
    let mut parts: Vec<String> = Vec::with_capacity(columns.len() + 1);
    for (name, kind) in columns {
        let is_key = key.contains(name);
        let not_null = if is_key { " NOT NULL" } else { "" };
        parts.push(format!("{} {}{not_null}", connection.quote(name), connection.column_type(*kind, is_key)));
    }
    if !key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", list(connection, key)));
    }
    let options = connection.table_options(!key.is_empty());
    format!("{create} {} ({}){options}", connection.quote(table), parts.join(", "))
}
