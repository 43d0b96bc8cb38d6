use db::Access;

use super::*;

#[test]
fn a_reader_cannot_write() {
    on_all(|place| {
        let schema = market();
        let table = schema.table("wares").unwrap();
        upsert(&mut place.open(&schema), table, &["ware=tin trait=hue"]);
        let mut db = Db::open_for(&place.url, Access::Read, &schema).unwrap();
        for statement in
            ["WITH x AS (SELECT 1) DELETE FROM wares", "SELECT 1; DROP TABLE wares", "DROP TABLE wares"]
        {
            assert!(db.sql(statement, &mut |_| Ok(())).is_err(), "{statement}");
        }
        assert!(db.upsert(table, arrivals(table, &["ware=zinc trait=hue"]), &[], false, at(NOW)).is_err());
        let answer = db::LoadedAnswer { raw: "r".into(), extract_digest: "d".into() };
        assert!(db.mark_loaded(&answer, at(NOW)).is_err());
        assert_eq!(rows(&mut db, table), ["tin hue -"]);
    });
}

#[test]
fn a_question_takes_values_for_its_places() {
    on_all(|place| {
        let schema = market();
        let mut db = place.open(&schema);
        upsert(
            &mut db,
            schema.table("wares").unwrap(),
            &["ware=tin trait=hue worth=grey", "ware=zinc trait=hue"],
        );
        let mut found = Vec::new();
        let ware = [Value::from("tin")];
        let columns = db
            .sql_with("-- of one\nSELECT worth AS is_worth FROM wares WHERE ware = ?", &ware, &mut |row| {
                found.push(shown(row));
                Ok(())
            })
            .unwrap();
        assert_eq!((columns, found), (vec!["is_worth".to_owned()], vec!["grey".to_owned()]));
        let failure = db.sql("SELECT nothing FROM nowhere", &mut |_| Ok(())).unwrap_err();
        assert_eq!(failure.kind(), failure::Kind::Usage);
    });
}

#[test]
fn a_database_without_tables_says_who_makes_them() {
    on_all(|place| {
        let schema = market();
        if place.is_sqlite() {
            let failure = Db::open_for(&place.url, Access::Read, &schema).err().unwrap();
            assert!(failure.to_string().contains("db-load makes it"), "{failure}");
            return;
        }
        let mut db = Db::open_for(&place.url, Access::Read, &schema).unwrap();
        let failure = db.partitions(schema.table("quotes").unwrap()).unwrap_err().to_string();
        assert!(failure.contains("db-load makes the tables"), "{failure}");
    });
}
