//! No glance into the future, and no trace of the order of lines; what explains a feature is what it was made of.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod common;

use common::{HEADER, ROWS, column, csv, feature, recipe, session};
use pipelines::Session;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Features of every kind of window.
fn everything() -> String {
    let more = [
        ("sum_2", "of = \"goals\"\nstatistic = \"sum\"\nlast = 2"),
        ("mean", "of = \"goals\"\nstatistic = \"mean\""),
        ("std", "of = \"goals\"\nstatistic = \"std\"\nwithin = \"40d\""),
        ("ewm", "of = \"goals\"\nstatistic = \"ewm\"\nhalf_life = \"30d\""),
        ("ewr", "of = \"goals\"\nstatistic = \"ewm\"\nhalf_life = 3"),
        ("lag", "of = \"goals\"\nstatistic = \"sum\"\nlag = \"1 week\""),
        ("rate", "of = \"goals\"\nper = \"against\"\nstatistic = \"rate\"\nlast = 3"),
        ("streak", "of = \"goals\"\nstatistic = \"streak\"\nvalues = [0, 1]"),
        ("rest", "statistic = \"since\"\ncap = 30"),
        (
            "elo",
            "of = \"goals\"\nstatistic = \"rating\"\nstart = 1500\nk = 20\nhome = 60\nmargin = \"sqrt\"\ncontrast = true",
        ),
    ];
    let more = more
        .map(|(name, rest)| format!("[[history.features]]\nname = \"{name}\"\nentity = \"team\"\n{rest}\n"));
    format!("{}{}", feature("statistic = \"sum\"\nlast = 5"), more.concat())
}

/// A match: its day, its teams and its goals.
type Match = (u16, (u8, u8), (u8, u8));

fn matches() -> impl Strategy<Value = Vec<Match>> {
    let teams =
        (0..5u8, 0..4u8).prop_map(|(home, other)| (home, if other >= home { other + 1 } else { other }));
    prop::collection::vec((0..60u16, teams, (0..6u8, 0..6u8)), 1..40)
}

fn row(id: usize, (day, (home, away), (hg, ag)): &Match) -> String {
    let date = format!("2030-{:02}-{:02}", 8 + day / 28, 1 + day % 28);
    format!("{id},a,{date},t{home},t{away},{hg},{ag}")
}

fn rows(matches: &[Match]) -> Vec<String> {
    matches.iter().enumerate().map(|(id, one)| row(id, one)).collect()
}

/// The features of every question, by its id: everything behind its own cells.
fn answers(session: &Session, rows: &[String]) -> Vec<(String, String)> {
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    session.file("rows.csv", csv(HEADER, &rows));
    let out = session.ok("features --recipe r.toml rows.csv");
    let split = |line: &str| {
        let cells: Vec<&str> = line.splitn(8, ',').collect();
        (cells[0].to_owned(), cells[7].to_owned())
    };
    let mut answers: Vec<(String, String)> = out.lines().skip(1).map(split).collect();
    answers.sort();
    answers
}

/// An ordinary check draws the same every time.
fn runner() -> TestRunner {
    let cases = if pipelines::is_all() { 500 } else { 40 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    match pipelines::is_all() {
        true => TestRunner::new(config),
        false => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    }
}

#[test]
fn what_comes_later_changes_no_byte_of_a_feature() {
    let session = session(&recipe("", &everything()), &ROWS);
    let strategy = (matches(), any::<prop::sample::Index>(), 0..3u8, (0..6u8, 0..6u8), matches());
    let result = runner().run(&strategy, |(all, which, how, goals, more)| {
        let question = which.index(all.len());
        let day = all[question].0;
        let before = answers(&session, &rows(&all));
        // Everything from that day on, the question's own result as well, is another one, or more, or gone.
        let mut other = rows(&all);
        for (id, one) in all.iter().enumerate().filter(|(_, one)| one.0 >= day) {
            other[id] = row(id, &(one.0, one.1, goals));
        }
        match how {
            0 => other.extend(
                more.iter().enumerate().filter(|(_, one)| one.0 >= day).map(|(id, one)| row(100 + id, one)),
            ),
            1 => {
                let later = |(id, _): &(usize, &Match)| *id == question || all[*id].0 < day;
                other = all.iter().enumerate().filter(later).map(|(id, one)| row(id, one)).collect();
            }
            _ => {}
        }
        let after = answers(&session, &other);
        let of = |answers: &[(String, String)]| {
            answers.iter().find(|(id, _)| *id == question.to_string()).map(|(_, features)| features.clone())
        };
        prop_assert_eq!(of(&before), of(&after));
        Ok(())
    });
    result.unwrap();
}

#[test]
fn the_order_of_lines_changes_no_byte() {
    let session = session(&recipe("", &everything()), &ROWS);
    let strategy = matches().prop_flat_map(|all| {
        let shuffled = Just(rows(&all)).prop_shuffle();
        (Just(rows(&all)), shuffled)
    });
    let result = runner().run(&strategy, |(all, shuffled)| {
        let out = |rows: &Vec<String>| {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            session.file("rows.csv", csv(HEADER, &rows));
            session.ok("features --recipe r.toml rows.csv")
        };
        prop_assert_eq!(out(&all), out(&shuffled));
        Ok(())
    });
    result.unwrap();
}

#[test]
fn little_memory_gives_the_same_bytes() {
    let session = session(&recipe("", &everything()), &[]);
    let line = |id: u32| {
        let (day, team) = (id.wrapping_mul(2_654_435_761) % 300, id.wrapping_mul(40_503) % 19);
        let goals = id.wrapping_mul(97) % 5;
        format!("{id},a,2030-{:02}-{:02},t{team},u{team},{goals},{}\n", 1 + day / 28, 1 + day % 28, goals / 2)
    };
    session.file("rows.csv", format!("{HEADER}\n{}", (0..40_000).map(line).collect::<String>()));
    session.ok("features --recipe r.toml rows.csv > much.csv; features --recipe r.toml --memory 1 rows.csv > little.csv");
    session.ok("cmp much.csv little.csv");
    session.ok("RAYON_NUM_THREADS=1 features --recipe r.toml rows.csv | cmp - much.csv");
}

#[test]
fn an_explanation_lists_what_a_feature_is_made_of() {
    let session = session(&recipe("", &everything()), &ROWS);
    let out = session.ok("features --recipe r.toml --explain 5 rows.csv");
    assert_eq!(out.lines().next().unwrap(), "feature,value,role,entity,input,key,happened,known,of,per");
    let lines = |name: &str| out.lines().filter(|line| line.starts_with(&format!("{name},"))).count();
    // Brook has played twice, ash three times.
    assert_eq!((lines("home_f"), lines("away_f")), (2, 3));
    assert_eq!((lines("home_sum_2"), lines("away_sum_2")), (2, 2));
    assert!(
        out.contains(
            "away_sum_2,1,away,ash,matches,4,2030-08-30T23:00:00.000Z,2030-08-31T23:00:00.000Z,1,\n"
        ),
        "{out}"
    );
    // Nothing was within 40 days: one line says so.
    assert!(out.contains("home_std,,home,brook,matches,,,,,\n"), "{out}");
}

#[test]
fn questions_asked_now_know_what_is_known_now() {
    let session =
        session(&recipe("", &feature("statistic = \"count\"").replace("of = \"goals\"\n", "")), &ROWS);
    let ran = session.run("features --recipe r.toml --now 2030-08-31 rows.csv");
    ran.expect(0).says("3 questions").says("3 observations").says("3 not known yet");
    assert_eq!(column(&ran.stdout, "id"), ["4", "5", "6"]);
    assert_eq!(column(&ran.stdout, "home_f"), ["2", "2", "2"]);
}
