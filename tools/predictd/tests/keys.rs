//! Who may ask.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{Server, eventually, model, refused};

const ROW: &str = r#"{"sg_total": 2.5, "gir": 0.5, "prox_fw": 28}"#;

/// `predictd keys …` on a file: exit code, stdout and stderr.
fn keys(file: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_predictd"));
    command.arg("keys").args(arguments).arg("--keys").arg(file).env_remove("FAIRWAY_KEYS");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn create(file: &Path, arguments: &[&str]) -> String {
    let (code, key, said) = keys(file, &[&["create"], arguments].concat());
    assert_eq!(code, 0, "{said}");
    key.trim_end().to_owned()
}

fn ask(server: &Server, key: &str) -> common::Reply {
    server.send("POST", "/predict", &format!("x-api-key: {key}\r\n"), ROW.as_bytes())
}

#[test]
fn keys_are_made_shown_once_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let (code, _, said) = keys(&file, &["list"]);
    assert_eq!((code, said.as_str()), (0, ""));
    let alice = create(&file, &["alice", "--rate", "100/minute"]);
    let (id, secret) = alice.split_once('.').unwrap();
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains(id) && !kept.contains(secret), "{kept}");
    let (code, out, said) = keys(&file, &["create", "alice"]);
    assert!(code == 1 && out.is_empty() && said.contains("alice has the key"), "{code} {out} {said}");
    create(&file, &["bob"]);
    assert_eq!(keys(&file, &["revoke", "bob"]).0, 0);
    assert_eq!(keys(&file, &["revoke", "bob"]).0, 1);
    // The name is free again; the id never is.
    create(&file, &["bob"]);
    let (_, list, _) = keys(&file, &["list"]);
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["id", "name", "created", "revoked", "rate"]);
    assert_eq!((lines[1][0], lines[1][1], lines[1][3], lines[1][4]), (id, "alice", "", "100/minute"));
    assert!(lines.len() == 4 && !lines[2][3].is_empty() && lines[3][3].is_empty(), "{list}");
    assert_eq!(keys(&file, &["create", "eve", "--rate", "1/fortnight"]).0, 2);
    std::fs::write(&file, "{}").unwrap();
    assert_eq!(keys(&file, &["list"]).0, 78);
    // Two at once lose nothing.
    let file = folder.path().join("others.json");
    std::thread::scope(|scope| {
        for at in 0..4 {
            let file = &file;
            scope.spawn(move || create(file, &[&format!("one-{at}")]));
        }
    });
    assert_eq!(keys(&file, &["list"]).1.lines().count(), 5);
}

#[test]
fn only_who_has_a_key_is_answered_and_what_is_open_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let alice = create(&file, &["alice"]);
    let server = Server::of(&model(0.3), &["--keys", file.to_str().unwrap(), "--poll", "0.05"]);
    assert_eq!(ask(&server, &alice).status, 200);
    let bearer =
        server.send("POST", "/predict", &format!("authorization: Bearer {alice}\r\n"), ROW.as_bytes());
    assert_eq!(bearer.status, 200);
    for path in ["/", "/page.js", "/healthz", "/readyz", "/ping"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for path in ["/model", "/metrics", "/nothing"] {
        let reply = server.get(path);
        assert!(reply.status == 401 && reply.has("www-authenticate: Bearer realm=\"predictd\""), "{reply:?}");
    }
    // One body larger than what is taken before the answer, too.
    for body in [ROW.to_owned(), " ".repeat(3_000_000)] {
        let reply = server.send("POST", "/predict", "", body.as_bytes());
        assert!(reply.status == 401 && reply.body.contains("this needs a key"), "{reply:?}");
    }
    let crossed = format!("{}.{}", alice.split_once('.').unwrap().0, "0".repeat(64));
    for wrong in ["", ".", "a.b", "no-dot", &alice.to_uppercase(), &crossed, &format!("{alice}0")] {
        let reply = ask(&server, wrong);
        assert!(reply.status == 401 && !reply.body.contains(&alice), "{wrong}: {reply:?}");
    }
    // Wrong keys in bulk change nothing for who has one.
    for at in 0..2_000 {
        assert_eq!(ask(&server, &format!("{at:010x}.{at:064x}")).status, 401);
    }
    assert_eq!(ask(&server, &alice).status, 200);
    let metrics = server.send("GET", "/metrics", &format!("x-api-key: {alice}\r\n"), b"").body;
    assert!(metrics.contains("predictd_refused_total{reason=\"wrong key\"} 2007"), "{metrics}");

    // Made and revoked while it runs.
    let bob = create(&file, &["bob"]);
    eventually("the new key opens", || ask(&server, &bob).status == 200);
    assert_eq!(keys(&file, &["revoke", "alice"]).0, 0);
    eventually("the revoked key opens nothing", || ask(&server, &alice).status == 401);
    // A file that goes away or breaks takes no key with it.
    std::fs::write(&file, "not keys").unwrap();
    eventually("it is said", || server.said().contains("the keys stay as they were"));
    assert_eq!(ask(&server, &bob).status, 200);
    assert_eq!(ask(&server, &alice).status, 401);
    let said = server.said();
    assert!(!said.contains(bob.split_once('.').unwrap().1), "{said}");
}

#[test]
fn a_rate_is_kept_and_said_and_is_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let (slow, free) = (create(&file, &["slow", "--rate", "5/hour"]), create(&file, &["free"]));
    let server = Server::of(&model(0.3), &["--keys", file.to_str().unwrap(), "--poll", "0.02"]);
    let statuses: Vec<u16> = (0..8).map(|_| ask(&server, &slow).status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
    let reply = ask(&server, &slow);
    let wait = reply.head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((1..=720).contains(&wait.parse::<u32>().unwrap()), "{reply:?}");
    assert_eq!(ask(&server, &free).status, 200);
    // Another change of the file does not let it begin anew.
    create(&file, &["more"]);
    eventually("the file is read again", || server.said().contains("3 keys now"));
    assert_eq!(ask(&server, &slow).status, 429);
}

#[test]
fn an_open_address_needs_keys_or_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    create(&file, &["alice"]);
    let text = model(0.3).to_text().unwrap();
    let (_folder, model) = common::file_of(&text);
    let model = model.to_str().unwrap();
    let server = Server::spawn(common::command(&[
        "--model",
        model,
        "--listen",
        "0.0.0.0:0",
        "--keys",
        file.to_str().unwrap(),
    ]));
    assert!(server.announced.contains("http://0.0.0.0:"), "{}", server.announced);
    let (code, said) = refused(&["--model", model, "--listen", "0.0.0.0:0"]);
    assert!(code == 2 && said.contains("give --keys"), "{code} {said}");
    let missing = folder.path().join("none.json");
    let (code, said) = refused(&["--model", model, "--keys", missing.to_str().unwrap()]);
    assert!(code == 78 && said.contains("predictd keys create NAME --keys"), "{code} {said}");
}

#[test]
fn a_file_that_no_create_has_written_opens_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    create(&file, &["alice"]);
    create(&file, &["bob"]);
    let whole: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let refused = |change: &dyn Fn(&mut serde_json::Value), words: &str| {
        let mut changed = whole.clone();
        change(&mut changed["keys"]);
        std::fs::write(&file, changed.to_string()).unwrap();
        let (code, _, said) = keys(&file, &["list"]);
        assert!(code == 78 && said.contains(words), "{words}: {code} {said}");
    };
    // The digest of nothing, under a salt of nothing.
    refused(&|keys| keys[0]["salt"] = "".into(), "salt");
    refused(&|keys| keys[0]["sha256"] = "e3b0c4".into(), "sha256");
    refused(&|keys| keys[0]["sha256"] = keys[0]["sha256"].as_str().unwrap().to_uppercase().into(), "sha256");
    refused(&|keys| keys[1]["id"] = keys[0]["id"].clone(), "another one has");
    refused(&|keys| keys[0]["id"] = "dead".into(), "id");
    std::fs::write(&file, whole.to_string()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let (code, _, said) = keys(&file, &["list"]);
    assert!(code == 78 && said.contains("everybody may write"), "{code} {said}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(keys(&file, &["list"]).0, 0);
    let long = "x".repeat(65);
    for name in ["a\nb", "", "=cmd", "a\u{1b}[2J", &long] {
        let (code, _, said) = keys(&file, &["create", name]);
        assert!(code == 2, "{name:?}: {code} {said}");
    }
}
