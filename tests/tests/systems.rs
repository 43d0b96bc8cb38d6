//! A second, made-up system: tables, SQL, a recipe and a script in a folder, and no line of it in any program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Replay, Session, repo, script};

/// Answers of a source: a line a station and month, with a reading an hour of its first days.
fn answer(source: &str, fetched_at: &str, days: u32, warmer: f64) -> String {
    let mut lines = String::new();
    for (station, base) in [("oslo", 4.0), ("nord/kapp", -9.5)] {
        for month in ["2025-11", "2025-12"] {
            let rows: Vec<String> = (1..=days)
                .flat_map(|day| (0..24).map(move |hour| (day, hour)))
                .map(|(day, hour)| {
                    let celsius = base + warmer + f64::from(hour % 12) / 4.0 + f64::from(day) / 100.0;
                    format!("[\"{month}-{day:02}T{hour:02}:00:00Z\",\"{source}\",{celsius},\"{fetched_at}\"]")
                })
                .collect();
            lines.push_str(&format!(
                "{{\"v\":\"fairway.partition/1\",\"table\":\"readings\",\
                 \"key\":{{\"station\":\"{station}\",\"at_month\":\"{month}\"}},\
                 \"raw\":\"raw/{source}/x.json\",\"fetched_at\":\"{fetched_at}\",\
                 \"columns\":[\"at\",\"source\",\"celsius\",\"revised_at\"],\"n_rows\":{},\"rows\":[{}]}}\n",
                rows.len(),
                rows.join(",")
            ));
        }
    }
    lines
        + &format!(
            "{{\"v\":\"fairway.loaded/1\",\"raw\":\"raw/{source}/x.json\",\"extract_digest\":\"e1\"}}\n"
        )
}

/// A session that runs the made-up system in the place of golf, whose database and bucket it may share.
fn weather(mut session: Session) -> Session {
    let folder = repo().join("tests/tests/systems/weather");
    session.set("FAIRWAY_SCHEMA", folder.join("schema.toml"));
    session.set("FAIRWAY_RECIPE", folder.join("recipe.toml"));
    session.set("STAGES", repo().join("scripts/stages.sh"));
    session.set("ANSWERS", session.path("answers"));
    session.file("answers/stations.csv", "station,altitude\noslo,23\nnord/kapp,307\n");
    session.file("answers/a.jsonl", answer("met", "2026-01-01T06:00:00Z", 5, 0.0));
    session
}

fn refresh() -> String {
    repo().join("tests/tests/systems/weather/refresh").display().to_string()
}

/// Everything of the made-up system that must come out the same.
fn state(session: &Session) -> String {
    [
        "db-query rows readings | cut -d, -f1-5",
        "db-query rows stations",
        "db-query sql \"SELECT partition_key, sha256 FROM fairway_exports WHERE system_name = 'weather' ORDER BY 1\"",
        "db-query sql 'SELECT * FROM latest ORDER BY station'",
        "bucket ls weather/warmth/ --sha256",
    ]
    .map(|line| session.ok(line))
    .join("\n")
}

#[test]
fn a_folder_is_a_system() {
    let replay = Replay::start();
    let session = weather(Session::golf(&replay));
    session.run("db-load migrate").expect(0).says("view latest made");
    session
        .run(&refresh())
        .expect(0)
        .says("480 rows: 480 new")
        .says("4 objects written")
        .says("1 whole answer");
    let objects = session.ok("bucket ls weather/warmth/ | cut -d, -f1");
    assert!(objects.contains("nord%2Fkapp_2025-11.csv") && objects.lines().count() == 5, "{objects}");
    let csv = session.ok("bucket get weather/warmth/oslo_2025-12.csv | sed -n 1,2p");
    assert_eq!(csv, "station,at,hour,altitude,celsius\noslo,2025-12-01T00:00:00.000Z,0,23,4.01\n");
    // Again: nothing is written. Another source: other means, in every month that it says something about.
    session.run(&refresh()).expect(0).says("0 new, 0 changed, 480 as before").says("0 objects written");
    session.file("answers/b.jsonl", answer("own", "2026-01-02T06:00:00Z", 1, 0.5));
    session.run(&refresh()).expect(0).says("576 rows: 96 new, 0 changed").says("4 objects written");
    // A correction of one reading makes one object old; one that is older than what is there makes none.
    let line = session.ok("head -n 1 answers/b.jsonl");
    let corrected = line.replacen(",4.51,\"2026-01-02T06:00:00Z\"", ",6.5,\"2026-01-03T06:00:00Z\"", 1);
    assert_ne!(line, corrected);
    session.file("answers/c.jsonl", &corrected);
    session.run(&refresh()).expect(0).says("1 changed").says("1 object written");
    session.file("answers/d.jsonl", corrected.replace("6.5,\"2026-01-03", "7.5,\"2026-01-01"));
    session.run(&refresh()).expect(0).says("0 new, 0 changed").says("0 objects written");
    // And a model, under a prefix of its own.
    session.ok("bucket cat weather/warmth/ --recipe $FAIRWAY_RECIPE > all.csv; fit all.csv > model.json");
    session.ok("registry promote --from model.json; registry approved | grep -q models/weather/weather_");
}

#[test]
fn two_systems_share_a_database_and_a_bucket() {
    let replay = Replay::start();
    let alone = (Session::golf(&replay), weather(Session::golf(&replay)));
    alone.0.run(&script("refresh")).expect(0);
    alone.0.run(&script("train")).expect(0);
    alone.1.run("db-load migrate").expect(0);
    alone.1.run(&refresh()).expect(0);
    let mut both = Session::golf(&replay);
    let golf = ["FAIRWAY_SCHEMA", "FAIRWAY_RECIPE"].map(|name| (name, both.variable(name).unwrap()));
    both.run(&script("refresh")).expect(0);
    both = weather(both);
    both.run("db-load migrate").expect(0);
    // Their leases are two.
    both.run(&format!(
        "db-load lease state -- env FAIRWAY_SCHEMA={} FAIRWAY_RECIPE={} {}",
        golf[0].1,
        golf[1].1,
        script("refresh")
    ))
    .expect(0);
    both.run(&refresh()).expect(0);
    assert_eq!(state(&both).replace("golf", ""), state(&alone.1).replace("golf", ""));
    for (name, value) in golf {
        both.set(name, value);
    }
    both.run(&script("refresh")).expect(0).says("0 objects written");
    both.run(&script("train")).expect(0);
    let of_golf = |session: &Session| {
        session.ok("db-query rows; db-query unexported; db-query counts; registry approved")
    };
    assert_eq!(of_golf(&both), of_golf(&alone.0));
}

#[cfg(feature = "s3")]
#[test]
fn it_is_the_same_system_on_servers() {
    use servers::{MariaDb, Seaweed};

    let replay = Replay::start();
    let embedded = weather(Session::golf(&replay));
    let production = weather(Session::production(&replay, MariaDb::shared(), Seaweed::shared()));
    for session in [&embedded, &production] {
        session.run("db-load migrate").expect(0);
        session.run(&refresh()).expect(0);
    }
    assert_eq!(state(&embedded), state(&production));
}
