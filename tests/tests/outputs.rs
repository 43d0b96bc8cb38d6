//! No output takes the place of what a program reads: every program, every flag that names a file to write, every kind
//! of link.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = "[recipe]\nname = \"line\"\n[keys]\ncolumns = [\"id\"]\nrow = \
                      [\"id\"]\n[columns.id]\ntype = \"integer\"\n\
    [columns.x]\ntype = \"number\"\n[columns.y]\ntype = \"number\"\n[features]\ncolumns = \
    [\"x\"]\n[target]\ncolumn = \"y\"\n\
    [split]\nby = [\"id\"]\nholdout = 0.2\n[[candidates]]\nalgorithm = \"linear\"\n";

const CLASSES: &str = "[recipe]\nname = \"kind\"\n[keys]\ncolumns = [\"id\"]\nrow = \
                       [\"id\"]\n[columns.id]\ntype = \"integer\"\n\
    [columns.x]\ntype = \"number\"\n[columns.k]\ntype = \"text\"\n[features]\ncolumns = \
    [\"x\"]\n[target]\ncolumn = \"k\"\n\
    task = \"classification\"\n[split]\nby = [\"id\"]\nholdout = 0.2\n[[candidates]]\nalgorithm = \"mean\"\n";

fn session() -> Session {
    let session = Session::new();
    let row = |i: usize| format!("{i},{},{},{}\n", i % 17, 2 * (i % 17) + i % 3, ["a", "b"][i % 2]);
    session.file("in.csv", format!("id,x,y,k\n{}", (0..60).map(row).collect::<String>()));
    session.file("r.toml", RECIPE);
    session.file("k.toml", CLASSES);
    session.ok("fit --recipe r.toml in.csv > model.json && fit --recipe k.toml in.csv > kinds.json");
    session.ok("mkdir b && bucket put a/in.csv --from in.csv --bucket ./b");
    session
}

#[test]
fn no_flag_replaces_what_is_read() {
    let session = session();
    session.ok("ln -s in.csv link.csv; ln in.csv hard.csv; ln -s ../r.toml b/recipe.toml; mkdir sub; ln -s \
                ../in.csv sub/in.csv");
    let state = "sha256sum in.csv r.toml k.toml model.json kinds.json b/a/in.csv";
    let before = session.ok(state);
    for line in [
        // The input by name, by another name, by link; on stdin; a file that is read beside it.
        "holdout --by id --share 0.5 --held-out in.csv in.csv",
        "holdout --by id --share 0.5 --held-out in.csv < in.csv",
        "holdout --by id --share 0.5 --held-out sub/../link.csv in.csv",
        "holdout --recipe r.toml --held-out r.toml in.csv",
        "clean --recipe r.toml --rejects in.csv in.csv",
        "clean --recipe r.toml --rejects in.csv < in.csv",
        "clean --recipe r.toml --rejects hard.csv in.csv",
        "clean --recipe r.toml --rejects sub/in.csv link.csv",
        "clean --recipe r.toml --rejects r.toml in.csv",
        "clean --recipe r.toml --rejects b/recipe.toml in.csv",
        "predict --model model.json --rejects model.json in.csv",
        "predict --model model.json --rejects in.csv < in.csv",
        "score --model kinds.json --rows all --confusion kinds.json in.csv",
        "score --model kinds.json --rows all --confusion in.csv < in.csv",
        "bucket cat a/ --bucket ./b --manifest b/a/in.csv",
        "bucket get a/in.csv --bucket ./b --to b/a/in.csv",
        // Two outputs that are one file.
        "clean --recipe r.toml --rejects x.csv in.csv > x.csv",
        "holdout --by id --share 0.5 --held-out x.csv in.csv > x.csv",
        "predict --model model.json --rejects x.csv in.csv > x.csv",
        "bucket cat a/ --bucket ./b --manifest x.csv > x.csv",
        "score --model kinds.json --rows all --confusion x.csv in.csv > x.csv",
        "clean --recipe r.toml --rejects x.csv in.csv 2> x.csv; code=$?; cat x.csv >&2; exit $code",
    ] {
        let ran = session.run(line);
        ran.expect(2).says("name another one");
        assert_eq!(session.ok(state), before, "{line}");
        let left = session.ok("find . -name '.fairway-*'");
        assert_eq!(left, "", "{line}");
    }
    // What nobody reads is replaced, as ever; a pipe and a device are written as they come.
    session.ok("clean --recipe r.toml --rejects x.csv in.csv > y.csv && clean --recipe r.toml --rejects \
                x.csv in.csv > y.csv");
    session.ok("clean --recipe r.toml --rejects /dev/null in.csv > /dev/null");
    session.ok("clean --recipe r.toml --rejects /dev/stderr in.csv > y.csv");
}

#[test]
fn an_input_that_the_shell_has_emptied_is_not_taken_for_an_empty_one() {
    let session = session();
    session.file("small.csv", "id,x,y,k\n1,1,1,a\n");
    for line in [
        "clean --recipe r.toml small.csv > small.csv",
        "cp in.csv a.csv; clean --recipe r.toml < a.csv > a.csv",
        "cp in.csv a.csv; clean --recipe r.toml a.csv >> a.csv",
        "cp in.csv a.csv; ln -sf a.csv c.csv; predict --model model.json c.csv > a.csv",
        "cp in.csv a.csv; holdout --by id --share 0.5 --held-out h.csv a.csv > a.csv",
    ] {
        session.run(line).expect(2).says("it is also where the output goes");
    }
}

#[test]
fn logs_are_not_appended_to_what_is_read() {
    let session = session();
    session.ok("predictd keys create me --keys keys.json > key.txt");
    session.file("serve.toml", "listen = \"127.0.0.1:0\"\n[[models]]\nfile = \"model.json\"\n");
    let before = session.ok("sha256sum model.json keys.json");
    for log in ["--log model.json", "--access-log ./model.json", "--log keys.json --keys keys.json"] {
        let ran = session.run(&format!("timeout 60 predictd --listen 127.0.0.1:0 --model model.json {log}"));
        ran.expect(2).says("name another one");
        assert_eq!(session.ok("sha256sum model.json keys.json"), before, "{log}");
    }
}

#[test]
fn a_database_that_nobody_keeps_is_refused() {
    let session = session();
    for program in ["db-load listing", "db-query counts", "db-load migrate"] {
        let line = format!("{program} --db sqlite::memory: --schema ../none < /dev/null");
        let ran = session.run(&line.replace("--schema ../none", &format!("--schema {}", golf())));
        ran.expect(2).says("is gone when the program ends");
    }
}

#[test]
fn what_goes_to_a_closed_stream_is_not_taken_for_kept() {
    let session = session();
    session.file("keys.json", "{\"v\":\"fairway.keys/1\",\"keys\":[]}\n");
    let keys = session.ok("sha256sum keys.json");
    for line in [
        "clean --recipe r.toml in.csv",
        "predict --model model.json in.csv",
        "holdout --by id --share 0.5 --held-out out.csv in.csv",
        "score --model model.json --rows all in.csv",
        "fit --recipe r.toml in.csv",
        "drift --model model.json in.csv",
        "model show model.json",
        "model export --onnx model.json",
        "bucket ls --bucket ./b",
        "bucket cat a/ --bucket ./b",
        "bucket get a/in.csv --bucket ./b",
        "registry ls --prefix models/ --bucket ./b",
        "predictd keys create somebody --keys keys.json",
        "predictd --model model.json --access-log - --listen 127.0.0.1:0",
        "clean --help",
        "clean --version",
        "clean --generate man",
    ] {
        session.run(&format!("{line} >&-")).expect(74).says("stdout: it is closed");
    }
    assert_eq!(session.ok("sha256sum keys.json"), keys, "a key that nobody has seen");
    // What Python calls DEVNULL: a caller's own word that no output is wanted.
    session.ok("clean --recipe r.toml in.csv 1<> /dev/null");
    let full = session.run("predictd keys create somebody --keys keys.json > /dev/full");
    full.expect(74).says("has a key that was not shown");
    for line in [
        "clean --recipe r.toml",
        "fit --recipe r.toml",
        "db-load rows t --db sqlite:x.db",
        "predict --model model.json",
    ] {
        session.run(&format!("{line} <&-")).expect(74).says("stdin: it is closed");
    }
}

fn golf() -> String {
    pipelines::repo().join("scripts/golf/schema.toml").display().to_string()
}
