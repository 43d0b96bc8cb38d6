//! A small server that says what a test wants, and sessions whose sources are there.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use pipelines::{Ran, Session};
use serde_json::Value;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With the query.
    pub path: String,
    /// How often this path was asked for so far, this time included.
    pub nth: usize,
    /// By names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// How an answer goes out.
#[derive(Clone, Debug)]
enum How {
    Whole,
    /// Half of the body under the length of all of it, then the end of the connection.
    Cut,
    /// The body again and again, as long as somebody listens.
    Endless,
    /// The body, then this now and then, as long as somebody listens.
    Drip(Vec<u8>),
    /// Nothing, as long as somebody listens.
    Silent,
    /// Nothing, and the end of the connection.
    HangUp,
}

/// An answer. In its headers and body, `HERE` is the address of the server.
#[derive(Clone, Debug)]
pub struct Says {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    how: How,
}

/// 200 and JSON.
pub fn json(body: impl AsRef<[u8]>) -> Says {
    status(200, body).with("content-type", "application/json")
}

/// 200 and a page.
pub fn html(body: impl AsRef<[u8]>) -> Says {
    status(200, body).with("content-type", "text/html; charset=utf-8")
}

/// A status and a body.
pub fn status(status: u16, body: impl AsRef<[u8]>) -> Says {
    Says { status, headers: Vec::new(), body: body.as_ref().to_vec(), how: How::Whole }
}

/// A redirect.
pub fn leads_to(address: &str) -> Says {
    status(302, "elsewhere").with("location", address)
}

impl Says {
    pub fn with(mut self, name: &str, value: &str) -> Says {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn gzip(mut self) -> Says {
        self.body = packed(&self.body);
        self.with("content-encoding", "gzip")
    }

    pub fn cut(self) -> Says {
        Says { how: How::Cut, ..self }
    }

    pub fn endless(self) -> Says {
        Says { how: How::Endless, ..self }
    }

    pub fn dripping(self, with: &[u8]) -> Says {
        Says { how: How::Drip(with.to_vec()), ..self }
    }

    pub fn silent() -> Says {
        Says { how: How::Silent, ..status(200, "") }
    }

    pub fn hangs_up() -> Says {
        Says { how: How::HangUp, ..status(200, "") }
    }

    fn send(&self, here: &str, client: &mut TcpStream) -> std::io::Result<()> {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) if text.contains("HERE") => text.replace("HERE", here).into_bytes(),
            _ => self.body.clone(),
        };
        let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {}\r\n", value.replace("HERE", here)));
        }
        match &self.how {
            How::Whole | How::Cut => {
                let end = if matches!(self.how, How::Cut) { body.len() / 2 } else { body.len() };
                write!(client, "{head}content-length: {}\r\n\r\n", body.len())?;
                client.write_all(&body[..end])
            }
            How::Endless => {
                write!(client, "{head}transfer-encoding: chunked\r\n\r\n")?;
                loop {
                    write!(client, "{:x}\r\n", body.len())?;
                    client.write_all(&body)?;
                    client.write_all(b"\r\n")?;
                }
            }
            How::Drip(piece) => {
                write!(client, "{head}content-length: 99999999\r\n\r\n")?;
                client.write_all(&body)?;
                loop {
                    client.write_all(piece)?;
                    thread::sleep(Duration::from_millis(20));
                }
            }
            // The end of the connection is what the client says by leaving.
            How::Silent => client.read(&mut [0]).map(drop),
            How::HangUp => Ok(()),
        }
    }
}

/// These bytes, packed.
pub fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A server on a free port of this machine.
pub struct Server {
    /// Like `127.0.0.1:1234`.
    pub place: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// A server that answers each request with what `says` makes of it, as many at once as there are.
    pub fn new(says: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (says, kept, here) = (Arc::new(says), Arc::clone(&asked), format!("http://{place}"));
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let (says, kept, here) = (Arc::clone(&says), Arc::clone(&kept), here.clone());
                thread::spawn(move || {
                    if let Some(asked) = read(&client, &kept) {
                        // A client that has left has no use for an error.
                        let _ = says(&asked).send(&here, &mut client);
                    }
                });
            }
        });
        Server { place, asked }
    }

    /// A server that says the same to everybody.
    pub fn always(says: Says) -> Server {
        Server::new(move |_| says.clone())
    }

    /// A server that says this at first, and then that.
    pub fn at_first(first: Says, then: Says) -> Server {
        Server::new(move |asked| if asked.nth == 1 { first.clone() } else { then.clone() })
    }

    /// What it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The same, as `GET /path?query`.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    /// A session with these sources (see [`Server::sources`]).
    pub fn session(&self, sources: &str) -> Session {
        let mut session = Session::new();
        session.file("sources.toml", self.sources(sources));
        session.ok("mkdir data");
        session.set("FAIRWAY_SOURCES", "sources.toml");
        session.set("FAIRWAY_BUCKET", "./data");
        session.set("FAIRWAY_RETRY_DELAY", "1ms");
        session.set("FAIRWAY_MAX_WAIT", "10s");
        session
    }

    /// Sources where `HERE` is the server's address, `PLACE` its host and port, and its budget is large.
    pub fn sources(&self, sources: &str) -> String {
        let budget = format!("[hosts.\"{}\"]\nper_minute = 1000\n\n", self.place);
        let budget = if sources.contains("[hosts.\"PLACE\"]") { String::new() } else { budget };
        format!("{budget}{sources}")
            .replace("HERE", &format!("http://{}", self.place))
            .replace("PLACE", &self.place)
    }
}

fn read(client: &TcpStream, kept: &Mutex<Vec<Asked>>) -> Option<Asked> {
    let mut reader = BufReader::new(client);
    let mut line = String::new();
    let mut next = || {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0).map(|_| line.trim_end().to_owned())
    };
    let first = next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = next()?.split_once(':') {
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let mut kept = kept.lock().unwrap();
    let nth = kept.iter().filter(|asked| asked.path == path).count() + 1;
    kept.push(Asked { method, path, nth, headers, body });
    kept.last().cloned()
}

/// A JSON source at a path of the server.
pub fn source(name: &str, path: &str, more: &str) -> String {
    format!(
        "[sources.{name}]\nurl = \"HERE{path}\"\n{more}\n[sources.{name}.extract]\nkind = \"json\"\n\
         [sources.{name}.extract.tables.t]\nrows = \".\"\n\n"
    )
}

/// A source that is a page of the server. Without `[agent] contact` nobody asks for it.
pub fn page(name: &str, path: &str, more: &str) -> String {
    source(name, path, more)
        .replace("kind = \"json\"", "kind = \"html\"")
        .replace("rows = \".\"", "rows = \"tr\"")
}

/// The lines on stdout.
pub fn printed(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The keys of what is kept below `raw/`, in order.
pub fn keys(session: &Session) -> Vec<String> {
    let found = session.ok("[ ! -d data/raw ] || (cd data && find raw -type f | LC_ALL=C sort)");
    found.lines().map(str::to_owned).collect()
}

/// The keys of the sidecars.
pub fn sidecars(session: &Session) -> Vec<String> {
    keys(session).into_iter().filter(|key| key.ends_with(".json")).collect()
}

/// The keys of the bodies.
pub fn bodies(session: &Session) -> Vec<String> {
    keys(session).into_iter().filter(|key| !key.ends_with(".json")).collect()
}

/// The one sidecar that is there.
#[track_caller]
pub fn sidecar(session: &Session) -> Value {
    let all = sidecars(session);
    assert_eq!(all.len(), 1, "{all:?}");
    serde_json::from_str(&session.read(&format!("data/{}", all[0]))).unwrap()
}

/// Every byte of what is kept.
pub fn content(session: &Session) -> String {
    session.ok("[ ! -d data/raw ] || (cd data && find raw -type f | LC_ALL=C sort | xargs -r sha256sum)")
}
