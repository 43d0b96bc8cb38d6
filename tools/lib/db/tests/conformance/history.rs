use schema::{Schema, Table};

use super::*;

pub(crate) fn history(db: &mut Db, table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    db.history(table, &mut |row| {
        found.push(shown(row));
        Ok(())
    })
    .unwrap();
    found
}

fn as_of(db: &mut Db, table: &Table, wanted: Wanted<'_>, day: &str) -> Vec<String> {
    let mut found = Vec::new();
    db.rows_as_of(table, wanted, &instant(day), &mut |row| {
        found.push(shown(row));
        Ok(())
    })
    .unwrap();
    found
}

fn forecasts(schema: &Schema) -> &Table {
    schema.table("forecasts").unwrap()
}

#[test]
fn corrections_are_seen_from_their_instant_on() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (forecasts(&schema), place.open(&schema));
        assert_eq!(Db::history_columns(table), ["ware", "due", "price", "known_at"]);
        // Out of order.
        for (price, day) in [(3, 8), (1, 2), (2, 5), (1, 3)] {
            upsert(&mut db, table, &[&format!("ware=tin due=2025-06-30 price={price} fetched_at=@{day}")]);
        }
        let version = |price, day| format!("tin 2025-06-30 {price} @{day}");
        assert_eq!(history(&mut db, table), [version(1, 2), version(2, 5), version(3, 8)]);
        assert_eq!(rows(&mut db, table), ["tin 2025-06-30 3 @8 @8"]);
        for (day, seen) in
            [("@2", version(1, 2)), ("@4", version(1, 2)), ("@5", version(2, 5)), ("@9", version(3, 8))]
        {
            assert_eq!(as_of(&mut db, table, Wanted::All, day), [seen], "{day}");
        }
        assert_eq!(as_of(&mut db, table, Wanted::All, "@1"), [""; 0]);
        let month = partition(table, "2025-06");
        assert_eq!(as_of(&mut db, table, Wanted::Of(&[month]), "@6"), [version(2, 5)]);
        let other = partition(table, "2025-07");
        assert_eq!(as_of(&mut db, table, Wanted::Of(&[other]), "@6"), [""; 0]);
    });
}

#[test]
fn a_value_that_comes_back_is_the_current_one() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (forecasts(&schema), place.open(&schema));
        for (price, day) in [(1, 2), (2, 4), (1, 6)] {
            upsert(&mut db, table, &[&format!("ware=tin due=2025-06-30 price={price} fetched_at=@{day}")]);
        }
        assert_eq!(
            history(&mut db, table),
            ["tin 2025-06-30 1 @2", "tin 2025-06-30 2 @4"],
            "each value once"
        );
        assert_eq!(rows(&mut db, table), ["tin 2025-06-30 1 @6 @2"]);
        assert_eq!(as_of(&mut db, table, Wanted::All, "@5"), ["tin 2025-06-30 2 @4"]);
        assert_eq!(as_of(&mut db, table, Wanted::All, "@6"), ["tin 2025-06-30 1 @2"]);
    });
}

/// All of it in one input, of which the winner is stored already.
#[test]
fn versions_that_come_together_are_all_kept() {
    on_all(|place| {
        let schema = market();
        for name in ["forecasts", "ratings"] {
            let table = schema.table(name).unwrap();
            let mut db = place.open(&schema);
            let line = |value: &str, day: u8| match name {
                "forecasts" => format!("ware=tin due=2025-06-30 price={value} fetched_at=@{day}"),
                _ => format!("item=tin grade={value} fetched_at=@{day}"),
            };
            upsert(&mut db, table, &[&line("3", 9)]);
            let all = [line("1", 2), line("3", 9), line("2", 5), line("2", 4), line("3", 7), line("1", 3)];
            upsert(&mut db, table, &all.each_ref().map(String::as_str));
            let known: Vec<String> = history(&mut db, table)
                .iter()
                .map(|line| line.rsplit(' ').next().unwrap().to_owned())
                .collect();
            assert_eq!(known, ["@2", "@4", "@7"], "{name}: the first instant of each");
        }
    });
}

#[test]
fn what_is_loaded_about_the_past_was_not_learnt_today() {
    on_all(|place| {
        let schema = market();
        let mut db = place.open(&schema);
        for (name, words) in [
            ("forecasts", "ware=tin due=2025-06-30 price=1 fetched_at=@8"),
            ("ratings", "item=tin grade=a fetched_at=@8"),
        ] {
            let table = schema.table(name).unwrap();
            db.upsert(table, arrivals(table, &[words]), &[], true, at(NOW)).unwrap();
            assert!(history(&mut db, table)[0].ends_with(" -"), "{name}: {:?}", history(&mut db, table));
            assert_eq!(as_of(&mut db, table, Wanted::All, "@1").len(), 1, "{name}");
            upsert(&mut db, table, &[words]);
            assert!(history(&mut db, table)[0].ends_with(" -"), "{name}");
        }
    });
}

#[test]
fn rows_of_the_past_stand_in_their_partitions_of_then() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("ratings").unwrap(), place.open(&schema));
        upsert(&mut db, table, &["item=tin grade=b words=x edition=1 fetched_at=@2"]);
        upsert(&mut db, table, &["item=tin grade=a words=y edition=2 fetched_at=@4"]);
        let (a, b) = (partition(table, "a"), partition(table, "b"));
        assert_eq!(as_of(&mut db, table, Wanted::Of(std::slice::from_ref(&b)), "@3"), ["tin b x @2"]);
        assert_eq!(as_of(&mut db, table, Wanted::Of(&[b]), "@4"), [""; 0]);
        assert_eq!(as_of(&mut db, table, Wanted::Of(&[a]), "@4"), ["tin a y @4"]);
        assert_eq!(states(&mut db, table), ["a 1 1", "b 2 0"]);
    });
}

/// What is loaded today about the past says nothing of when an equal row became known, before or after.
#[test]
fn a_backfill_of_an_equal_value_keeps_when_it_was_learnt() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("forecasts").unwrap(), place.open(&schema));
        let row = |price: u8, day: u8| format!("ware=tin due=2025-06-30 price={price} fetched_at=@{day}");
        let load = |db: &mut Db, row: &str, backfill: bool| {
            db.upsert(table, arrivals(table, &[row]), &[], backfill, at(NOW)).unwrap();
        };
        load(&mut db, &row(1, 2), false);
        load(&mut db, &row(2, 4), false);
        let before = history(&mut db, table);
        load(&mut db, &row(2, 6), true);
        assert_eq!(history(&mut db, table), before);
        assert_eq!(as_of(&mut db, table, Wanted::All, "@1"), [""; 0], "nobody knew it then");
        // The other way round: what was known all the time is not learnt when it is fetched again.
        let lead = |day: u8| format!("ware=lead due=2025-06-30 price=9 fetched_at=@{day}");
        load(&mut db, &lead(5), true);
        load(&mut db, &lead(7), false);
        assert_eq!(as_of(&mut db, table, Wanted::All, "@1").len(), 1);
    });
}

/// The market before somebody asked for histories.
fn without_histories() -> Schema {
    include_str!("../schemas/market.toml").replace("history = true\n", "").parse().unwrap()
}

/// A history that is made later begins with the rows that are there, whoever makes it, and once.
#[test]
fn a_later_history_begins_with_the_rows_that_are_there() {
    on_all(|place| {
        let (before, schema) = (without_histories(), market());
        let mut db = place.open(&before);
        upsert(
            &mut db,
            before.table("forecasts").unwrap(),
            &["ware=tin due=2025-06-30 price=1 fetched_at=@2"],
        );
        upsert(
            &mut db,
            before.table("forecasts").unwrap(),
            &["ware=tin due=2025-06-30 price=1 fetched_at=@4"],
        );
        upsert(
            &mut db,
            before.table("ratings").unwrap(),
            &["item=tin grade=b fetched_at=@2", "item=zinc grade=a"],
        );
        drop(db);
        let (forecasts, ratings) = (forecasts(&schema), schema.table("ratings").unwrap());
        let begun = |db: &mut Db| {
            assert_eq!(history(db, forecasts), ["tin 2025-06-30 1 @2"], "known since then");
            assert_eq!(history(db, ratings), ["tin b - @2", "zinc a - -"]);
        };
        begun(&mut place.open(&schema));
        // By a migration, too, which says so before it does it.
        place.run("DROP TABLE forecasts_history");
        place.run("DROP TABLE ratings_history");
        let mut db = Db::open_unchecked(&place.url, &schema).unwrap();
        let mut migrate = |dry_run| db.migrate(&schema, &[], &[], false, dry_run, at(NOW)).unwrap();
        let would = migrate(true);
        assert!(would.contains(&"table ratings_history has the rows of ratings now".to_owned()), "{would:?}");
        assert_eq!(migrate(false), would);
        assert_eq!(migrate(false), [""; 0], "again");
        begun(&mut db);
        // A run that was killed when it had made the tables.
        for kind in ["forecasts", "ratings"] {
            place.run(&format!("DELETE FROM {kind}_history"));
        }
        let mut db = place.open(&schema);
        begun(&mut db);
        // What comes now is seen from its instant on, and what was there before it.
        upsert(&mut db, forecasts, &["ware=tin due=2025-06-30 price=5 fetched_at=@6"]);
        assert_eq!(as_of(&mut db, forecasts, Wanted::All, "@5"), ["tin 2025-06-30 1 @2"]);
        assert_eq!(as_of(&mut db, forecasts, Wanted::All, "@6"), ["tin 2025-06-30 5 @6"]);
        upsert(&mut db, ratings, &["item=tin grade=c edition=1 fetched_at=@6"]);
        assert_eq!(as_of(&mut db, ratings, Wanted::All, "@5"), ["tin b - @2", "zinc a - -"]);
        // A history with rows is left alone.
        place.run("DELETE FROM ratings_history WHERE item = 'zinc'");
        assert_eq!(history(&mut place.open(&schema), ratings), ["tin b - @2", "tin c - @6"]);
    });
}
