//! The golf pipeline from the API to a model, on the embedded defaults.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Replay, Session, repo, script};

fn number(session: &Session, sql: &str) -> u64 {
    let answer = session.ok(&format!("db-query sql \"{sql}\" | tail -n 1"));
    answer.trim().parse().unwrap_or_else(|_| panic!("{sql}: {answer}"))
}

const ROUNDS: &str = "SELECT count(*) AS n FROM player_round_stats_pga_with_sg_data";
const EVENTS: &str = "SELECT count(*) AS n FROM pga_with_sg_cat_eventslist";

#[test]
fn a_season_becomes_a_model_that_beats_the_mean() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session
        .run(&script("refresh"))
        .expect(0)
        .says("44 partitions listed: 44 new")
        .says("41 events with 16,379 rounds in 4 calls");
    assert_eq!((number(&session, EVENTS), number(&session, ROUNDS)), (44, 16_379));
    assert_eq!(session.ok("bucket ls training_data/ | tail -n +2 | wc -l").trim(), "41");
    session.run(&script("train")).expect(0).says("is the approved model now");
    let scores = session.ok("bucket cat training_data/ | score --model data/models/golf_2026-01-06_*.json");
    let line = scores.lines().find(|line| line.starts_with("rmse,")).unwrap();
    let rmse: Vec<f64> = line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
    let [own, _, high, baseline] = rmse[..] else { panic!("{scores}") };
    assert!(own < high && high < 0.7 * baseline, "{scores}");
}

#[test]
fn a_second_run_asks_for_nothing_that_is_stored_and_changes_nothing() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.run(&script("refresh")).expect(0);
    session.run(&script("train")).expect(0);
    let before = (
        session.ok("bucket ls --sha256"),
        session.ok("db-query sql 'SELECT * FROM pga_with_sg_cat_eventslist'"),
    );
    let asked = replay.asked().len();
    session.run(&script("refresh")).expect(0).says("0 events with 0 rounds in 0 calls");
    session.run(&script("train")).expect(0).says("is the approved model already");
    assert_eq!(replay.asked().len(), asked + 1, "only the event list: {:?}", replay.asked());
    let after = (
        session.ok("bucket ls --sha256"),
        session.ok("db-query sql 'SELECT * FROM pga_with_sg_cat_eventslist'"),
    );
    assert_eq!(before, after);
}

#[test]
fn a_corrected_event_replaces_its_rounds_and_its_file() {
    let (early, late) = (Replay::start(), Replay::later());
    let mut session = Session::golf(&early);
    session.run(&script("refresh")).expect(0);
    session.run(&script("train")).expect(0);
    let of_34 = "SELECT event_name || '|' || event_completed || '|' || n_rounds || '|' || rounds_rev AS e \
                 FROM pga_with_sg_cat_eventslist WHERE calendar_year = 2025 AND event_id = 34";
    let before = session.ok(&format!("db-query sql \"{of_34}\" | tail -n 1"));
    assert!(before.contains("Champioship") && before.ends_with("|1\n"), "{before}");
    // The archive is asked again for what it did not have a day later, not before.
    session.set("DATAGOLF_BASE_URL", late.url());
    session
        .run(&script("refresh"))
        .expect(0)
        .says("1 new, 1 corrected")
        .says("1 event with")
        .hides("2025/478");
    session.set("FAIRWAY_NOW", "2026-01-08T12:00:00Z");
    session.run(&script("refresh")).expect(0).says("1 new, 0 changed");
    let after = session.ok(&format!("db-query sql \"{of_34}\" | tail -n 1"));
    assert!(after.contains("Championship") && after.ends_with("|2\n"), "{after}");
    assert_ne!(before.split('|').nth(1), after.split('|').nth(1), "the date was corrected");
    let rounds = |text: &str| text.split('|').nth(2).unwrap().parse::<u64>().unwrap();
    assert!(rounds(&after) < rounds(&before), "a player is gone: {before} {after}");
    let stored = number(&session, &format!("{ROUNDS} WHERE year = 2025 AND event_id = 34"));
    assert_eq!(stored, rounds(&after), "no ghosts");
    assert_eq!(
        session.ok("bucket ls training_data/event_data_2025_pga_34 | wc -l").trim(),
        "2",
        "one file, not two"
    );
    // New data, new model; the old one stays, and one pointer moved.
    session.run(&script("train")).expect(0).says("is the approved model now");
    assert_eq!(session.ok("registry ls | grep -c golf_2026").trim(), "2");
    session.run("registry rollback --reason 'worse on the course'").expect(0);
    session.run(&script("train")).expect(1).says("on hold (worse on the course)");
    session.run("registry release").expect(0);
    session.run(&script("train")).expect(0);
}

#[test]
fn two_at_once_and_the_second_says_later() {
    // The first one waits in a call while the second one comes.
    let replay = Replay::holding();
    let session = Session::golf(&replay);
    let refresh = script("refresh");
    let gate = replay.gate();
    let line = format!(
        "{refresh} > first.csv 2> first.txt & for i in $(seq 1200); do [ -e {gate}.held ] && break; sleep 0.05; done; \
         {refresh}; code=$?; touch {gate}; wait %1; echo \"second $code first $?\""
    );
    let ran = session.run(&line);
    ran.expect(0).says("another program holds the lease state (process");
    assert!(ran.stdout.ends_with(",\"exit\":69}\nsecond 69 first 0\n"), "{ran}");
    // What the first one came to.
    let counts = "partitions,stored,rows,unfetched,unexported\n44,0,0,44,0\n44,41,16379,0,0\n{\"v\":\"fairway.run/1\",";
    let first = session.read("first.csv");
    assert!(first.starts_with(counts) && first.ends_with(",\"exit\":0}\n"), "{first}");
    assert_eq!(number(&session, ROUNDS), 16_379);
}

#[test]
fn objects_that_were_lost_or_changed_are_written_again() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.run(&script("refresh")).expect(0);
    let before = session.ok("bucket ls training_data/ --sha256");
    session.ok("bucket rm training_data/event_data_2025_pga_14.csv; echo x >> \
                data/training_data/event_data_2025_pga_2.csv");
    session
        .run(&script("refresh"))
        .expect(0)
        .says("event_data_2025_pga_14.csv: it is missing or changed")
        .says("event_data_2025_pga_2.csv: it is missing or changed")
        .says("2 objects written");
    assert_eq!(session.ok("bucket ls training_data/ --sha256"), before);
}

#[test]
fn predictions_of_the_programs_agree_to_the_bit() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.run(&script("refresh")).expect(0);
    session.run(&script("train")).expect(0);
    session.ok("cp data/models/golf_2026-01-06_*.json model.json; bucket get \
                training_data/event_data_2025_pga_14.csv > e.csv");
    let line = session.ok("predict --model model.json < e.csv | sed -n 2p");
    let cells: Vec<&str> = line.trim().split(',').collect();
    let features = [
        "sg_total",
        "driving_dist",
        "driving_acc",
        "gir",
        "scrambling",
        "prox_rgh",
        "prox_fw",
        "great_shots",
        "poor_shots",
    ];
    let body: Vec<String> =
        features.iter().zip(&cells[6..15]).map(|(name, cell)| format!("\"{name}\":{cell}")).collect();
    session.file("body.json", format!("{{{}}}", body.join(",")));
    let answer = session.asking("--model model.json", "curl -sS --json @body.json $url/predict");
    let served: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(served["sg_t2g"].as_f64(), cells.last().unwrap().parse().ok(), "{answer} {line}");
}

#[test]
fn what_predictd_logs_becomes_rows_of_the_database() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.run(&script("refresh")).expect(0);
    session.run(&script("train")).expect(0);
    session.ok("bucket get training_data/event_data_2025_pga_14.csv > e.csv");
    session.asking(
        "--log log.jsonl",
        "curl -sS -H 'content-type: text/csv' --data-binary @e.csv $url/predict > answered.csv",
    );
    let rows = session.ok("tail -n +2 e.csv | wc -l").trim().parse::<u64>().unwrap();
    assert!(rows > 300, "{rows}");
    let load = "db-load rows predictions log.jsonl --key request_id,row_index";
    session.run(load).expect(0).says(&format!("{rows} rows: {rows} written"));
    session.run(load).expect(0).says(&format!("{rows} rows: 0 written, {rows} as before"));
    // As the answers were, and numbers as numbers.
    let mean = |of: &str| number_of(&session, of);
    let logged =
        mean("db-query sql 'SELECT sum(predicted_sg_t2g) / count(*) AS n FROM predictions' | tail -n 1");
    let column = "head -n 1 answered.csv | tr , '\\n' | grep -n '^predicted_sg_t2g$' | cut -d: -f1";
    let answered = mean(&format!(
        "tail -n +2 answered.csv | cut -d, -f$({column}) | awk '{{ s += $1 }} END {{ printf \"%.12f\", s / NR }}'"
    ));
    assert!((logged - answered).abs() < 1e-9, "{logged} {answered}");
}

fn number_of(session: &Session, line: &str) -> f64 {
    let said = session.ok(line);
    said.trim().parse().unwrap_or_else(|_| panic!("{line}: {said}"))
}

#[test]
fn several_targets_are_a_recipe_each_and_one_server() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.run(&script("refresh")).expect(0);
    session.run(&script("train")).expect(0);
    let recipe = std::fs::read_to_string(repo().join("scripts/golf/recipe.toml")).unwrap();
    let other = recipe
        .replace("columns = [\"sg_total\", ", "columns = [")
        .replace("[target]\ncolumn = \"sg_t2g\"", "[target]\ncolumn = \"sg_total\"")
        .replace("name = \"golf\"", "name = \"golf-total\"");
    session.file("total.toml", &other);
    session.ok(
        "db-query rows --partition pga/2025/14 --partition pga/2025/15 --partition pga/2025/16 > rounds.csv; \
         clean --recipe total.toml rounds.csv > total.csv; \
         fit --recipe total.toml --candidate ridge total.csv > total.json",
    );
    session.file(
        "body.json",
        "{\"driving_dist\":291.4,\"driving_acc\":0.64,\"gir\":0.72,\"scrambling\":0.6,\"prox_rgh\":41.2,\
         \"prox_fw\":29.8,\"great_shots\":4,\"poor_shots\":2}",
    );
    let answers = session.asking(
        "--model t2g=data --model total=total.json",
        "curl -sS --json @body.json $url/predict/total; echo; \
         curl -sS --json \"$(sed 's/{/{\"sg_total\":2.1,/' body.json)\" $url/predict/t2g",
    );
    let answers: Vec<serde_json::Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [total, t2g] = &answers[..] else { panic!("{answers:?}") };
    assert!(
        total["sg_total"].is_number() && total["model"].as_str().unwrap().starts_with("golf-total_"),
        "{total}"
    );
    assert!(t2g["sg_t2g"].is_number() && t2g["model"].as_str().unwrap().starts_with("golf_"), "{t2g}");
}

/// Tables, CSVs, training key and model are those of commit 436b5e4, to the byte.
fn assert_as_stored(session: &Session) {
    let stored = repo().join("fixtures/databases/golf-436b5e4.json");
    let stored: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(stored).unwrap()).unwrap();
    let sha256 = |line: &str| session.ok(&format!("{line} | sha256sum | cut -c1-64")).trim().to_owned();
    assert_eq!(sha256("db-query rows"), stored["rounds_sha256"].as_str().unwrap());
    let objects = stored["training_data"].as_object().unwrap();
    let listed = session.ok("bucket ls training_data/ --sha256 | tail -n +2");
    assert_eq!(listed.lines().count(), objects.len());
    for (key, digest) in objects {
        let line = listed.lines().find(|line| line.starts_with(&format!("{key},"))).unwrap();
        assert!(line.contains(digest.as_str().unwrap()), "{line}");
    }
    session.ok("bucket cat training_data/ --manifest m.json > /dev/null");
    assert_eq!(
        session.ok("fit --training-key --manifest m.json").trim(),
        stored["training_key"].as_str().unwrap()
    );
    // The model, too, but for what says when rows have drifted: its bins are others since format 4.
    let key = stored["model"]["key"].as_str().unwrap();
    let model: serde_json::Value = serde_json::from_str(&session.ok(&format!("bucket get {key}"))).unwrap();
    let mut body = model["body"].as_object().unwrap().clone();
    body.retain(|name, _| !["histograms", "predictions", "drift", "null_values"].contains(&name.as_str()));
    session.file("body.json", serde_json::Value::from(body).to_string());
    assert_eq!(sha256("cat body.json"), stored["model"]["without_drift_sha256"].as_str().unwrap());
}

#[test]
fn everything_is_as_it_was_at_436b5e4() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.run(&script("refresh")).expect(0);
    session.run(&script("train")).expect(0);
    assert_as_stored(&session);
}

#[cfg(feature = "s3")]
#[test]
fn everything_is_as_it_was_at_436b5e4_on_servers() {
    let replay = Replay::start();
    let session = Session::production(&replay, servers::MariaDb::shared(), servers::Seaweed::shared());
    session.run(&script("refresh")).expect(0);
    session.run(&script("train")).expect(0);
    assert_as_stored(&session);
}
