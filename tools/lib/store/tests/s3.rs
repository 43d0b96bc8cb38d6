//! What only S3 can do to us, by a real server with signatures and a proxy that makes trouble.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::Read;
use std::thread;
use std::time::Duration;

use failure::{Failure, Kind};
use servers::{Fault, Seaweed, Trouble, free_port};
use store::{S3Settings, Store, Written};

/// A bucket of the shared server behind a proxy of the test's own.
struct Bucket {
    fault: Fault,
    name: String,
}

impl Bucket {
    fn new() -> Bucket {
        let server = Seaweed::shared();
        Bucket { fault: Fault::before(server.port()), name: server.new_bucket() }
    }

    /// Opens it as the one with these keys, and the patience that a short outage needs.
    fn open_as(&self, (access, secret): (&str, &str)) -> Store {
        open(&self.name, &self.fault.url(), (access, secret), 60)
    }

    fn open(&self) -> Store {
        self.open_as(Seaweed::KEYS)
    }

    /// With little patience, for what fails until that ends.
    fn open_hastily(&self) -> Store {
        open(&self.name, &self.fault.url(), Seaweed::KEYS, 4)
    }
}

fn open(name: &str, endpoint: &str, (access, secret): (&str, &str), max_wait_seconds: u64) -> Store {
    let settings = S3Settings {
        endpoint: Some(endpoint.to_owned()),
        keys: Some((access.to_owned(), secret.to_owned())),
        max_wait: Some(Duration::from_secs(max_wait_seconds)),
    };
    Store::open_s3(&format!("s3://{name}/models"), &settings).unwrap()
}

fn put(store: &Store, key: &str, text: &str) {
    store.put(key, &mut text.as_bytes()).unwrap();
}

fn text(store: &Store, key: &str) -> Option<String> {
    store.get(key).unwrap().map(|object| String::from_utf8(object.bytes).unwrap())
}

/// Every operation, one after the other.
fn all_failures(store: &Store) -> Vec<Failure> {
    vec![
        store.get("k").unwrap_err(),
        store.reader("k").err().unwrap(),
        store.readers(["k"]).next().unwrap().err().unwrap(),
        store.put("k", &mut &b"x"[..]).unwrap_err(),
        store.put_if_absent("k", b"x").unwrap_err(),
        store.list("").unwrap_err(),
        store.delete("k").unwrap_err(),
    ]
}

#[track_caller]
fn says(failure: &Failure, exit: Kind, words: &[&str]) {
    let text = failure.to_string();
    assert_eq!(failure.kind(), exit, "{text}");
    for words in words.iter().chain(&["s3://test-", "/models/"]) {
        assert!(text.contains(words), "{words:?} is missing in {text:?}");
    }
    for hidden in ["SECRETF", "SECRETR", "SECRETW", "SECRETM", "AKIA", "Signature=", "X-Amz", "\n"] {
        assert!(!text.contains(hidden), "{hidden:?} shows in {text:?}");
    }
}

#[test]
fn a_wrong_secret_and_an_unknown_key_are_credentials_refused() {
    let bucket = Bucket::new();
    for keys in [(Seaweed::KEYS.0, "SECRETWRONG"), ("AKIAUNKNOWN", "SECRETWRONG")] {
        for failure in all_failures(&bucket.open_as(keys)) {
            says(
                &failure,
                Kind::Denied,
                &["credentials were refused", "AWS_SECRET_ACCESS_KEY", "status 403"],
            );
        }
    }
    // Asking again would not help.
    assert!(bucket.fault.asked().len() < 20, "{:?}", bucket.fault.asked());
}

#[test]
fn credentials_that_may_only_read_are_told_so() {
    let bucket = Bucket::new();
    put(&bucket.open(), "k", "1");
    let store = bucket.open_as(Seaweed::READER_KEYS);
    assert_eq!(text(&store, "k").as_deref(), Some("1"));
    says(&store.put("k", &mut &b"2"[..]).unwrap_err(), Kind::Denied, &["access was refused", "PutObject"]);
}

#[test]
fn what_other_servers_refuse_credentials_with_is_understood() {
    let bucket = Bucket::new();
    let store = bucket.open();
    for (status, code, words) in [
        (400, "ExpiredToken", "have expired"),
        (400, "InvalidToken", "were refused"),
        (403, "AccessDenied", "may not do this"),
    ] {
        bucket.fault.plan("GET", 1, Trouble::Answer(status, code, 0));
        says(&store.get("k").unwrap_err(), Kind::Denied, &[words, code]);
    }
    for (status, code, words) in [
        (301, "PermanentRedirect", "AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (400, "Odd", "Odd"),
    ] {
        bucket.fault.plan("GET", 1, Trouble::Answer(status, code, 0));
        says(&store.get("k").unwrap_err(), Kind::Config, &[words]);
    }
}

#[test]
fn a_bucket_that_is_not_there_is_said_and_not_made() {
    let server = Seaweed::shared();
    let open = || open("test-no-such-bucket", &server.endpoint(), Seaweed::KEYS, 60);
    for failure in all_failures(&open()) {
        // This server asks first whether one who writes might make the bucket.
        if failure.kind() == Kind::Denied {
            says(&failure, Kind::Denied, &["access was refused", "AccessDenied"]);
        } else {
            says(&failure, Kind::Config, &["there is no such bucket", "NoSuchBucket"]);
        }
    }
    // None of these made it.
    assert_eq!(all_failures(&open()).iter().filter(|failure| failure.kind() == Kind::Config).count(), 5);
    says(&open().list("").unwrap_err(), Kind::Config, &["NoSuchBucket"]);
}

#[test]
fn an_s3_that_says_later_is_asked_again_and_given_up_at_last() {
    let bucket = Bucket::new();
    let store = bucket.open();
    for (status, code) in
        [(503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable"), (400, "RequestTimeout")]
    {
        bucket.fault.plan("PUT", 3, Trouble::Answer(status, code, 0));
        put(&store, "k", code);
        bucket.fault.plan("GET", 3, Trouble::Answer(status, code, 0));
        assert_eq!(text(&store, "k").as_deref(), Some(code));
        bucket.fault.plan("GET", 3, Trouble::Answer(status, code, 0));
        assert_eq!(store.list("").unwrap().len(), 1);
    }
    assert_eq!(bucket.fault.left(), 0);
    bucket.fault.plan("GET", 1_000, Trouble::Answer(503, "SlowDown", 0));
    let failure = bucket.open_hastily().get("k").unwrap_err();
    says(&failure, Kind::Unavailable, &["SlowDown, status 503", "try again later"]);
    let bucket = Bucket::new();
    bucket.fault.plan("PUT", 1_000, Trouble::Answer(400, "RequestTimeout", 0));
    let failure = bucket.open_hastily().put("k", &mut &b"x"[..]).unwrap_err();
    says(&failure, Kind::Unavailable, &["RequestTimeout, status 400", "try again later"]);
}

#[test]
fn two_conditional_writes_at_once_are_decided_by_another_try() {
    let bucket = Bucket::new();
    bucket.fault.plan("PUT", 2, Trouble::Answer(409, "ConditionalRequestConflict", 0));
    assert_eq!(bucket.open().put_if_absent("k", b"1").unwrap(), Written::Done);
    assert_eq!(bucket.fault.left(), 0);
}

#[test]
fn an_s3_that_cannot_be_reached_is_said() {
    let store = open("test-x", &format!("http://127.0.0.1:{}", free_port()), Seaweed::KEYS, 1);
    let failures = all_failures(&store);
    // Where this machine stood still for a second, that was the end of the patience.
    let (late, refused): (Vec<_>, Vec<_>) =
        failures.iter().partition(|failure| failure.to_string().contains("does not answer"));
    assert!(!refused.is_empty(), "{late:?}");
    for failure in refused {
        says(failure, Kind::Unavailable, &["cannot be reached", "Connection refused"]);
    }
}

#[test]
fn an_s3_that_is_silent_is_not_waited_for_for_ever() {
    let bucket = Bucket::new();
    bucket.fault.plan("GET", 100, Trouble::Delay(Duration::from_secs(600)));
    says(&bucket.open_hastily().get("k").unwrap_err(), Kind::Unavailable, &["does not answer"]);
}

#[test]
fn an_s3_that_is_gone_for_a_while_is_survived() {
    let mut server = Seaweed::new();
    let name = server.new_bucket();
    let store = open(&name, &server.endpoint(), Seaweed::KEYS, 120);
    put(&store, "k", "1");
    server.stop();
    thread::scope(|scope| {
        let putting = scope.spawn(|| put(&store, "k", "2"));
        thread::sleep(Duration::from_secs(3));
        assert!(!putting.is_finished());
        server.start();
    });
    assert_eq!(text(&store, "k").as_deref(), Some("2"));
}

#[test]
fn a_body_that_was_cut_is_read_on_from_there() {
    let bucket = Bucket::new();
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let store = bucket.open();
    store.put("k", &mut &content[..]).unwrap();
    for trouble in [Trouble::CutBody(1_000_000), Trouble::CutBody(0), Trouble::StallBody(70_000)] {
        // A silence is ended after half of the patience.
        let patience = if matches!(trouble, Trouble::StallBody(_)) { 12 } else { 60 };
        let patient = open(&bucket.name, &bucket.fault.url(), Seaweed::KEYS, patience);
        bucket.fault.plan("GET", 2, trouble.clone());
        assert!(patient.get("k").unwrap().unwrap().bytes == content, "{trouble:?}");
        assert_eq!(bucket.fault.left(), 0, "{trouble:?}");
    }
    // Gone for some seconds in the middle of it.
    bucket.fault.plan("GET", 1, Trouble::CutBody(1_000_000));
    let mut reader = store.reader("k").unwrap().unwrap();
    bucket.fault.set_down(true);
    let mut read = vec![0; 500_000];
    reader.read_exact(&mut read).unwrap();
    thread::scope(|scope| {
        let rest = scope.spawn(|| reader.read_to_end(&mut read));
        thread::sleep(Duration::from_secs(3));
        assert!(!rest.is_finished());
        bucket.fault.set_down(false);
    });
    assert!(read == content);
}

#[test]
fn a_body_that_stays_cut_is_an_error_and_never_an_end() {
    let bucket = Bucket::new();
    let store = bucket.open();
    store.put("k", &mut &vec![b'x'; 100_000][..]).unwrap();
    // What follows the first 40,000 bytes never arrives.
    bucket.fault.plan("GET", 1, Trouble::CutBody(40_000));
    bucket.fault.plan("GET", 1_000, Trouble::CutBody(0));
    let mut reader = bucket.open_hastily().reader("k").unwrap().unwrap();
    let mut read = Vec::new();
    let error = reader.read_to_end(&mut read).unwrap_err();
    assert_eq!(read.len(), 40_000);
    let failure = Failure::io("elsewhere", &error);
    says(&failure, Kind::Unavailable, &["only 40000 of 100000 bytes arrived"]);
}

#[test]
fn an_object_that_changes_while_it_is_read_is_not_mixed() {
    let bucket = Bucket::new();
    let store = bucket.open();
    store.put("k", &mut &vec![b'a'; 3_000_000][..]).unwrap();
    bucket.fault.plan("GET", 1, Trouble::CutBody(2_500_000));
    let mut reader = store.reader("k").unwrap().unwrap();
    store.put("k", &mut &vec![b'b'; 3_000_000][..]).unwrap();
    let failure = Failure::io("elsewhere", &reader.read_to_end(&mut Vec::new()).unwrap_err());
    says(&failure, Kind::Unavailable, &["changed while it was being read"]);
}

#[test]
fn writes_whose_reply_was_lost_are_known_again() {
    let bucket = Bucket::new();
    let store = bucket.open();
    bucket.fault.plan("PUT", 1, Trouble::LoseReply);
    put(&store, "plain", "1");
    bucket.fault.plan("PUT", 1, Trouble::LoseReply);
    assert_eq!(store.put_if_absent("created", b"1").unwrap(), Written::Done);
    assert_eq!(store.put_if_absent("created", b"2").unwrap(), Written::Lost);
    let first = store.get("created").unwrap().unwrap().version;
    bucket.fault.plan("PUT", 1, Trouble::LoseReply);
    assert_eq!(store.put_if_unchanged("created", &first, b"3").unwrap(), Written::Done);
    assert_eq!(store.put_if_unchanged("created", &first, b"4").unwrap(), Written::Lost);
    assert_eq!(
        (text(&store, "plain").as_deref(), text(&store, "created").as_deref()),
        (Some("1"), Some("3"))
    );
    bucket.fault.plan("DELETE", 1, Trouble::LoseReply);
    store.delete("plain").unwrap();
    assert_eq!((text(&store, "plain"), bucket.fault.left()), (None, 0));
    // Each of them was asked for twice.
    let asked = bucket.fault.asked();
    assert_eq!(asked.iter().filter(|line| line.starts_with("PUT")).count(), 8, "{asked:?}");
}

#[test]
fn a_large_upload_that_breaks_is_sent_again() {
    let bucket = Bucket::new();
    let store = bucket.open();
    let content = vec![b'x'; 9_000_000];
    bucket.fault.plan("PUT", 1, Trouble::Answer(503, "SlowDown", 0));
    bucket.fault.plan("PUT", 1, Trouble::LoseReply);
    store.put("k", &mut &content[..]).unwrap();
    assert!(store.get("k").unwrap().unwrap().bytes == content);
    assert_eq!(bucket.fault.left(), 0);
}

#[test]
fn a_wrong_clock_is_corrected_or_said() {
    let bucket = Bucket::new();
    let store = bucket.open();
    // The SDK signs with S3's time from then on; ten minutes are what the real server still takes.
    bucket.fault.plan("PUT", 1, Trouble::Answer(403, "RequestTimeTooSkewed", 600));
    put(&store, "k", "1");
    assert_eq!(bucket.fault.left(), 0);
    bucket.fault.plan("GET", 1_000, Trouble::Answer(403, "RequestTimeTooSkewed", 3_600));
    let failure = bucket.open_hastily().get("k").unwrap_err();
    says(&failure, Kind::Config, &["clock", "minutes behind", "RequestTimeTooSkewed"]);
}

#[test]
fn keys_that_no_store_writes_are_not_listed() {
    let server = Seaweed::shared();
    let name = server.new_bucket();
    let store = open(&name, &server.endpoint(), Seaweed::KEYS, 60);
    put(&store, "k", "1");
    for path in ["models/.hidden", "models/a/.fairway", "models/folder/"] {
        assert_eq!(server.request("PUT", &format!("/{name}/{path}")), 200, "{path}");
    }
    let keys: Vec<String> = store.list("").unwrap().into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, ["k"]);
}

#[test]
fn it_can_be_called_from_within_a_runtime() {
    let bucket = Bucket::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = bucket.open();
        put(&store, "k", "1");
        assert_eq!(text(&store, "k").as_deref(), Some("1"));
        assert_eq!(store.list("").unwrap().len(), 1);
    });
}

const XML: &str = "content-type: application/xml\r\n";

/// A page of a listing, in S3's words.
fn page(keys: &[&str], rest: &str) -> Vec<u8> {
    let contents: String = keys
        .iter()
        .map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size><ETag>\"x\"</ETag></Contents>"))
        .collect();
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rest}{contents}</ListBucketResult>"
    )
    .into_bytes()
}

#[test]
fn a_listing_ends_where_it_says_so_and_never_goes_round() {
    let bucket = Bucket::new();
    let store = bucket.open();
    let plan = |times: usize, body: Vec<u8>| bucket.fault.plan("GET", times, Trouble::Say(200, XML, body));
    let end = "<IsTruncated>false</IsTruncated>";
    let more = "<IsTruncated>true</IsTruncated>";
    let token = |name: &str| format!("<NextContinuationToken>{name}</NextContinuationToken>");
    let keys = |store: &Store| {
        store.list("").map(|entries| entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>().join(","))
    };
    // It is over, whatever token comes with it.
    for rest in [end.to_owned(), format!("{end}{}", token("")), format!("{end}{}", token("t"))] {
        plan(1, page(&["models/a"], &rest));
        assert_eq!(keys(&store).unwrap(), "a");
        assert_eq!(bucket.fault.left(), 0);
    }
    // Pages in turn.
    plan(1, page(&["models/a"], &format!("{more}{}", token("1"))));
    plan(1, page(&[], &format!("{more}{}", token("2"))));
    plan(1, page(&["models/b"], end));
    assert_eq!(keys(&store).unwrap(), "a,b");
    // What cannot be a listing is none: a part of one would be trained on.
    let bad: [(Vec<Vec<u8>>, &str); 8] = [
        // A damaged one reads as a shorter one.
        (
            vec![page(&["models/a"], &format!("<KeyCount>2</KeyCount>{end}"))],
            "names 1 keys and says that it names 2",
        ),
        (vec![page(&["models/a"], more)], "goes on, and not from where"),
        (vec![page(&["models/a"], &format!("{more}{}", token("")))], "goes on, and not from where"),
        (
            vec![
                page(&["models/a"], &format!("{more}{}", token("t"))),
                page(&["models/b"], &format!("{more}{}", token("t"))),
            ],
            "goes round",
        ),
        (
            vec![
                page(&["models/a"], &format!("{more}{}", token("1"))),
                page(&["models/a"], &format!("{more}{}", token("2"))),
            ],
            "names \"a\" twice",
        ),
        (vec![page(&["models/a", "models/a"], end)], "names \"a\" twice"),
        (vec![page(&["other/a"], end)], "does not begin with what was asked for"),
        (
            (0..1_100).map(|at| page(&[], &format!("{more}{}", token(&at.to_string())))).collect(),
            "nothing on them",
        ),
    ];
    for (pages, words) in bad {
        pages.into_iter().for_each(|page| plan(1, page));
        says(&store.list("").unwrap_err(), Kind::Unavailable, &[words]);
        bucket.fault.forget();
    }
    // Asked for a part, it is a part.
    plan(1, page(&["models/x/a", "models/z"], end));
    says(&store.list("x/").unwrap_err(), Kind::Unavailable, &["models/z", "does not begin"]);
}

#[test]
fn an_answer_of_any_length_takes_little_memory() {
    let bucket = Bucket::new();
    let store = bucket.open_hastily();
    let before = peak();
    let long = 300 << 20;
    for (status, method) in [(404, "GET"), (403, "GET"), (404, "DELETE"), (400, "PUT")] {
        bucket.fault.plan(method, 1, Trouble::SayLong(status, XML, long));
        // What is cut is asked for again.
        let _ = match method {
            "GET" => store.get("k").map(drop),
            "DELETE" => store.delete("k"),
            _ => store.put("k", &mut &b"x"[..]).map(drop),
        };
        assert_eq!(bucket.fault.left(), 0, "{status} {method}");
    }
    bucket.fault.plan("GET", 1_000, Trouble::SayLong(200, XML, long));
    assert!(store.list("").is_err());
    bucket.fault.forget();
    assert!(peak() - before < 96 << 20, "{} MiB", (peak() - before) >> 20);
    // What can only be small is not read when it is large.
    bucket.fault.plan("GET", 1, Trouble::SayLong(200, "etag: \"x\"\r\n", long));
    let failure = bucket.open().get_up_to("k", 1 << 20).unwrap_err();
    says(&failure, Kind::Data, &["longer than 1048576 bytes"]);
}

/// The most memory that this process ever had.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[test]
fn a_trickle_is_no_answer() {
    let bucket = Bucket::new();
    let (store, hasty) = (bucket.open(), bucket.open_hastily());
    put(&store, "k", &"x".repeat(20_000));
    bucket.fault.plan("GET", 1_000, Trouble::TrickleBody(Duration::from_millis(20)));
    says(&hasty.get("k").unwrap_err(), Kind::Unavailable, &["of 20000 bytes arrived", "more slowly than"]);
    bucket.fault.forget();
    // One that begins and stalls, each time.
    bucket.fault.plan("GET", 1_000, Trouble::StallBody(100));
    says(&hasty.get("k").unwrap_err(), Kind::Unavailable, &["of 20000 bytes arrived"]);
    bucket.fault.forget();
    // Who looks again soon has less patience.
    bucket.fault.plan("GET", 1_000, Trouble::TrickleBody(Duration::from_millis(20)));
    let patient = bucket.open().within(Duration::from_secs(4));
    says(&patient.get("k").unwrap_err(), Kind::Unavailable, &["more slowly than"]);
    bucket.fault.forget();
    assert_eq!(text(&store, "k").unwrap().len(), 20_000);
}

#[test]
fn what_is_altered_on_its_way_is_noticed() {
    let bucket = Bucket::new();
    let store = bucket.open();
    let (small, large) = ("1".repeat(5_000), "2".repeat(5 << 20));
    for content in [&small, &large] {
        // Sent again, and kept as it was meant.
        bucket.fault.plan("PUT", 1, Trouble::AlterSent(2_000));
        match store.put("k", &mut content.as_bytes()) {
            Ok(_) => {}
            Err(failure) => says(&failure, Kind::Unavailable, &["altered on their way"]),
        }
        put(&store, "k", content);
        assert!(text(&store, "k").as_deref() == Some(content));
        bucket.fault.plan("GET", 1, Trouble::AlterBody(2_000));
        assert!(text(&store, "k").as_deref() == Some(content), "asked again");
        // Each time the same: it lies there like that.
        bucket.fault.plan("GET", 2, Trouble::AlterBody(2_000));
        says(&store.get("k").unwrap_err(), Kind::Data, &["not what its ETag says"]);
        // A stream ends with the error, not with its end.
        bucket.fault.plan("GET", 1, Trouble::AlterBody(2_000));
        let mut reader = store.reader("k").unwrap().unwrap();
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
    }
    // A reply that names other bytes.
    bucket.fault.plan(
        "PUT",
        1,
        Trouble::Say(200, "etag: \"00000000000000000000000000000000\"\r\n", Vec::new()),
    );
    says(&store.put("k", &mut &b"x"[..]).unwrap_err(), Kind::Unavailable, &["keeps other bytes"]);
}

#[test]
fn a_rest_is_asked_whose_it_is() {
    let bucket = Bucket::new();
    let store = bucket.open();
    put(&store, "k", &"o".repeat(10_000));
    for (headers, words) in [
        (
            "content-range: bytes 5000-9999/10000\r\netag: \"ffffffffffffffffffffffffffffffff\"\r\n",
            "changed while",
        ),
        ("content-range: bytes 5000-9999/12345\r\n", "changed while"),
    ] {
        bucket.fault.plan("GET", 1, Trouble::CutBody(5_000));
        bucket.fault.plan("GET", 1, Trouble::Say(206, headers, vec![b'n'; 5_000]));
        says(&store.get("k").unwrap_err(), Kind::Unavailable, &[words]);
        assert_eq!(bucket.fault.left(), 0);
    }
}
