//! What a system is served by: `--config serve.toml`.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::path::Path;

use common::{Server, command, eventually, model, publish_at, publish_model, refusal_of, refused};
use model_file::Model;

const ROW: &str = r#"{"sg_total": 2.5, "gir": 0.7222222222222222, "prox_fw": 28}"#;

const ROUTES: &str = r#"
[[routes]]
name = "golf"

[[routes]]
name = "other"
prefix = "models/other/"

[limits]
body_bytes = 100
poll_seconds = 0.02
"#;

fn config(folder: &Path, text: &str) -> String {
    let file = folder.join("serve.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn each_route_follows_the_pointer_of_its_prefix() {
    let (bucket, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cache = folder.path().join("cache");
    publish_model(bucket.path(), &model(0.1));
    publish_at(bucket.path(), "models/other/", &model(0.2));
    let config = config(folder.path(), ROUTES);
    let options = ["--config", &config, "--cache", cache.to_str().unwrap()];
    let server = Server::on(bucket.path(), &options);
    let says = |server: &Server, name: &str, model: &Model| {
        let reply = server.send("POST", &format!("/predict/{name}"), "", ROW.as_bytes());
        reply.status == 200 && reply.json()["model"] == model.id()
    };
    assert!(says(&server, "golf", &model(0.1)) && says(&server, "other", &model(0.2)));
    publish_at(bucket.path(), "models/other/", &model(0.3));
    eventually("the swap", || says(&server, "other", &model(0.3)));
    assert!(says(&server, "golf", &model(0.1)));
    let key = server.get("/model/other").json()["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("models/other/"), "{key}");
    drop(server);
    // What is kept of a route is what its pointer named.
    let away = folder.path().join("away");
    std::fs::rename(bucket.path(), &away).unwrap();
    let server = Server::on(bucket.path(), &options);
    assert!(says(&server, "golf", &model(0.1)) && says(&server, "other", &model(0.3)));
    drop(server);
    std::fs::rename(&away, bucket.path()).unwrap();
}

#[test]
fn what_is_kept_of_one_pointer_is_none_of_another() {
    let (bucket, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    publish_model(bucket.path(), &model(0.1));
    let cache = folder.path().join("cache");
    let options = ["--cache", cache.to_str().unwrap()];
    drop(Server::on(bucket.path(), &options));
    let config = config(folder.path(), "[[routes]]\nprefix = \"models/other/\"\n");
    let server = Server::on(bucket.path(), &[&options[..], &["--config", &config]].concat());
    assert!(server.announced.contains("serving no model yet"), "{}", server.said());
    assert!(server.said().contains("models/other/latest_model.json names no model yet"), "{}", server.said());
}

#[test]
fn flags_win_over_the_file_and_a_variable_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), ROUTES);
    let file = folder.path().join("model.json");
    std::fs::write(&file, model(0.1).to_text().unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let long = format!("[{}]", [ROW; 2].join(","));
    // The file's limits hold, its routes give way to --model.
    let limited = Server::start(&["--config", &config, "--model", file]);
    assert_eq!((limited.predict(ROW).status, limited.predict(&long).status), (200, 413));
    let wide = Server::start(&["--config", &config, "--model", file, "--max-body", "1000"]);
    assert_eq!(wide.predict(&long).status, 200);
    let mut command = command(&["--listen", "127.0.0.1:0", "--model", file]);
    command.env("FAIRWAY_CONFIG", &config);
    assert_eq!(Server::spawn(command).predict(&long).status, 413);
}

#[test]
fn a_request_has_as_many_rows_as_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "[limits]\nrows = 3\nexplained_rows = 2\n");
    let server = Server::of(&model(0.1), &["--config", &config]);
    let json = |rows: usize| format!("[{}]", vec![ROW; rows].join(","));
    let csv = |rows: usize| format!("sg_total,gir,prox_fw\n{}", "2.5,0.7,28\n".repeat(rows));
    let status = |path: &str, media: &str, body: String| {
        let headers = format!("content-type: {media}\r\n");
        let reply = server.send("POST", path, &headers, body.as_bytes());
        assert!(reply.status != 413 || reply.body.contains("rows in one request"), "{reply:?}");
        reply.status
    };
    for (path, most) in [("/predict", 3), ("/predict?explain=true", 2), ("/invocations", 3)] {
        for (rows, wanted) in [(most, 200), (most + 1, 413)] {
            assert_eq!(status(path, "text/csv", csv(rows)), wanted, "{path}");
            let body =
                if path == "/invocations" { format!("{{\"inputs\":{}}}", json(rows)) } else { json(rows) };
            assert_eq!(status(path, "application/json", body), wanted, "{path}");
        }
    }
    let split = r#"{"dataframe_split":{"columns":["sg_total","gir","prox_fw"],"data":[[1,1,9],[1,1,9],[1,1,9],[1,1,9]]}}"#;
    assert_eq!(status("/invocations", "application/json", split.to_owned()), 413);
    assert!(server.get("/openapi.json").body.contains("\"maxItems\":3"));
}

#[test]
fn a_file_that_is_wrong_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = config(folder.path(), "[limits]\nconections = 3\n");
    let here = folder.path().to_str().unwrap();
    let (code, said) = refused(&["--bucket", here, "--config", &wrong]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("serve.toml: line 2: unknown field `conections`"), "{said}");
    assert!(said.contains("did you mean `connections`?"), "{said}");
    let (code, said) = refused(&["--bucket", here, "--config", "nowhere.toml"]);
    assert!(code == 78 && said.contains("nowhere.toml: there is no such file"), "{said}");
    let good = config(folder.path(), ROUTES);
    let (code, said) = refusal_of(&mut command(&["--config", &good]));
    assert!(code == 2 && said.contains("no model to serve"), "{said}");
}

#[test]
fn golfs_own_file_is_read_and_says_the_defaults() {
    let bucket = tempfile::tempdir().unwrap();
    publish_model(bucket.path(), &model(0.1));
    let golf = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/golf/serve.toml");
    let server = Server::on(bucket.path(), &["--config", golf]);
    assert_eq!(server.predict(ROW).json()["model"], model(0.1).id());
}
