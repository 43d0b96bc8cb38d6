//! Who wins a match: 33 real seasons through the programs and the scripts, and what must not be known.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::football::matches_csv;
use pipelines::{Chance, Session, repo};

/// matches.csv: what `scripts/football/load` puts into the bucket, in order of time.
fn session() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", "sqlite:football.db");
    session.set("FAIRWAY_BUCKET", "./data");
    session.set("FAIRWAY_SCHEMA", repo().join("scripts/football/schema.toml"));
    session.set("FAIRWAY_RECIPE", repo().join("scripts/football/result.toml"));
    session.set("FAIRWAY_NOW", "2026-06-01T12:00:00Z");
    session.file("played.csv", matches_csv());
    session.ok(&format!("mkdir data; {}/load client played.csv", repo().join("scripts/football").display()));
    session.ok("bucket cat training_data/result/ > cat.csv; { head -n 1 cat.csv; tail -n +2 cat.csv | sort \
                -t, -k3,3; } > matches.csv");
    session
}

/// The lines of a CSV without its header.
fn lines(csv: &str) -> Vec<&str> {
    csv.lines().skip(1).collect()
}

fn day(line: &str) -> &str {
    line.split(',').nth(2).unwrap()
}

#[test]
fn a_state_at_fifty_days_of_33_seasons_and_the_rest_are_the_whole() {
    let session = session();
    session.ok("features --state-out whole.jsonl matches.csv > whole.csv");
    let matches = session.read("matches.csv");
    let whole = session.read("whole.csv");
    let rows = lines(&matches);
    assert_eq!(rows.len(), 12_704);
    let seed = Chance::seed("fifty cuts");
    let mut chance = Chance::of_run(seed, 0);
    let mut cuts = 0;
    while cuts < 50 {
        let cut = day(rows[((rows.len() - 2) as f64 * chance.share()) as usize + 1]);
        // When that day begins in London; in March and October the clock changes on some day.
        let (year, month, of_month) = (&cut[..4], &cut[5..7], cut[8..].parse::<u32>().unwrap());
        let instant = match month {
            "03" | "10" => continue,
            "11" | "12" | "01" | "02" => format!("{cut}T00:00:00Z"),
            _ if of_month == 1 => continue,
            _ => format!("{year}-{month}-{:02}T23:00:00Z", of_month - 1),
        };
        cuts += 1;
        let part = |is_early: bool| -> String {
            let wanted = rows.iter().filter(|row| (day(row) < cut) == is_early);
            std::iter::once(matches.lines().next().unwrap())
                .chain(wanted.copied())
                .flat_map(|line| [line, "\n"])
                .collect()
        };
        session.file("early.csv", part(true));
        session.file("late.csv", part(false));
        session.ok(&format!("features --as-of {instant} --state-out cut.jsonl early.csv > parts.csv"));
        session.ok("features --state-in cut.jsonl --state-out end.jsonl late.csv | tail -n +2 >> parts.csv");
        let said = session.run("cmp whole.csv parts.csv && cmp whole.jsonl end.jsonl");
        assert_eq!(said.code, 0, "cut at {cut}, FAIRWAY_SEED={seed}: {said}");
        // Whoever asks on that day, with nothing but the state, is told what training was told.
        let asks: Vec<&str> = rows.iter().copied().filter(|row| day(row) == cut).collect();
        let asks: String = asks
            .iter()
            .flat_map(|row| [row.splitn(7, ',').take(6).collect::<Vec<_>>().join(","), "\n".to_owned()])
            .collect();
        session.file("asks.csv", format!("competition,season,date,kickoff,home_team,away_team\n{asks}"));
        session.ok("head -n 1 matches.csv > none.csv");
        let told = session
            .ok(&format!("features --state-in cut.jsonl --input matches=none.csv --now {instant} asks.csv"));
        let columns = whole.lines().next().unwrap().split(',').count()
            - told.lines().next().unwrap().split(',').count();
        let expected: Vec<String> = lines(&whole)
            .into_iter()
            .filter(|row| day(row) == cut)
            .map(|row| row.split(',').skip(6 + columns).collect::<Vec<_>>().join(","))
            .collect();
        let told: Vec<String> = lines(&told)
            .into_iter()
            .map(|row| row.split(',').skip(6).collect::<Vec<_>>().join(","))
            .collect();
        assert_eq!(told, expected, "{cut}");
    }
}

#[test]
fn what_happens_later_changes_no_feature_and_neither_does_the_order() {
    let session = session();
    let whole = session.ok("features matches.csv");
    session.ok(
        "{ head -n 1 matches.csv; tail -n +2 matches.csv | shuf --random-source=<(yes 7); } > shuffled.csv",
    );
    assert_eq!(session.ok("features shuffled.csv"), whole);
    for cut in ["1994-02-12", "2003-01-01", "2020-07-01", "2025-12-26"] {
        // From that day on: other results, other shots, half of the matches, and some that never were.
        session.ok(&format!(
            "awk -F, -v OFS=, -v cut={cut} 'NR == 1 || $3 < cut {{ print; next }}
             NR % 2 {{ $7 += 3; $10 = 7; $11 = 1; print; if (NR % 4 == 1) {{ $5 = $5 \" B\"; print }} }}' \
             matches.csv > changed.csv"
        ));
        let changed = session.ok("features changed.csv");
        // The day itself is asked at its beginning: its features are those of the days before.
        let of = |text: &str, is_wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
            lines(text).into_iter().filter(|row| is_wanted(day(row))).map(str::to_owned).collect()
        };
        assert_eq!(of(&whole, &|day| day < cut), of(&changed, &|day| day < cut), "{cut}");
        let features = |row: &String| row.split(',').rev().take(20).collect::<Vec<_>>().join(",");
        let known: Vec<String> = of(&whole, &|day| day == cut).iter().map(features).collect();
        for row in of(&changed, &|day| day == cut).iter().filter(|row| !row.contains(" B,")) {
            assert!(known.contains(&features(row)), "{cut}: {row}");
        }
        assert_ne!(
            of(&whole, &|day| day > cut),
            of(&changed, &|day| day > cut),
            "{cut}: nothing was changed"
        );
    }
}

#[test]
fn what_is_known_only_afterwards_is_no_feature() {
    let session = session();
    let recipe = session
        .ok("cat $FAIRWAY_RECIPE")
        .replace("matches.toml", &repo().join("scripts/football/matches.toml").display().to_string());
    let planted = |column: &str, known: &str| {
        let recipe = recipe.replace("    \"elo_diff\",", &format!("    \"elo_diff\",\n    \"{column}\","));
        let known = if known.is_empty() {
            String::new()
        } else {
            format!(
                "\n[columns.{column}]\ntype = \"integer\"\nknown = \"{known}\"\n[prepare.{column}]\nimpute = 0\n"
            )
        };
        session.file("planted.toml", recipe + &known);
    };
    // Shots of the match itself.
    planted("home_shots", "");
    session
        .run("features --recipe planted.toml matches.csv")
        .expect(78)
        .says("say in [columns.home_shots] when it is known");
    planted("home_shots", "until_cutoff");
    session.run("features --recipe planted.toml matches.csv").expect(78).says("known only afterwards");
    // Who says that they are known ahead is believed, until the first match that is to come.
    planted("home_shots", "ahead");
    session
        .ok("sed -i 's/^impute = 0$//' planted.toml; grep -v '^E0,.*,2026-05-24' matches.csv > played.csv");
    session.ok("{ echo competition,season,date,kickoff,home_team,away_team,home_shots; grep ,2026-05-24, \
                matches.csv | cut -d, -f1-6 | sed 's/$/,/'; } > next.csv");
    session
        .run(
            "awk -F, '$12 != \"\"' played.csv > shots.csv; \
             features --recipe planted.toml --input matches=shots.csv --now 2026-05-24 next.csv",
        )
        .expect(65)
        .says("is known ahead, and empty");
    // The answer in other words is told by `fit`, whatever is said of it.
    planted("home_margin", "ahead");
    session.ok("awk -F, -v OFS=, 'NR == 1 { print $0, \"home_margin\"; next } { print $0, $7 - $8 }' \
                matches.csv > margin.csv");
    let fit = "features --recipe planted.toml margin.csv | clean --recipe planted.toml | fit --recipe \
               planted.toml --candidate logistic";
    session.run(&format!("{fit} > model.json")).expect(0).says("feature \"home_margin\" alone explains");
}

#[test]
fn forecasts_are_better_than_base_rates_and_not_too_good() {
    let session = session();
    let elo = repo().join("scripts/football/elo.toml");
    session.ok("features matches.csv | clean > rows.csv");
    session.ok(&format!(
        "backtest --until 2023-24 --against {} --metrics metrics.csv rows.csv > said.csv",
        elo.display()
    ));
    let metrics = session.read("metrics.csv");
    let line = |name: &str| -> Vec<f64> {
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap();
        line.split(',').skip(1).map(|cell| cell.parse().unwrap_or(f64::NAN)).collect()
    };
    let (log_loss, rps) = (line("log_loss"), line("rps"));
    assert_eq!(line("rows")[0], 1_900.0);
    // The anchors of others on the same matches: base rates 1.070 and .2356, Elo .978 and .203, bookmakers .959 and
    // .197.
    assert!((log_loss[3] - 1.070).abs() < 0.002 && (rps[3] - 0.2356).abs() < 0.001, "{metrics}");
    assert!((log_loss[4] - 0.978).abs() < 0.003 && (rps[4] - 0.203).abs() < 0.001, "{metrics}");
    assert!(log_loss[2] < log_loss[3] && rps[2] < rps[3], "not better than base rates: {metrics}");
    assert!((0.955..0.978).contains(&log_loss[0]) && (0.195..0.203).contains(&rps[0]), "{metrics}");
    assert!(line("calibration_error")[0] < 0.02, "{metrics}");
}

#[test]
fn matches_that_arrive_train_again_and_nothing_else_does() {
    let session = session();
    let train = repo().join("scripts/football/train").display().to_string();
    let load = repo().join("scripts/football/load").display().to_string();
    let load = format!("{load} client");
    session.ok(&format!(
        "mv played.csv all.csv; head -n 4000 all.csv > some.csv; rm -r football.db data; mkdir data; {load} \
         some.csv; {train}"
    ));
    let before = session.ok("registry show; bucket ls --sha256");
    let again = session.run(&format!("{load} some.csv && {train}"));
    again.expect(0).hides("fit:");
    assert_eq!(session.ok("registry show; bucket ls --sha256"), before);
    session.ok(&format!("head -n 4381 all.csv > more.csv; {load} more.csv; {train}"));
    assert_ne!(session.ok("registry show; bucket ls --sha256"), before);
    session.run(&load).expect(2).says("name a source");
    session.run(&format!("FAIRWAY_BUCKET= {load} some.csv")).expect(78).says("FAIRWAY_BUCKET");
    session.run(&format!("echo nonsense > bad.csv; {load} bad.csv")).expect(65);
}
