use std::process::Command;
use std::sync::OnceLock;

use crate::guarded::{Guarded, free_port};

/// A stand-in for AWS's services other than S3 and Lambda: moto's server.
#[derive(Debug)]
pub struct Moto {
    _server: Guarded,
    port: u16,
}

impl Moto {
    /// The access key and secret that requests are signed with; it checks neither.
    pub const KEYS: (&str, &str) = ("AKIAMOTO", "SECRETMOTO");

    /// One that the tests of a process share; their secrets, queues and instances differ by name.
    pub fn shared() -> &'static Moto {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Moto::new)
    }

    /// A server of the test's own.
    pub fn new() -> Moto {
        for _ in 0..2 {
            let (server, port) = Moto::spawn();
            if server.becomes(|| server.listens(port)) {
                return Moto { _server: server, port };
            }
        }
        let (server, port) = Moto::spawn();
        let what = "moto_server did not start (pip install moto[server], or run scripts/check, which does)";
        server.wait_until(what, || server.listens(port));
        Moto { _server: server, port }
    }

    /// Starts the program on a port that may have been taken meanwhile: then it ends at once.
    fn spawn() -> (Guarded, u16) {
        let folder = tempfile::Builder::new().prefix("fairway-moto-").tempdir().unwrap().keep();
        let port = free_port();
        let arguments = ["-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
        (Guarded::start(&folder, "moto_server", &arguments), port)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks a service that speaks JSON, like `("secretsmanager", "secretsmanager.CreateSecret", r#"{"Name": …}"#)`.
    pub fn json(&self, service: &str, target: &str, body: &str) -> String {
        let target = format!("x-amz-target: {target}");
        let version = if service == "sqs" { "1.0" } else { "1.1" };
        let kind = format!("content-type: application/x-amz-json-{version}");
        self.post(service, &["-H", &target, "-H", &kind, "-d", body])
    }

    /// Asks EC2, like `"Action=RunInstances&…"`.
    pub fn ec2(&self, query: &str) -> String {
        self.post("ec2", &["-d", &format!("{query}&Version=2016-11-15")])
    }

    fn post(&self, service: &str, options: &[&str]) -> String {
        let (access, secret) = Moto::KEYS;
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "60", "--aws-sigv4", &format!("aws:amz:us-east-1:{service}")])
            .args(["--user", &format!("{access}:{secret}"), &format!("{}/", self.url())])
            .args(options)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Default for Moto {
    fn default() -> Moto {
        Moto::new()
    }
}
