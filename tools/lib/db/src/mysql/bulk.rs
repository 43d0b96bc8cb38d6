//! Many rows at once: as a local infile from memory where the server takes one, as long INSERT statements elsewhere.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use ::mysql::LocalInfileHandler;
use schema::Value;

use crate::connection::{Conflict, Connection, Insert};

/// Statements are about this long; every server takes four times as much (`max_allowed_packet`).
const STATEMENT_BYTES: usize = 1 << 20;

/// Rows in the server's own text format, for [`load_sql`]: tabs, backslashes, `\N` for null.
pub(super) fn infile(rows: &[&[Value]]) -> Vec<u8> {
    let mut text = String::with_capacity(rows.len() * 256);
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                text.push('\t');
            }
            match cell {
                Value::Null => text.push_str("\\N"),
                Value::Text(value) => escape(value, &mut text),
                Value::Integer(_) | Value::Number(_) => cell.push_text(&mut text),
            }
        }
        text.push('\n');
    }
    text.into_bytes()
}

fn escape(value: &str, text: &mut String) {
    let is_special = |byte: u8| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r' | 0);
    if !value.bytes().any(is_special) {
        return text.push_str(value);
    }
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\0"),
            c => text.push(c),
        }
    }
}

/// The statement that asks for an infile. Its name is only a name: whatever the server asks for, it gets our rows.
pub(super) fn load_sql(connection: &dyn Connection, insert: &Insert<'_>) -> String {
    let replace = if matches!(insert.conflict, Conflict::Replace) { "REPLACE " } else { "" };
    let columns = crate::connection::list(connection, insert.columns);
    format!(
        "LOAD DATA LOCAL INFILE 'rows' {replace}INTO TABLE {} CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED \
         BY '\\\\' LINES TERMINATED BY '\\n' ({columns})",
        connection.quote(insert.table)
    )
}

/// What answers the server's request for a file: these bytes, once.
pub(super) fn handler(bytes: Vec<u8>) -> LocalInfileHandler {
    let bytes = Arc::new(Mutex::new(bytes));
    LocalInfileHandler::new(move |_name, to| {
        let bytes = std::mem::take(&mut *bytes.lock().unwrap_or_else(PoisonError::into_inner));
        to.write_all(&bytes)
    })
}

/// What stands behind the rows of an INSERT whose keys may be there. VALUES() is the one form that MySQL 8 and MariaDB share.
pub(super) fn on_conflict(connection: &dyn Connection, insert: &Insert<'_>) -> String {
    // To itself, because there is no other way to say "nothing".
    let itself = |name: &str| format!("{0} = {0}", connection.quote(name));
    let keys = match insert.conflict {
        Conflict::Update(keys) => keys,
        Conflict::Keep => {
            return format!(
                " ON DUPLICATE KEY UPDATE {}",
                insert.columns.first().map_or_else(String::new, |name| itself(name))
            );
        }
        Conflict::Fail | Conflict::Replace => return String::new(),
    };
    let update = |name: &str| format!("{0} = VALUES({0})", connection.quote(name));
    let mut set: Vec<String> = insert.updated().map(|name| update(name)).collect();
    if set.is_empty() {
        set.extend(keys.first().map(|key| itself(key)));
    }
    format!(" ON DUPLICATE KEY UPDATE {}", set.join(", "))
}

/// Long INSERT statements for the same rows, one after the other.
pub(super) fn statements<'a>(
    head: &'a str,
    tail: &'a str,
    rows: &'a [&'a [Value]],
) -> impl Iterator<Item = String> + 'a {
    let mut left = rows.iter();
    std::iter::from_fn(move || {
        let mut sql = String::new();
        while sql.len() < STATEMENT_BYTES {
            let Some(row) = left.next() else { break };
            sql.push_str(if sql.is_empty() { head } else { "," });
            if sql.len() == head.len() {
                sql.push_str(" VALUES ");
            }
            sql.push('(');
            for (at, cell) in row.iter().enumerate() {
                if at > 0 {
                    sql.push(',');
                }
                literal(cell, &mut sql);
            }
            sql.push(')');
        }
        if sql.is_empty() {
            return None;
        }
        sql.push_str(tail);
        Some(sql)
    })
}

fn literal(cell: &Value, sql: &mut String) {
    match cell {
        Value::Null => sql.push_str("NULL"),
        Value::Integer(_) => cell.push_text(sql),
        Value::Number(value) => {
            // With an exponent, always: without one it would be a decimal, which has other limits than a double.
            let _ = write!(sql, "{value:e}");
        }
        Value::Text(text) => {
            sql.push('\'');
            for c in text.chars() {
                match c {
                    '\'' => sql.push_str("''"),
                    '\\' => sql.push_str("\\\\"),
                    '\0' => sql.push_str("\\0"),
                    c => sql.push(c),
                }
            }
            sql.push('\'');
        }
    }
}
