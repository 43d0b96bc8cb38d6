//! `bucket` through its real binary, on a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

fn session() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_BUCKET", "./data");
    session.ok("mkdir data");
    session
}

#[test]
fn what_is_put_is_got_with_its_digest() {
    let session = session();
    session.file("x.csv", "a,b\n1,2\n");
    let sha256 = session.ok("bucket put p/x.csv --from x.csv");
    assert_eq!(sha256, session.ok("sha256sum x.csv | cut -d' ' -f1"));
    assert_eq!(session.ok("bucket get p/x.csv"), "a,b\n1,2\n");
    session.ok("bucket get p/x.csv --to y.csv && cmp x.csv y.csv");
    assert_eq!(session.ok("bucket ls"), "key,size_bytes\np/x.csv,8\n");
    assert_eq!(session.ok("bucket ls p/ --sha256 | tail -n 1"), format!("p/x.csv,8,{sha256}"));
    session.ok("bucket rm p/x.csv && bucket rm p/x.csv");
    session.run("bucket get p/x.csv").expect(65).says("there is no such object");
}

#[test]
fn cat_joins_under_one_header_and_records_what_it_read() {
    let session = session();
    session.file("1.csv", "a,b\n1,2\n");
    session.file("2.csv", "a,b\n3,\"x, y\"\n5,6\n");
    session.ok("bucket put p/1.csv --from 1.csv && bucket put p/2.csv --from 2.csv");
    session.run("bucket cat p/ --manifest m.json > all.csv").expect(0).says("3 rows of 2 objects");
    assert_eq!(session.read("all.csv"), "a,b\n1,2\n3,\"x, y\"\n5,6\n");
    let manifest = session.read("m.json");
    for words in
        ["\"rows\": 3", "\"key\": \"1.csv\"", session.ok("sha256sum < all.csv | cut -d' ' -f1").trim()]
    {
        assert!(manifest.contains(words), "{words} {manifest}");
    }
}

#[test]
fn headers_that_differ_are_named_and_refused() {
    let session = session();
    session.file("1.csv", "a,b\n1,2\n");
    session.file("2.csv", "a,c\n3,4\n");
    session.ok("bucket put p/1.csv --from 1.csv && bucket put p/2.csv --from 2.csv");
    let ran = session.run("bucket cat p/ --manifest m.json");
    ran.expect(65).says("p/2.csv: its header is a,c, but that of p/1.csv is a,b");
    assert!(!session.path("m.json").exists());
    session.run("bucket cat q/").expect(65).says("no objects below this prefix");
}

#[test]
fn an_object_that_was_cut_is_refused_by_name() {
    let session = session();
    session.file("data/p/1.csv", "a,b\n1,2");
    session.run("bucket cat p/").expect(65).says("p/1.csv: the last line lacks its newline");
}

/// Two good objects with one row each, and what a recipe says of objects that are not.
fn objects(session: &Session, training: &str) {
    session.file("data/p/1.csv", "k,x,t,y\n1,1,a,1\n");
    session.file("data/p/9.csv", "k,x,t,y\n9,2,b,2\n");
    session.file(
        "r.toml",
        format!(
            "[recipe]\nname = \"few\"\n{training}[keys]\ncolumns = [\"k\"]\nrow = [\"k\"]\n[columns.k]\ntype = \"integer\"\n\
             [columns.x]\ntype = \"number\"\n[columns.t]\ntype = \"text\"\n[columns.y]\ntype = \"number\"\n\
             [features]\ncolumns = [\"x\", \"t\"]\n[target]\ncolumn = \"y\"\n[split]\nby = [\"k\"]\nholdout = 0\n\
             [[candidates]]\nalgorithm = \"mean\"\n"
        ),
    );
}

#[test]
fn bad_objects_are_left_out_only_where_the_recipe_says_so() {
    let session = session();
    session.ok("mkdir data/p");
    let line = "bucket cat p/ --recipe r.toml --manifest m.json > all.csv";
    for (content, reason) in [
        ("k,x,t,y\n5,much,a,1\n", "p/5.csv: line 2, column \"x\": \"much\" is not a number"),
        ("k,x,t,y\n5,3,a,1\n6,,a,1\n", "p/5.csv: line 3, column \"x\": \"\" is not a number"),
        ("k,x,t,y\n5,3,,1\n", "p/5.csv: line 2, column \"t\" is empty"),
        ("k,x,t,y\n5,3,a,inf\n", "p/5.csv: line 2, column \"y\": \"inf\" is not a number"),
        ("k,x,t,y\n5,3,a\n", "p/5.csv: line 2: 3 cells, but the header has 4"),
        ("k,x,t,y\n5,3,a,1", "p/5.csv: the last line lacks its newline"),
        ("k,x,t\n5,3,a\n", "p/5.csv: its header is k,x,t, but the recipe's rows have k,x,t,y"),
        ("k,t,x,y\n5,a,3,1\n", "p/5.csv: its header is k,t,x,y, but the recipe's rows have k,x,t,y"),
        ("", "p/5.csv: "),
    ] {
        session.ok("rm -f m.json");
        objects(&session, "[training]\non_bad_object = \"exclude\"\nbad_objects_at_most = 1\n");
        session.file("data/p/5.csv", content);
        session.run(line).expect(0).says(reason).says("2 rows of 2 objects, 1 left out");
        assert_eq!(session.read("all.csv"), "k,x,t,y\n1,1,a,1\n9,2,b,2\n", "{reason}");
        let manifest = session.read("m.json");
        assert!(manifest.contains("\"excluded\"") && manifest.contains("\"key\": \"5.csv\""), "{manifest}");
        session.ok("fit --recipe r.toml --manifest m.json all.csv > model.json");
        assert!(session.ok("model show model.json").contains("left out    p/5.csv"), "{reason}");
    }
    // What is left out is part of what a model was made from.
    let with = session.ok("fit --training-key --recipe r.toml --manifest m.json");
    session.ok("mv data/p/5.csv aside && bucket cat p/ --recipe r.toml --manifest m2.json > all2.csv && cmp all.csv all2.csv");
    assert_ne!(with, session.ok("fit --training-key --recipe r.toml --manifest m2.json"));
    // An odd object that comes first does not make the others odd.
    session.ok("mv aside aside2 && printf 'k,t,x,y\\n0,a,3,1\\n' > data/p/0.csv");
    session.run(line).expect(0).says("p/0.csv: its header").says("2 rows of 2 objects, 1 left out");
    session.ok("rm data/p/0.csv && mv aside2 aside");
    // Nor a class that the recipe does not have.
    let text = session
        .read("r.toml")
        .replace("column = \"y\"", "column = \"y\"\ntask = \"classification\"\nclasses = [\"1\", \"2\"]");
    session.file("classes.toml", text);
    session.ok("printf 'k,x,t,y\\n5,3,a,3\\n' > data/p/5.csv");
    session
        .run("bucket cat p/ --recipe classes.toml")
        .expect(0)
        .says("p/5.csv: line 2, column \"y\": \"3\" is not among [target] classes");
    // One more than the recipe takes.
    session.ok("cp aside data/p/5.csv && cp aside data/p/0.csv && rm m.json");
    session
        .run(line)
        .expect(65)
        .says("p/0.csv: ")
        .says("p/5.csv: ")
        .says("more bad objects than [training] bad_objects_at_most = 1");
    assert!(!session.path("m.json").exists());
    session.ok("rm data/p/1.csv data/p/9.csv data/p/0.csv");
    session.run(line).expect(65).says("every object was left out");
    // Without the recipe's word, and without a recipe, one of them is the end.
    objects(&session, "");
    session.file("data/p/5.csv", "k,x,t\n5,3,a\n");
    session.run(line).expect(65).says("p/5.csv");
    session.run("bucket cat p/ > all.csv").expect(65).says("p/5.csv");
    objects(&session, "[training]\non_bad_object = \"exclude\"\n");
    session.run(line).expect(78).says("needs bad_objects_at_most");
}

#[test]
fn only_a_whole_file_can_be_put() {
    let session = session();
    session.run("bucket put k --from none").expect(74).says("none");
    session.run("printf x | bucket put k --from /dev/stdin").expect(2).says("not a regular file");
    session.run("bucket put ../k --from /etc/hostname").expect(2).says("starts with a dot");
    session.file("a", "1");
    session.file("b", "2");
    session.ok("bucket put k --from a --if-absent && bucket put k --from a --if-absent");
    session.run("bucket put k --from b --if-absent").expect(1).says("an object with other content");
    assert_eq!(session.ok("bucket get k"), "1");
}

#[test]
fn a_bucket_that_is_not_there_is_never_made() {
    let mut session = session();
    session.set("FAIRWAY_BUCKET", "./nowhere");
    session.file("a", "1");
    session
        .run("bucket put k --from a")
        .expect(78)
        .says("there is no such bucket")
        .says("mkdir -p ./nowhere");
    if !cfg!(feature = "s3") {
        session.run("bucket ls --bucket s3://x/y").expect(78).says("--features s3");
    }
    session.run("bucket ls --bucket ftp://x").expect(2);
    assert!(!session.path("nowhere").exists());
}

#[test]
fn a_killed_writer_leaves_no_object_and_its_leftover_is_swept() {
    let session = session();
    session.file("data/.fairway/under-way/.tmpOLD", "half");
    session.ok("touch -d '1 hour ago' data/.fairway/under-way/.tmpOLD");
    assert_eq!(session.ok("bucket ls"), "key,size_bytes\n");
    session.file("a", "1");
    session.ok("bucket put k --from a");
    assert_eq!(session.ok("ls -A data/.fairway/under-way"), "");
}

#[test]
fn links_are_followed_by_every_verb_and_one_that_leads_back_has_an_end() {
    let session = Session::new();
    session.ok("mkdir -p data elsewhere/part && ln -s ../elsewhere data/training_data && ln -s . data/again && ln -s ../nowhere data/lost");
    session.file("one.csv", "k,x\n1,2\n");
    session.ok("bucket put training_data/one.csv --from one.csv --bucket ./data && bucket put training_data/part/two.csv --from one.csv --bucket ./data");
    session.ok("ln -s ../elsewhere/one.csv data/three.csv");
    let listed = session.ok("bucket ls --bucket ./data");
    let keys: Vec<&str> = listed.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(keys, ["three.csv", "training_data/one.csv", "training_data/part/two.csv"]);
    assert_eq!(session.ok("bucket ls training_data/part/ --bucket ./data").lines().count(), 2);
    for key in keys {
        assert_eq!(session.ok(&format!("bucket get {key} --bucket ./data")), "k,x\n1,2\n");
    }
}
