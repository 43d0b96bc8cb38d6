//! What a schema may say, what is said of one that it may not, and digests that never change.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use failure::Kind;
use schema::{PartitionKey, Revision, Schema, Source, Table, Type, Value, Write};

/// A schema that is right, in pieces that tests replace.
const RIGHT: &str = r#"
[schema]
system = "trade"

[tables.prices]
key = ["ware", "day", "source"]
partition = ["ware", "month(day)"]
write = "upsert"
newer = ["stated_at"]
about = ["stated_at", "fetched_at", "raw"]
history = false

[tables.prices.columns]
ware = "text(16)"
day = "date"
source = "text(8)"
price = "number"
words = "text"
stated_at = "instant"
fetched_at = "instant"
raw = "text"

[tables.counts]
key = ["depot", "counted_at", "ware"]
partition = ["depot", "day(counted_at)"]
write = "replace"
min_share = 0.5

[tables.counts.columns]
depot = "text(16)"
counted_at = "instant"
ware = "text(16)"
pieces = "integer"

[tables.counts.partitions]
listing = { place = "text", until = "date" }
time = "until"

[exports.prices]
table = "prices"
object = "prices/{ware}_{day_month}.csv"

[exports.sheet]
sql = "sheet.sql"
over = ["prices"]
partition = ["ware", "month(day)"]
object = "sheets/{ware}/{day_month}.csv"

[views.cheap]
sql = "cheap.sql"
"#;

fn with(from: &str, to: &str) -> String {
    assert!(RIGHT.contains(from), "{from}");
    RIGHT.replacen(from, to, 1)
}

fn refused(text: &str) -> String {
    let failure = text.parse::<Schema>().expect_err(text);
    assert_eq!(failure.kind(), Kind::Config, "78: {failure}");
    failure.to_string()
}

#[test]
fn a_schema_is_read() {
    let schema: Schema = RIGHT.parse().unwrap();
    let prices = schema.table("prices").unwrap();
    assert_eq!((prices.write, prices.revision), (Write::Upsert, Revision::Stored));
    assert_eq!(prices.partition[1].name, "day_month");
    assert_eq!(prices.partitions.table, "prices_partitions");
    let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["prices", "counts"], "in the order of the file");
    assert_eq!(schema.export("sheet").unwrap().source, Source::Sql("sheet.sql".to_owned()));
    assert_eq!(schema.table("prizes").unwrap_err().kind(), Kind::Usage);
    assert!(schema.export("prizes").unwrap_err().to_string().contains("(prices, sheet)"));
    assert!(schema.partitioned(None).unwrap_err().to_string().contains("--table: prices, counts"));
    assert_eq!(schema.partitioned(Some("counts")).unwrap().name, "counts");
    assert_eq!(schema.table("counts").unwrap().retry_after_hours, 24);
    let append = with("write = \"upsert\"\nnewer = [\"stated_at\"]", "write = \"append\"");
    let append: Schema = append.parse().unwrap();
    assert_eq!(append.tables[0].revision, Revision::Asked);
    assert!(append.partitioned(Some("prices")).is_err());
}

/// What is replaced by what, and words of the refusal.
const WRONG: &[(&str, &str, &str)] = &[
    ("system = \"trade\"", "system = \"Trade\"", "system \"Trade\": use up to 32 lower-case letters"),
    ("system = \"trade\"", "system = \"\"", "use up to 32"),
    ("price = \"number\"", "rank = \"number\"", "column \"rank\": a database reserves this word"),
    (
        "[tables.prices]\n",
        "[tables.groups]\nkey = [\"a\"]\nwrite = \"upsert\"\ncolumns = { a = \"integer\" }\n[tables.prices]\n",
        "table \"groups\": a database reserves this word",
    ),
    ("price = \"number\"", "Price = \"number\"", "column \"Price\": use up to 64 lower-case letters"),
    ("price = \"number\"", "fairway_x = \"number\"", "names that begin with fairway_ are the program's own"),
    ("price = \"number\"", "price = \"float\"", "\"price\": type \"float\": use text, text(N)"),
    ("price = \"number\"", "price = \"text(0)\"", "with N from 1 to 16000"),
    ("key = [\"ware\", \"day\", \"source\"]", "key = []", "key is empty"),
    ("key = [\"ware\", \"day\", \"source\"]", "key = [\"ware\", \"ware\"]", "key names \"ware\" twice"),
    ("key = [\"ware\", \"day\", \"source\"]", "key = [\"where\"]", "key: \"where\" is not among its columns"),
    (
        "key = [\"ware\", \"day\", \"source\"]",
        "key = [\"ware\", \"words\"]",
        "key: \"words\" is a text without a size",
    ),
    (
        "source = \"text(8)\"",
        "source = \"text(750)\"",
        "key takes 3074 bytes, and a database's index at most 3072 (4 a character of a text, 24 an instant, 10 a date, 8",
    ),
    (
        "[tables.prices]\n",
        "[tables.wide]\nkey = [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\",\"m\",\"n\",\"o\",\"p\",\"q\"]\n\
         write = \"upsert\"\ncolumns = { a = \"date\", b = \"date\", c = \"date\", d = \"date\", e = \"date\", f = \"date\", \
         g = \"date\", h = \"date\", i = \"date\", j = \"date\", k = \"date\", l = \"date\", m = \"date\", n = \"date\", \
         o = \"date\", p = \"date\", q = \"date\" }\n[tables.prices]\n",
        "key has 17 columns, and a database's index at most 16 (a history takes one more)",
    ),
    (
        "[tables.prices]\n",
        "[tables.lengthy]\nkey = [\"a\"]\nwrite = \"upsert\"\nhistory = true\nabout = [\"fetched_at\"]\n\
         columns = { a = \"text(768)\", fetched_at = \"instant\" }\n[tables.prices]\n",
        "key takes 3080 bytes, and a database's index at most 3072",
    ),
    (
        "partition = [\"ware\", \"month(day)\"]",
        "partition = [\"where\"]",
        "partition: \"where\" is not among",
    ),
    (
        "partition = [\"ware\", \"month(day)\"]",
        "partition = [\"month(ware)\"]",
        "takes an instant (a month also a date)",
    ),
    (
        "partition = [\"ware\", \"month(day)\"]",
        "partition = [\"day(day)\"]",
        "takes an instant (a month also a date)",
    ),
    (
        "partition = [\"ware\", \"month(day)\"]",
        "partition = [\"words\"]",
        "partition: \"words\" is a text without a size",
    ),
    (
        "partition = [\"depot\", \"day(counted_at)\"]",
        "partition = [\"ware\"]",
        "with write = \"replace\" the partition's columns are the first of the key",
    ),
    ("partition = [\"depot\", \"day(counted_at)\"]\n", "", "replaces partitions, and there is no partition"),
    (
        "newer = [\"stated_at\"]",
        "newer = [\"words\"]",
        "newer: \"words\" is a text, which has no order of time",
    ),
    ("newer = [\"stated_at\"]", "newer = [\"then\"]", "newer: \"then\" is not among its columns"),
    (
        "about = [\"stated_at\"",
        "about = [\"ware\", \"stated_at\"",
        "about: it names a column of the key or the partition",
    ),
    ("about = [\"stated_at\"", "about = [\"nothing\", \"stated_at\"", "about: \"nothing\" is not among"),
    ("\"fetched_at\", \"raw\"]", "\"raw\"]", "fetched_at is instant and stands in about: db-load fills it"),
    ("\"fetched_at\", \"raw\"]", "\"fetched_at\"]", "raw is a text and stands in about"),
    ("fetched_at = \"instant\"", "fetched_at = \"date\"", "fetched_at is instant and stands in about"),
    ("write = \"upsert\"", "write = \"append\"", "newer and history are for write = \"upsert\""),
    ("write = \"upsert\"", "write = \"insert\"", "insert"),
    ("min_share = 0.5", "min_share = 1.5", "min_share: a share from 0 to 1"),
    (
        "history = false",
        "min_share = 0.5",
        "min_share: a share from 0 to 1 of a table with write = \"replace\"",
    ),
    ("min_share = 0.5", "revision = \"asked\"", "revision = \"asked\" is for upsert and append"),
    ("min_share = 0.5", "histroy = true", "did you mean"),
    ("[exports.prices]\ntable", "[exports.prices]\ntabel", "did you mean"),
    ("[exports.prices]", "[exports.Prices]", "use up to 64 lower-case letters"),
    ("table = \"prices\"", "table = \"prizes\"", "[exports.prices]: there is no table \"prizes\""),
    ("over = [\"prices\"]", "over = [\"prizes\"]", "there is no table \"prizes\""),
    ("over = [\"prices\"]", "over = []", "over is empty"),
    ("over = [\"prices\"]\n", "", "over names the tables whose changes make it old, and is missing"),
    ("sql = \"sheet.sql\"", "sql = \"sheet.sql\"\ntable = \"prices\"", "give either table or sql"),
    ("over = [\"prices\"]", "over = [\"counts\"]", "partition: \"ware\" is a partition of no table of over"),
    (
        "over = [\"prices\"]\npartition = [\"ware\", \"month(day)\"]\nobject = \"sheets/{ware}/{day_month}.csv\"",
        "over = [\"prices\", \"counts\"]\npartition = [\"ware\", \"depot\"]\nobject = \"{ware}/{depot}\"",
        "no table of over has all of its partition, so nobody knows which there are",
    ),
    (
        "table = \"prices\"\n",
        "table = \"prices\"\nover = [\"prices\", \"counts\"]\npartition = [\"depot\"]\n",
        "partition: \"depot\" is not a partition of table prices",
    ),
    (
        "prices/{ware}_{day_month}.csv",
        "exports/{ware}_{day_month}.csv",
        "below exports/ stands what db-export says of a bucket",
    ),
    (
        "prices/{ware}_{day_month}.csv",
        "prices/{ware}.csv",
        "lacks {day_month}: partitions would overwrite each other",
    ),
    (
        "prices/{ware}_{day_month}.csv",
        "prices/{ware}_{day_month}_{raw}.csv",
        "{raw} is not among its partition",
    ),
    ("prices/{ware}_{day_month}.csv", "prices/{ware}_{day_month", "a brace is not closed"),
    (
        "prices/{ware}_{day_month}.csv",
        "/{ware}_{day_month}.csv",
        "a key like training_data/rows_{station}.csv",
    ),
    ("prices/{ware}_{day_month}.csv", "../{ware}_{day_month}.csv", "a key like"),
    ("[views.cheap]", "[views.prices]", "[views.prices]: there is a table of that name"),
    ("[views.cheap]", "[views.select]", "view \"select\": a database reserves this word"),
    ("time = \"until\"", "time = \"since\"", "partitions.time: \"since\" is not among its listing"),
    (
        "time = \"until\"",
        "rename = { pieces = \"x\" }",
        "rename: \"pieces\" is not one of depot, counted_at_day, revision",
    ),
    ("time = \"until\"", "rename = { depot = \"until\" }", "two columns would be called \"until\""),
    ("time = \"until\"", "table = \"prices_partitions\"", "the table prices_partitions stands twice"),
    ("place = \"text\"", "refetch = \"text\"", "two columns would be called \"refetch\""),
];

#[test]
fn what_is_wrong_is_said() {
    for (from, to, words) in WRONG {
        let said = refused(&with(from, to));
        assert!(said.contains(words), "{to}\n{said}");
    }
    let unkeyed = with("partition = [\"ware\", \"month(day)\"]\n", "revision = \"stored\"\n");
    let unkeyed = unkeyed.split("[exports.").next().unwrap();
    assert!(refused(unkeyed).contains("revision = \"stored\" needs a partition, and rows that can change"));
    let bare =
        "[schema]\nsystem = \"x\"\n[tables.t]\nkey = [\"a\"]\nwrite = \"upsert\"\n[tables.t.columns]\n";
    assert!(refused(bare).contains("[tables.t] has no columns"));
    for (line, column) in [("history = true\n", ""), ("", "known_at = \"instant\"\n")] {
        let about = if column.is_empty() { "" } else { "about = [\"known_at\"]\n" };
        let text = bare.replace(
            "[tables.t.columns]\n",
            &format!("{line}{about}[tables.t.columns]\na = \"integer\"\n{column}"),
        );
        assert!(refused(&text).contains("history and known_at need a column fetched_at"), "{text}");
    }
}

#[test]
fn a_longest_key_fits() {
    // 4 × 749 + 10 + 64 = 3,070 bytes.
    let long = with("source = \"text(8)\"", "source = \"text(749)\"");
    long.parse::<Schema>().unwrap();
}

fn golf() -> Table {
    let schema: Schema = include_str!("../../../../scripts/golf/schema.toml").parse().unwrap();
    schema.tables[0].clone()
}

#[test]
fn the_schema_of_golf_keeps_its_names() {
    let table = golf();
    assert_eq!(table.name, "player_round_stats_pga_with_sg_data");
    assert_eq!((table.columns.len(), table.write, table.min_share), (35, Write::Replace, Some(0.5)));
    assert_eq!(table.partitions.table, "pga_with_sg_cat_eventslist");
    let names = ["year", "revision", "n_rows", "refetch"].map(|name| table.partitions.name(name));
    assert_eq!(names, ["calendar_year", "rounds_rev", "n_rounds", "refetch"]);
    assert_eq!(PartitionKey::parse(&table, "pga/2025/14").unwrap().to_string(), "pga/2025/14");
    let schema: Schema = include_str!("../../../../scripts/golf/schema.toml").parse().unwrap();
    let key = PartitionKey::parse(&table, "pga/2025/14").unwrap();
    assert_eq!(schema.exports[0].object_key(&key), "training_data/event_data_2025_pga_14.csv");
}

#[test]
fn partitions_of_time_are_cut_out_of_instants() {
    let schema: Schema = RIGHT.parse().unwrap();
    let counts = schema.table("counts").unwrap();
    let row = ["north", "2025-06-30T23:59:59.999Z", "tin"].map(Value::from);
    let row = [&row[..], &[Value::Integer(1)]].concat();
    assert_eq!(counts.partition_of(&row).to_string(), "north/2025-06-30");
    let (from, to) = counts.partition[1].bounds("2025-06-30");
    assert!(from.as_str() <= "2025-06-30T00:00:00.000Z" && "2025-06-30T23:59:59.999Z" < to.as_str());
    assert!(to.as_str() < "2025-07-01T00:00:00.000Z");
    assert_eq!(Type::Number.accept(Value::Number(-0.0)).unwrap().to_text(), "0");
    assert_eq!(Type::Number.parse("-0").unwrap().to_text(), "0");
    let odd = PartitionKey(vec![Value::from("a/b%c"), Value::from("2025-06-30")]);
    assert_eq!(odd.to_string(), "a%2Fb%25c/2025-06-30");
    assert_eq!(PartitionKey::parse(counts, &odd.to_string()).unwrap(), odd);
}

/// What would export nothing, or never settle, is refused before anything runs.
#[test]
fn exports_that_could_not_work_are_refused() {
    const TWO: &str = r#"
        [schema]
        system = "x"
        [tables.one]
        key = ["a", "b"]
        partition = ["a", "b"]
        write = "upsert"
        columns = { a = "text(9)", b = "integer" }
        [tables.other]
        key = ["a"]
        partition = ["a"]
        write = "upsert"
        columns = { a = "text(9)" }
        [exports.e]
        table = "one"
        over = ["one", "other"]
        object = "x/{a}/{b}.csv"
    "#;
    TWO.parse::<Schema>().unwrap();
    let other = |from: &str, to: &str| refused(&TWO.replace(from, to));
    let order = "object =";
    assert!(
        other(order, "partition = [\"b\", \"a\"]\nobject =").contains("by its own partition, in its order")
    );
    assert!(other("{a}/{b}", "{a}").contains("lacks {b}"));
    assert!(
        other("over = [\"one\", \"other\"]", "over = [\"other\"]\npartition = [\"a\"]")
            .contains("over lacks one")
    );
    let types = TWO.replace("columns = { a = \"text(9)\" }", "columns = { a = \"integer\" }");
    assert!(refused(&types).contains("they never agree"), "{}", refused(&types));
}
