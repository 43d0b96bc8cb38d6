//! `db-query rows` of a table that keeps every version of its rows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;
use servers::MariaDb;

const SCHEMA: &str = "
[schema]
system = \"x\"

[tables.t]
key = [\"k\"]
partition = [\"p\"]
write = \"upsert\"
history = true
about = [\"fetched_at\", \"known_at\"]

[tables.t.columns]
k = \"integer\"
p = \"text(4)\"
v = \"text\"
fetched_at = \"instant\"
known_at = \"instant\"
";

#[test]
fn rows_are_what_was_known_then() {
    for url in ["sqlite:x.db".to_owned(), MariaDb::shared().new_database()] {
        let mut session = Session::new();
        session.file("schema.toml", SCHEMA);
        session.set("FAIRWAY_SCHEMA", session.path("schema.toml"));
        session.set("FAIRWAY_DB", &url);
        session.file(
            "one",
            "k,p,v,fetched_at\n1,a,first,2025-06-01T10:00:00Z\n2,a,other,2025-06-01T10:00:00Z\n",
        );
        session.file("two", "k,p,v,fetched_at\n1,a,second,2025-06-03T10:00:00Z\n");
        session.file("past", "k,p,v,fetched_at\n3,b,old,2025-06-04T10:00:00Z\n");
        // The newer one first: any order ends alike.
        session.ok("db-load rows t two && db-load rows t one && db-load rows t past --backfill");
        let values = |line: &str| session.ok(&format!("db-query rows t {line} | tail -n +2 | cut -d, -f1,3"));
        assert_eq!(values(""), "1,second\n2,other\n3,old\n");
        assert_eq!(values("--as-of 2025-06-02T00:00:00Z --partition a"), "1,first\n2,other\n");
        assert_eq!(values("--as-of 2025-06-03T12:00:00+02:00 --partition a"), "1,second\n2,other\n");
        assert_eq!(values("--as-of 2025-05-01T00:00:00Z --partition a"), "");
        let history = session.ok("db-query rows t --history");
        assert_eq!(history.lines().count(), 1 + 4, "{history}");
        assert!(history.contains("1,a,first,2025-06-01T10:00:00.000Z"), "{history}");
        assert!(history.contains("1,a,second,2025-06-03T10:00:00.000Z"), "{history}");
        session.run("db-query rows t --as-of yesterday").expect(2).says("yesterday");
        session.run("db-query rows t --history --partition a").expect(2);
    }
}
