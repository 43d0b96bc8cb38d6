//! Where the model comes from, and what happens when it moves, breaks or goes away.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{
    Server, body, eventually, file_of, model, publish, publish_model, refusal_of, refused, replace,
};
use model_file::Algorithm;
use predictd::{LoadedModel, ModelSource, Source};
use serde_json::{Value, json};

const ROW: &str = r#"{"sg_total": 2.5, "gir": 0.7222222222222222, "prox_fw": 28}"#;
const QUICK: [&str; 2] = ["--poll", "0.02"];

fn serving(server: &Server, id: &str) -> bool {
    let ready = server.get("/readyz").json();
    ready["model"] == *id && ready.get("stale").is_none()
}

fn stale(server: &Server, reason: &str) -> bool {
    let reply = server.get("/readyz");
    reply.status == 200 && reply.json()["stale"].as_str().is_some_and(|stale| stale.contains(reason))
}

#[test]
fn a_moved_pointer_swaps_the_model_and_no_answer_is_lost_or_mixed() {
    let bucket = tempfile::tempdir().unwrap();
    let models = [model(0.1), model(0.2)];
    publish_model(bucket.path(), &models[0]);
    let server = Server::on(bucket.path(), &QUICK);
    assert!(server.announced.contains(&models[0].id()), "{}", server.announced);
    assert!(server.get("/model").json()["key"].as_str().unwrap().contains(&models[0].id()));
    let row = [2.5, 0.7222222222222222, 28.0];
    let expected: Vec<(Value, Value)> =
        models.iter().map(|m| (json!(m.id()), json!(m.predict(&row)))).collect();
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let reply = server.predict(&format!("[{ROW},{ROW}]"));
                    assert_eq!(reply.status, 200, "{reply:?}");
                    let answers = reply.json();
                    let known = expected.iter().find(|(id, _)| *id == answers[0]["model"]).unwrap();
                    for i in 0..2 {
                        assert_eq!((&answers[i]["model"], &answers[i]["sg_t2g"]), (&known.0, &known.1));
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Back and forth, under load.
        for at in [1, 0, 1] {
            publish_model(bucket.path(), &models[at]);
            eventually("the swap", || serving(&server, &models[at].id()));
            let before = answered.load(Ordering::Relaxed);
            eventually("some answers", || answered.load(Ordering::Relaxed) > before + 20);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(server.said().contains("now serving"), "{}", server.said());
}

#[test]
fn a_poisoned_model_is_not_served() {
    let bucket = tempfile::tempdir().unwrap();
    let (good, next) = (model(0.1), model(0.2));
    publish_model(bucket.path(), &good);
    let server = Server::on(bucket.path(), &QUICK);
    let before = server.predict(ROW).body;
    publish(bucket.path(), "poisoned", next.to_text().unwrap().replace("0.7", "0.8").as_bytes());
    eventually("word of the bad model", || stale(&server, "models/poisoned.json: its digest is"));
    assert_eq!(server.predict(ROW).body, before);
    // The pointer itself can be damaged, too.
    let pointer = bucket.path().join(pointer::Prefix::default().pointer_key());
    let whole = std::fs::read(&pointer).unwrap();
    replace(&pointer, &whole[..whole.len() / 2]);
    eventually("word of the bad pointer", || stale(&server, "not a pointer"));
    assert_eq!(server.predict(ROW).body, before);
    // Many looks, one line for each reason.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(server.said().matches("its digest is").count(), 1, "{}", server.said());
    assert_eq!(server.said().matches("not a pointer").count(), 1, "{}", server.said());
    replace(&pointer, whole);
    publish_model(bucket.path(), &next);
    eventually("the good model", || serving(&server, &next.id()));
}

#[test]
fn a_bucket_that_goes_away_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("bucket"), folder.path().join("away"));
    std::fs::create_dir(&here).unwrap();
    publish_model(&here, &model(0.1));
    let server = Server::on(&here, &QUICK);
    let before = server.predict(ROW).body;
    std::fs::rename(&here, &away).unwrap();
    eventually("word of the missing bucket", || stale(&server, "there is no such bucket"));
    assert_eq!(server.predict(ROW).body, before);
    std::fs::rename(&away, &here).unwrap();
    eventually("the bucket's return", || serving(&server, &model(0.1).id()));
    eventually("word of its return", || server.said().contains("is right again"));
}

#[test]
fn a_bucket_without_an_approved_model_is_waited_for() {
    let bucket = tempfile::tempdir().unwrap();
    let server = Server::on(bucket.path(), &QUICK);
    assert!(
        server.announced.starts_with("predictd: serving no model yet on http://"),
        "{}",
        server.announced
    );
    for path in ["/readyz", "/model"] {
        let reply = server.get(path);
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.json()["detail"].as_str().unwrap().contains("names no model yet"), "{reply:?}");
    }
    assert_eq!(server.predict(ROW).status, 503);
    assert_eq!(server.get("/healthz").status, 200);
    publish_model(bucket.path(), &model(0.1));
    eventually("the first model", || serving(&server, &model(0.1).id()));
    assert_eq!(server.predict(ROW).status, 200);
}

#[test]
fn hangup_looks_at_once() {
    let bucket = tempfile::tempdir().unwrap();
    publish_model(bucket.path(), &model(0.1));
    let server = Server::on(bucket.path(), &["--poll", "3600"]);
    publish_model(bucket.path(), &model(0.2));
    assert!(serving(&server, &model(0.1).id()));
    server.signal("HUP");
    eventually("the swap", || serving(&server, &model(0.2).id()));
}

#[test]
fn a_replaced_file_is_read_again() {
    let (_folder, file) = file_of(&model(0.1).to_text().unwrap());
    let path = file.to_str().unwrap();
    let server = Server::start(&["--model", path, "--poll", "0.02"]);
    replace(&file, model(0.25).to_text().unwrap());
    eventually("the swap", || serving(&server, &model(0.25).id()));
    replace(&file, "half a mod");
    eventually("word of the bad file", || stale(&server, "not a model file"));
    std::fs::remove_file(&file).unwrap();
    eventually("word of the missing file", || stale(&server, "No such file"));
    assert_eq!(server.predict(ROW).status, 200);
    replace(&file, model(0.1).to_text().unwrap());
    eventually("the first model again", || serving(&server, &model(0.1).id()));
}

#[test]
fn a_bad_source_is_refused_before_listening() {
    let text = model(0.1).to_text().unwrap();
    let at = text.find("0.7").unwrap();
    let mut changed = text.clone().into_bytes();
    changed[at + 2] = b'8';
    let (_folder, file) = file_of(std::str::from_utf8(&changed).unwrap());
    let file = file.to_str().unwrap();
    let (code, said) = refused(&["--model", file]);
    assert!(code == 65 && said.contains("its digest is"), "{code} {said}");

    // Sealed by somebody who wanted to be believed.
    let mut outside = body(0.1);
    let Algorithm::Linear { terms, .. } = &mut outside.algorithm else { panic!() };
    terms[1].feature = 3;
    let value = serde_json::to_value(&outside).unwrap();
    // serde_json's map sorts its keys here, as the canonical form does.
    let forged =
        json!({"format": "fairway.model/1", "sha256": fingerprint::of(value.to_string()), "body": value});
    let (_folder, forged) = file_of(&forged.to_string());
    let (code, said) = refused(&["--model", forged.to_str().unwrap()]);
    assert!(code == 65 && said.contains("a term points at feature 3, but there are 3"), "{code} {said}");

    let (code, said) = refused(&["--model", "/nowhere/model.json"]);
    assert!(code == 74 && said.contains("/nowhere/model.json"), "{code} {said}");
    let (code, said) = refused(&["--bucket", "/nowhere"]);
    assert!(code == 78 && said.contains("there is no such bucket"), "{code} {said}");
    let (code, said) = refused(&["--bucket", "/nowhere", "--model", file]);
    assert!(code == 2 && said.contains("give one of them"), "{code} {said}");
    let (code, said) = refused(&[]);
    assert!(code == 2 && said.contains("--bucket"), "{code} {said}");
}

#[test]
fn the_variable_names_a_bucket_and_a_flag_overrules_it() {
    let bucket = tempfile::tempdir().unwrap();
    publish_model(bucket.path(), &model(0.1));
    let in_bucket = |arguments: &[&str], bucket: &Path| {
        let mut command = common::command(arguments);
        command.env("FAIRWAY_BUCKET", bucket).env("FAIRWAY_LISTEN", "127.0.0.1:0");
        command
    };
    let server = Server::spawn(in_bucket(&[], bucket.path()));
    assert!(serving(&server, &model(0.1).id()));
    let (_folder, file) = file_of(&model(0.2).to_text().unwrap());
    let server = Server::spawn(in_bucket(&["--model", file.to_str().unwrap()], bucket.path()));
    assert!(serving(&server, &model(0.2).id()));
    let (code, _) = refusal_of(&mut in_bucket(&["--model", "/nowhere"], bucket.path()));
    assert_eq!(code, 74);
}

#[test]
fn the_last_good_model_is_kept_and_serves_when_the_bucket_is_away_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, away, cache) =
        (folder.path().join("bucket"), folder.path().join("away"), folder.path().join("cache"));
    std::fs::create_dir(&bucket).unwrap();
    let keeps = ["--poll", "0.02", "--cache", cache.to_str().unwrap()];
    let models = [model(0.1), model(0.2), model(0.3)];
    publish_model(&bucket, &models[0]);
    let server = Server::on(&bucket, &keeps);
    publish_model(&bucket, &models[1]);
    eventually("the swap", || serving(&server, &models[1].id()));
    drop(server);
    // What somebody else keeps there is left alone.
    std::fs::write(cache.join("models").join("mine.json"), "").unwrap();
    let kept: Vec<_> = std::fs::read_dir(cache.join("models")).unwrap().collect();
    assert_eq!(kept.len(), 3, "the pointer, one model, and what is none of its own: {kept:?}");

    std::fs::rename(&bucket, &away).unwrap();
    let server = Server::on(&bucket, &keeps);
    assert_eq!(server.predict(ROW).json()["model"], json!(models[1].id()));
    eventually("why it is not the bucket's", || stale(&server, "there is no such bucket"));
    publish_model(&away, &models[2]);
    std::fs::rename(&away, &bucket).unwrap();
    eventually("the bucket is followed again", || serving(&server, &models[2].id()));
    drop(server);

    // The cache does not win over a bucket that is there: not even the first answer is an old one.
    // It does where the first look takes long, as on a slow disk. Then the next try moves the pointer again.
    let mut at = 2;
    eventually("a first answer that is the bucket's", || {
        at = (at + 1) % 3;
        publish_model(&bucket, &models[at]);
        let server = Server::on(&bucket, &keeps);
        let first = server.predict(ROW).json()["model"].clone();
        eventually("the bucket's model is served, and kept", || serving(&server, &models[at].id()));
        first == json!(models[at].id()) && !server.said().contains("cached")
    });

    // What was damaged is no model; without a bucket there is none, and with one it is made good.
    let damaged = cache.join("models").join(format!("{}.json", models[at].id()));
    std::fs::write(&damaged, "{}").unwrap();
    std::fs::rename(&bucket, &away).unwrap();
    let (code, said) = refused(&["--bucket", bucket.to_str().unwrap(), "--cache", cache.to_str().unwrap()]);
    assert!(code == 78 && said.contains("--cache: "), "{code} {said}");
    std::fs::rename(&away, &bucket).unwrap();
    let server = Server::on(&bucket, &keeps);
    assert!(serving(&server, &models[at].id()), "{}", server.said());
    assert!(std::fs::read_to_string(&damaged).unwrap().contains("format"));
}

#[test]
fn a_cache_belongs_to_one_bucket_and_is_no_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let [bucket, other, cache] = ["bucket", "other", "cache"].map(|name| folder.path().join(name));
    std::fs::create_dir(&bucket).unwrap();
    std::fs::create_dir(&other).unwrap();
    publish_model(&bucket, &model(0.1));
    let (code, said) = refused(&["--bucket", bucket.to_str().unwrap(), "--cache", bucket.to_str().unwrap()]);
    assert!(code == 2 && said.contains("this is the bucket itself"), "{code} {said}");
    assert!(!bucket.join("source").exists());
    drop(Server::on(&bucket, &["--cache", cache.to_str().unwrap()]));
    // The other bucket approves nothing yet, and gets nothing of this one.
    let server = Server::on(&other, &["--poll", "0.02", "--cache", cache.to_str().unwrap()]);
    assert!(server.said().contains("it holds the model of"), "{}", server.said());
    assert_eq!(server.predict(ROW).status, 503);
    publish_model(&other, &model(0.2));
    eventually("its own", || serving(&server, &model(0.2).id()));
    drop(server);
    std::fs::rename(&other, folder.path().join("away")).unwrap();
    let server = Server::on(&other, &["--cache", cache.to_str().unwrap()]);
    assert_eq!(server.predict(ROW).json()["model"], json!(model(0.2).id()));
}

#[test]
fn a_file_that_was_only_touched_is_no_new_model() {
    let (_folder, file) = file_of(&model(0.1).to_text().unwrap());
    let server = Server::start(&["--model", file.to_str().unwrap(), "--poll", "3600"]);
    server.predict(ROW);
    // What the process has read of files, as the kernel counts it.
    let read = || {
        let io = std::fs::read_to_string(format!("/proc/{}/io", server.pid())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<usize>().ok()).unwrap()
    };
    let text = model(0.1).to_text().unwrap();
    // When the second look reads, what the first one found is served.
    for _ in 0..2 {
        replace(&file, &text);
        let before = read();
        server.signal("HUP");
        eventually("a look", || read() >= before + text.len());
    }
    let counted = format!("predictd_predictions_total{{name=\"\",model=\"{}\"}} 1\n", model(0.1).id());
    assert!(server.get("/metrics").body.contains(&counted));
    // The only one that is said to be new.
    replace(&file, model(0.2).to_text().unwrap());
    server.signal("HUP");
    eventually("word of another model", || {
        server.said().contains(&format!("now serving {}", model(0.2).id()))
    });
    assert_eq!(server.said().matches("now serving").count(), 1, "{}", server.said());
}

#[test]
fn a_source_that_nobody_has_looked_at_is_looked_at_when_its_time_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("bucket");
    let mut source = ModelSource::unseen(Source::bucket(bucket.to_str().unwrap().to_owned()));
    assert!(source.is_unseen() && source.served().loaded.is_none());
    let hour = Duration::from_secs(3600);
    // What is wrong is no end: it stands in what is served, and a model of one's own serves meanwhile.
    assert!(source.look_after(hour) && !source.is_unseen());
    let reason = source.served().stale_reason.clone().unwrap();
    assert!(reason.contains("there is no such bucket") && source.served().loaded.is_none(), "{reason}");
    source.fall_back(LoadedModel::new(model(0.3), None));
    std::fs::create_dir(&bucket).unwrap();
    publish_model(&bucket, &model(0.1));
    assert!(!source.look_after(hour), "the last look is not an hour old");
    let served = source.served();
    assert_eq!(
        (served.loaded.as_ref().unwrap().id(), served.stale_reason.as_ref()),
        (&*model(0.3).id(), Some(&reason))
    );
    assert!(source.look_after(Duration::ZERO));
    let served = source.served();
    assert_eq!((served.loaded.as_ref().unwrap().id(), &served.stale_reason), (&*model(0.1).id(), &None));
    // The last good one stays, and is in nobody's way.
    std::fs::remove_dir_all(&bucket).unwrap();
    assert!(source.look_after(Duration::ZERO) && !source.look_after(Duration::ZERO));
    source.fall_back(LoadedModel::new(model(0.3), None));
    assert_eq!(source.served().loaded.as_ref().unwrap().id(), model(0.1).id());
}

#[test]
fn systemd_hears_when_every_model_is_there_and_when_the_end_begins() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("notify");
    let systemd = std::os::unix::net::UnixDatagram::bind(&place).unwrap();
    systemd.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let hear = || {
        let mut text = [0; 1_000];
        let length = systemd.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let bucket = folder.path().join("bucket");
    std::fs::create_dir(&bucket).unwrap();
    let mut command = common::command(&["--listen", "127.0.0.1:0", "--poll", "0.2", "--bucket"]);
    command.arg(&bucket).env("NOTIFY_SOCKET", &place);
    let mut server = Server::spawn(command);
    assert_eq!(hear(), "STATUS=serving no model yet\n");
    let (first, second) = (model(0.3), model(0.4));
    publish_model(&bucket, &first);
    assert_eq!(hear(), format!("STATUS=serving {}\nREADY=1\n", first.id()));
    publish_model(&bucket, &second);
    assert_eq!(hear(), format!("STATUS=serving {}\n", second.id()), "ready once");
    server.signal("TERM");
    assert_eq!(hear(), "STOPPING=1\n");
    assert!(server.wait().success());
}
