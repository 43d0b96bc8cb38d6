use std::io::Write;
use std::path::Path;

use clock::Now;
use db::{Db, User, UserPassword, ViewSql};
use diagnostics::{count, plural, say};
use failure::{Failure, IoContext, Outcome};
use schema::{Schema, Table};

/// What a migration may do.
pub(crate) struct How {
    pub(crate) dry_run: bool,
    pub(crate) contract: bool,
    pub(crate) rebuild: Vec<String>,
    /// A user that is made, or set right, once the tables are there.
    pub(crate) user: Option<User>,
    pub(crate) now: Now,
}

/// Brings the database to this version and this schema, under the lease of the state.
pub(crate) fn migrate(url: &str, schema: &Schema, path: &Path, how: &How) -> Outcome {
    let tables = how.rebuild.iter().map(|name| schema.table(name)).collect::<Outcome<Vec<&Table>>>()?;
    if how.dry_run && !tables.is_empty() {
        return Err(Failure::usage("--rebuild cannot be tried with --dry-run: it reads every row"));
    }
    let views = views(schema, path)?;
    let mut user = None;
    if let Some(wanted) = &how.user {
        server_database(url, "--user is")?;
        user = Some((wanted, UserPassword::read()?));
    }
    let mut db = Db::open_unchecked(url, schema)?;
    if let Some((user, _)) = &user {
        db.check_user(user)?;
    }
    let lease = db.lease_unless_inherited("state")?;
    let changes = db.migrate(schema, &views, &tables, how.contract, how.dry_run, how.now)?;
    drop(lease);
    for change in &changes {
        say!("{change}");
    }
    let left = changes.iter().filter(|change| change.starts_with("left: ")).count();
    let done = (changes.len() - left) as u64;
    if how.dry_run {
        say!("{} to do; nothing was done", plural(done, "step"));
    } else {
        say!("{} done: the database is of this version", plural(done, "step"));
    }
    // Behind the tables, because rights to a single table need the table.
    match user {
        Some((user, password)) => set_user(&mut db, schema, user, &password, how.dry_run),
        None => Ok(()),
    }
}

fn set_user(db: &mut Db, schema: &Schema, user: &User, password: &UserPassword, dry_run: bool) -> Outcome {
    let User { role, name } = user;
    if dry_run {
        say!("the user {name} would be made for the role {role}, or its password set again");
    } else if db.set_user(schema, user, password)? {
        say!("the user {name} was made, and may do what the role {role} does");
    } else {
        say!("the user {name} was there: its password is set again, and it may do what the role {role} does");
    }
    Ok(())
}

/// The SELECTs of the schema's views, which lie beside it.
fn views(schema: &Schema, path: &Path) -> Outcome<Vec<ViewSql>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let read = |view: &schema::View| {
        Ok(ViewSql { name: view.name.clone(), sql: input_files::read_text(&folder.join(&view.sql))? })
    };
    schema.views.iter().map(read).collect()
}

/// Prints the statements that an administrator runs.
pub(crate) fn grants(schema: &Schema, url: &str, user: Option<&User>) -> Outcome {
    let database = server_database(url, "--grants are")?;
    let statements = match user {
        Some(user) => db::grants_to(schema, database, user.role, &user.name),
        None => db::grants(schema, database),
    };
    let mut out = cli::stdout()?;
    for statement in statements {
        writeln!(out, "{statement}").place("stdout")?;
    }
    out.flush().place("stdout")
}

/// The name of a server's database; a failure where the URL names a file.
fn server_database<'a>(url: &'a str, what: &str) -> Outcome<&'a str> {
    let database = url.strip_prefix("mysql://").and_then(|rest| rest.split('?').next()?.rsplit_once('/'));
    match database {
        Some((_, database)) if !database.is_empty() => Ok(database),
        _ => Err(Failure::usage(format!("{what} for a server: --db mysql://user@host/database"))),
    }
}

/// Compares the tables with what was stored. Damaged partitions are noted as such, and the answer is no.
pub(crate) fn verify(db: &mut Db, schema: &Schema, names: &[String]) -> Outcome {
    let tables: Vec<&Table> = match names {
        [] => schema.tables.iter().collect(),
        names => names.iter().map(|name| schema.table(name)).collect::<Outcome<_>>()?,
    };
    let _lease = db.lease_unless_inherited("state")?;
    let mut damaged = 0;
    for table in tables {
        let damage = db.verify(table)?;
        for damage in &damage {
            say!("{} {}: {}", table.name, damage.partition, damage.what);
        }
        damaged += damage.len();
    }
    match damaged {
        0 => {
            say!("every row is the one that was stored");
            Ok(())
        }
        n => Err(Failure::no(format!(
            "{} differ from what was stored; their partitions will be fetched again",
            count(n as u64)
        ))),
    }
}
