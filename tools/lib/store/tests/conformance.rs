//! One suite for every backend. A backend is a function that gives an empty store.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::thread;

use store::{Store, Written};

fn folder() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Store::open(dir.path().to_str().unwrap()).unwrap(), dir)
}

fn put(store: &Store, key: &str, text: &str) {
    store.put(key, &mut text.as_bytes()).unwrap();
}

fn text(store: &Store, key: &str) -> Option<String> {
    store.get(key).unwrap().map(|object| String::from_utf8(object.bytes).unwrap())
}

#[test]
fn what_is_put_can_be_got_listed_and_deleted() {
    let (store, _dir) = folder();
    assert_eq!(text(&store, "a/b.csv"), None);
    put(&store, "a/b.csv", "one");
    put(&store, "a/b.csv", "two");
    assert_eq!(text(&store, "a/b.csv").as_deref(), Some("two"));
    assert_eq!(store.list("a/").unwrap().len(), 1);
    assert_eq!(store.list("a/").unwrap()[0].size_bytes, 3);
    store.delete("a/b.csv").unwrap();
    store.delete("a/b.csv").unwrap();
    assert_eq!(text(&store, "a/b.csv"), None);
}

#[test]
fn create_if_absent_has_one_winner_and_forgives_a_lost_reply() {
    let (store, _dir) = folder();
    assert_eq!(store.put_if_absent("k", b"mine").unwrap(), Written::Done);
    assert_eq!(store.put_if_absent("k", b"mine").unwrap(), Written::Done);
    assert_eq!(store.put_if_absent("k", b"yours").unwrap(), Written::Lost);
    assert_eq!(text(&store, "k").as_deref(), Some("mine"));
}

#[test]
fn compare_and_swap_refuses_a_stale_version() {
    let (store, _dir) = folder();
    put(&store, "k", "1");
    let first = store.get("k").unwrap().unwrap().version;
    assert_eq!(store.put_if_unchanged("k", &first, b"2").unwrap(), Written::Done);
    assert_eq!(store.put_if_unchanged("k", &first, b"3").unwrap(), Written::Lost);
    assert_eq!(store.put_if_unchanged("k", &first, b"2").unwrap(), Written::Done);
    assert_eq!(text(&store, "k").as_deref(), Some("2"));
    assert_eq!(store.put_if_unchanged("none", &first, b"x").unwrap(), Written::Lost);
}

#[test]
fn eight_writers_of_one_list_lose_no_line() {
    let (store, dir) = folder();
    put(&store, "n", "");
    thread::scope(|scope| {
        for writer in 0..8 {
            let url = dir.path().to_str().unwrap();
            scope.spawn(move || {
                let store = Store::open(url).unwrap();
                for step in 0..5 {
                    loop {
                        let object = store.get("n").unwrap().unwrap();
                        let mut next = object.bytes;
                        next.extend(format!("{writer}.{step}\n").as_bytes());
                        if store.put_if_unchanged("n", &object.version, &next).unwrap() == Written::Done {
                            break;
                        }
                    }
                }
            });
        }
    });
    assert_eq!(text(&store, "n").unwrap().lines().count(), 40);
}

#[test]
fn many_keys_come_sorted_and_whole() {
    let (store, _dir) = folder();
    for i in (0..1_105).rev() {
        put(&store, &format!("p/{i:05}.csv"), "x");
    }
    put(&store, "q/1", "x");
    let keys: Vec<String> = store.list("p/").unwrap().into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys.len(), 1_105);
    assert!(keys.is_sorted());
    assert_eq!(store.list("p/0000").unwrap().len(), 10);
    assert_eq!(store.list("").unwrap().len(), 1_106);
    assert_eq!(store.list("nothing/here").unwrap(), []);
}

#[test]
fn odd_keys_are_kept_and_bad_keys_refused() {
    let (store, _dir) = folder();
    for key in ["a b+c/é°’.csv", "100%/x=y&z", "~/#1?.csv", "a/b.c.d"] {
        put(&store, key, key);
        assert_eq!(text(&store, key).as_deref(), Some(key));
    }
    let listed: Vec<String> = store.list("").unwrap().into_iter().map(|entry| entry.key).collect();
    assert_eq!(listed.len(), 4);
    for key in ["", "/a", "a//b", "../x", "a/./b", "a/..", ".fairway/lock", "a/.hidden", "a\\b", "a\nb", "a/"]
    {
        assert!(store.put(key, &mut "x".as_bytes()).is_err(), "{key:?}");
        assert!(store.get(key).is_err(), "{key:?}");
    }
}

#[test]
fn a_stream_that_breaks_leaves_no_object() {
    struct Broken(usize);
    impl std::io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            if self.0 > 3 {
                return Err(std::io::Error::other("cut"));
            }
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    let (store, _dir) = folder();
    put(&store, "k", "old");
    assert!(store.put("k", &mut Broken(0)).is_err());
    assert_eq!(text(&store, "k").as_deref(), Some("old"));
    assert_eq!(store.list("").unwrap().len(), 1);
}

#[test]
fn a_bucket_that_is_not_there_is_said_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let failure = Store::open(missing.to_str().unwrap()).unwrap_err();
    assert_eq!(failure.exit(), manners::Exit::Config);
    assert!(failure.to_string().contains("mkdir -p"), "{failure}");
    assert!(!missing.exists());
}
