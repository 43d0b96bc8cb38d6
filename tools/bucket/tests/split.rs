//! `bucket split` through its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

fn session() -> Session {
    let mut session = Session::new();
    std::fs::create_dir(session.path("b")).unwrap();
    session.set("FAIRWAY_BUCKET", "b");
    session
}

const SPLIT: &str = "bucket split --list list --by team,year --from all.csv";

#[test]
fn each_part_is_what_it_would_be_alone() {
    let session = session();
    session.file("list", "year,object_key,team\n2025,p/b.csv,\"B, 2\"\n2025,p/a.csv,A\n2024,p/none.csv,A\n");
    session.file(
        "all.csv",
        "id,team,year,name\n1,A,2025,\"x \"\"y\"\"\"\n2,A,2025,\"line\nend\"\n3,\"B, 2\",2025,\n",
    );
    let ran = session.run(SPLIT);
    ran.expect(0).says("3 objects from 3 rows");
    assert_eq!(
        session.read("b/p/a.csv"),
        "id,team,year,name\n1,A,2025,\"x \"\"y\"\"\"\n2,A,2025,\"line\nend\"\n"
    );
    assert_eq!(session.read("b/p/b.csv"), "id,team,year,name\n3,\"B, 2\",2025,\n");
    assert_eq!(session.read("b/p/none.csv"), "id,team,year,name\n", "no rows: a header");
    // The list comes back in its order, with the digests that `ls` finds.
    assert_eq!(
        ran.stdout.lines().map(|line| line.rsplit_once(',').unwrap().0).collect::<Vec<_>>(),
        ["year,object_key,team", "2025,p/b.csv,\"B, 2\"", "2025,p/a.csv,A", "2024,p/none.csv,A"]
    );
    for (key, line) in [("p/b.csv", 1), ("p/a.csv", 2), ("p/none.csv", 3)] {
        let digest = ran.stdout.lines().nth(line).unwrap().rsplit(',').next().unwrap();
        let listed = session.ok(&format!("bucket ls {key} --sha256 | tail -n 1"));
        assert!(digest.len() == 64 && listed.contains(digest), "{key}: {digest} {listed}");
    }
    assert_eq!(session.run(SPLIT).expect(0).stdout, ran.stdout, "again");
}

#[test]
fn many_parts_are_all_there() {
    let session = session();
    let names: Vec<String> = (0..300).map(|n| format!("t{n:03}")).collect();
    let list: String = names.iter().rev().map(|name| format!("{name},1,{name}.csv\n")).collect();
    let rows: String =
        names.iter().map(|name| format!("{name},1,{}\n", "x".repeat(1_000)).repeat(20)).collect();
    session.file("list", format!("team,year,object_key\n{list}"));
    session.file("all.csv", format!("team,year,text\n{rows}"));
    session.run(SPLIT).expect(0).says("300 objects from 6,000 rows");
    assert_eq!(
        session.ok("cat b/t*.csv | grep -v ^team | sha256sum"),
        session.ok("tail -n +2 all.csv | sha256sum")
    );
}

#[test]
fn what_fits_no_object_is_refused_and_what_was_cut_is_not_put() {
    let session = session();
    session.file("list", "team,year,object_key\nA,1,a\nB,1,b\n");
    session.file("all.csv", "team,year\nA,1\nC,1\n");
    session.run(SPLIT).expect(65).says("line 3: the row belongs to no object of the list");
    session.file("all.csv", "team,year\nA,1\nB,1\nA,1\n");
    session.run(SPLIT).expect(65).says("line 4: rows of a stand apart");
    session.ok("rm -r b/*");
    session.file("all.csv", "team,year\nA,1\nB,1\nB,");
    session.run(SPLIT).expect(65).says("the stream was cut");
    assert!(!session.path("b/b").exists(), "a part that may be cut is not put");
    session.file("all.csv", "team,other\nA,1\n");
    session.run(SPLIT).expect(65).says("no column \"year\"");
    session.file("list", "team,year,object_key\nA,1,a\nA,1,b\n");
    session.run(SPLIT).expect(65).says("stands in the list twice");
    session.file("list", "team,year,object_key\nA,1,../a\n");
    session.file("all.csv", "team,year\nA,1\n");
    session.run(SPLIT).expect(2).says("key \"../a\"");
    session
        .run("cat list | bucket split --list list --by team,year --from /dev/stdin")
        .expect(2)
        .says("one first");
}
