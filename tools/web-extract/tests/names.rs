//! Names: whose spelling means what, and what happens with one that nobody knows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use answers::{answer, lines, rows, session, wire};
use pipelines::{Ran, Session};

/// The header of `matches` as CSV.
const HEADER: &str = "league,season,home,source,day,kickoff,other\n";

/// Sources `alpha` and `beta` with the names of teams, and a list of these lines.
fn names(list: &str) -> Session {
    let one = |name: &str| {
        format!(
            "[sources.{name}]\nurl = \"https://api.example.org/\"\n[sources.{name}.extract]\nkind = \"csv\"\n\
             [sources.{name}.extract.tables.matches.columns]\nseason = {{ value = \"2025-26\" }}\n\
             source = {{ value = \"{name}\" }}\nhome = {{ names = \"team\" }}\n\n"
        )
    };
    let session = session(&format!(
        "[names.team]\nfiles = [\"names/teams.csv\"]\nscope = \"league\"\n\n{}{}",
        one("alpha"),
        one("beta")
    ));
    session.file("names/teams.csv", format!("source,scope,spelling,name\n{list}"));
    session
}

fn file(session: &Session, source: &str, body: &str) -> Ran {
    session.file("x.csv", format!("league,home\n{body}"));
    session.run(&format!("web-extract --source {source} --format csv x.csv"))
}

/// The names that spellings mean.
fn meant(ran: &Ran) -> Vec<&str> {
    ran.expect(0);
    rows(ran).into_iter().map(|row| row.split(',').nth(2).unwrap()).collect()
}

const LIST: &str = ",E0,Everton,Everton\nalpha,E0,City,Man City\nbeta,E0,City,Hull City\n,X0,City,Brook \
    City\nalpha,,Utd,Alpha United\n,,Utd,United\n";

#[test]
fn a_spelling_holds_for_its_source_and_its_competition() {
    let session = names(LIST);
    assert_eq!(
        meant(&file(&session, "alpha", "E0,City\nX0,City\nE0,Everton\nE0,Utd\nZ9,Utd\n")),
        ["Man City", "Brook City", "Everton", "Alpha United", "Alpha United"]
    );
    assert_eq!(
        meant(&file(&session, "beta", "E0,City\nX0,City\nX0,Utd\n")),
        ["Hull City", "Brook City", "United"]
    );
    // Not where its line does not say so.
    file(&session, "alpha", "X0,Everton\n")
        .expect(65)
        .says("\"Everton\" of alpha in X0 is not in the list of names");
    file(&session, "alpha", "E0,everton\n").expect(65).says("nearest is \"Everton\"").says("names/teams.csv");
    file(&session, "beta", "Z9,City\n").expect(65);
}

#[test]
fn spellings_that_look_alike_are_one() {
    let session = names(
        ",E0,Nott'm Forest,Forest\n,E0,Alav\u{e9}s,Alaves\n,E0,Brighton & Hove \
            Albion,Brighton\n,E0,Stoke-on-Trent,Stoke\n",
    );
    for (spelling, name) in [
        ("Nott\u{2019}m Forest", "Forest"),
        ("Nott\u{2018}m\u{a0}Forest", "Forest"),
        (" Nott'm  Forest ", "Forest"),
        ("Nott`m\u{2009}Forest", "Forest"),
        ("Nott\u{2bc}m\u{202f}Forest", "Forest"),
        ("\u{3000}Nott'm\tForest", "Forest"),
        ("Alave\u{301}s", "Alaves"),
        ("Alav\u{e9}s", "Alaves"),
        ("Stoke\u{2011}on\u{2013}Trent", "Stoke"),
        ("Brighton \u{ff06} Hove Albion", "Brighton"),
    ] {
        assert_eq!(meant(&file(&session, "alpha", &format!("E0,{spelling}\n"))), [name], "{spelling:?}");
    }
    for spelling in ["Alaves", "nott'm forest", "NottmForest", "Nott'm Forest U23"] {
        file(&session, "alpha", &format!("E0,{spelling}\n")).expect(65);
    }
    // A list may be written in any of these forms, too.
    let session = names(",E0,Nott\u{2019}m\u{a0}Forest,Forest\n,E0,Alave\u{301}s,Alaves\n");
    assert_eq!(meant(&file(&session, "alpha", "E0,Nott'm Forest\nE0,Alav\u{e9}s\n")), ["Forest", "Alaves"]);
}

#[test]
fn an_unknown_spelling_stops_its_file_and_makes_nobody() {
    let session = names(LIST);
    session.file("good.csv", "league,home\nE0,Everton\n");
    session.file("bad.csv", "league,home\nE0,Everton\nE0,Evertn\n");
    let ran = session.run("web-extract --source alpha --format csv bad.csv good.csv");
    ran.expect(65)
        .says("bad.csv: row 3 of matches: column \"home\": \"Evertn\" of alpha in E0 is not in the list of names")
        .says("nearest is \"Everton\"")
        .says("1 of 2 files made no rows");
    assert_eq!(ran.stdout, format!("{HEADER}E0,2025-26,Everton,alpha,,,\n"));
    let ran = session.run("web-extract --source alpha --format csv bad.csv --rejects rejects.csv");
    ran.expect(0).says("1 rejected");
    assert_eq!(rows(&ran), ["E0,2025-26,Everton,alpha,,,"]);
    assert!(session.read("rejects.csv").contains("E0,Evertn"));
    // A name that nobody tells is none, and needs no list.
    let ran = file(&session, "alpha", "E0,\n");
    ran.expect(65).says("\"home\" of the key is empty");
}

#[test]
fn unknown_spellings_are_listed_and_nothing_else() {
    let session = names(LIST);
    let answers: Vec<_> =
        ["E0,Evertn\nE0,Everton\nE0,Evertn\n", "X0,\"No, \"\"body\"\"\"\nE0,Evertn\nE0,Citi\n"]
            .iter()
            .enumerate()
            .map(|(nth, body)| answer("alpha", nth as u32, format!("league,home\n{body}")))
            .chain([answer("beta", 9, "league,home\nE0,Evertn\n")])
            .collect();
    session.file("answers.jsonl", lines(&answers));
    let wanted = "list,source,scope,spelling,rows,nearest\nteam,alpha,E0,Citi,1,Man \
        City\nteam,alpha,E0,Evertn,3,Everton\n\
                  team,alpha,X0,\"No, \"\"body\"\"\",1,\nteam,beta,E0,Evertn,1,Everton\n";
    for line in [
        "web-extract --unknown-names answers.jsonl",
        "taskset -c 0 web-extract --unknown-names < answers.jsonl",
        "web-extract --unknown-names --format csv answers.jsonl",
    ] {
        let ran = session.run(line);
        ran.expect(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (wanted, ""), "{ran}");
    }
    // Of files too.
    session.file("x.csv", "league,home\nE0,Evertn\nE0,Everton\n");
    let ran = session.run("web-extract --source alpha --unknown-names x.csv");
    assert_eq!(ran.stdout, "list,source,scope,spelling,rows,nearest\nteam,alpha,E0,Evertn,1,Everton\n");
    // In the columns of the list, whoever adds the names has nothing more to ask.
    session.file(
        "names/teams.csv",
        format!(
            "source,scope,spelling,name\n{LIST},E0,Evertn,Everton\n,E0,Citi,Man \
        City\n,X0,\"No, \"\"body\"\"\",Nobody\n"
        ),
    );
    let ran = session.run("web-extract --unknown-names answers.jsonl");
    assert_eq!(ran.stdout.lines().count(), 1);
    session.run("web-extract answers.jsonl > wire").expect(0);
    assert_eq!(answers::count(&wire(&session.read("wire")), "matches"), 7);
}

#[test]
fn what_could_not_be_read_has_no_known_names() {
    // An empty list would say that every spelling is known.
    let session = names(LIST);
    session.file(
        "answers.jsonl",
        lines(&[
            answer("alpha", 1, "league,away\nE0,Evertn\n"),
            answer("alpha", 2, "league,home\nE0,Evertn\n"),
        ]),
    );
    let ran = session.run("web-extract --unknown-names answers.jsonl");
    ran.expect(65).says("there is no column \"home\"");
    assert_eq!(ran.stdout, "list,source,scope,spelling,rows,nearest\nteam,alpha,E0,Evertn,1,Everton\n");
}

#[test]
fn a_list_that_says_two_things_is_refused() {
    for (list, words) in [
        (",E0,City,A\n,E0,City,B\n", "names/teams.csv: line 3: \"City\" means \"B\" here, and \"A\" before"),
        (",E0,Nott'm,A\n,E0,Nott\u{2019}m,B\n", "line 3"),
        (",E0,,A\n", "line 2: a spelling and a name are not empty"),
        (",E0,A,\n", "line 2: a spelling and a name are not empty"),
        (",E0,A\n", "3 cells"),
        (",E0,A,A", "lacks its newline"),
    ] {
        let ran = file(&names(list), "alpha", "E0,City\n");
        ran.expect(78).says(words);
        assert_eq!(ran.stdout, "", "{ran}");
    }
    let session = names(LIST);
    session.file("names/teams.csv", "source,spelling,name\n,City,A\n");
    file(&session, "alpha", "E0,City\n").expect(78).says("no column \"scope\"");
    session.ok("rm names/teams.csv");
    file(&session, "alpha", "E0,City\n").expect(78).says("names/teams.csv");
    // The same twice is said twice.
    assert_eq!(meant(&file(&names(",E0,City,A\n,E0,City,A\n"), "alpha", "E0,City\n")), ["A"]);
}

#[test]
fn a_list_lies_beside_the_file_of_sources() {
    let session = names(LIST);
    session.ok("mkdir system && mv sources.toml names system/");
    session.file("x.csv", "league,home\nE0,Everton\n");
    let line = "web-extract --sources system/sources.toml --source alpha --format csv x.csv";
    assert_eq!(session.ok(line), format!("{HEADER}E0,2025-26,Everton,alpha,,,\n"));
    session.ok(&format!(
        "cd system && {} | cmp - <(cd .. && {line})",
        "web-extract --schema ../schema.toml --sources sources.toml --source alpha --format csv ../x.csv"
    ));
}

#[test]
fn names_of_parameters_are_names_too() {
    let session = session(
        "[names.team]\nfiles = [\"names.csv\"]\n\n[sources.x]\nurl \
            = \"https://api.example.org/\"\n[sources.x.extract]\nkind = \"json\"\n\
         [sources.x.extract.tables.matches]\nrows = '.'\n[sources.x.extract.tables.matches.columns]\nleague = { \
         value = \"E0\" }\n\
         season = { value = \"2025-26\" }\nhome = { value = \"{team}\", names = \"team\" }\nsource = { value \
         = \"x\" }\n",
    );
    session.file("names.csv", "source,scope,spelling,name\n,,57,Arsenal\n");
    let asked = |team: i64| lines(&[answers::about(answer("x", 1, "{}"), "team", team)]);
    session.file("answers.jsonl", asked(57));
    assert_eq!(meant(&session.run("web-extract --format csv answers.jsonl")), ["Arsenal"]);
    session.file("answers.jsonl", asked(58));
    session
        .run("web-extract --format csv answers.jsonl")
        .expect(65)
        .says("\"58\" of x is not in the list of names");
}

#[test]
fn what_was_looked_up_before_holds_where_it_was_looked_up() {
    let session = names(LIST);
    assert_eq!(
        meant(&file(&session, "alpha", "E0,City\nX0,City\nE0,City\nX0,City\n")),
        ["Man City", "Brook City", "Man City", "Brook City"]
    );
    // The same spelling as a text and as a number, in two leagues.
    let json = "[sources.gamma]\nurl = \"https://api.example.org/\"\n[sources.gamma.extract]\nkind = \"json\"\n\
                [sources.gamma.extract.tables.matches]\nrows = \".[]\"\n[sources.gamma.extract.tables.matches.columns]\n\
                season = { value = \"2025-26\" }\nsource = { value = \"gamma\" }\nhome = { names = \"team\" }\n";
    session.file("sources.toml", format!("{}\n{json}", session.read("sources.toml")));
    session.file("names/teams.csv", "source,scope,spelling,name\n,E0,5,Five E\n,X0,5,Five X\n");
    session.file(
        "x.json",
        r#"[{"league":"E0","home":"5"},{"league":"X0","home":5},{"league":"E0","home":"5"}]"#,
    );
    let ran = session.run("web-extract --source gamma --format csv x.json");
    assert_eq!(meant(&ran), ["Five E", "Five X", "Five E"]);
    // A name in two encodings is one in none.
    session.file("names/teams.csv", "source,scope,spelling,name\n,E0,Alav\u{e9}s,Alaves\n");
    session
        .run("printf 'league,home\\nE0,Alav\\351s\\nE0,Alav\\303\\251s\\n' > x.csv; web-extract --source alpha --format csv x.csv")
        .expect(65)
        .says("some cells are UTF-8 and some cannot be");
}
