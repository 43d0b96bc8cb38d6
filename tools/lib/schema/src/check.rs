//! Makes tables of what the file says, or says what is wrong with it.

use std::collections::BTreeSet;

use failure::{Failure, Outcome};

use crate::identifier;
use crate::parse::{File, Ordered, RawExport, RawPartitions, RawRevision, RawTable, RawWrite};
use crate::partition::{DAY_BYTES, MONTH_BYTES};
use crate::table::{FETCHED_AT, KNOWN_AT, RAW};
use crate::{Column, Export, Part, Partitions, Revision, Schema, Source, Table, Type, View, Write};

/// The longest key of InnoDB's.
const KEY_BYTES: usize = 3_072;

/// The most columns of an index that MySQL takes.
pub const KEY_COLUMNS: usize = 16;

/// How long a partition that the source does not have is left alone, unless the schema says.
const RETRY_AFTER_HOURS: u16 = 24;

fn bad<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Failure::config(message))
}

impl File {
    pub(crate) fn check(self) -> Outcome<Schema> {
        let system = self.schema.system;
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        if system.is_empty() || system.len() > 32 || !system.bytes().all(plain) {
            return bad(format!(
                "[schema] system {system:?}: use up to 32 lower-case letters, digits, `-` and `_`"
            ));
        }
        let tables =
            self.tables.0.into_iter().map(|(name, raw)| raw.check(name)).collect::<Outcome<Vec<_>>>()?;
        distinct_tables(&tables)?;
        let exports = self.exports.0.into_iter();
        let exports = exports.map(|(name, raw)| raw.check(name, &tables)).collect::<Outcome<Vec<_>>>()?;
        let mut views = Vec::new();
        for (name, raw) in self.views.0 {
            identifier::check("view", &name)?;
            if tables.iter().any(|table| table.name == name) {
                return bad(format!("[views.{name}]: there is a table of that name"));
            }
            views.push(View { name, sql: raw.sql });
        }
        Ok(Schema { system, tables, exports, views })
    }
}

/// Tables, their partitions and their histories must not share a name.
fn distinct_tables(tables: &[Table]) -> Outcome {
    let mut seen = BTreeSet::new();
    for table in tables {
        let partitions = table.has_partition_rows().then(|| table.partitions.table.clone());
        let history = table.history.then(|| table.history_table());
        for name in [Some(table.name.clone()), partitions, history].into_iter().flatten() {
            if !seen.insert(name.clone()) {
                return bad(format!("[tables.{}]: the table {name} stands twice", table.name));
            }
        }
    }
    Ok(())
}

impl RawTable {
    fn check(self, name: String) -> Outcome<Table> {
        let place = format!("[tables.{name}]");
        identifier::check("table", &name)?;
        let columns = columns(&format!("{place} columns"), self.columns)?;
        if columns.is_empty() {
            return bad(format!("{place} has no columns"));
        }
        let position =
            |what: &str, column: &String| match columns.iter().position(|known| known.name == *column) {
                Some(at) => Ok(at),
                None => bad(format!("{place} {what}: {column:?} is not among its columns")),
            };
        let places = |what: &str, names: &[String]| {
            let found = names.iter().map(|name| position(what, name)).collect::<Outcome<Vec<usize>>>()?;
            match (1..found.len()).find(|&at| found[..at].contains(&found[at])) {
                Some(twice) => bad(format!("{place} {what} names {:?} twice", names[twice])),
                None => Ok(found),
            }
        };
        let key = places("key", &self.key)?;
        let about_places = places("about", &self.about)?;
        let newer = places("newer", &self.newer)?;
        let mut about = vec![false; columns.len()];
        about_places.iter().for_each(|&at| about[at] = true);
        let partition =
            self.partition.iter().map(|text| part(&place, text, &columns)).collect::<Outcome<Vec<_>>>()?;
        let write = match self.write {
            RawWrite::Replace => Write::Replace,
            RawWrite::Upsert => Write::Upsert,
            RawWrite::Append => Write::Append,
        };
        let revision = match self.revision {
            Some(RawRevision::Asked) => Revision::Asked,
            Some(RawRevision::Stored) => Revision::Stored,
            // Nothing holds a number for a table without partitions, and a write that only adds touches nothing else.
            None if write == Write::Append || partition.is_empty() => Revision::Asked,
            None => Revision::Stored,
        };
        let mut by_name: Vec<usize> = (0..columns.len()).filter(|&at| !about[at]).collect();
        by_name.sort_by(|&one, &other| columns[one].name.cmp(&columns[other].name));
        let table = Table {
            partitions: partitions(&place, self.partitions, &name, &partition)?,
            name,
            columns,
            key,
            partition,
            write,
            newer,
            revision,
            history: self.history,
            min_share: self.min_share,
            retry_after_hours: i64::from(self.retry_after_hours.unwrap_or(RETRY_AFTER_HOURS)),
            about,
            by_name,
        };
        check_table(&place, &table)?;
        Ok(table)
    }
}

fn check_table(place: &str, table: &Table) -> Outcome {
    let digest = Column { name: "the digest of a version".to_owned(), kind: Type::Integer };
    let of_history = table.history.then_some(&digest);
    check_key(place, "key", table.key.iter().map(|&at| &table.columns[at]).chain(of_history))?;
    if table.key.iter().any(|&at| table.is_about(at))
        || table.partition.iter().any(|part| table.is_about(part.column))
    {
        return bad(format!(
            "{place} about: it names a column of the key or the partition, which every digest must see"
        ));
    }
    let parts: Vec<Column> =
        table.partition.iter().map(|part| Column { name: part.name.clone(), kind: part.kind }).collect();
    if !parts.is_empty() {
        check_key(place, "partition", parts.iter())?;
    }
    let replaces = table.write == Write::Replace;
    if replaces {
        if table.partition.is_empty() {
            return bad(format!(
                "{place}: write = \"replace\" replaces partitions, and there is no partition"
            ));
        }
        let first = table.partition.iter().map(|part| part.column);
        if !first.eq(table.key.iter().copied().take(table.partition.len())) {
            return bad(format!(
                "{place}: with write = \"replace\" the partition's columns are the first of the key"
            ));
        }
    }
    if table.revision == Revision::Asked && replaces {
        return bad(format!("{place}: revision = \"asked\" is for upsert and append"));
    }
    if table.revision == Revision::Stored && (table.write == Write::Append || table.partition.is_empty()) {
        return bad(format!("{place}: revision = \"stored\" needs a partition, and rows that can change"));
    }
    if table.write != Write::Upsert && (!table.newer.is_empty() || table.history) {
        return bad(format!("{place}: newer and history are for write = \"upsert\""));
    }
    if let Some(&at) = table.newer.iter().find(|&&at| matches!(table.columns[at].kind, Type::Text(_))) {
        return bad(format!(
            "{place} newer: {:?} is a text, which has no order of time",
            table.columns[at].name
        ));
    }
    if table.min_share.is_some_and(|share| !replaces || !(0.0..=1.0).contains(&share)) {
        return bad(format!("{place} min_share: a share from 0 to 1 of a table with write = \"replace\""));
    }
    let ours = [(FETCHED_AT, Type::Instant), (KNOWN_AT, Type::Instant)];
    for (name, kind) in ours {
        if let Some(at) = table.position(name)
            && (table.columns[at].kind != kind || !table.is_about(at))
        {
            return bad(format!("{place}: {name} is {kind} and stands in about: db-load fills it"));
        }
    }
    if let Some(at) = table.position(RAW)
        && (!matches!(table.columns[at].kind, Type::Text(_)) || !table.is_about(at))
    {
        return bad(format!("{place}: {RAW} is a text and stands in about: db-load fills it"));
    }
    if (table.history || table.known_at().is_some()) && table.fetched_at().is_none() {
        return bad(format!(
            "{place}: history and {KNOWN_AT} need a column {FETCHED_AT} = \"instant\" in about"
        ));
    }
    Ok(())
}

/// Whether every database can hold an index over these columns.
fn check_key<'a>(place: &str, what: &str, columns: impl Iterator<Item = &'a Column>) -> Outcome {
    let (mut bytes, mut n_columns) = (0, 0);
    for column in columns {
        n_columns += 1;
        match column.kind.key_bytes() {
            Some(more) => bytes += more,
            None => {
                return bad(format!(
                    "{place} {what}: {:?} is a text without a size (use text(N))",
                    column.name
                ));
            }
        }
    }
    match bytes {
        0 => bad(format!("{place} {what} is empty")),
        _ if n_columns > KEY_COLUMNS => bad(format!(
            "{place} {what} has {n_columns} columns, and a database's index at most {KEY_COLUMNS} (a history takes one more)"
        )),
        1..=KEY_BYTES => Ok(()),
        _ => bad(format!(
            "{place} {what} takes {bytes} bytes, and a database's index at most {KEY_BYTES} (4 a character of a text, \
             24 an instant, 10 a date, 8 a number)"
        )),
    }
}

fn columns(place: &str, raw: Ordered<String>) -> Outcome<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::with_capacity(raw.0.len());
    for (name, kind) in raw.0 {
        identifier::check("column", &name).map_err(|failure| failure.at(place))?;
        let kind = kind.parse().map_err(|reason| Failure::config(format!("{place}, {name:?}: {reason}")))?;
        columns.push(Column { name, kind });
    }
    Ok(columns)
}

/// Reads `station`, `month(kickoff)` or `day(at)`.
fn part(place: &str, text: &str, columns: &[Column]) -> Outcome<Part> {
    let of_time =
        |word: &str| text.strip_prefix(word).and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
    let (name, prefix) = match (of_time("month"), of_time("day")) {
        (Some(name), _) => (name, Some(MONTH_BYTES)),
        (_, Some(name)) => (name, Some(DAY_BYTES)),
        _ => (text, None),
    };
    let Some(column) = columns.iter().position(|known| known.name == name) else {
        return bad(format!("{place} partition: {name:?} is not among its columns"));
    };
    let kind = columns[column].kind;
    let is_time = kind == Type::Instant || (kind == Type::Date && prefix == Some(MONTH_BYTES));
    match prefix {
        None => Ok(Part { name: name.to_owned(), kind, column, prefix }),
        Some(_) if !is_time => {
            bad(format!("{place} partition: {text:?} takes an instant (a month also a date)"))
        }
        Some(MONTH_BYTES) => {
            let name = format!("{name}_month");
            Ok(Part { name, kind: Type::Text(Some(MONTH_BYTES as u16)), column, prefix })
        }
        Some(_) => Ok(Part { name: format!("{name}_day"), kind: Type::Date, column, prefix }),
    }
}

fn partitions(place: &str, raw: RawPartitions, table: &str, parts: &[Part]) -> Outcome<Partitions> {
    let name = raw.table.unwrap_or_else(|| format!("{table}_partitions"));
    identifier::check("table", &name)?;
    let listing = columns(&format!("{place} partitions.listing"), raw.listing)?;
    let renamable = parts.iter().map(|part| part.name.as_str()).chain(["revision", "n_rows"]);
    let renamable: Vec<&str> = renamable.collect();
    for (from, to) in &raw.rename.0 {
        if !renamable.contains(&from.as_str()) {
            return bad(format!(
                "{place} partitions.rename: {from:?} is not one of {}",
                renamable.join(", ")
            ));
        }
        identifier::check("column", to)?;
    }
    let partitions = Partitions { table: name, rename: raw.rename.0, listing, time: raw.time };
    let listed = |name: &String| partitions.listing.iter().any(|column| column.name == *name);
    if let Some(time) = partitions.time.as_ref().filter(|time| !listed(time)) {
        return bad(format!("{place} partitions.time: {time:?} is not among its listing"));
    }
    let mut seen = BTreeSet::new();
    let states = Partitions::state_columns();
    let names = parts
        .iter()
        .map(|part| partitions.name(&part.name))
        .chain(partitions.listing.iter().map(|column| column.name.as_str()))
        .chain(states.iter().map(|(name, _)| partitions.name(name)));
    for name in names {
        if !seen.insert(name.to_owned()) {
            return bad(format!("{place} partitions: two columns would be called {name:?}"));
        }
    }
    Ok(partitions)
}

impl RawExport {
    fn check(self, name: String, tables: &[Table]) -> Outcome<Export> {
        let place = format!("[exports.{name}]");
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return bad(format!("{place}: use up to 64 lower-case letters, digits, `-` and `_`"));
        }
        let find = |wanted: &String| match tables.iter().find(|table| table.name == *wanted) {
            Some(table) => Ok(table),
            None => bad(format!("{place}: there is no table {wanted:?}")),
        };
        let (source, over) = match (self.table.clone(), self.sql.clone(), self.over.clone()) {
            (Some(table), None, over) => (Source::Table(table.clone()), over.unwrap_or_else(|| vec![table])),
            (None, Some(sql), Some(over)) => (Source::Sql(sql), over),
            (None, Some(_), None) => {
                return bad(format!(
                    "{place}: over names the tables whose changes make it old, and is missing"
                ));
            }
            _ => return bad(format!("{place}: give either table or sql")),
        };
        if over.is_empty() {
            return bad(format!("{place} over is empty"));
        }
        let over_tables = over.iter().map(find).collect::<Outcome<Vec<&Table>>>()?;
        let partition = self.export_parts(&place, &source, &over_tables, tables)?;
        if let Source::Table(table) = &source {
            if !over.contains(table) {
                return bad(format!("{place} over lacks {table}, whose rows it exports"));
            }
            let parts = find(table)?.partition.iter().map(|part| &part.name);
            if !parts.eq(partition.iter().map(|(name, _)| name)) {
                return bad(format!(
                    "{place} partition: a table is exported by its own partition, in its order (SQL selects by others)"
                ));
            }
        }
        for table in &over_tables {
            for (name, kind) in &partition {
                if let Some(part) =
                    table.partition.iter().find(|part| part.name == *name && part.kind != *kind)
                {
                    return bad(format!(
                        "{place} over: {name} is {kind} of one table and {} of {}: they never agree",
                        part.kind, table.name
                    ));
                }
            }
        }
        let whole = over_tables.iter().any(|table| {
            partition.iter().all(|(name, _)| table.partition.iter().any(|part| part.name == *name))
        });
        if !whole {
            return bad(format!(
                "{place}: no table of over has all of its partition, so nobody knows which there are"
            ));
        }
        check_object(&place, &self.object, &partition)?;
        Ok(Export { name, source, over, partition, object: self.object, clean: self.clean })
    }

    fn export_parts(
        &self,
        place: &str,
        source: &Source,
        over: &[&Table],
        tables: &[Table],
    ) -> Outcome<Vec<(String, Type)>> {
        let Some(named) = &self.partition else {
            let table = match source {
                Source::Table(table) => tables.iter().find(|known| known.name == *table),
                Source::Sql(_) => over.first().copied(),
            };
            let parts = table.map(|table| table.partition.as_slice()).unwrap_or_default();
            return Ok(parts.iter().map(|part| (part.name.clone(), part.kind)).collect());
        };
        let mut parts = Vec::with_capacity(named.len());
        for text in named {
            let name = match text.split_once('(') {
                Some((word, column)) => format!("{}_{word}", column.trim_end_matches(')')),
                None => text.clone(),
            };
            let known = over.iter().flat_map(|table| &table.partition).find(|part| part.name == name);
            match known {
                Some(part) => parts.push((name, part.kind)),
                None => {
                    return bad(format!("{place} partition: {text:?} is a partition of no table of over"));
                }
            }
        }
        if let Source::Table(table) = source
            && let Some(table) = tables.iter().find(|known| known.name == *table)
            && let Some((name, _)) =
                parts.iter().find(|(name, _)| !table.partition.iter().any(|part| part.name == *name))
        {
            return bad(format!("{place} partition: {name:?} is not a partition of table {}", table.name));
        }
        Ok(parts)
    }
}

fn check_object(place: &str, object: &str, partition: &[(String, Type)]) -> Outcome {
    let mut rest = object;
    let mut named = BTreeSet::new();
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return bad(format!("{place} object {object:?}: a brace is not closed"));
        };
        if !partition.iter().any(|(part, _)| part == name) {
            return bad(format!("{place} object {object:?}: {{{name}}} is not among its partition"));
        }
        named.insert(name.to_owned());
        rest = after;
    }
    if let Some((missing, _)) = partition.iter().find(|(part, _)| !named.contains(part)) {
        return bad(format!(
            "{place} object {object:?} lacks {{{missing}}}: partitions would overwrite each other"
        ));
    }
    if object.is_empty()
        || object.starts_with('/')
        || object.split('/').any(|step| step == ".." || step.is_empty())
    {
        return bad(format!("{place} object {object:?}: a key like training_data/rows_{{station}}.csv"));
    }
    if object.starts_with("exports/") {
        return bad(format!(
            "{place} object {object:?}: below exports/ stands what db-export says of a bucket"
        ));
    }
    Ok(())
}
