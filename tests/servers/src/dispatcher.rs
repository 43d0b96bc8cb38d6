use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A stand-in for Lambda's own API, as far as functions start functions by it: `Invoke` with the type `Event` is taken
/// down and answered 202; who plays Lambda takes it from here.
#[derive(Debug)]
pub struct Dispatcher {
    port: u16,
    started: Arc<Mutex<VecDeque<Started>>>,
}

/// A function that shall run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// By name or ARN, as it was asked for.
    pub function: String,
    /// Its event.
    pub event: String,
}

impl Dispatcher {
    /// Listens on a free port until the process ends.
    pub fn start() -> Dispatcher {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let started = Arc::new(Mutex::new(VecDeque::new()));
        let taken = Arc::clone(&started);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A client that breaks off is what the functions' retries are for.
                let _ = take(client, &taken);
            }
        });
        Dispatcher { port, started }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next function that was started and not yet taken.
    pub fn next(&self) -> Option<Started> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

fn take(mut client: TcpStream, started: &Mutex<VecDeque<Started>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let small = head.to_ascii_lowercase();
    let header = |name: &str| {
        let line = small.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let path = head.split(' ').nth(1).unwrap_or_default();
    let name = path.strip_prefix("/2015-03-31/functions/").and_then(|rest| rest.strip_suffix("/invocations"));
    let is_signed = header("authorization").contains("/lambda/aws4_request");
    let status = match name {
        Some(name) if is_signed && header("x-amz-invocation-type") == "event" => {
            let function =
                name.replace("%3A", ":").replace("%5F", "_").replace("%24", "$").replace("%2D", "-");
            let event = String::from_utf8_lossy(&body).into_owned();
            started.lock().unwrap_or_else(PoisonError::into_inner).push_back(Started { function, event });
            "202 Accepted"
        }
        _ => "403 Forbidden",
    };
    write!(client, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}
