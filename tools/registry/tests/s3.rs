//! `registry` on S3, where what is listed may be older than what is there.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Session, repo};
use servers::{Fault, Seaweed, Trouble};

#[test]
fn a_key_that_is_there_and_never_listed_ends_the_run() {
    let server = Seaweed::shared();
    let fault = Fault::before(server.port());
    let mut session = Session::new();
    for (name, value) in Seaweed::env(&fault.url()) {
        session.set(name, value);
    }
    let bucket = server.new_bucket();
    session.set("FAIRWAY_BUCKET", format!("s3://{bucket}/golf"));
    session.set("MODEL", repo().join("fixtures/models/fairway-model-3-linear.json"));
    let promote = "registry promote --from \"$MODEL\" --force --reason test";
    session.ok(promote);
    let shown = session.ok("registry show");
    // The same model in other bytes: its key is taken, and only the listing would tell by what.
    session.ok("tr -d '\\n' < \"$MODEL\" > other.json");
    session.set("MODEL", session.path("other.json"));
    let asked = fault.asked();
    let (list, _) = asked.iter().find_map(|line| line.split_once("list-type=2")).unwrap();
    let list: &'static str = Box::leak(list.to_owned().into_boxed_str());
    let nothing =
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let asked = fault.asked().len();
    fault.plan(list, 10_000, Trouble::Say(200, "content-type: application/xml\r\n", nothing.into()));
    session.run(promote).expect(69).says("the bucket says that it is there, and does not list it");
    let asked: Vec<String> = fault.asked()[asked..].to_vec();
    assert!(asked.len() < 30, "{asked:?}");
    assert!(asked.iter().any(|line| line.starts_with("PUT")), "{asked:?}");
    fault.forget();
    assert_eq!(session.ok("registry show"), shown);
    session.run(promote).expect(0).says("is the approved model already");
}
