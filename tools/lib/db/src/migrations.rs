//! How a database of one version becomes one of another.
//!
//! An *expand* step only adds (tables, nullable columns, copies): programs of the version before go on working. A
//! *contract* step takes away what only they used, and runs when somebody asks for it. Every step finds out what is left of
//! it to do, because MySQL's DDL cannot be rolled back: a step that was killed is run again.

use clock::Now;
use diagnostics::plural;
use failure::{Failure, Kind, Outcome};
use schema::{PartitionKey, Schema, Source, Table, Value, Write};

use crate::connection::{Conflict, Connection, Insert, collect, in_transaction, list};
use crate::digests::{self, Renewal};
use crate::history;
use crate::rebuild::rebuild;
use crate::tables::{self, EXPORTS, MIGRATIONS, Missing};
use crate::{Access, Db};

/// Tables of marks, loaded answers and tombstones.
const SHARED_TABLES: &str = "0001 tables that systems share";
/// Marks that commit 436b5e4 kept in the tables of partitions.
const MARKS_COPIED: &str = "0002 marks copied";
/// The columns that those marks stood in.
const MARKS_DROPPED: &str = "0003 columns of copied marks dropped";

const EXPAND: [&str; 2] = [SHARED_TABLES, MARKS_COPIED];
const CONTRACT: [&str; 1] = [MARKS_DROPPED];

/// The columns of a mark in a table of partitions.
const OLD_MARK: [&str; 4] = ["exported_rev", "object_key", "object_sha256", "exported_at"];

/// Opens the records about views.
const VIEW: &str = "view ";

/// A view of the schema with its SELECT.
#[derive(Clone, Debug)]
pub struct ViewSql {
    /// The view's name.
    pub name: String,
    /// One SELECT.
    pub sql: String,
}

impl Db {
    /// The schema's views as the database has them: the name of each with the digest of its SELECT.
    pub fn views(&mut self) -> Outcome<Vec<(String, String)>> {
        let recorded = recorded(self.connection.as_mut(), &self.system)?;
        let view = |(step, sha256): (String, Option<String>)| {
            Some((step.strip_prefix(VIEW)?.to_owned(), sha256.unwrap_or_default()))
        };
        Ok(recorded.into_iter().filter_map(view).collect())
    }
}

/// Something that a migration does, in words for people.
pub type Change = String;

/// Refuses a database that other versions of the programs must look after, and makes what is missing where a writer opened it.
pub(crate) fn refuse_others(connection: &mut dyn Connection, schema: &Schema, access: Access) -> Outcome {
    let recorded = recorded(connection, &schema.system)?;
    if let Some(newer) = recorded.iter().find(|(name, _)| !is_known(name)) {
        return Err(Failure::config(format!(
            "the database was made by a newer version of the programs (its step {:?} is unknown here): update them",
            newer.0
        )));
    }
    let has = |step: &str| recorded.iter().any(|(name, _)| name == step);
    let definitions = tables::of_schema(schema);
    if recorded.is_empty() && !any_exists(connection, &definitions)? {
        return match access {
            Access::Read => Ok(()),
            Access::Write => {
                create(connection, schema).map_err(|failure| may_not_make(failure, "its tables"))
            }
        };
    }
    if let Some(step) = EXPAND.iter().find(|step| !has(step)) {
        return Err(Failure::config(format!(
            "the database was made by an earlier version of the programs (it lacks {step:?}): run db-load migrate"
        )));
    }
    if access == Access::Read {
        return Ok(());
    }
    for definition in definitions.iter().chain(&tables::shared()) {
        match definition.missing(connection)? {
            Missing::Nothing => {}
            Missing::Table => {
                let made = definition.create(connection);
                made.map_err(|failure| may_not_make(failure, &format!("table {}", definition.name)))?;
                note_new(connection, schema, &definition.name)?;
            }
            Missing::Columns(columns) => {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                return Err(Failure::config(format!(
                    "table {} lacks {} of the schema: run db-load migrate",
                    definition.name,
                    names.join(", ")
                )));
            }
        }
    }
    begin_histories(connection, schema)
}

/// Notes of which columns the digests of a table are that was made just now.
fn note_new(connection: &mut dyn Connection, schema: &Schema, name: &str) -> Outcome {
    match schema.tables.iter().find(|table| table.name == name) {
        Some(table) => {
            in_transaction(connection, |connection| digests::note(connection, &schema.system, table))
        }
        None => Ok(()),
    }
}

/// Whoever only loads rows makes no tables.
fn may_not_make(failure: Failure, what: &str) -> Failure {
    match failure.kind() {
        Kind::Denied => Failure::denied(format!(
            "the database lacks {what}, and its user may not make that: run db-load migrate as one who may ({failure})"
        )),
        _ => failure,
    }
}

/// Histories of tables that had rows before; what a killed run left to do, too.
fn begin_histories(connection: &mut dyn Connection, schema: &Schema) -> Outcome {
    for table in &schema.tables {
        if history::lacks_rows(connection, table)? {
            history::begin(connection, table)?;
        }
    }
    Ok(())
}

fn is_known(step: &str) -> bool {
    EXPAND.contains(&step)
        || CONTRACT.contains(&step)
        || step.starts_with(VIEW)
        || step.starts_with(digests::COLUMNS_OF)
}

/// The steps that were taken for a system, with the digests of what they made.
fn recorded(connection: &mut dyn Connection, system: &str) -> Outcome<Vec<(String, Option<String>)>> {
    if connection.columns_of(MIGRATIONS)?.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT name, sha256 FROM {MIGRATIONS} WHERE system_name = ? ORDER BY name");
    let rows = collect(connection, &sql, &[Value::from(system)])?;
    let step =
        |row: &Vec<Value>| (row[0].text().unwrap_or_default().to_owned(), row[1].text().map(str::to_owned));
    Ok(rows.iter().map(step).collect())
}

fn any_exists(connection: &mut dyn Connection, definitions: &[tables::Definition]) -> Outcome<bool> {
    for definition in definitions {
        if !connection.columns_of(&definition.name)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes everything for a system that has nothing yet. The steps are noted first: whoever is killed after that leaves a
/// database of this version, in which the next writer makes the tables that are missing.
fn create(connection: &mut dyn Connection, schema: &Schema) -> Outcome {
    for definition in tables::shared() {
        definition.create(connection)?;
    }
    in_transaction(connection, |connection| {
        EXPAND
            .iter()
            .chain(&CONTRACT)
            .try_for_each(|step| record(connection, &schema.system, step, None, None))?;
        schema.tables.iter().try_for_each(|table| digests::note(connection, &schema.system, table))
    })?;
    tables::of_schema(schema).iter().try_for_each(|definition| definition.create(connection))
}

pub(crate) fn record(
    connection: &mut dyn Connection,
    system: &str,
    step: &str,
    sha256: Option<&str>,
    now: Option<Now>,
) -> Outcome {
    let row = [Value::from(system), Value::from(step), Value::from(sha256), Value::from(now.map(Now::text))];
    let columns = ["system_name", "name", "sha256", "applied_at"];
    let conflict = Conflict::Update(&["system_name", "name"]);
    connection.insert_all(&Insert { table: MIGRATIONS, columns: &columns, conflict }, &[&row])
}

impl Db {
    /// Brings the database to this version and this schema, or says what would be done. Tables of `rebuild` are made anew under
    /// their present definitions: a row that does not fit leaves its table as it was. Contract steps run where `contract`.
    ///
    /// An unknown step is refused before anything else; copies come before what takes their sources away.
    pub fn migrate(
        &mut self,
        schema: &Schema,
        views: &[ViewSql],
        rebuild: &[&Table],
        contract: bool,
        dry_run: bool,
        now: Now,
    ) -> Outcome<Vec<Change>> {
        let connection = self.connection.as_mut();
        let steps = recorded(connection, &schema.system)?;
        if let Some((newer, _)) = steps.iter().find(|(name, _)| !is_known(name)) {
            return Err(Failure::config(format!(
                "the database was made by a newer version of the programs (step {newer:?}): update them"
            )));
        }
        let has = |step: &str| steps.iter().any(|(name, _)| name == step);
        let mut run = Run { connection, schema, dry_run, now, changes: Vec::new() };
        run.tables(&tables::shared())?;
        run.step(SHARED_TABLES, has(SHARED_TABLES), |_, _| Ok(()))?;
        run.step(MARKS_COPIED, has(MARKS_COPIED), copy_marks)?;
        run.rebuild(rebuild)?;
        run.tables(&tables::of_schema(schema))?;
        run.digests()?;
        run.histories()?;
        run.views(views, &steps)?;
        if contract {
            run.step(MARKS_DROPPED, has(MARKS_DROPPED), |_, _| Ok(()))?;
        } else if !has(MARKS_DROPPED) && !run.old_marks()?.is_empty() {
            run.changes.push(format!(
                "left: {MARKS_DROPPED:?}, for db-load migrate --contract when no program of an earlier version runs any more"
            ));
        } else if !has(MARKS_DROPPED) {
            run.step(MARKS_DROPPED, false, |_, _| Ok(()))?;
        }
        Ok(run.changes)
    }
}

struct Run<'a> {
    connection: &'a mut dyn Connection,
    schema: &'a Schema,
    dry_run: bool,
    now: Now,
    changes: Vec<Change>,
}

impl Run<'_> {
    /// Makes the tables and columns that are missing.
    fn tables(&mut self, definitions: &[tables::Definition]) -> Outcome {
        for definition in definitions {
            match definition.missing(self.connection)? {
                Missing::Nothing => {}
                Missing::Table => {
                    self.changes.push(format!("table {} made", definition.name));
                    if !self.dry_run {
                        definition.create(self.connection)?;
                        note_new(self.connection, self.schema, &definition.name)?;
                    }
                }
                Missing::Columns(columns) => {
                    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                    self.changes.push(format!("table {} has {} now", definition.name, names.join(", ")));
                    if !self.dry_run {
                        definition.add(self.connection, &columns)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn rebuild(&mut self, tables: &[&Table]) -> Outcome {
        for table in tables {
            if self.dry_run {
                self.changes.push(format!("table {} made anew", table.name));
                continue;
            }
            let rows = rebuild(self.connection, &self.schema.system, table, self.now)?;
            let system = &self.schema.system;
            in_transaction(self.connection, |connection| digests::note(connection, system, table))?;
            self.changes.push(format!("table {} made anew with {}", table.name, plural(rows, "row")));
        }
        Ok(())
    }

    /// Makes digests anew that are of other columns than the schema's.
    fn digests(&mut self) -> Outcome {
        for table in &self.schema.tables {
            // A table that a dry run did not make.
            if self.connection.columns_of(&table.name)?.is_empty() {
                continue;
            }
            match digests::renewal(self.connection, &self.schema.system, table)? {
                Renewal::Nothing => {}
                Renewal::Rebuild => self.changes.push(format!(
                    "left: the digests of {} are of columns that count no more (db-load migrate --rebuild {})",
                    table.name, table.name
                )),
                Renewal::Of(of) => {
                    // A row's own digest is of names: further columns do not change it.
                    if of.is_some() && table.write == Write::Replace {
                        self.changes.push(format!("digests of {} are of its columns now", table.name));
                    }
                    if !self.dry_run {
                        digests::renew(self.connection, &self.schema.system, table, of.as_deref())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn histories(&mut self) -> Outcome {
        for table in &self.schema.tables {
            if !history::lacks_rows(self.connection, table)? {
                continue;
            }
            self.changes.push(format!("table {} has the rows of {} now", table.history_table(), table.name));
            if !self.dry_run {
                history::begin(self.connection, table)?;
            }
        }
        Ok(())
    }

    /// Takes a step in the transaction that notes it, after what cannot be part of a transaction.
    fn step(
        &mut self,
        name: &str,
        is_done: bool,
        body: impl Fn(&mut dyn Connection, &Schema) -> Outcome,
    ) -> Outcome {
        if is_done {
            return Ok(());
        }
        self.changes.push(name.to_owned());
        if self.dry_run {
            return Ok(());
        }
        if name == MARKS_DROPPED {
            self.drop_marks()?;
        }
        let (schema, now) = (self.schema, self.now);
        in_transaction(self.connection, |connection| {
            body(connection, schema)?;
            record(connection, &schema.system, name, None, Some(now))
        })
    }

    /// The tables of partitions that still have columns of marks, and which.
    fn old_marks(&mut self) -> Outcome<Vec<(String, &'static str)>> {
        let mut found = Vec::new();
        for table in self.schema.tables.iter().filter(|table| table.has_partition_rows()) {
            let name = &table.partitions.table;
            let present = self.connection.columns_of(name)?;
            let is_there = |column: &&&str| present.iter().any(|(there, _)| there == **column);
            found.extend(OLD_MARK.iter().filter(is_there).map(|column| (name.clone(), *column)));
        }
        Ok(found)
    }

    fn drop_marks(&mut self) -> Outcome {
        for (table, column) in self.old_marks()? {
            let (table, column) = (self.connection.quote(&table), self.connection.quote(column));
            self.connection.run(&format!("ALTER TABLE {table} DROP COLUMN {column}"), &[])?;
        }
        Ok(())
    }

    /// Makes each view whose text is another than the one that was noted.
    fn views(&mut self, views: &[ViewSql], steps: &[(String, Option<String>)]) -> Outcome {
        for view in views {
            let step = format!("{VIEW}{}", view.name);
            let sha256 = fingerprint::of(&view.sql);
            let is_same = |(name, noted): &(String, Option<String>)| {
                *name == step && noted.as_deref() == Some(sha256.as_str())
            };
            if steps.iter().any(is_same) {
                continue;
            }
            self.changes.push(format!("view {} made", view.name));
            if self.dry_run {
                continue;
            }
            let name = self.connection.quote(&view.name);
            let select = view.sql.trim().trim_end_matches(';');
            // A database that refuses the SELECT keeps the view that it had: on SQLite by the transaction, elsewhere because
            // the statement replaces it at once.
            in_transaction(self.connection, |connection| {
                if let Some(remove) = connection.remove_view_first() {
                    connection.run(&format!("{remove} {name}"), &[])?;
                }
                connection.run(&format!("{} {name} AS {select}", connection.create_view()), &[])?;
                // A view is only looked into when somebody asks it.
                connection.ask(&format!("SELECT * FROM {name} WHERE 1 = 0"), &[], &mut |_| Ok(()))?;
                record(connection, &self.schema.system, &step, Some(&sha256), Some(self.now))
            })
            .map_err(|failure| failure.at(format!("view {}", view.name)))?;
        }
        Ok(())
    }
}

/// Copies marks to the table that systems share. A mark that is there already is newer.
fn copy_marks(connection: &mut dyn Connection, schema: &Schema) -> Outcome {
    for table in schema.tables.iter().filter(|table| table.has_partition_rows()) {
        let present = connection.columns_of(&table.partitions.table)?;
        if !OLD_MARK.iter().all(|column| present.iter().any(|(there, _)| there == column)) {
            continue;
        }
        for export in &schema.exports {
            let same = export
                .partition
                .iter()
                .map(|(name, _)| name)
                .eq(table.partition.iter().map(|part| &part.name));
            if export.source == Source::Table(table.name.clone()) && same {
                copy_marks_of(connection, schema, table, &export.name)?;
            }
        }
    }
    Ok(())
}

fn copy_marks_of(connection: &mut dyn Connection, schema: &Schema, table: &Table, export: &str) -> Outcome {
    let parts: Vec<&str> = table.partition.iter().map(|part| table.partitions.name(&part.name)).collect();
    let sql = format!(
        "SELECT {}, {} FROM {} WHERE exported_rev IS NOT NULL",
        list(connection, &parts),
        OLD_MARK.join(", "),
        connection.quote(&table.partitions.table)
    );
    let known = format!("SELECT partition_key FROM {EXPORTS} WHERE system_name = ? AND export_name = ?");
    let known = collect(connection, &known, &[Value::from(schema.system.as_str()), Value::from(export)])?;
    let mut rows = Vec::new();
    for row in collect(connection, &sql, &[])? {
        let (key, mark) = row.split_at(parts.len());
        let partition = Value::from(PartitionKey(key.to_vec()).to_string());
        let (Some(revision), false) = (mark[0].integer(), known.contains(&vec![partition.clone()])) else {
            continue;
        };
        rows.push([
            Value::from(schema.system.as_str()),
            Value::from(export),
            partition,
            Value::from(crate::exports::digest_of_revision(revision)),
            mark[1].clone(),
            mark[2].clone(),
            mark[3].clone(),
        ]);
    }
    let columns = [
        "system_name",
        "export_name",
        "partition_key",
        "inputs_digest",
        "object_key",
        "sha256",
        "exported_at",
    ];
    let rows: Vec<&[Value]> = rows.iter().map(<[Value; 7]>::as_slice).collect();
    connection.insert_all(&Insert { table: EXPORTS, columns: &columns, conflict: Conflict::Fail }, &rows)
}

/// The failure of a database that has no tables of a system, for those who only ask.
pub(crate) fn explain_missing(failure: Failure) -> Failure {
    match failure.kind() {
        Kind::Config => Failure::config(format!("{failure} (db-load makes the tables of a schema)")),
        _ => failure,
    }
}
