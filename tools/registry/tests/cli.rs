//! `registry` through its real binary, on a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = "[recipe]\nname = \"line\"\n[keys]\ncolumns = [\"g\", \"day\", \"row\"]\nrow = [\"row\"]\ntime = \"day\"\n\
    [columns.g]\ntype = \"integer\"\n[columns.day]\ntype = \"date\"\n[columns.row]\ntype = \"integer\"\n\
    [columns.x]\ntype = \"number\"\n[columns.y]\ntype = \"number\"\n[features]\ncolumns = [\"x\"]\n\
    [target]\ncolumn = \"y\"\n[split]\nby = [\"g\"]\nholdout = 0.25\n[[candidates]]\nalgorithm = \"linear\"\n";

/// Models `a`, `b`, `c` of ever newer data, and `noise`, which is no better than the mean.
fn session() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_BUCKET", "./data");
    session.ok("mkdir data");
    session.file("r.toml", RECIPE);
    for (name, day, slope) in [("a", 1, 3), ("b", 2, 4), ("c", 3, 5), ("noise", 4, 0)] {
        let row = |i: i64| {
            let scatter = (i * 7919 + 13) % 101;
            format!("{},2025-06-0{day},{i},{},{}\n", i / 10, i % 13, (i % 13) * slope * 10 + scatter)
        };
        let rows: String = (0..400).map(row).collect();
        session.file(&format!("{name}.csv"), format!("g,day,row,x,y\n{rows}"));
        session.ok(&format!("fit --recipe r.toml {name}.csv > {name}.json"));
    }
    session
}

fn approved(session: &Session) -> String {
    session.ok("registry show | head -n 1 | sed 's/approved: //'").trim().to_owned()
}

#[test]
fn a_model_is_kept_under_its_dated_key_and_approved() {
    let session = session();
    session.run("registry promote --from a.json").expect(0).says("is the approved model now");
    let key = approved(&session);
    assert!(key.starts_with("models/line_2026-01-06_") && key.ends_with(".json"), "{key}");
    assert_eq!(session.ok(&format!("bucket get {key}")), session.read("a.json"));
    // Again, a day later: the same training key is the same model.
    session
        .run("FAIRWAY_NOW=2026-01-07 registry promote --from a.json")
        .expect(0)
        .says("is the approved model already");
    assert_eq!(session.ok("registry ls").lines().count(), 2);
    let key = session.ok("fit --recipe r.toml --training-key a.csv");
    assert_eq!(session.ok(&format!("registry find {key}")), session.read("a.json"));
    session.run(&format!("registry find {}", "0".repeat(64))).expect(1);
    session.run("registry find ../x").expect(2);
}

#[test]
fn a_model_that_does_not_beat_the_mean_is_refused_for_good() {
    let session = session();
    session.ok("registry promote --from a.json");
    let before = approved(&session);
    session
        .run("registry promote --from noise.json")
        .expect(1)
        .says("was refused: these rules do not hold: held-out RMSE");
    session.run("registry promote --from noise.json").expect(1).says("was refused before");
    assert_eq!(approved(&session), before);
    let shown = session.ok("registry show");
    assert!(shown.contains("FAILS  held-out RMSE") && shown.contains("refused"), "{shown}");
    assert!(session.ok("registry ls").contains(",no,refused"));
    // A model that was never measured cannot be judged.
    session
        .ok("sed -i 's/holdout = 0.25/holdout = 0/' r.toml && fit --recipe r.toml c.csv > unmeasured.json");
    session.run("registry promote --from unmeasured.json").expect(1).says("it was measured on held-out rows");
    session.run("registry promote --from noise.json --force").expect(2).says("--reason");
    session.run("registry promote --from noise.json --force --reason 'a drill'").expect(0).says("by force");
    assert_ne!(approved(&session), before);
}

#[test]
fn newer_training_data_win() {
    let session = session();
    session.ok("registry promote --from b.json");
    let key = approved(&session);
    session
        .run("registry promote --from a.json")
        .expect(0)
        .says("stays aside")
        .says("was trained on newer data");
    assert_eq!(approved(&session), key);
    session.run("registry promote --from c.json").expect(0);
    assert_ne!(approved(&session), key);
}

#[test]
fn a_late_run_does_not_undo_a_later_one() {
    let session = session();
    // The same newest day: a correction of other rows.
    session
        .ok("sed '2s/13$/14/' c.csv > d.csv && ! cmp -s c.csv d.csv && fit --recipe r.toml d.csv > d.json");
    session.ok("registry promote --from c.json && registry promote --from d.json");
    let later = approved(&session);
    session
        .run("registry promote --from c.json")
        .expect(0)
        .says("stays aside: another one was promoted after it");
    assert_eq!(approved(&session), later);
    session.run("registry promote --from c.json --force --reason 'd is odd'").expect(0);
    assert_ne!(approved(&session), later);
}

#[test]
fn a_rollback_holds_until_it_is_released() {
    let session = session();
    session.run("registry rollback --reason x").expect(65).says("no model before the approved one");
    session.run("registry approved").expect(1).says("no model is approved yet");
    session.ok("registry promote --from a.json");
    let first = approved(&session);
    session.run("registry rollback --reason x").expect(65);
    session.ok("registry promote --from b.json");
    session.run("registry rollback --reason 'odd answers'").expect(0).says("is the approved model again");
    assert_eq!(approved(&session), first);
    // For programs: who, since when, and whether it is held.
    let line = session.ok("registry approved");
    assert!(line.starts_with(&format!("{{\"key\":\"{first}\",\"sha256\":\"")), "{line}");
    assert!(line.ends_with("\"since\":\"2026-01-06T12:00:00Z\",\"hold\":\"odd answers\"}\n"), "{line}");
    session
        .run("registry promote --from c.json")
        .expect(1)
        .says("on hold (odd answers); registry release lifts it");
    assert_eq!(approved(&session), first);
    session.run("registry rollback --reason 'further back'").expect(65).says("no model before");
    session.run("registry release").expect(0).says("the hold is lifted");
    session.run("registry promote --from c.json").expect(0);
    let named = format!("registry rollback --reason y --to {first}");
    session.run(&named).expect(0);
    assert_eq!(approved(&session), first);
    session.run("registry rollback --reason y --to models/none.json").expect(65).says("was never approved");
}

#[test]
fn many_at_once_lose_nothing() {
    let session = session();
    session.ok("for m in a b c noise; do (registry promote --from $m.json || true) & done; wait");
    let shown = session.ok("registry show");
    let third = session.ok("fit --recipe r.toml --training-key c.csv");
    assert!(approved(&session).contains(&third[..12]), "the newest wins whatever the order: {shown}");
    assert_eq!(session.ok("registry ls").lines().count(), 5);
}

#[test]
fn damage_is_named_and_a_good_model_gets_past_it() {
    let session = session();
    session.ok("registry promote --from a.json");
    let key = approved(&session);
    session.ok(&format!("echo >> data/{key}"));
    session.run("registry rollback --reason x").expect(65);
    session.ok(&format!("rm data/{key}"));
    session.run("registry promote --from b.json").expect(0).says("warning:").says("which is not there");
    // A stored model of the same training key that was damaged is named, with what to do.
    session.ok("for f in data/models/line_*; do echo x >> $f; done; registry promote --from c.json");
    session.run("registry promote --from b.json").expect(65).says("bucket rm");
    session.ok("echo '{' > data/models/latest_model.json");
    session.run("registry show").expect(65).says("models/latest_model.json: not a pointer");
    session.run("registry show --bucket nowhere").expect(78);
}

/// The recipe with these gates.
fn gates(session: &Session, gates: &str) {
    session.file("g.toml", format!("{RECIPE}{gates}"));
}

#[test]
fn gates_are_asked_with_rows_that_no_model_saw() {
    let session = session();
    gates(&session, "[[gates]]\nmetric = \"rmse\"\nat_most = 20\n");
    let promote = "registry promote --recipe g.toml --rows";
    session
        .run(&format!("{promote} a.csv --from a.json"))
        .expect(1)
        .says("was refused: these rules do not hold: rmse 2")
        .says("is at most 20");
    let show = session.ok("registry show");
    assert!(show.contains("holds  held-out RMSE") && show.contains("FAILS  rmse 2"), "{show}");
    gates(&session, "[[gates]]\nmetric = \"rmse\"\nat_most = 40\nloses_to_approved_by = 0.05\n");
    session.ok(&format!("{promote} b.csv --from b.json"));
    assert!(session.ok("registry show").contains("there is no approved model to compare with"));
    // On rows of the next data, which its own fit is for, c is far better than b; b's features are there, so both are scored.
    session.ok(&format!("{promote} c.csv --from c.json"));
    let show = session.ok("registry show");
    assert!(
        show.contains("is not worse than line_") && show.contains("rows that neither trained on"),
        "{show}"
    );
    // A fourth, of newer data, that is worse on them is refused; and so it stays.
    session.ok("sed 's/,2025-06-01,/,2025-06-09,/' a.csv > d.csv; fit --recipe r.toml d.csv > d.json");
    gates(&session, "[[gates]]\nmetric = \"rmse\"\nloses_to_approved_by = 0.05\n");
    session
        .run(&format!("{promote} c.csv --from d.json"))
        .expect(1)
        .says("is not worse than line_")
        .says("by more than 5.00 %");
    session.run("registry promote --from d.json").expect(1).says("was refused before");
    session.ok("registry promote --from d.json --force --reason 'we know better'");
    session.run("registry promote --from a.json --recipe g.toml").expect(2);
}

#[test]
fn an_approved_model_with_other_features_does_not_keep_others_out() {
    let session = session();
    session.ok("registry promote --from a.json");
    session.ok(
        "sed 's/\\bx\\b/w/' r.toml > w.toml; sed '1s/x/w/' b.csv > w.csv; fit --recipe w.toml w.csv > w.json",
    );
    session.ok("cp w.toml g.toml; printf '[[gates]]\\nmetric = \"rmse\"\\nloses_to_approved_by = 0\\nat_most = 40\\n' >> g.toml");
    session.ok("registry promote --from w.json --recipe g.toml --rows w.csv");
    let show = session.ok("registry show");
    assert!(
        show.contains("holds  rmse: not compared with the approved model: ")
            && show.contains("no column \"x\""),
        "{show}"
    );
}

#[test]
fn the_history_is_a_table_and_what_nobody_names_can_be_removed() {
    let session = session();
    for (day, name) in [(6, "a"), (7, "b"), (20, "c")] {
        session.ok(&format!("echo page {name} > page.html"));
        let now = format!("FAIRWAY_NOW=2026-01-{day:02}T10:00:00Z");
        session.ok(&format!("{now} registry promote --from {name}.json --report page.html"));
    }
    session.ok("cp r.toml data/models/notes_2020-01-01_aaaaaaaaaaaa.txt");
    let history = session.ok("registry history");
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!((lines[0], lines.len()), ("seq,when,who,what,model,why", 4));
    assert!(
        lines[1].starts_with("1,2026-01-06T10:00:00Z,tester,promoted,models/line_2026-01-06_"),
        "{history}"
    );

    let now = "FAIRWAY_NOW=2026-01-21T00:00:00Z";
    let prune = |options: &str| session.run(&format!("{now} registry prune {options}"));
    // All three are named by the last entries.
    prune("").expect(0).says("0 models removed");
    // b stays, too: a rollback would go there.
    let dry = prune("--keep 1 --dry-run");
    dry.expect(0).says("1 model would be removed");
    let models = || session.ok("registry ls").lines().filter(|line| line.contains("models/line_")).count();
    assert_eq!(models(), 3);
    assert_eq!(session.ok("cat data/models/line_2026-01-06_*.html"), "page a\n");
    // One of them is too young to go.
    let ran = prune("--keep 1 --days 15");
    ran.expect(0).says("0 models removed");
    let ran = prune("--keep 1 --days 14");
    ran.expect(0).says("1 model removed");
    assert!(ran.stdout.starts_with("key\nmodels/line_2026-01-06_"), "{ran}");
    prune("--keep 1").expect(0).says("0 models removed");
    assert_eq!(models(), 2);
    session.ok("registry rollback --reason 'worse'; registry release");
    prune("--keep 0").expect(0).says("0 models removed");
    assert_eq!(session.ok("cat data/models/*.html"), "page b\npage c\n", "the pages go with their models");
    assert!(session.ok("ls data/models").contains("notes_2020-01-01_aaaaaaaaaaaa.txt"));
    // The approved one, which is b now, is never among them.
    prune("--keep 0 --days 0").expect(0).says("1 model removed");
    // Without a pointer, nothing says which are needed.
    session.ok("rm data/models/latest_model.json");
    prune("--keep 0 --days 0").expect(65).says("nothing is removed");
    assert_eq!(models(), 1);
}
