//! `registry` through its real binary, on a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = "[recipe]\nname = \"line\"\n[registry]\nprefix = \"models/\"\n[keys]\ncolumns = [\"g\", \"day\", \"row\"]\nrow = [\"row\"]\ntime = \"day\"\n\
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

#[test]
fn a_damaged_pointer_is_seen_and_its_remedy_keeps_the_hold() {
    let session = session();
    session.run("registry verify").expect(0);
    for name in ["a", "b", "c"] {
        session.ok(&format!("registry promote --from {name}.json"));
    }
    session.run("registry restore").expect(1).says("is whole");
    session.ok("registry rollback --reason 'c is worse'");
    let rolled_back = approved(&session);
    session.run("registry verify").expect(0).says("the pointer and 3 models are whole");
    let whole = session.read("data/models/latest_model.json");
    // One letter of each line, or one of the bits of it: never another answer than the one that was written.
    let answers = session.ok("registry approved; registry history");
    let mut noticed = 0;
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] ^= 1;
        session.file("data/models/latest_model.json", &bytes);
        let ran = session.run("registry approved && registry history");
        match ran.code {
            65 => noticed += 1,
            0 => assert_eq!(ran.stdout, answers, "byte {at} was not noticed"),
            _ => panic!("byte {at}: {ran}"),
        }
        assert_ne!(session.run("registry promote --from c.json").code, 0, "byte {at}");
    }
    assert!(noticed > whole.len() / 9, "{noticed} of {}", whole.len() / 7);
    session.file("data/models/latest_model.json", "{");
    session.run("registry verify").expect(65).says("registry restore");
    session.run("registry promote --from c.json").expect(65).says("registry restore");
    // Whether it is damaged or gone: what was rolled back is not promoted again.
    for damage in ["true", "rm data/models/latest_model.json"] {
        session.ok(damage);
        session.run("registry promote --from c.json").expect(65).says("registry restore");
        session.run("registry restore").expect(0).says("held there until registry release");
        assert_eq!(approved(&session), rolled_back);
        session
            .run("registry promote --from c.json")
            .expect(1)
            .says("on hold (c is worse; restored from its copy");
        session.ok("registry history | grep -q ',restored,'");
    }
    session.run("registry verify").expect(0);
    // A model that is gone is not approved without a word.
    session.ok(&format!("rm data/{rolled_back}"));
    session.run("registry approved").expect(65).says("it is not there");
    session.run("registry verify").expect(65);
    // A pointer of the first version has no seal, and gets one when it is moved.
    session.file("data/models/latest_model.json", whole.replace("fairway.pointer/2", "fairway.pointer/1"));
    session.run("registry show").expect(65).says("seal does not hold");
    let first: String = whole
        .lines()
        .filter(|line| !line.starts_with("  \"sha256\""))
        .map(|line| format!("{line}\n"))
        .collect();
    session.file("data/models/latest_model.json", first.replace("fairway.pointer/2", "fairway.pointer/1"));
    session.run("registry show").expect(0);
    session.ok("registry release");
    assert!(session.read("data/models/latest_model.json").contains("fairway.pointer/2"));
}

#[test]
fn a_copy_that_a_killed_run_did_not_leave_is_left_by_the_next() {
    let session = session();
    let copy = "data/models/latest_model.copy.json";
    let is_whole = |after: &str| {
        assert_eq!(session.read(copy), session.read("data/models/latest_model.json"), "{after}");
        session.run("registry verify").expect(0);
    };
    session
        .ok(&format!("registry promote --from a.json; cp {copy} first.json; registry promote --from b.json"));
    is_whole("a move");
    for (lost, code, line) in [
        (format!("rm {copy}"), 0, "registry promote --from b.json"),
        (format!("cp first.json {copy}"), 0, "registry promote --from b.json"),
        (format!("echo x > {copy}"), 0, "registry promote --from b.json"),
        (format!("rm {copy}"), 0, "registry promote --from a.json"),
        (format!("registry promote --from noise.json; rm {copy}"), 1, "registry promote --from noise.json"),
        (format!("registry rollback --reason x; rm {copy}"), 1, "registry promote --from c.json"),
    ] {
        session.run(&lost);
        session.run(line).expect(code);
        is_whole(&lost);
    }
}

/// Three objects of one season, and a model of what lies there.
fn train(session: &Session) -> pipelines::Ran {
    session.run(
        "bucket cat training_data/ --manifest m.json > all.csv && fit --recipe r.toml --manifest m.json all.csv > now.json && \
         registry promote --from now.json --data training_data/",
    )
}

#[test]
fn data_that_are_again_what_they_were_get_their_model_back() {
    let session = session();
    session.ok("rm -r data && mkdir data");
    for name in ["a", "b", "c"] {
        // The rows of each have keys of their own.
        let shift = 1_000 * (1 + u32::from(name.as_bytes()[0] - b'a'));
        session.ok(&format!(
            "awk -F, -v OFS=, 'NR > 1 {{ $3 += {shift}; $1 += {shift} }} 1' {name}.csv > part.csv && bucket put training_data/{name}.csv --from part.csv"
        ));
    }
    train(&session).expect(0).says("is the approved model now");
    let whole = approved(&session);
    // One is missing for a while, in the middle and at the end of time.
    for missing in ["b", "c"] {
        session.ok(&format!(
            "bucket get training_data/{missing}.csv --to aside.csv && bucket rm training_data/{missing}.csv"
        ));
        train(&session).expect(0).says("is the approved model now");
        session.ok("cp now.json part.json");
        assert_ne!(approved(&session), whole, "{missing}");
        session.ok(&format!("bucket put training_data/{missing}.csv --from aside.csv"));
        train(&session).expect(0).says("is the approved model now");
        assert_eq!(approved(&session), whole, "{missing}");
        // A late run of what is not there any more undoes nothing.
        session.run("registry promote --from part.json --data training_data/").expect(0).says("stays aside");
        session.run("registry promote --from part.json").expect(0).says("stays aside");
        assert_eq!(approved(&session), whole, "{missing}");
    }
    // The same keys with other content are not the same data.
    session.ok("bucket get training_data/b.csv --to aside.csv && sed 's/,7,/,8,/' aside.csv > other.csv && bucket put training_data/b.csv --from other.csv");
    train(&session).expect(0).says("is the approved model now");
    session.ok("cp now.json other.json && bucket put training_data/b.csv --from aside.csv");
    train(&session).expect(0).says("is the approved model now");
    session.run("registry promote --from other.json --data training_data/").expect(0).says("stays aside");
    assert_eq!(approved(&session), whole);
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
    session.run("registry promote --from a.json --recipe g.toml").expect(2).says("--rows");
    session.run("registry promote --from a.json --rows a.csv").expect(2).says("--recipe");
    // A recipe that is around anyway says where the models are; its gates are asked with rows only.
    session.run("FAIRWAY_RECIPE=g.toml registry promote --from c.json").expect(0);
    session.run("FAIRWAY_RECIPE=g.toml registry promote --from d.json --rows c.csv").expect(0);
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
    session.ok("rm data/models/latest_model*.json");
    prune("--keep 0 --days 0").expect(65).says("nothing is removed");
    assert_eq!(models(), 1);
}

/// The objects below a prefix, with their digests.
fn objects(session: &Session, prefix: &str) -> String {
    session.ok(&format!("bucket ls {prefix} --sha256"))
}

#[test]
fn recipes_share_a_bucket_and_do_not_touch_each_other() {
    let session = session();
    // Beside each other, and one inside the other's prefix: `line` keeps its models under models/ itself.
    let named =
        |name: &str| RECIPE.replace("\"line\"", &format!("\"{name}\"")).replace("prefix = \"models/\"\n", "");
    session.file("wide.toml", named("wide"));
    session.file("deep.toml", named("deep"));
    for (file, at) in [("r", "models/"), ("wide", "models/wide/"), ("deep", "models/deep/")] {
        for (day, data) in [(1, "a"), (2, "b"), (3, "c")] {
            session.ok(&format!("fit --recipe {file}.toml {data}.csv > {file}-{data}.json"));
            let now = format!("FAIRWAY_NOW=2026-01-0{day}T10:00:00Z");
            session
                .run(&format!("{now} registry promote --recipe {file}.toml --from {file}-{data}.json"))
                .expect(0)
                .says(&format!("registry: {at}"))
                .says("is the approved model now");
        }
        let approved = session.ok(&format!("registry approved --recipe {file}.toml"));
        assert!(
            approved.contains(&format!("\"key\":\"{at}")) && approved.contains("_2026-01-03_"),
            "{approved}"
        );
        assert!(session.path(&format!("data/{at}latest_model.json")).exists());
        let listed = session.ok(&format!("registry ls --recipe {file}.toml"));
        assert_eq!(listed.lines().count(), 1 + 3, "{listed}");
        assert!(listed.lines().skip(1).all(|line| line.starts_with(at)), "{listed}");
    }
    // Every verb in one prefix; not a byte changes in the others.
    let own = |session: &Session| {
        let all = objects(session, "models/");
        all.lines().filter(|line| line.matches('/').count() == 1).collect::<Vec<_>>().join("\n")
    };
    let (line, deep) = (own(&session), objects(&session, "models/deep/"));
    let later = "FAIRWAY_NOW=2026-03-01T00:00:00Z registry";
    session.ok(&format!("{later} rollback --reason odd --recipe wide.toml"));
    session.ok(&format!("{later} release --recipe wide.toml"));
    session.run(&format!("{later} prune --keep 0 --recipe wide.toml")).expect(0).says("1 model removed");
    assert_eq!(objects(&session, "models/wide/").lines().count(), 1 + 4);
    assert_eq!((own(&session), objects(&session, "models/deep/")), (line.clone(), deep.clone()));
    // And in the prefix around them, whose models have the others' below it.
    let wide = objects(&session, "models/wide/");
    session.ok(&format!("{later} rollback --reason odd"));
    session.run(&format!("{later} prune --keep 0 --days 0")).expect(0).says("1 model removed");
    assert_eq!((objects(&session, "models/wide/"), objects(&session, "models/deep/")), (wide, deep));
    assert_ne!(own(&session), line);
    // Removed here, still there; a recipe of the same sections gives the same training key.
    let key = session.ok("fit --recipe deep.toml --training-key c.csv");
    session.run(&format!("registry find {key}")).expect(1);
    assert_eq!(session.ok(&format!("registry find --recipe deep.toml {key}")), session.read("deep-c.json"));
    assert!(
        session.ok("registry show").contains("hold:")
            && !session.ok("registry show --recipe deep.toml").contains("hold:")
    );
}

#[test]
fn a_prefix_comes_from_flag_environment_or_recipe() {
    let session = session();
    session.file("own.toml", RECIPE.replace("prefix = \"models/\"\n", ""));
    session.file("bad.toml", RECIPE.replace("\"models/\"", "\"models\""));
    session.ok("registry promote --from a.json --prefix here/");
    session.ok("registry approved --prefix here/");
    session.ok("FAIRWAY_PREFIX=here/ registry approved");
    // The flag before the environment, the environment before the recipe.
    session.run("FAIRWAY_PREFIX=there/ registry approved").expect(1);
    session.ok("FAIRWAY_PREFIX=there/ registry approved --prefix here/");
    session.ok("FAIRWAY_PREFIX=here/ registry approved --recipe own.toml");
    session.run("registry approved --recipe own.toml").expect(1);
    session.ok("FAIRWAY_RECIPE=own.toml registry promote --from b.json");
    session.ok("registry approved --prefix models/line/");
    session.ok("FAIRWAY_RECIPE=r.toml registry history --recipe own.toml | grep -q promoted");
    assert_eq!(session.ok("registry history").lines().count(), 1, "nothing is under models/ itself");
    session.run("registry show --prefix models").expect(2).says("does not end in a slash");
    session.run("registry show --recipe bad.toml").expect(78).says("bad.toml: [registry]: prefix \"models\"");
    session.run("registry show --recipe none.toml").expect(78).says("none.toml");
}
