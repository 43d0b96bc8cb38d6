//! `bucket` through its real binary, on a real S3 server with signatures on.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use pipelines::Session;
use servers::{Fault, Seaweed, Trouble};

/// A session whose bucket is a new one of the shared server, behind a proxy.
fn session() -> (Session, Fault) {
    let server = Seaweed::shared();
    let fault = Fault::before(server.port());
    let mut session = Session::new();
    for (name, value) in Seaweed::env(&fault.url()) {
        session.set(name, value);
    }
    session.set("FAIRWAY_BUCKET", format!("s3://{}/golf", server.new_bucket()));
    (session, fault)
}

#[test]
fn what_is_put_is_got_listed_joined_and_removed() {
    let (session, _fault) = session();
    session.file("1.csv", "a,b\n1,2\n");
    session.file("2.csv", "a,b\n3,\"x, y\"\n");
    let sha256 = session.ok("bucket put 'p/1 +é.csv' --from 1.csv");
    assert_eq!(sha256, session.ok("sha256sum 1.csv | cut -d' ' -f1"));
    session.ok("bucket put p/2.csv --from 2.csv");
    assert_eq!(session.ok("bucket get 'p/1 +é.csv'"), "a,b\n1,2\n");
    session.ok("bucket get p/2.csv --to y.csv && cmp 2.csv y.csv");
    assert_eq!(session.ok("bucket ls"), "key,size_bytes\np/1 +é.csv,8\np/2.csv,13\n");
    assert_eq!(session.ok("bucket ls --sha256 | sed -n 2p"), format!("p/1 +é.csv,8,{sha256}"));
    session.run("bucket cat p/ --manifest m.json > all.csv").expect(0).says("2 rows of 2 objects");
    assert_eq!(session.read("all.csv"), "a,b\n1,2\n3,\"x, y\"\n");
    assert!(session.read("m.json").contains(sha256.trim()));
    session.ok("bucket put p/2.csv --from 2.csv --if-absent");
    session.run("bucket put p/2.csv --from 1.csv --if-absent").expect(1).says("an object with other content");
    session.ok("bucket rm p/2.csv && bucket rm p/2.csv");
    session.run("bucket get p/2.csv").expect(65).says("there is no such object");
    session.run("bucket cat q/").expect(65).says("no objects below this prefix");
}

#[test]
fn hundreds_of_objects_are_read_while_the_next_are_asked_for() {
    let (session, fault) = session();
    session.ok("mkdir files && for i in $(seq 100 399); do printf 'n\\n%s\\n' $i > files/$i; done");
    session.ok("ls files | xargs -P 8 -I{} bucket put n/{} --from files/{} > put");
    let expected: String =
        std::iter::once("n\n".to_owned()).chain((100..400).map(|i| format!("{i}\n"))).collect();
    assert_eq!(session.ok("bucket cat n/"), expected);
    let listed = session.ok("bucket ls n/ --sha256 | sed 1d | cut -d, -f3");
    assert_eq!(listed, session.ok("cd files && sha256sum * | cut -d' ' -f1"));
    // An answer that takes long does not keep the next from being asked for.
    let asked_before = fault.asked().len();
    fault.plan("GET /test", 1, Trouble::Delay(Duration::ZERO));
    fault.plan("GET", 1, Trouble::Hold);
    let mut child = session.command("bucket cat n/ > all").stderr(Stdio::null()).spawn().unwrap();
    let asked = || fault.asked().len() - asked_before;
    // The listing, up to 15 objects before the one that is held, and 16 from there on; not all 300.
    let started = Instant::now();
    while asked() < 17 {
        assert!(started.elapsed() < Duration::from_secs(60), "{} requests", asked());
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_secs(1));
    assert!(asked() <= 33, "{} requests", asked());
    fault.release();
    assert!(child.wait().unwrap().success());
    assert_eq!(session.read("all"), expected);
}

#[test]
fn memory_is_small_however_large_an_object_is() {
    let (session, _fault) = session();
    session.ok("head -c 150000000 /dev/zero | tr '\\0' x > large");
    // Of 150 MB, no more than 60 at a time.
    session.ok("bash -c 'ulimit -d 60000; bucket put large --from large'");
    session.ok("bash -c 'ulimit -d 60000; bucket get large --to back' && cmp large back");
    // The limit is one: this holds the object.
    session
        .run("bash -c 'ulimit -d 60000; bucket put large --from large --if-absent'")
        .expect(74)
        .says("out of memory");
}

#[test]
fn an_s3_that_is_gone_for_a_while_is_survived_by_put_and_by_cat() {
    let (session, fault) = session();
    session.ok("{ echo n; seq 1000000 1399999; } > a");
    let run = |line: &str, up_first: Duration| {
        fault.set_down(up_first.is_zero());
        let mut child = session.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(up_first);
        fault.set_down(true);
        thread::sleep(Duration::from_secs(3));
        fault.set_down(false);
        assert!(child.wait().unwrap().success(), "{line}");
    };
    run("bucket put n/a --from a", Duration::ZERO);
    // Gone after the listing was asked for; and when it is back, it cuts the object.
    fault.plan("GET", 1, Trouble::Delay(Duration::from_secs(2)));
    fault.plan("GET", 1, Trouble::CutBody(1_000_000));
    run("bucket cat n/ > all", Duration::from_secs(1));
    assert_eq!(fault.left(), 0);
    session.ok("cmp a all");
    fault.set_down(true);
    let ran = session.run("FAIRWAY_S3_MAX_WAIT=5 bucket cat n/");
    ran.expect(69).says("golf/n/: S3 cannot be reached").says("try again later");
}

#[test]
fn credentials_are_looked_for_and_refused_by_name() {
    let (mut session, _fault) = session();
    session.set("AWS_SECRET_ACCESS_KEY", "SECRETWRONG");
    session.run("bucket ls").expect(77).says("credentials were refused").hides("SECRETWRONG").hides("AKIA");
    session.unset("AWS_SECRET_ACCESS_KEY");
    session.unset("AWS_ACCESS_KEY_ID");
    let ran = session.run("bucket ls");
    ran.expect(77).says("no credentials were found").says("AWS_ACCESS_KEY_ID").says("~/.aws/credentials");
    // A profile's.
    let (access, secret) = Seaweed::KEYS;
    let profile = format!("[other]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n");
    session.file("home/.aws/credentials", profile);
    session.ok("AWS_PROFILE=other bucket ls");
    session.run("AWS_PROFILE=none bucket ls").expect(77).says("no credentials were found");
    // A process's, which may fail and say what it should not.
    session.file(
        "home/.aws/config",
        "[profile process]\ncredential_process = sh -c 'echo SECRETWORDS >&2; exit 1'\n",
    );
    session.run("AWS_PROFILE=process bucket ls").expect(77).says("gave none").hides("SECRETWORDS");
}

#[test]
fn an_address_that_cannot_be_meant_is_refused_and_not_repeated() {
    let (session, _fault) = session();
    session.run("bucket ls --bucket s3://KEY:SECRET@name").expect(2).says("s3://name/prefix").hides("SECRET");
    session
        .run("AWS_ENDPOINT_URL_S3=http://K:SECRET@h bucket ls")
        .expect(78)
        .says("endpoint")
        .hides("SECRET");
    session.run("AWS_ENDPOINT_URL_S3=localhost:1 bucket ls").expect(78).says("http://host:port");
    session.run("FAIRWAY_S3_MAX_WAIT=long bucket ls").expect(78).says("not a number of seconds");
    session.run("FAIRWAY_S3_PATH_STYLE=no bucket ls").expect(78).says("not true or false");
    session.run("env -u AWS_REGION -u AWS_ENDPOINT_URL_S3 bucket ls").expect(78).says("AWS_REGION");
    session.ok("env -u AWS_REGION bucket ls");
}

/// A container's source of credentials: each answer is valid for some seconds; after `good` answers it refuses.
fn source_of_credentials(good: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/credentials", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (i, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let (access, secret) = if i == 0 { Seaweed::KEYS } else { Seaweed::OTHER_KEYS };
            // What runs out within some seconds is renewed before the next request.
            let expires: String = rfc_3339(SystemTime::now() + Duration::from_secs(4));
            let (status, body) = if i < good {
                let keys =
                    format!(r#""AccessKeyId": "{access}", "SecretAccessKey": "{secret}", "Token": """#);
                ("200 OK", format!(r#"{{{keys}, "Expiration": "{expires}"}}"#))
            } else {
                ("403 Forbidden", r#"{"code": "SECRETCODE", "message": "SECRETWORDS"}"#.to_owned())
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    url
}

/// RFC 3339, by the machine's own `date`.
fn rfc_3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let output = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn credentials_that_expire_are_renewed_and_a_refused_renewal_is_said() {
    let (mut session, fault) = session();
    session.ok("mkdir n && echo n > n/0 && bucket put n/0 --from n/0 && bucket put n/1 --from n/0");
    session.unset("AWS_SECRET_ACCESS_KEY");
    session.unset("AWS_ACCESS_KEY_ID");
    let before = fault.asked().len();
    session.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", source_of_credentials(1_000));
    session.ok("bucket cat n/");
    let asked = fault.asked().split_off(before);
    assert!(asked.first().unwrap().ends_with(Seaweed::KEYS.0), "{asked:?}");
    assert!(asked.last().unwrap().ends_with(Seaweed::OTHER_KEYS.0), "{asked:?}");
    session.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", source_of_credentials(1));
    let ran = session.run("bucket cat n/");
    ran.expect(77).says("gave none").hides("SECRETWORDS").hides("SECRETCODE");
}

#[test]
fn a_line_end_in_a_variable_is_named() {
    let (session, fault) = session();
    let asked = fault.asked().len();
    for name in [
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
    ] {
        for end in ["\\r", "\\n", "\\001", "é"] {
            // A shell's $() takes away line ends at the end.
            let line = format!("export {name}=\"$(printf 'x{end}y')\"; bucket ls");
            session.run(&line).expect(78).says(name).says("holds a character").hides("panicked");
        }
    }
    session.file("home/.aws/config", "[profile odd]\nregion = us\u{1}east\n");
    session
        .run("unset AWS_REGION AWS_DEFAULT_REGION; AWS_PROFILE=odd bucket ls")
        .expect(78)
        .says("region of the profile");
    for (line, words) in [
        ("FAIRWAY_S3_MAX_WAIT=\"$(printf '9\\ry')\" bucket ls", "not a number of seconds"),
        ("FAIRWAY_S3_PATH_STYLE=\"$(printf 'true\\ry')\" bucket ls", "FAIRWAY_S3_PATH_STYLE"),
        ("FAIRWAY_S3_ETAG_MD5=\"$(printf 'true\\ry')\" bucket ls", "FAIRWAY_S3_ETAG_MD5"),
    ] {
        session.run(line).expect(78).says(words);
    }
    session.run("bucket ls --bucket \"$(printf 's3://name/golf\\ry')\"").expect(2).hides("panicked");
    assert_eq!(fault.asked().len(), asked, "nobody was asked");
}
