use std::sync::LazyLock;

use db::{Access, Db};
use schema::Schema;
use servers::MariaDb;
use tempfile::TempDir;

/// An empty database; it is gone after the test.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) server: Option<&'static MariaDb>,
    _dir: Option<TempDir>,
}

fn sqlite() -> Place {
    Place::file(tempfile::tempdir().unwrap())
}

/// A server that takes local infiles, as MariaDB does unless told otherwise.
fn mariadb() -> Place {
    let server = MariaDb::shared();
    Place { url: server.new_database(), server: Some(server), _dir: None }
}

/// One that does not, as MySQL 8.
fn mariadb_without_infile() -> Place {
    static SERVER: LazyLock<MariaDb> = LazyLock::new(|| MariaDb::with(&["--local-infile=0"]));
    Place { url: SERVER.new_database(), server: Some(&SERVER), _dir: None }
}

/// Runs a test on every dialect.
pub(crate) fn on_all(test: fn(&Place)) {
    for dialect in [sqlite, mariadb, mariadb_without_infile] {
        let place = dialect();
        test(&place);
    }
}

/// Runs a test where there is a server.
pub(crate) fn on_servers(test: fn(&Place)) {
    [mariadb(), mariadb_without_infile()].iter().for_each(test);
}

impl Place {
    /// A file of SQLite's.
    pub(crate) fn file(dir: TempDir) -> Place {
        Place { url: format!("sqlite:{}/x.db", dir.path().display()), server: None, _dir: Some(dir) }
    }

    pub(crate) fn open(&self, schema: &Schema) -> Db {
        Db::open_for(&self.url, Access::Write, schema).unwrap()
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.server.is_none()
    }

    /// The words of the failure to open it.
    pub(crate) fn refuses(&self, schema: &Schema) -> String {
        let failure = Db::open_for(&self.url, Access::Write, schema).err().expect("it opened");
        assert_eq!(failure.kind(), failure::Kind::Config, "{failure}");
        failure.to_string()
    }

    /// Statements behind the back of `db`.
    pub(crate) fn run(&self, sql: &str) {
        match self.server {
            Some(server) => {
                let database = self.url.rsplit('/').next().unwrap();
                server.sql(&format!("USE {database}; {sql}"));
            }
            None => {
                let path = self.url.strip_prefix("sqlite:").unwrap();
                rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
            }
        }
    }

    /// Counts from now on each row of a table that is written.
    pub(crate) fn watch(&self, table: &str) {
        self.run("CREATE TABLE IF NOT EXISTS written (what CHAR(6))");
        for what in ["INSERT", "UPDATE", "DELETE"] {
            let note = format!("INSERT INTO written VALUES ('{what}')");
            let body = if self.is_sqlite() { format!("BEGIN {note}; END") } else { note };
            self.run(&format!(
                "CREATE TRIGGER watch_{table}_{what} AFTER {what} ON {table} FOR EACH ROW {body}"
            ));
        }
    }

    /// What was written since the last look, like `INSERT 2`.
    pub(crate) fn written(&self, db: &mut Db) -> Vec<String> {
        let written = crate::asked(db, "SELECT what, COUNT(*) FROM written GROUP BY what ORDER BY what DESC");
        self.run("DELETE FROM written");
        written
    }
}
