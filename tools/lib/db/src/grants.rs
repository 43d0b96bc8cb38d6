use std::fmt;
use std::str::FromStr;

use failure::{Failure, Outcome};
use schema::{Schema, Write};

use crate::tables;

/// What a user of a server does, and so what it must be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Changes tables.
    Migrate,
    /// Writes rows.
    Load,
    /// Reads rows, and adds to the tables that only grow.
    Serve,
}

impl Role {
    const ALL: [Role; 3] = [Role::Migrate, Role::Load, Role::Serve];

    fn name(self) -> &'static str {
        match self {
            Role::Migrate => "migrate",
            Role::Load => "load",
            Role::Serve => "serve",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = Failure;

    fn from_str(text: &str) -> Outcome<Role> {
        let found = Role::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| Failure::usage(format!("{text:?} is no role: use migrate, load or serve")))
    }
}

/// A user as SQL calls it, from wherever it connects. In these quotes a backslash is itself in every mode of a server.
pub(crate) fn account(user: &str) -> String {
    format!("`{}`@'%'", user.replace('`', "``"))
}

/// What three users of a server must be allowed, as statements for its administrator. They are called
/// `fairway_migrate@'%'` and so on.
pub fn grants(schema: &Schema, database: &str) -> Vec<String> {
    let of_role = |role: Role| of_account(schema, database, role, &format!("'fairway_{role}'@'%'"));
    Role::ALL.into_iter().flat_map(of_role).map(|statement| statement + ";").collect()
}

/// The same of one role, for a user of this name.
pub fn grants_to(schema: &Schema, database: &str, role: Role, user: &str) -> Vec<String> {
    let statements = of_account(schema, database, role, &account(user));
    statements.into_iter().map(|statement| statement + ";").collect()
}

pub(crate) fn of_account(schema: &Schema, database: &str, role: Role, account: &str) -> Vec<String> {
    let quoted = database.replace('`', "``");
    // In the name of a whole database, these two stand for any characters.
    let everything = format!("`{}`.*", quoted.replace('_', "\\_").replace('%', "\\%"));
    let on_everything = |rights: &str| format!("GRANT {rights} ON {everything} TO {account}");
    let on = |table: &str, rights: &str| format!("GRANT {rights} ON `{quoted}`.`{table}` TO {account}");
    match role {
        Role::Migrate => vec![on_everything(
            "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, CREATE VIEW, SHOW VIEW, \
             CREATE TEMPORARY TABLES, LOCK TABLES",
        )],
        Role::Load => vec![on_everything("SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES")],
        Role::Serve => {
            let rights = |write: Write| if write == Write::Append { "SELECT, INSERT" } else { "SELECT" };
            let of_tables = schema.tables.iter().map(|table| on(&table.name, rights(table.write)));
            let mut statements: Vec<String> = of_tables.collect();
            statements.extend(schema.views.iter().map(|view| on(&view.name, "SELECT")));
            // What comes one by one is compared in a temporary table, and with what was deleted for ever. MySQL 8 lets
            // nobody lock the rows of a SELECT who may neither change them nor lock tables.
            statements.push(on_everything("CREATE TEMPORARY TABLES, LOCK TABLES"));
            let partitions = schema.tables.iter().filter(|table| table.has_partition_rows());
            let partitions = partitions.map(|table| table.partitions.table.as_str());
            // A table that a user may not read is none to it, and it would try to make it.
            let shared = tables::shared();
            let own = shared.iter().map(|table| table.name.as_str()).chain(partitions);
            statements.extend(own.map(|own| on(own, "SELECT")));
            statements
        }
    }
}
