//! Golf's partitions and lists as lines of wire, and a session that knows golf's tables.
#![allow(dead_code, reason = "each test takes what it needs")]

use pipelines::Session;

/// The table that golf's partitions are of.
pub const TABLE: &str = "player_round_stats_pga_with_sg_data";

/// The columns between the first and the last of those that a test looks at; all of them are null.
const NULLS: [&str; 23] = [
    "course_name",
    "course_num",
    "course_par",
    "start_hole",
    "teetime",
    "sg_putt",
    "sg_arg",
    "sg_app",
    "sg_ott",
    "sg_t2g",
    "driving_dist",
    "driving_acc",
    "gir",
    "scrambling",
    "prox_rgh",
    "prox_fw",
    "great_shots",
    "poor_shots",
    "eagles_or_better",
    "birdies",
    "pars",
    "bogies",
    "doubles_or_worse",
];

/// A session of an SQLite database and golf's tables.
pub fn session() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", "sqlite:golf.db");
    session.set("FAIRWAY_SCHEMA", pipelines::repo().join("scripts/golf/schema.toml"));
    session
}

/// The beginning of every partition's line, up to its columns.
pub fn head(id: i64) -> String {
    format!(
        "{{\"v\":\"fairway.partition/1\",\"table\":\"{TABLE}\",\
         \"key\":{{\"tour\":\"pga\",\"year\":2025,\"event_id\":{id}}}"
    )
}

/// The columns and rows of some players, from the first to the last of these numbers.
pub fn rows(players: std::ops::RangeInclusive<i64>, score: i64) -> String {
    let n = players.clone().count();
    let rows: Vec<String> = players
        .map(|player| {
            format!(
                "[2025,\"2025-06-15\",\"Göteborg, Open \",\"P, Jr., {player}\",{player},\"T{player}\",1,{score},\
                 0.30000000000000004{}]",
                ",null".repeat(NULLS.len())
            )
        })
        .collect();
    format!(
        "\"columns\":[\"season\",\"event_completed\",\"event_name\",\"player_name\",\"dg_id\",\"fin_text\",\
         \"round_num\",\"round_score\",\"sg_total\",\"{}\"],\"n_rows\":{n},\"rows\":[{}]}}\n",
        NULLS.join("\",\""),
        rows.join(",")
    )
}

/// One line: a partition with a row for each of so many players.
pub fn partition(id: i64, players: i64, score: i64) -> String {
    let listing = "\"listing\":{\"event_name\":\"Göteborg, Open \",\"event_completed\":\"2025-06-15\",\
                   \"sg_categories\":\"yes\",\"traditional_stats\":\"yes\"}";
    format!("{},{listing},{}", head(id), rows(1..=players, score))
}

/// A partition that the source does not have yet.
pub fn unavailable(id: i64) -> String {
    let (head, reason) = (head(id), "\"unavailable\":\"not in the archive\"");
    format!("{head},{reason},\"columns\":[],\"n_rows\":0,\"rows\":[]}}\n")
}

/// A line of a list.
pub fn listing(line: u64, lines: u64, id: i64, name: &str) -> String {
    format!(
        "{{\"v\":\"fairway.listing/2\",\"table\":\"{TABLE}\",\"line\":{line},\"lines\":{lines},\
         \"key\":{{\"tour\":\"pga\",\"year\":2025,\"event_id\":{id}}},\
         \"listing\":{{\"event_name\":\"{name}\",\"event_completed\":\"2025-06-15\",\"sg_categories\":\"yes\",\
         \"traditional_stats\":\"yes\"}}}}\n"
    )
}

/// Partition, rows and revision of each.
pub fn state(session: &Session) -> String {
    session.ok(
        "db-query sql 'SELECT event_id, n_rounds, rounds_rev FROM pga_with_sg_cat_eventslist ORDER BY 1' | \
         tail -n +2",
    )
}

/// How many partitions are to be fetched.
pub fn unfetched(session: &Session) -> usize {
    session.ok("db-query unfetched").lines().count() - 1
}
