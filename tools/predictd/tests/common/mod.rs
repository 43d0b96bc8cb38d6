//! A model to serve, the program that serves it, and a client that speaks plain sockets.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use metrics::{Regression, Scores};
use model_file::{
    Algorithm, Baseline, Body, Check, DataCard, Feature, Measured, Model, RecipeCard, TargetCard, Term,
};
use pointer::{Deed, Entry, Named, Pointer};
use store::{Store, Written};

/// Nothing here should take that long; a test that waits longer fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

fn feature(name: &str, unit: Option<&str>, min: f64, max: f64) -> Feature {
    Feature {
        name: name.to_owned(),
        unit: unit.map(str::to_owned),
        description: None,
        nulls: false,
        categories: Vec::new(),
        min,
        max,
    }
}

/// Predicts 0.1 + 0.7 sg_total + `slope` gir - 0.003 prox_fw; `slope` also makes the training key.
pub fn body(slope: f64) -> Body {
    let scores = Scores::Regression(Regression { rows: 80, rmse: 0.5, mae: 0.4, r2: Some(0.9) });
    let coefficients = [0.7, slope, -0.003];
    let terms =
        coefficients.into_iter().enumerate().map(|(feature, coefficient)| Term { feature, coefficient });
    let algorithm = Algorithm::Linear { intercept: 0.1, terms: terms.collect() };
    let row = vec![1.25, 0.6, 31.5];
    let mut said = Vec::new();
    algorithm.answers(&row, row.len(), &mut said);
    Body {
        recipe: RecipeCard {
            name: "golf".to_owned(),
            description: "An estimate of the same round.".to_owned(),
            training_sections_sha256: "0".repeat(64),
            training_sections: None,
        },
        training_key: fingerprint::of(slope.to_string()),
        made_by: "test".to_owned(),
        data: DataCard {
            sha256: "0".repeat(64),
            rows: 100,
            rows_trained: 80,
            rows_held_out: 20,
            groups_held_out: 2,
            newest: Some("2025-06-15".to_owned()),
            manifest: None,
        },
        task: recipe::Task::Regression,
        target: TargetCard {
            name: "sg_t2g".to_owned(),
            unit: Some("strokes".to_owned()),
            description: None,
            classes: Vec::new(),
            ordered: false,
            counted: false,
        },
        features: vec![
            feature("sg_total", Some("strokes"), -9.5, 9.25),
            feature("gir", Some("fraction"), 0.1, 1.0),
            feature("prox_fw", None, 5.0, 80.0),
        ],
        null_values: Vec::new(),
        preparation: Vec::new(),
        means: Vec::new(),
        checks: vec![Check { prediction: said[0], probabilities: Vec::new(), row }],
        algorithm,
        comparison: None,
        split: recipe::Split {
            by: vec!["event_id".to_owned()],
            salt: String::new(),
            holdout: 0.2,
            walk_forward: None,
        },
        walk_forward: None,
        metrics: Measured {
            trained: scores.clone(),
            held_out: Some(scores.clone()),
            baseline: Baseline { mean: Some(0.0), shares: Vec::new(), held_out: Some(scores) },
        },
        intervals: None,
        histograms: Vec::new(),
        predictions: None,
        drift: None,
    }
}

pub fn model(slope: f64) -> Model {
    Model::seal(body(slope)).unwrap()
}

/// Puts any bytes where a model belongs, and approves them.
pub fn publish(bucket: &Path, name: &str, bytes: &[u8]) {
    publish_behind(bucket, "models/", name, bytes);
}

fn publish_behind(bucket: &Path, prefix: &str, name: &str, bytes: &[u8]) {
    let store = Store::open(bucket.to_str().unwrap()).unwrap();
    let named = Named { key: format!("{prefix}{name}.json"), sha256: fingerprint::of(bytes) };
    store.put(&named.key, &mut &bytes[..]).unwrap();
    let mut loaded = Pointer::load(&store, &prefix.parse().unwrap()).unwrap();
    loaded.pointer.model = Some(named.clone());
    loaded.pointer.record(Entry {
        seq: 0,
        when: "2025-06-17T04:00:00Z".to_owned(),
        who: "test".to_owned(),
        what: Deed::Promoted,
        model: Some(named),
        why: "test".to_owned(),
        verdicts: Vec::new(),
    });
    assert_eq!(loaded.save(&store).unwrap(), Written::Done);
}

pub fn publish_model(bucket: &Path, model: &Model) {
    publish(bucket, &model.id(), model.to_text().unwrap().as_bytes());
}

/// The same where another recipe's models are.
pub fn publish_at(bucket: &Path, prefix: &str, model: &Model) {
    publish_behind(bucket, prefix, &model.id(), model.to_text().unwrap().as_bytes());
}

/// A running predictd. It dies with the test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub announced: String,
    said: Arc<Mutex<String>>,
    _folder: Option<tempfile::TempDir>,
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_predictd"));
    command
        .args(arguments)
        .env_remove("FAIRWAY_BUCKET")
        .env_remove("FAIRWAY_LISTEN")
        .env_remove("FAIRWAY_CONFIG");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Serves one model from a file of its own.
    pub fn of(model: &Model, arguments: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.json");
        std::fs::write(&file, model.to_text().unwrap()).unwrap();
        let mut server = Server::start(&[&["--model", file.to_str().unwrap()], arguments].concat());
        server._folder = Some(folder);
        server
    }

    pub fn on(bucket: &Path, arguments: &[&str]) -> Server {
        Server::start(&[&["--bucket", bucket.to_str().unwrap()], arguments].concat())
    }

    pub fn start(arguments: &[&str]) -> Server {
        Server::spawn(command(&[&["--listen", "127.0.0.1:0"], arguments].concat()))
    }

    pub fn spawn(mut command: Command) -> Server {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut announced = String::new();
        let said = Arc::new(Mutex::new(String::new()));
        for line in lines.by_ref() {
            let line = line.unwrap();
            said.lock().unwrap().push_str(&format!("{line}\n"));
            if line.contains(" on http://") {
                announced = line;
                break;
            }
        }
        let said_too = said.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                said_too.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let address = announced.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        let address =
            address.unwrap_or_else(|| panic!("no address: {}", said.lock().unwrap())).parse().unwrap();
        Server { child, address, announced, said, _folder: None }
    }

    /// Everything on stderr so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap().success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("predictd ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        Reply::read(&mut stream)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "", b"")
    }

    /// A row of values that the model calls typical.
    pub fn typical(&self) -> serde_json::Value {
        let card = self.get("/model").json();
        let features = card["features"].as_array().unwrap().iter();
        features
            .map(|feature| (feature["name"].as_str().unwrap().to_owned(), feature["typical"].clone()))
            .collect()
    }

    pub fn predict(&self, body: &str) -> Reply {
        self.send("POST", "/predict", "content-type: application/json\r\n", body.as_bytes())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    /// Reads one whole answer; a connection that only closes gives status 0.
    pub fn read(stream: &mut TcpStream) -> Reply {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if body.len() >= length.unwrap_or(0) {
                    let status = head[9..12].parse().unwrap();
                    return Reply { status, head, body: body.to_owned() };
                }
            }
            match stream.read(&mut chunk) {
                Ok(0) => return Reply { status: 0, head: text, body: String::new() },
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Reply { status: 0, head: text, body: String::new() };
                }
                Ok(n) => bytes.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("{error} after {text:?}"),
            }
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line == header.to_lowercase())
    }
}

/// Waits for something, within reason.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A model file beside others, for programs that should refuse it.
pub fn file_of(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.json");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

/// Puts a file in the place of another, whole: who looks meanwhile sees the old one or the new one.
pub fn replace(file: &Path, content: impl AsRef<[u8]>) {
    let staged = file.with_extension("staged");
    std::fs::write(&staged, content).unwrap();
    std::fs::rename(staged, file).unwrap();
}

/// Runs predictd where it should not start: exit code and words.
pub fn refused(arguments: &[&str]) -> (i32, String) {
    refusal_of(&mut command(arguments))
}

pub fn refusal_of(command: &mut Command) -> (i32, String) {
    let mut child = command.spawn().unwrap();
    let mut status = None;
    eventually("predictd refuses to start", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status.unwrap().code().unwrap(), said)
}
