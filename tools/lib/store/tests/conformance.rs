//! One suite for every backend. A backend is a function that gives an empty place, which can be opened again and again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use store::{Store, Written};

/// A bucket without objects.
struct EmptyBucket {
    open: Box<dyn Fn() -> Store + Sync>,
    _dir: Option<tempfile::TempDir>,
}

fn folder() -> EmptyBucket {
    let dir = tempfile::tempdir().unwrap();
    let url = dir.path().to_str().unwrap().to_owned();
    EmptyBucket { open: Box::new(move || Store::open(&url).unwrap()), _dir: Some(dir) }
}

/// Below a prefix, and beside objects that are not below it.
#[cfg(feature = "s3")]
fn s3() -> EmptyBucket {
    use servers::Seaweed;
    let server = Seaweed::shared();
    let settings = store::S3Settings {
        endpoint: Some(server.endpoint()),
        keys: Some((Seaweed::KEYS.0.to_owned(), Seaweed::KEYS.1.to_owned())),
        max_wait: Some(std::time::Duration::from_secs(60)),
    };
    let name = server.new_bucket();
    let beside = Store::open_s3(&format!("s3://{name}"), &settings).unwrap();
    put(&beside, "some/prefix-and-more/k", "beside");
    let url = format!("s3://{name}/some/prefix");
    EmptyBucket { open: Box::new(move || Store::open_s3(&url, &settings).unwrap()), _dir: None }
}

macro_rules! suite {
    ($($test:ident)*) => {
        mod on_a_folder { $(#[test] fn $test() { super::$test(&super::folder()); })* }
        #[cfg(feature = "s3")]
        mod on_s3 { $(#[test] fn $test() { super::$test(&super::s3()); })* }
    };
}

suite! {
    what_is_put_can_be_got_listed_and_deleted
    create_if_absent_has_one_winner_and_forgives_a_lost_reply
    create_if_absent_has_one_winner_among_many
    compare_and_swap_refuses_a_stale_version
    eight_writers_of_one_list_lose_no_line
    many_keys_come_sorted_and_whole
    odd_keys_are_kept
    bad_keys_are_refused
    a_stream_that_breaks_leaves_no_object
    a_large_object_comes_back_as_it_was
    many_objects_are_read_in_the_order_asked_for
    a_reader_that_is_dropped_early_harms_nobody
}

fn put(store: &Store, key: &str, text: &str) {
    store.put(key, &mut text.as_bytes()).unwrap();
}

fn text(store: &Store, key: &str) -> Option<String> {
    store.get(key).unwrap().map(|object| String::from_utf8(object.bytes).unwrap())
}

fn keys(store: &Store, prefix: &str) -> Vec<String> {
    store.list(prefix).unwrap().into_iter().map(|entry| entry.key).collect()
}

fn what_is_put_can_be_got_listed_and_deleted(place: &EmptyBucket) {
    let store = (place.open)();
    assert_eq!(text(&store, "a/b.csv"), None);
    put(&store, "a/b.csv", "one");
    put(&store, "a/b.csv", "two");
    assert_eq!(text(&store, "a/b.csv").as_deref(), Some("two"));
    assert_eq!(store.list("a/").unwrap().len(), 1);
    assert_eq!(store.list("a/").unwrap()[0].size_bytes, 3);
    put(&store, "a/empty", "");
    assert_eq!(text(&store, "a/empty").as_deref(), Some(""));
    assert_eq!(keys(&store, ""), ["a/b.csv", "a/empty"]);
    store.delete("a/b.csv").unwrap();
    store.delete("a/b.csv").unwrap();
    assert_eq!(text(&store, "a/b.csv"), None);
    assert!(store.reader("a/b.csv").unwrap().is_none());
}

fn create_if_absent_has_one_winner_and_forgives_a_lost_reply(place: &EmptyBucket) {
    let store = (place.open)();
    assert_eq!(store.put_if_absent("k", b"mine").unwrap(), Written::Done);
    assert_eq!(store.put_if_absent("k", b"mine").unwrap(), Written::Done);
    assert_eq!(store.put_if_absent("k", b"yours").unwrap(), Written::Lost);
    assert_eq!(text(&store, "k").as_deref(), Some("mine"));
}

fn create_if_absent_has_one_winner_among_many(place: &EmptyBucket) {
    for round in 0..5 {
        let winners = AtomicUsize::new(0);
        let key = &format!("round/{round}");
        thread::scope(|scope| {
            for writer in 0..16 {
                let winners = &winners;
                scope.spawn(move || {
                    let store = (place.open)();
                    let own = format!("writer {writer}");
                    if store.put_if_absent(key, own.as_bytes()).unwrap() == Written::Done {
                        winners.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(text(&store, key), Some(own));
                    }
                });
            }
        });
        assert_eq!(winners.into_inner(), 1);
    }
}

fn compare_and_swap_refuses_a_stale_version(place: &EmptyBucket) {
    let store = (place.open)();
    put(&store, "k", "1");
    let first = store.get("k").unwrap().unwrap().version;
    assert_eq!(store.put_if_unchanged("k", &first, b"2").unwrap(), Written::Done);
    assert_eq!(store.put_if_unchanged("k", &first, b"3").unwrap(), Written::Lost);
    assert_eq!(store.put_if_unchanged("k", &first, b"2").unwrap(), Written::Done);
    assert_eq!(text(&store, "k").as_deref(), Some("2"));
    assert_eq!(store.put_if_unchanged("none", &first, b"x").unwrap(), Written::Lost);
    assert_eq!(text(&store, "none"), None);
}

fn eight_writers_of_one_list_lose_no_line(place: &EmptyBucket) {
    put(&(place.open)(), "n", "");
    thread::scope(|scope| {
        for writer in 0..8 {
            scope.spawn(move || {
                let store = (place.open)();
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
    let text = text(&(place.open)(), "n").unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!((lines.len(), text.lines().count()), (40, 40));
}

fn many_keys_come_sorted_and_whole(place: &EmptyBucket) {
    thread::scope(|scope| {
        for part in 0..8 {
            scope.spawn(move || {
                let store = (place.open)();
                for i in (0..2_500).rev().filter(|i| i % 8 == part) {
                    put(&store, &format!("p/{i:05}.csv"), "x");
                }
            });
        }
    });
    let store = (place.open)();
    put(&store, "q/1", "x");
    let below = keys(&store, "p/");
    assert_eq!(below.len(), 2_500);
    assert!(below.is_sorted());
    assert_eq!(keys(&store, "p/0000").len(), 10);
    assert_eq!(keys(&store, "").len(), 2_501);
    assert_eq!(store.list("nothing/here").unwrap(), []);
}

fn odd_keys_are_kept(place: &EmptyBucket) {
    let store = (place.open)();
    let odd = [
        "a b+c/é°’.csv",
        "100%/x=y&z",
        "~/#1?.csv",
        "a/b.c.d",
        "a/%2F%20+",
        "a/<x>&amp;\"'.csv",
        "日/本 語",
        "a/😀",
    ];
    for key in odd {
        put(&store, key, key);
        assert_eq!(text(&store, key).as_deref(), Some(key));
    }
    let mut sorted = odd.map(str::to_owned);
    sorted.sort_unstable();
    assert_eq!(keys(&store, ""), sorted);
    assert_eq!(keys(&store, "a b+"), ["a b+c/é°’.csv"]);
    assert_eq!(keys(&store, "a/%"), ["a/%2F%20+"]);
    for key in odd {
        store.delete(key).unwrap();
    }
    assert_eq!(store.list("").unwrap(), []);
}

fn bad_keys_are_refused(place: &EmptyBucket) {
    let store = (place.open)();
    let long = "x".repeat(1_025);
    for key in [
        "",
        "/a",
        "a//b",
        "../x",
        "a/./b",
        "a/..",
        ".fairway/lock",
        "a/.hidden",
        "a\\b",
        "a\nb",
        "a/",
        long.as_str(),
    ] {
        assert!(store.put(key, &mut "x".as_bytes()).is_err(), "{key:?}");
        assert!(store.put_if_absent(key, b"x").is_err(), "{key:?}");
        assert!(store.get(key).is_err() && store.reader(key).is_err(), "{key:?}");
        assert!(store.readers([key]).next().unwrap().is_err() && store.delete(key).is_err(), "{key:?}");
    }
    assert!(store.list("../").is_err());
    assert_eq!(store.list("").unwrap(), []);
}

/// Gives so many bytes, then breaks.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return Err(std::io::Error::other("cut"));
        }
        let n = buffer.len().min(self.0);
        self.0 -= n;
        buffer[..n].fill(b'x');
        Ok(n)
    }
}

fn a_stream_that_breaks_leaves_no_object(place: &EmptyBucket) {
    let store = (place.open)();
    put(&store, "k", "old");
    for bytes in [10, 20_000_000] {
        let failure = store.put("k", &mut Broken(bytes)).unwrap_err();
        assert_eq!(failure.kind(), failure::Kind::Io, "{failure}");
    }
    assert_eq!(text(&store, "k").as_deref(), Some("old"));
    assert_eq!(store.list("").unwrap().len(), 1);
}

fn a_large_object_comes_back_as_it_was(place: &EmptyBucket) {
    let store = (place.open)();
    let content: Vec<u8> = (0..20_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    store.put("large", &mut &content[..]).unwrap();
    assert_eq!(store.list("").unwrap()[0].size_bytes, 20_000_000);
    let reader = store.reader("large").unwrap().unwrap();
    assert_eq!(fingerprint::of_stream(reader).unwrap(), fingerprint::of(&content));
    assert!(store.get("large").unwrap().unwrap().bytes == content);
}

fn many_objects_are_read_in_the_order_asked_for(place: &EmptyBucket) {
    let store = (place.open)();
    let all: Vec<String> = (0..60).map(|i| format!("p/{}", i * 7 % 60)).collect();
    for key in all.iter().filter(|key| *key != "p/13") {
        put(&store, key, key);
    }
    let read: Vec<Option<String>> = store
        .readers(all.iter().map(String::as_str))
        .map(|reader| reader.unwrap().map(|reader| std::io::read_to_string(reader).unwrap()))
        .collect();
    let expected: Vec<_> = all.iter().map(|key| (key != "p/13").then(|| key.clone())).collect();
    assert_eq!(read, expected);
}

fn a_reader_that_is_dropped_early_harms_nobody(place: &EmptyBucket) {
    let store = (place.open)();
    store.put("large", &mut &vec![b'x'; 3_000_000][..]).unwrap();
    put(&store, "k", "1");
    for _ in 0..20 {
        let mut reader = store.reader("large").unwrap().unwrap();
        reader.read_exact(&mut [0; 10]).unwrap();
        drop(reader);
        assert_eq!(text(&store, "k").as_deref(), Some("1"));
    }
    let mut reader = store.reader("large").unwrap().unwrap();
    drop(store);
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 3_000_000);
}

#[test]
fn a_folder_that_is_not_there_is_said_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let failure = Store::open(missing.to_str().unwrap()).unwrap_err();
    assert_eq!(failure.kind(), failure::Kind::Config);
    assert!(failure.to_string().contains("mkdir -p"), "{failure}");
    assert!(!missing.exists());
}

#[cfg(not(feature = "s3"))]
#[test]
fn without_s3_its_urls_say_how_to_build_with_it() {
    let failure = Store::open("s3://KEY:SECRET@name/prefix").unwrap_err();
    assert_eq!(failure.kind(), failure::Kind::Config);
    assert!(failure.to_string().contains("--features s3"), "{failure}");
    assert!(!failure.to_string().contains("SECRET"), "{failure}");
}
