use std::thread::sleep;
use std::time::{Duration, Instant};

use db::Access;
use failure::Kind;

use super::*;

fn refused(outcome: failure::Outcome<db::Lease>) -> bool {
    outcome.err().is_some_and(|failure| failure.kind() == Kind::Unavailable)
}

/// A lock on a file is for a moment also that of a program which another test is starting just now.
fn soon(place: &Place, mut take: impl FnMut() -> failure::Outcome<db::Lease>) {
    let patience = Duration::from_secs(if place.is_sqlite() { 10 } else { 0 });
    let began = Instant::now();
    while let Err(failure) = take() {
        assert!(began.elapsed() < patience, "{failure}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_lease_has_one_holder() {
    on_all(|place| {
        let schema = market();
        let (mut one, mut two) = (place.open(&schema), place.open(&schema));
        let mut lease = one.lease("state").unwrap();
        assert!(refused(two.lease("state")));
        assert!(refused(one.lease("state")), "not even the same program has it twice");
        assert!(lease.still_held());
        two.lease("train").unwrap();
        drop(lease);
        // Whoever comes right after somebody's end has it.
        soon(place, || two.lease("state"));
    });
}

#[test]
fn two_systems_of_one_database_have_two_leases() {
    on_all(|place| {
        let (mut one, mut two) = (place.open(&market()), place.open(&weather()));
        let _lease = one.lease("state").unwrap();
        let _other = two.lease("state").unwrap();
        let mut third = Db::open_unchecked(&place.url, &weather()).unwrap();
        assert!(refused(third.lease("state")), "whichever way it was opened");
        let mut reader = Db::open_for(&place.url, Access::Read, &market()).unwrap();
        assert!(refused(reader.lease("state")));
    });
}

/// The variable is the process's own: a program of its own is told by it.
#[test]
fn a_lease_is_inherited_by_name() {
    const INHERITED: &str = "FAIRWAY_TEST_LEASE_URL";
    if let Ok(url) = std::env::var(INHERITED) {
        let mut db = Db::open_unchecked(&url, &market()).unwrap();
        assert!(db.lease_unless_inherited("state").unwrap().is_none());
        assert!(refused(db.lease("state")), "the one that started this program holds it");
        assert!(db.lease_unless_inherited("train").unwrap().is_some(), "only what it says");
        return;
    }
    on_all(|place| {
        let mut db = place.open(&market());
        let lease = db.lease_unless_inherited("state").unwrap().unwrap();
        lease.share_with_children().unwrap();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "leases::a_lease_is_inherited_by_name"])
            .env(db::LEASE, db.lease_name("state"))
            .env(INHERITED, &place.url)
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    });
}
