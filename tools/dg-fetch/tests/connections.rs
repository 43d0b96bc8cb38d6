//! `dg-fetch` through its real binary: answers that do not end, and TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use pipelines::{Replay, Session};

fn session() -> (Replay, Session) {
    let replay = Replay::start();
    let mut session = Session::golf(&replay);
    session.set("DATAGOLF_MAX_WAIT", "10s");
    session.set("DATAGOLF_RETRY_DELAY", "10ms");
    (replay, session)
}

/// Sends the start of an answer, then a byte now and then, as long as somebody listens.
fn dripping() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n[").unwrap();
            while client.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        }
    });
    address
}

#[test]
fn an_answer_that_drips_is_given_up() {
    let (_replay, mut session) = session();
    session.set("DATAGOLF_BASE_URL", dripping());
    session.run("timeout 60 dg-fetch events --timeout 300ms").expect(69).says("not whole after 0.3 s");
}

/// A certificate authority of the test's own, a certificate for localhost, and a server that answers one listed event.
const TLS_SERVER: &str = r#"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=test authority' -keyout ca.key -out ca.pem 2> /dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout leaf.key -out leaf.csr 2> /dev/null
printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' > leaf.ext
openssl x509 -req -days 2 -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile leaf.ext -out leaf.pem 2> /dev/null
cat > server.py <<'PY'
import http.server, ssl
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'[{"calendar_year":2025,"date":"2025-06-15","event_id":26,"event_name":"Open","sg_categories":"yes","tour":"pga","traditional_stats":"yes"}]'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("leaf.pem", "leaf.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
open("port", "w").write(str(server.server_port))
server.serve_forever()
PY
timeout 300 python3 server.py & server=$!
for i in $(seq 1200); do [ -s port ] && break; sleep 0.05; done
"#;

#[test]
fn https_is_spoken_and_a_stranger_is_not_trusted() {
    let (_replay, session) = session();
    let fetch = "dg-fetch events --base-url https://localhost:$(cat port) --retry-delay 10ms --format csv";
    let trusted =
        session.run(&format!("{TLS_SERVER} SSL_CERT_FILE=ca.pem {fetch}; code=$?; kill $server; exit $code"));
    trusted.expect(0).says("1 event of 1 listed");
    assert!(trusted.stdout.contains("pga,2025,26,Open"));
    session.ok("rm port");
    let stranger = session.run(&format!("{TLS_SERVER} {fetch}; code=$?; kill $server; exit $code"));
    stranger.expect(69).says("certificate").hides("SECRET");
}
