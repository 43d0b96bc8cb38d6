use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// On which side of the server's work a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The request never reaches the server.
    Before,
    /// The server has done what was asked; its answer is lost.
    After,
}

/// A way to a server of 127.0.0.1 that passes every byte on, and cuts one connection once: at the n-th request that
/// holds a pattern.
#[derive(Debug)]
pub struct Cutter {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Cutter {
    /// Cuts at the `nth` request (from 1) to `port` that holds `pattern`.
    pub fn new(port: u16, pattern: &'static str, nth: usize, cut: Cut) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming() {
                // A server that is away refuses, and so does its way.
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", port))) else {
                    continue;
                };
                let counter = Arc::clone(&counter);
                thread::spawn(move || {
                    pass(&client, &server, |request| {
                        let holds = request.windows(pattern.len()).any(|window| window == pattern.as_bytes());
                        (holds && counter.fetch_add(1, Ordering::SeqCst) + 1 == nth).then_some(cut)
                    })
                });
            }
        });
        Cutter { port: own, seen }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many requests held the pattern so far.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn pass(client: &TcpStream, server: &TcpStream, mut judge: impl FnMut(&[u8]) -> Option<Cut>) {
    let muted = Arc::new(AtomicBool::new(false));
    let back = {
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let muted = Arc::clone(&muted);
        thread::spawn(move || {
            let mut buffer = [0; 64 * 1024];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                // The server has answered: that is all that was waited for.
                if muted.load(Ordering::SeqCst) || to.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        })
    };
    let (mut from, mut to) = (client, server);
    let mut buffer = [0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        match judge(&buffer[..n]) {
            Some(Cut::Before) => break,
            Some(Cut::After) => muted.store(true, Ordering::SeqCst),
            None => {}
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    if !muted.load(Ordering::SeqCst) {
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }
    let _ = back.join();
}
