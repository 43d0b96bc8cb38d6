use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use failure::{Failure, Kind, Outcome};
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, ToSql};
use schema::{Type, Value};

use crate::connection::{Conflict, Connection, Insert, Storage, Succession, collect, list};
use crate::{Access, Lease};

/// How long a writer waits for another one before it says "busy".
const BUSY: Duration = Duration::from_secs(30);

/// How long it rests where SQLite itself does not wait.
const BUSY_REST: Duration = Duration::from_millis(10);

pub(crate) struct Sqlite {
    path: PathBuf,
    connection: rusqlite::Connection,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, access: Access) -> Outcome<Sqlite> {
        let read_write = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let opened = match access {
            Access::Write => Sqlite::connect(path, access, read_write | OpenFlags::SQLITE_OPEN_CREATE),
            Access::Read if !path.exists() => {
                let name = path.display();
                return Err(Failure::config(format!("{name}: there is no database (db-load makes it)")));
            }
            // With the right to write, because the first reader after a crash undoes what a killed writer left. Where
            // there is no such right (a copy in somebody else's folder), without.
            Access::Read => {
                Sqlite::connect(path, access, read_write).or_else(|error| match error.sqlite_error_code() {
                    Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                        Sqlite::connect(path, access, OpenFlags::SQLITE_OPEN_READ_ONLY)
                    }
                    _ => Err(error),
                })
            }
        };
        // Its own files: no output may take their place.
        for part in ["", "-wal", "-shm", "-journal"] {
            let mut name = path.as_os_str().to_owned();
            name.push(part);
            input_files::note_path(Path::new(&name));
        }
        opened.map_err(|error| explain(path, &error))
    }

    fn connect(path: &Path, access: Access, flags: OpenFlags) -> rusqlite::Result<Sqlite> {
        let connection =
            rusqlite::Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        let sqlite = Sqlite { path: path.to_owned(), connection };
        let started = Instant::now();
        loop {
            match sqlite.set_up(access) {
                // Two first writers that switch a new file to its log at once: SQLite refuses one of them without waiting.
                Err(error) if is_busy(&error) && started.elapsed() < BUSY => thread::sleep(BUSY_REST),
                outcome => return outcome.map(|()| sqlite),
            }
        }
    }

    fn set_up(&self, access: Access) -> rusqlite::Result<()> {
        self.connection.busy_timeout(BUSY)?;
        self.connection.set_prepared_statement_cache_capacity(64);
        match access {
            Access::Read => {
                self.connection.pragma_update(None, "query_only", true)?;
                // A first look, which finds out whether the file can be read at all.
                self.connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
            }
            Access::Write => {
                // The mode is kept in the file: only the first writer changes anything.
                self.connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
                // A commit survives a power cut: what a listing or a mark says must be true.
                self.connection.pragma_update(None, "synchronous", "full")
            }
        }
    }

    fn rename_plainly(&self, plainly: bool) -> Outcome {
        let set = self.connection.pragma_update(None, "legacy_alter_table", plainly);
        set.map_err(|error| self.fail(&error))
    }

    fn fail(&self, error: &rusqlite::Error) -> Failure {
        explain(&self.path, error)
    }
}

impl Connection for Sqlite {
    fn run(&mut self, sql: &str, parameters: &[Value]) -> Outcome<u64> {
        let parameters = rusqlite::params_from_iter(parameters.iter().map(Bound));
        let changed =
            self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(parameters));
        changed.map(|n| n as u64).map_err(|error| self.fail(&error))
    }

    fn ask(
        &mut self,
        sql: &str,
        parameters: &[Value],
        row: &mut dyn FnMut(&[Value]) -> Outcome,
    ) -> Outcome<Vec<String>> {
        let fail = |error: rusqlite::Error| explain(&self.path, &error);
        let mut statement = self.connection.prepare_cached(sql).map_err(fail)?;
        let mut names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let (mut cells, mut first) = (Vec::new(), true);
        let mut rows =
            statement.query(rusqlite::params_from_iter(parameters.iter().map(Bound))).map_err(fail)?;
        while let Some(found) = rows.next().map_err(fail)? {
            // A statement that was prepared before somebody changed its table or view has other columns now.
            if first {
                names = found.as_ref().column_names().map(str::to_owned).collect();
                cells.resize(names.len(), Value::Null);
                first = false;
            }
            for (at, cell) in cells.iter_mut().enumerate() {
                *cell = read(found.get_ref(at).map_err(fail)?);
            }
            row(&cells)?;
        }
        Ok(names)
    }

    fn begin(&mut self) -> Outcome {
        // IMMEDIATE: a transaction that starts as a reader cannot always become a writer.
        self.run("BEGIN IMMEDIATE", &[]).map(drop)
    }

    fn commit(&mut self) -> Outcome {
        self.run("COMMIT", &[]).map(drop)
    }

    fn rollback(&mut self) -> Outcome {
        self.run("ROLLBACK", &[]).map(drop)
    }

    fn column_type(&self, kind: Type) -> String {
        match kind {
            Type::Text(_) | Type::Date | Type::Instant => "TEXT".to_owned(),
            Type::Integer => "INTEGER".to_owned(),
            Type::Number => "REAL".to_owned(),
        }
    }

    fn same(&self, one: &str, other: &str) -> String {
        format!("{one} IS {other}")
    }

    fn table_options(&self, keyed: bool) -> &'static str {
        // Rows stand in the key's own tree, not in a second one that the key's leads to.
        if keyed { " WITHOUT ROWID" } else { "" }
    }

    fn for_update(&self) -> &'static str {
        ""
    }

    fn for_share(&self) -> &'static str {
        ""
    }

    fn drop_temporary(&self) -> &'static str {
        "DROP TABLE"
    }

    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    fn insert_all(&mut self, insert: &Insert<'_>, rows: &[&[Value]]) -> Outcome {
        let places = vec!["?"; insert.columns.len()].join(", ");
        let mut sql = format!("{} VALUES ({places})", insert.head(self));
        if let Conflict::Keep = insert.conflict {
            sql.push_str(" ON CONFLICT DO NOTHING");
        }
        if let Conflict::Update(keys) = insert.conflict {
            let set: Vec<String> =
                insert.updated().map(|name| format!("{0} = excluded.{0}", self.quote(name))).collect();
            let does =
                if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
            sql.push_str(&format!(" ON CONFLICT ({}) DO {does}", list(self, keys)));
        }
        let fail = |error: rusqlite::Error| explain(&self.path, &error);
        let mut statement = self.connection.prepare_cached(&sql).map_err(fail)?;
        for row in rows {
            statement.execute(rusqlite::params_from_iter(row.iter().map(Bound))).map_err(fail)?;
        }
        Ok(())
    }

    fn upsert_all(&mut self, into: &str, from: &str, keys: &[String], others: &[String]) -> Outcome<u64> {
        let all = list(self, &[keys, others].concat());
        let (into, from) = (self.quote(into), self.quote(from));
        // "WHERE true" keeps SQLite from reading ON CONFLICT as a join's ON.
        let copy = format!(
            "INSERT INTO {into} ({all}) SELECT {all} FROM {from} WHERE true ON CONFLICT ({})",
            list(self, keys)
        );
        if others.is_empty() {
            return self.run(&format!("{copy} DO NOTHING"), &[]);
        }
        let quoted: Vec<String> = others.iter().map(|name| self.quote(name)).collect();
        let set =
            quoted.iter().map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ");
        let differs = quoted
            .iter()
            .map(|name| format!("{into}.{name} IS NOT excluded.{name}"))
            .collect::<Vec<_>>()
            .join(" OR ");
        self.run(&format!("{copy} DO UPDATE SET {set} WHERE {differs}"), &[])
    }

    fn columns_of(&mut self, table: &str) -> Outcome<Vec<(String, Storage)>> {
        let sql = "SELECT name, type FROM pragma_table_info(?) ORDER BY cid";
        let rows = collect(self, sql, &[Value::from(table)])?;
        let storage = |declared: &str| match declared {
            "TEXT" => Storage::Text(None),
            "INTEGER" => Storage::Integer,
            "REAL" => Storage::Number,
            other => Storage::Other(other.to_owned()),
        };
        let column =
            |row: &Vec<Value>| Some((row[0].text()?.to_owned(), storage(row[1].text().unwrap_or_default())));
        Ok(rows.iter().filter_map(column).collect())
    }

    fn key_of(&mut self, table: &str) -> Outcome<Vec<String>> {
        let sql = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk";
        let rows = collect(self, sql, &[Value::from(table)])?;
        Ok(rows.iter().filter_map(|row| row[0].text().map(str::to_owned)).collect())
    }

    fn shut_out(&mut self, _: &[Succession]) -> Outcome {
        // Otherwise a view over the table, which for a moment has none, would not let the other be renamed.
        self.rename_plainly(true)?;
        self.begin()
    }

    fn keep_so_far(&mut self) -> Outcome {
        // All of it is one transaction.
        Ok(())
    }

    fn put_in_place(&mut self, successions: &[Succession]) -> Outcome {
        for succession in successions {
            let (table, next) = (self.quote(&succession.table), self.quote(&succession.next));
            self.run(&format!("DROP TABLE {table}"), &[])?;
            self.run(&format!("ALTER TABLE {next} RENAME TO {table}"), &[])?;
        }
        self.commit()?;
        self.rename_plainly(false)
    }

    fn let_in(&mut self) {
        // The failure that led here is the one to report.
        let _ = self.rollback();
        let _ = self.rename_plainly(false);
    }

    fn create_view(&self) -> &'static str {
        "CREATE VIEW"
    }

    fn remove_view_first(&self) -> Option<&'static str> {
        Some("DROP VIEW IF EXISTS")
    }

    fn lease(&mut self, system: &str, purpose: &str) -> Outcome<Lease> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!("-lease-{}", &fingerprint::of(format!("{system}\n{purpose}"))[..16]));
        Lease::on_file(Path::new(&beside), purpose)
    }

    fn lease_digest(&self, system: &str, purpose: &str) -> String {
        // The same file by any name for it.
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        fingerprint::of(format!("{}\n{system}\n{purpose}", path.display()))[..32].to_owned()
    }
}

struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Owned(SqlValue::Null),
            Value::Integer(value) => ToSqlOutput::Owned(SqlValue::Integer(*value)),
            Value::Number(value) => ToSqlOutput::Owned(SqlValue::Real(*value)),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn read(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Number(value),
        ValueRef::Text(text) | ValueRef::Blob(text) => Value::from(&*String::from_utf8_lossy(text)),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    // The last is what others' recovery of the same log looks like for a moment.
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed)
    )
}

fn explain(path: &Path, error: &rusqlite::Error) -> Failure {
    let (exit, remedy) = match error.sqlite_error_code() {
        _ if is_busy(error) => (Kind::Unavailable, " (another program is writing; try again)"),
        Some(ErrorCode::DiskFull) => {
            (Kind::Io, " (nothing of this transaction was kept; make room and run again)")
        }
        Some(ErrorCode::ReadOnly) => {
            (Kind::Io, " (even a reader needs a folder that it may write: copy the database)")
        }
        Some(ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied) => (Kind::Io, ""),
        Some(ErrorCode::CannotOpen) => (Kind::Config, " (is the folder there, and yours?)"),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            (Kind::Config, " (is this the right file? restore it from a copy if so)")
        }
        Some(ErrorCode::ConstraintViolation) => (Kind::Data, ""),
        _ => (Kind::Config, ""),
    };
    Failure::new(exit, format!("{}: {error}{remedy}", path.display()))
}
