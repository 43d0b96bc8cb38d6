//! `db-load migrate --user` on MariaDB: who it makes, what that one may do, and what nobody gets to see.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use std::fmt::Write;

use golf::{listing, partition};
use pipelines::{Session, repo};
use servers::MariaDb;

const PASSWORD: &str = "FAIRWAY_DB_USER_PASSWORD";

/// A session of the server's administrator, in an empty database.
fn administrator(url: &str) -> Session {
    let mut session = golf::session();
    session.set("FAIRWAY_DB", url);
    session.file("list", listing(1, 1, 14, "Open"));
    session.file("wire", partition(14, 2, 70));
    session
}

fn database_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap().split('?').next().unwrap()
}

/// A session of another user of the same database.
fn session_of(url: &str, user: &str, password: &str) -> Session {
    let mut encoded = String::new();
    user.bytes().for_each(|byte| write!(encoded, "%{byte:02x}").unwrap());
    let mut session = administrator(&url.replace("root@", &format!("{encoded}@")));
    session.set("FAIRWAY_DB_PASSWORD", password);
    session
}

/// The privileges of an account, one line each, as the server tells them, but for how it identifies itself.
fn rights(server: &MariaDb, account: &str) -> Vec<String> {
    let grants = server.sql(&format!("SHOW GRANTS FOR {account}"));
    let mut grants: Vec<String> =
        grants.lines().filter(|line| !line.starts_with("GRANT USAGE ")).map(str::to_owned).collect();
    grants.sort();
    grants
}

#[test]
fn a_user_is_made_and_may_do_what_its_role_does_and_nothing_else() {
    let server = MariaDb::shared();
    let url = server.new_database();
    let name = format!("load_{}", database_of(&url));
    let mut session = administrator(&url);
    session.set(PASSWORD, "SECRET one");
    let line = format!("db-load migrate --user load={name}");
    // Said, and not done.
    session.run(&format!("{line} --dry-run")).expect(0).says("would be made").hides("SECRET");
    assert_eq!(server.sql(&format!("SELECT count(*) FROM mysql.user WHERE user = '{name}'")), "0\n");
    session.run(&line).expect(0).says("table fairway_exports made").says("was made").hides("SECRET");
    let user = session_of(&url, &name, "SECRET one");
    user.ok("db-load listing list && db-load partitions wire && db-load verify && db-query rows");
    user.run("db-load lease state -- db-query counts").expect(0);
    for forbidden in
        ["CREATE TABLE x (a INT)", "ALTER TABLE fairway_exports ADD x INT", "DROP TABLE fairway_loaded"]
    {
        let ran = user.run(&format!(
            "mariadb --no-defaults -h127.0.0.1 -P{} -u{name} '-pSECRET one' {} -e '{forbidden}'",
            server.port(),
            database_of(&url)
        ));
        ran.expect(1).says("command denied");
    }
    user.run(&format!("db-load migrate --user load=other_{name}"))
        .expect(78)
        .says("FAIRWAY_DB_USER_PASSWORD");
    // Exactly what is printed, for that name.
    let printed = session.ok(&format!("db-load migrate --grants --user load=printed_{name}"));
    assert_eq!(printed.lines().count(), 1);
    server.sql(&format!("CREATE USER printed_{name}@'%'; {printed}"));
    let as_printed: Vec<String> = rights(server, &format!("printed_{name}@'%'"))
        .iter()
        .map(|right| right.replace("`printed_", "`"))
        .collect();
    assert_eq!(rights(server, &format!("{name}@'%'")), as_printed);

    // A table that is gone is a migration's business, and the user is told so.
    server.sql(&format!("DROP TABLE {}.fairway_loaded", database_of(&url)));
    user.run("db-load partitions wire").expect(77).says("table fairway_loaded").says("run db-load migrate");
    session.run(&line).expect(0).says("table fairway_loaded made").says("was there").hides("SECRET");
    user.ok("db-load partitions wire");

    // Rotated: the old one is refused, and the same again changes nothing.
    session.file("password", "SECRET two\n");
    session.unset(PASSWORD);
    session.set("FAIRWAY_DB_USER_PASSWORD_FILE", session.path("password"));
    for _ in 0..2 {
        session.run(&line).expect(0).says("password is set again").hides("SECRET");
        user.run("db-query counts").expect(77).hides("SECRET");
        session_of(&url, &name, "SECRET two").ok("db-query counts");
        assert_eq!(rights(server, &format!("{name}@'%'")), as_printed);
    }
}

#[test]
fn each_role_is_granted_what_is_printed_for_it() {
    let server = MariaDb::shared();
    let url = server.new_database();
    let mut session = administrator(&url);
    session.set(PASSWORD, "SECRET");
    session.set("FAIRWAY_SCHEMA", repo().join("tools/lib/db/tests/schemas/weather.toml"));
    session.ok("db-load migrate");
    for role in ["migrate", "load", "serve"] {
        let name = format!("{role}_{}", database_of(&url));
        session.run(&format!("db-load migrate --user {role}={name}")).expect(0).hides("SECRET");
        let all = session.ok("db-load migrate --grants");
        let printed: Vec<String> = all
            .lines()
            .filter(|line| line.contains(&format!("'fairway_{role}'")))
            .map(|line| line.replace(&format!("'fairway_{role}'@"), &format!("printed_{name}@")))
            .collect();
        server.sql(&format!("CREATE USER printed_{name}@'%'; {}", printed.join("\n")));
        let as_printed: Vec<String> = rights(server, &format!("printed_{name}@'%'"))
            .iter()
            .map(|right| right.replace("`printed_", "`"))
            .collect();
        assert!(!as_printed.is_empty());
        let mut given = rights(server, &format!("{name}@'%'"));
        given.sort();
        assert_eq!(given, as_printed, "{role}");
        session_of(&url, &name, "SECRET").run("db-query sql 'SELECT 1 AS n'").expect(0);
    }
}

/// Names and passwords that end a text, a name or a line somewhere.
const ODD: [&str; 10] = [
    "it's",
    r"back\slash",
    r"ends in one\",
    r"\'; DROP USER root@'%'; -- ",
    "`tick``",
    "\"double\"",
    "50% of_all",
    "a@b",
    "größe 日本 🏌",
    "$(echo x) {y} *",
];

#[test]
fn odd_names_and_passwords_are_what_they_are() {
    for mode in ["STRICT_TRANS_TABLES", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"] {
        let server = MariaDb::with(&[&format!("--sql-mode={mode}")]);
        let url = server.new_database();
        let mut session = administrator(&url);
        for (at, odd) in ODD.iter().enumerate() {
            // Of a name a server keeps no character of four bytes.
            let name = odd.trim_end_matches([' ', '🏌']);
            let password = format!("SECRET {}", ODD[(at + 1) % ODD.len()]);
            session.set(PASSWORD, &password);
            session.set("NAME", name);
            session
                .run("db-load migrate --user \"load=$NAME\"")
                .expect(0)
                .says(&format!("the user {name} was made"))
                .hides("SECRET");
            let user = session_of(&url, name, &password);
            user.run("db-load listing list").expect(0).hides("SECRET");
            session_of(&url, name, odd).run("db-query counts").expect(77).hides("SECRET");
            // Printed, it is the same user.
            server.sql(&session.ok("db-load migrate --grants --user \"serve=$NAME\""));
        }
        let users = format!("SELECT count(*) FROM mysql.user WHERE user <> 'root' AND host = '{}'", '%');
        assert_eq!(server.sql(&users).trim(), ODD.len().to_string());
    }
}

#[test]
fn what_makes_no_user_is_refused_before_anything_is_done() {
    let server = MariaDb::shared();
    let url = server.new_database();
    let mut session = administrator(&url);
    session.set(PASSWORD, "SECRET");
    let refuse = |session: &Session, line: &str, code: i32, words: &str| {
        session.run(line).expect(code).says(words).hides("SECRET");
        let tables = format!(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = '{}'",
            database_of(&url)
        );
        assert_eq!(server.sql(&tables), "0\n", "{line}");
    };
    refuse(
        &session,
        "db-load migrate --user load=x --db sqlite:x.db; code=$?; [ ! -e x.db ] || echo made; exit $code",
        2,
        "for a server",
    );
    for user in ["x", "admin=x", "load=", "'load= x'", "$'load=a\\nb'"] {
        refuse(&session, &format!("db-load migrate --user {user}"), 2, "--user");
    }
    // It would lose its own password.
    refuse(&session, "db-load migrate --user load=root", 2, "the user of this connection");
    session.set(PASSWORD, "");
    refuse(&session, "db-load migrate --user load=x", 78, "FAIRWAY_DB_USER_PASSWORD_FILE");
    session.set(PASSWORD, "SECRET\tx");
    refuse(&session, "db-load migrate --user load=x", 78, "control characters");
    session.set(PASSWORD, "");
    session.set("FAIRWAY_DB_USER_PASSWORD_FILE", session.path("nowhere"));
    refuse(&session, "db-load migrate --user load=x", 78, "nowhere");
}

#[test]
fn who_may_not_make_users_is_told_what_is_missing() {
    let server = MariaDb::shared();
    let url = server.new_database();
    let database = database_of(&url);
    let name = format!("made_{database}");
    server.sql(&format!(
        "CREATE USER owner_{database}@'%' IDENTIFIED BY 'SECRET1'; GRANT ALL ON {database}.* TO owner_{database}@'%'"
    ));
    let mut owner = session_of(&url, &format!("owner_{database}"), "SECRET1");
    owner.set(PASSWORD, "SECRET2");
    let line = format!("db-load migrate --user load={name}");
    owner
        .run(&line)
        .expect(77)
        .says("needs CREATE USER and, WITH GRANT OPTION,")
        .says("--grants --user load=NAME")
        .hides("SECRET");
    // It may make users, and give them nothing.
    server.sql(&format!("GRANT CREATE USER ON *.* TO owner_{database}@'%'"));
    owner.run(&line).expect(77).says("WITH GRANT OPTION").hides("SECRET");
    server.sql(&format!("GRANT ALL ON {database}.* TO owner_{database}@'%' WITH GRANT OPTION"));
    owner.run(&line).expect(0).hides("SECRET");
    session_of(&url, &name, "SECRET2").ok("db-load listing list");
}

#[test]
fn a_user_that_was_made_over_tls_is_not_let_in_without() {
    let server = MariaDb::with_tls("127.0.0.1");
    server.sql("CREATE DATABASE golf");
    let url =
        format!("{}?ssl-mode=verify-identity&ssl-ca={}", server.url("golf"), server.authority().display());
    let mut session = administrator(&url);
    session.set(PASSWORD, "SECRET");
    for _ in 0..2 {
        session.run("db-load migrate --user load=careful").expect(0);
        assert_eq!(server.sql("SELECT ssl_type FROM mysql.user WHERE user = 'careful'"), "ANY\n");
    }
    session_of(&url, "careful", "SECRET").ok("db-load listing list");
    // A server of this machine needs none, and neither do its users.
    let server = MariaDb::shared();
    let url = server.new_database();
    let name = format!("plain_{}", database_of(&url));
    session.set("FAIRWAY_DB", &url);
    session.ok(&format!("db-load migrate --user load={name}"));
    assert_eq!(server.sql(&format!("SELECT ssl_type FROM mysql.user WHERE user = '{name}'")), "\n");
}
