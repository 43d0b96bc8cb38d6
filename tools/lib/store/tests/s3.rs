//! What only S3 can do to us, by a real server with signatures and a proxy that makes trouble.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::Read;
use std::thread;
use std::time::Duration;

use manners::{Exit, Failure};
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

    /// Opens it as the one with these keys, and little patience.
    fn open_as(&self, (access, secret): (&str, &str)) -> Store {
        open(&self.name, &self.fault.url(), (access, secret), 4)
    }

    fn open(&self) -> Store {
        self.open_as(Seaweed::KEYS)
    }

    /// With the patience that a short outage needs.
    fn open_patiently(&self) -> Store {
        open(&self.name, &self.fault.url(), Seaweed::KEYS, 60)
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
fn says(failure: &Failure, exit: Exit, words: &[&str]) {
    let text = failure.to_string();
    assert_eq!(failure.exit(), exit, "{text}");
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
                Exit::Denied,
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
    says(&store.put("k", &mut &b"2"[..]).unwrap_err(), Exit::Denied, &["access was refused", "PutObject"]);
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
        says(&store.get("k").unwrap_err(), Exit::Denied, &[words, code]);
    }
    for (status, code, words) in [
        (301, "PermanentRedirect", "AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (400, "Odd", "Odd"),
    ] {
        bucket.fault.plan("GET", 1, Trouble::Answer(status, code, 0));
        says(&store.get("k").unwrap_err(), Exit::Config, &[words]);
    }
}

#[test]
fn a_bucket_that_is_not_there_is_said_and_not_made() {
    let server = Seaweed::shared();
    let open = || open("test-no-such-bucket", &server.endpoint(), Seaweed::KEYS, 4);
    for failure in all_failures(&open()) {
        // This server asks first whether one who writes might make the bucket.
        if failure.exit() == Exit::Denied {
            says(&failure, Exit::Denied, &["access was refused", "AccessDenied"]);
        } else {
            says(&failure, Exit::Config, &["there is no such bucket", "NoSuchBucket"]);
        }
    }
    // None of these made it.
    assert_eq!(all_failures(&open()).iter().filter(|failure| failure.exit() == Exit::Config).count(), 5);
    says(&open().list("").unwrap_err(), Exit::Config, &["NoSuchBucket"]);
}

#[test]
fn an_s3_that_says_later_is_asked_again_and_given_up_at_last() {
    let bucket = Bucket::new();
    let store = bucket.open_patiently();
    for (status, code) in [(503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable")] {
        bucket.fault.plan("PUT", 3, Trouble::Answer(status, code, 0));
        put(&store, "k", code);
        bucket.fault.plan("GET", 3, Trouble::Answer(status, code, 0));
        assert_eq!(text(&store, "k").as_deref(), Some(code));
        bucket.fault.plan("GET", 3, Trouble::Answer(status, code, 0));
        assert_eq!(store.list("").unwrap().len(), 1);
    }
    assert_eq!(bucket.fault.left(), 0);
    bucket.fault.plan("GET", 1_000, Trouble::Answer(503, "SlowDown", 0));
    let failure = bucket.open().get("k").unwrap_err();
    says(&failure, Exit::Unavailable, &["SlowDown, status 503", "try again later"]);
}

#[test]
fn two_conditional_writes_at_once_are_decided_by_another_try() {
    let bucket = Bucket::new();
    bucket.fault.plan("PUT", 2, Trouble::Answer(409, "ConditionalRequestConflict", 0));
    assert_eq!(bucket.open_patiently().put_if_absent("k", b"1").unwrap(), Written::Done);
    assert_eq!(bucket.fault.left(), 0);
}

#[test]
fn an_s3_that_cannot_be_reached_is_said() {
    let store = open("test-x", &format!("http://127.0.0.1:{}", free_port()), Seaweed::KEYS, 1);
    for failure in all_failures(&store) {
        says(&failure, Exit::Unavailable, &["cannot be reached", "Connection refused"]);
    }
}

#[test]
fn an_s3_that_is_silent_is_not_waited_for_for_ever() {
    let bucket = Bucket::new();
    bucket.fault.plan("GET", 100, Trouble::Delay(Duration::from_secs(600)));
    says(&bucket.open().get("k").unwrap_err(), Exit::Unavailable, &["does not answer"]);
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
    let store = bucket.open_patiently();
    store.put("k", &mut &content[..]).unwrap();
    for trouble in [Trouble::CutBody(1_000_000), Trouble::CutBody(0), Trouble::StallBody(70_000)] {
        let patience =
            if matches!(trouble, Trouble::StallBody(_)) { bucket.open() } else { bucket.open_patiently() };
        bucket.fault.plan("GET", 2, trouble.clone());
        assert!(patience.get("k").unwrap().unwrap().bytes == content, "{trouble:?}");
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
    let mut reader = store.reader("k").unwrap().unwrap();
    let mut read = Vec::new();
    let error = reader.read_to_end(&mut read).unwrap_err();
    assert_eq!(read.len(), 40_000);
    let failure = Failure::io("elsewhere", &error);
    says(&failure, Exit::Unavailable, &["only 40000 of 100000 bytes arrived"]);
}

#[test]
fn an_object_that_changes_while_it_is_read_is_not_mixed() {
    let bucket = Bucket::new();
    let store = bucket.open_patiently();
    store.put("k", &mut &vec![b'a'; 3_000_000][..]).unwrap();
    bucket.fault.plan("GET", 1, Trouble::CutBody(2_500_000));
    let mut reader = store.reader("k").unwrap().unwrap();
    store.put("k", &mut &vec![b'b'; 3_000_000][..]).unwrap();
    let failure = Failure::io("elsewhere", &reader.read_to_end(&mut Vec::new()).unwrap_err());
    says(&failure, Exit::Unavailable, &["changed while it was being read"]);
}

#[test]
fn writes_whose_reply_was_lost_are_known_again() {
    let bucket = Bucket::new();
    let store = bucket.open_patiently();
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
    let store = bucket.open_patiently();
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
    let failure = bucket.open().get("k").unwrap_err();
    says(&failure, Exit::Config, &["clock", "minutes behind", "RequestTimeTooSkewed"]);
}

#[test]
fn keys_that_no_store_writes_are_not_listed() {
    let server = Seaweed::shared();
    let name = server.new_bucket();
    let store = open(&name, &server.endpoint(), Seaweed::KEYS, 4);
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
