use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It is answered by the proxy: status, S3's name of the error, and how many seconds the answer's clock is ahead.
    Answer(u16, &'static str, i64),
    /// The answer's body ends after so many bytes, without a word.
    CutBody(usize),
    /// The answer's body stops after so many bytes, and the connection stays open.
    StallBody(usize),
    /// The server does it, and nobody hears of it.
    LoseReply,
    /// It is passed on later.
    Delay(Duration),
    /// It is passed on when [`Fault::release`] says so.
    Hold,
    /// It is answered by the proxy, with this status, these headers (each with its line end) and this body.
    Say(u16, &'static str, Vec<u8>),
    /// The same with a body of so many spaces.
    SayLong(u16, &'static str, u64),
    /// A bit of the answer's body is another one, at this byte.
    AlterBody(usize),
    /// A bit of what is sent is another one, at this byte of its body.
    AlterSent(usize),
    /// The answer's body comes byte by byte, with this pause after each.
    TrickleBody(Duration),
}

/// A proxy in front of an HTTP server, which passes bytes on as they are (so that signatures hold) and makes trouble
/// when told to. It handles one request a connection.
#[derive(Debug)]
pub struct Fault {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server_port: u16,
    planned: Mutex<Vec<Planned>>,
    asked: Mutex<Vec<String>>,
    is_down: AtomicBool,
    is_released: AtomicBool,
    is_over: AtomicBool,
}

#[derive(Debug)]
struct Planned {
    method: &'static str,
    times: usize,
    trouble: Trouble,
}

/// A request's first line and headers.
struct Head {
    text: String,
    body_bytes: u64,
}

impl Fault {
    /// A proxy in front of the server on this port.
    pub fn before(server_port: u16) -> Fault {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server_port,
            planned: Mutex::default(),
            asked: Mutex::default(),
            is_down: AtomicBool::new(false),
            is_released: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.is_over.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&accepting);
                // A connection that breaks is what this is for.
                thread::spawn(move || drop(shared.handle(client)));
            }
        });
        Fault { port, shared }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next requests of this method are troubled so often, after those that were planned before.
    pub fn plan(&self, method: &'static str, times: usize, trouble: Trouble) {
        self.shared.planned.lock().unwrap().push(Planned { method, times, trouble });
    }

    /// Closes each connection at once, or does not.
    pub fn set_down(&self, down: bool) {
        self.shared.is_down.store(down, Ordering::SeqCst);
    }

    /// Passes on what is held, and holds nothing more.
    pub fn release(&self) {
        self.shared.is_released.store(true, Ordering::SeqCst);
    }

    /// The first lines of all requests so far, each followed by a tab and the access key that signed it.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Makes no more trouble.
    pub fn forget(&self) {
        self.shared.planned.lock().unwrap().clear();
    }

    /// How many troubles are still to come.
    pub fn left(&self) -> usize {
        self.shared.planned.lock().unwrap().iter().map(|planned| planned.times).sum()
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn handle(&self, client: TcpStream) -> io::Result<()> {
        if self.is_down.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut from_client = BufReader::new(client.try_clone()?);
        let Some(head) = Head::read(&mut from_client)? else { return Ok(()) };
        self.asked.lock().unwrap().push(head.summary());
        match self.trouble_for(&head) {
            Some(Trouble::Answer(status, code, ahead)) => {
                if !head.waits_for_leave() {
                    io::copy(&mut from_client.take(head.body_bytes), &mut io::sink())?;
                }
                (&client).write_all(answer(status, code, ahead).as_bytes())
            }
            Some(Trouble::Delay(time)) => {
                thread::sleep(time);
                self.pass(&head, from_client, &client, Ending::Whole)
            }
            Some(Trouble::Hold) => {
                while !self.is_released.load(Ordering::SeqCst) && !self.is_over.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(10));
                }
                self.pass(&head, from_client, &client, Ending::Whole)
            }
            Some(Trouble::CutBody(after)) => self.pass(&head, from_client, &client, Ending::Cut(after)),
            Some(Trouble::StallBody(after)) => {
                self.pass(&head, from_client, &client, Ending::Cut(after))?;
                // Until the client has had enough.
                (&client).read(&mut [0; 1]).map(drop)
            }
            Some(Trouble::Say(status, headers, body)) => {
                head.say(from_client, &client, (status, headers), body.len() as u64, &body[..])
            }
            Some(Trouble::SayLong(status, headers, length)) => {
                head.say(from_client, &client, (status, headers), length, io::repeat(b' '))
            }
            Some(Trouble::AlterBody(at)) => self.pass(&head, from_client, &client, Ending::Altered(at)),
            Some(Trouble::TrickleBody(pause)) => {
                self.pass(&head, from_client, &client, Ending::Trickle(pause))
            }
            Some(Trouble::AlterSent(at)) => {
                let mut body = Vec::new();
                if head.waits_for_leave() {
                    (&client).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                let mut from_client = from_client;
                (&mut from_client).take(head.body_bytes).read_to_end(&mut body)?;
                body[at] ^= 1;
                let mut server = TcpStream::connect(("127.0.0.1", self.server_port))?;
                let text = head.text.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                let expect = text.lines().find(|line| line.to_ascii_lowercase().starts_with("expect:"));
                let text = expect.map_or(text.clone(), |line| text.replace(&format!("{line}\r\n"), ""));
                server.write_all(text.as_bytes())?;
                server.write_all(&body)?;
                Ending::Whole.pass(BufReader::new(server), &client)?;
                client.shutdown(Shutdown::Both)
            }
            Some(Trouble::LoseReply) => self.pass(&head, from_client, &client, Ending::Nothing),
            None => self.pass(&head, from_client, &client, Ending::Whole),
        }
    }

    fn trouble_for(&self, head: &Head) -> Option<Trouble> {
        let mut planned = self.planned.lock().unwrap();
        let next = planned.iter_mut().find(|next| next.times > 0 && head.text.starts_with(next.method))?;
        next.times -= 1;
        Some(next.trouble.clone())
    }

    fn pass(
        &self,
        head: &Head,
        from_client: BufReader<TcpStream>,
        client: &TcpStream,
        ending: Ending,
    ) -> io::Result<()> {
        let mut server = TcpStream::connect(("127.0.0.1", self.server_port))?;
        // Not among the signed headers: the answer then ends with the connection.
        server.write_all(head.text.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes())?;
        let mut to_server = server.try_clone()?;
        let mut body = from_client.take(head.body_bytes);
        let sending = thread::spawn(move || io::copy(&mut body, &mut to_server));
        let passed = ending.pass(BufReader::new(server), client);
        // The client's body ends when its connection does, which this makes it do.
        if !matches!(passed, Ok(true)) {
            let _ = client.shutdown(Shutdown::Both);
        }
        let _ = sending.join();
        passed.map(drop)
    }
}

/// How much of an answer is passed on.
enum Ending {
    Whole,
    Cut(usize),
    Nothing,
    Altered(usize),
    Trickle(Duration),
}

impl Ending {
    /// Whether the connection stays.
    fn pass(&self, mut from_server: BufReader<TcpStream>, mut client: &TcpStream) -> io::Result<bool> {
        match self {
            Ending::Nothing => {
                let mut sink = Vec::new();
                // "Go on" is not yet the reply.
                loop {
                    let Some(head) = Head::read(&mut from_server)? else { return Ok(false) };
                    if !head.text.contains(" 100 ") {
                        break;
                    }
                    client.write_all(head.text.as_bytes())?;
                }
                from_server.read_to_end(&mut sink)?;
                Ok(false)
            }
            Ending::Altered(at) => {
                let Some(head) = Head::read(&mut from_server)? else { return Ok(false) };
                client.write_all(head.text.as_bytes())?;
                let mut body = Vec::new();
                from_server.read_to_end(&mut body)?;
                if let Some(byte) = body.get_mut(*at) {
                    *byte ^= 1;
                }
                client.write_all(&body).map(|()| false)
            }
            Ending::Trickle(pause) => {
                let Some(head) = Head::read(&mut from_server)? else { return Ok(false) };
                client.write_all(head.text.as_bytes())?;
                for byte in from_server.bytes() {
                    client.write_all(&[byte?])?;
                    thread::sleep(*pause);
                }
                Ok(false)
            }
            Ending::Whole => io::copy(&mut from_server, &mut client).map(|_| false),
            Ending::Cut(after) => {
                let Some(head) = Head::read(&mut from_server)? else { return Ok(false) };
                client.write_all(head.text.as_bytes())?;
                io::copy(&mut from_server.take(*after as u64), &mut client)?;
                Ok(true)
            }
        }
    }
}

impl Head {
    fn read(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
        let (mut text, mut body_bytes) = (String::new(), 0);
        loop {
            let start = text.len();
            if stream.read_line(&mut text)? == 0 {
                return Ok(None);
            }
            let line = text[start..].trim_end().to_ascii_lowercase();
            if let Some(length) = line.strip_prefix("content-length:") {
                body_bytes = length.trim().parse().unwrap_or_default();
            }
            if line.is_empty() {
                return Ok(Some(Head { text, body_bytes }));
            }
        }
    }

    /// Answers the request itself, with this status, these headers and so much of a body.
    fn say(
        &self,
        from_client: BufReader<TcpStream>,
        mut client: &TcpStream,
        (status, headers): (u16, &str),
        length: u64,
        body: impl Read,
    ) -> io::Result<()> {
        if !self.waits_for_leave() {
            io::copy(&mut from_client.take(self.body_bytes), &mut io::sink())?;
        }
        let head = format!(
            "HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        client.write_all(head.as_bytes())?;
        io::copy(&mut body.take(length), &mut client).map(drop)
    }

    fn waits_for_leave(&self) -> bool {
        self.text.to_ascii_lowercase().contains("\r\nexpect: 100-continue")
    }

    fn summary(&self) -> String {
        let first = self.text.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
        let key =
            self.text.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or("-");
        format!("{first}\t{key}")
    }
}

fn answer(status: u16, code: &str, ahead_seconds: i64) -> String {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>SECRETMESSAGE</Message></Error>"
    );
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Trouble\r\ndate: {}\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}",
        http_date(ahead_seconds)
    )
}

/// A time as HTTP writes it.
fn http_date(ahead_seconds: i64) -> String {
    let output = std::process::Command::new("date")
        .env("LC_ALL", "C")
        .args(["-u", "-d", &format!("{ahead_seconds} seconds"), "+%a, %d %b %Y %H:%M:%S GMT"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
