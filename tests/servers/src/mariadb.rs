use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::guarded::{Guarded, PORTS, free_port};

/// The folder in which servers write down what they are asked; `tests/mysql` reads it.
const SQL_LOG: &str = "FAIRWAY_SQL_LOG";

/// A private MariaDB server. Its one user is `root` without a password, from 127.0.0.1.
#[derive(Debug)]
pub struct MariaDb {
    server: Option<Guarded>,
    folder: PathBuf,
    port: u16,
    options: Vec<String>,
    certificates: Option<TempDir>,
}

impl MariaDb {
    /// One server that the tests of a process share; they differ by [`MariaDb::new_database`].
    pub fn shared() -> &'static MariaDb {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        SHARED.get_or_init(|| MariaDb::with(&[]))
    }

    /// A server of the test's own, with options such as `--local-infile=0`.
    pub fn with(options: &[&str]) -> MariaDb {
        let folder = tempfile::Builder::new().prefix("fairway-mariadb-").tempdir().unwrap().keep();
        std::fs::create_dir(folder.join("tmp")).unwrap();
        let made = Command::new("mysql_install_db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", folder.join("data").display()))
            .arg(format!("--tmpdir={}", folder.join("tmp").display()))
            .args(as_root())
            .output();
        let made = made.unwrap_or_else(|error| {
            panic!("mysql_install_db: {error} (install mariadb-server, or run scripts/check, which does)")
        });
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = MariaDb { server: None, folder, port: free_port(), options, certificates: None };
        // Its port may have been taken since it was found free: then it ends at once, and another is tried.
        for _ in 0..2 {
            let spawned = server.spawn();
            if spawned.becomes(|| server.is_ready()) {
                server.server = Some(spawned);
                return server;
            }
            spawned.end("KILL");
            server.port = free_port();
        }
        server.start();
        server
    }

    /// Starts it again on the same port, after [`MariaDb::kill`] or [`MariaDb::stop`].
    pub fn start(&mut self) {
        // A client of somebody else may have its port for a moment: then it ends at once.
        let began = Instant::now();
        while began.elapsed() < PORTS {
            let server = self.spawn();
            if server.becomes(|| self.is_ready()) {
                self.server = Some(server);
                return;
            }
            server.end("KILL");
            thread::sleep(Duration::from_secs(1));
        }
        let server = self.spawn();
        server.wait_until("mariadbd did not start", || self.is_ready());
        self.server = Some(server);
    }

    /// Asked by its own socket: nobody else answers there.
    fn is_ready(&self) -> bool {
        self.client("SELECT 1").status.success()
    }

    fn spawn(&self) -> Guarded {
        let folder = self.folder.display();
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={folder}/data"),
            format!("--socket={folder}/sock"),
            format!("--pid-file={folder}/pid"),
            // A server that starts removes every temporary table it finds there, other servers' too.
            format!("--tmpdir={folder}/tmp"),
            format!("--port={}", self.port),
            "--bind-address=127.0.0.1".to_owned(),
            // Tests commit often; what a power cut would do to a test's server is nobody's business.
            "--innodb-flush-log-at-trx-commit=2".to_owned(),
            "--innodb-buffer-pool-size=256M".to_owned(),
        ];
        arguments.extend(as_root());
        arguments.extend(self.options.clone());
        arguments.extend(self.sql_log());
        Guarded::start(&self.folder, "mariadbd", &arguments)
    }

    /// A log for each start: a server that was killed leaves a line without its end, in which the next one would go on.
    fn sql_log(&self) -> Vec<String> {
        static STARTS: AtomicU32 = AtomicU32::new(0);
        let Some(logs) = std::env::var_os(SQL_LOG) else { return Vec::new() };
        let name = self.folder.file_name().unwrap().display();
        let start = STARTS.fetch_add(1, Ordering::Relaxed);
        let log = Path::new(&logs).join(format!("{name}-{start}.log"));
        vec!["--general-log=1".to_owned(), format!("--general-log-file={}", log.display())]
    }

    /// Other options for its next start.
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// Ends it as an administrator would.
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    fn end(&mut self, signal: &str) {
        if let Some(server) = self.server.take() {
            server.end(signal);
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder; a test may put files beside the data.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A database by name, as `--db` takes it.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    /// A server that takes TLS only, with a certificate for `host` by an authority of its own.
    pub fn with_tls(host: &str) -> MariaDb {
        let folder = tempfile::Builder::new().prefix("fairway-tls-").tempdir().unwrap();
        crate::certificate::make(folder.path(), host);
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut server = MariaDb::with(&[
            "--require-secure-transport=ON",
            &format!("--ssl-ca={}", file("ca.pem")),
            &format!("--ssl-cert={}", file("server.pem")),
            &format!("--ssl-key={}", file("server.key")),
        ]);
        server.certificates = Some(folder);
        server
    }

    /// The authority that signed a server's certificate.
    pub fn authority(&self) -> PathBuf {
        self.certificates.as_ref().unwrap().path().join("ca.pem")
    }

    /// The URL of a new empty database.
    pub fn new_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// What the server's own client answers: tab-separated, without column names.
    pub fn sql(&self, sql: &str) -> String {
        let output = self.client(sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn client(&self, sql: &str) -> Output {
        // By its socket, which needs no TLS and is not counted where connections are.
        Command::new("mariadb")
            .args([
                "--no-defaults",
                "--default-character-set=utf8mb4",
                "--user=root",
                "--batch",
                "--skip-column-names",
            ])
            .arg(format!("--socket={}/sock", self.folder.display()))
            .args(["--execute", sql])
            .output()
            .unwrap_or_else(|error| panic!("mariadb: {error} (install mariadb-client)"))
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        if self.server.is_none() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// The server refuses to run as root unless told to.
fn as_root() -> Vec<String> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout.starts_with(b"0\n") { vec!["--user=root".to_owned()] } else { Vec::new() }
}
