use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use servers::{Dispatcher, Emulator, MariaDb, Moto, Seaweed};
use tempfile::TempDir;

use crate::{Replay, Session, bin_dir, replay, repo};

/// The password of every database's user until it is rotated.
pub const PASSWORD: &str = "SECRET:password/of a user";

/// The golf pipeline as Lambda functions: their packages in AWS's emulator, on real servers, with secrets in Secrets
/// Manager. The session beside it sees the same database and bucket.
pub struct Cloud {
    /// For looking, and for what a person would do in a shell.
    pub session: Session,
    /// Where functions start functions.
    pub dispatcher: Dispatcher,
    variables: Vec<(String, String)>,
    id: String,
}

impl Cloud {
    /// A stack after its first deploy: an empty bucket, DataGolf's key, and a database that the setup has made ready.
    pub fn new(replay: &Replay, database: &MariaDb, objects: &Seaweed) -> Cloud {
        let cloud = Cloud::before_setup(replay, database, objects);
        let invoked = cloud.setup().invoke(r#"{"setup": true}"#);
        assert!(invoked.body.contains(r#""outcome":"done""#), "{}", invoked.body);
        cloud
    }

    /// The same before anything ran: the database is empty, and has a master as RDS makes one. The user that the stack
    /// has a secret for is not there.
    pub fn before_setup(replay: &Replay, database: &MariaDb, objects: &Seaweed) -> Cloud {
        let cloud = Cloud::around(Session::production(replay, database, objects));
        let master = cloud.master();
        database.sql(&format!(
            "CREATE USER `{master}`@'%' IDENTIFIED BY '{PASSWORD} who is the master'; \
             GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, \
             SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE \
             ROUTINE, ALTER ROUTINE, \
             CREATE USER, EVENT, TRIGGER ON *.* TO `{master}`@'%' WITH GRANT OPTION"
        ));
        cloud.put_password("master", &master, &format!("{PASSWORD} who is the master"));
        cloud.put_password("database", &cloud.user(), PASSWORD);
        cloud
    }

    /// The database's master.
    pub fn master(&self) -> String {
        format!("master of {}", self.database())
    }

    /// The database's user with which the refresh works.
    pub fn user(&self) -> String {
        format!("user of {}", self.database())
    }

    /// Gives Secrets Manager a user's password, in the shape in which RDS does that.
    pub fn put_password(&self, secret: &str, user: &str, password: &str) {
        self.put_secret(secret, &format!(r#"{{"username":"{user}","password":"{password}"}}"#));
    }

    /// Gives the refresh's user another password, in the database and in Secrets Manager.
    pub fn rotate_password(&self, database: &MariaDb, password: &str) {
        database.sql(&format!("ALTER USER `{}`@'%' IDENTIFIED BY '{password}'", self.user()));
        self.put_password("database", &self.user(), password);
    }

    /// The database's name.
    pub fn database(&self) -> String {
        let url = self.session.variable("FAIRWAY_DB").unwrap_or_default();
        url.rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn around(session: Session) -> Cloud {
        let moto = Moto::shared();
        let dispatcher = Dispatcher::start();
        let get = |name: &str| session.variable(name).unwrap_or_default();
        // RDS's secret names the user.
        let url = get("FAIRWAY_DB").replace("root@", "");
        let id = get("FAIRWAY_BUCKET").replace(['/', ':'], "-");
        let kept = ["FAIRWAY_BUCKET", "FAIRWAY_NOW", "DATAGOLF_BASE_URL"].map(|name| (name, get(name)));
        let objects = get("AWS_ENDPOINT_URL_S3");
        let mut cloud = Cloud { variables: Vec::new(), dispatcher, id, session };
        cloud.put_secret("datagolf", replay::KEY);
        cloud.set("FAIRWAY_DB", &url);
        for (name, value) in kept {
            cloud.set(name, &value);
        }
        for (name, value) in Seaweed::env(&objects) {
            cloud.set(name, &value);
        }
        cloud.set("AWS_ENDPOINT_URL", &moto.url());
        cloud.set("AWS_ENDPOINT_URL_LAMBDA", &cloud.dispatcher.url());
        cloud
    }

    /// Sets a variable of the functions that are started after this.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(set, _)| set != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Makes a secret, or gives it another value.
    pub fn put_secret(&self, name: &str, value: &str) {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let name = self.secret(name);
        let moto = Moto::shared();
        let body = format!(r#"{{"Name":"{name}","SecretString":"{quoted}"}}"#);
        let made = moto.json("secretsmanager", "secretsmanager.CreateSecret", &body);
        if made.contains("ResourceExistsException") {
            let body = format!(r#"{{"SecretId":"{name}","SecretString":"{quoted}"}}"#);
            let put = moto.json("secretsmanager", "secretsmanager.PutSecretValue", &body);
            assert!(put.contains("ARN"), "{put}");
        }
    }

    /// A secret's name.
    pub fn secret(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    /// The weekly refresh, with so much time for each of its runs.
    pub fn refresh(&self, time: Duration) -> Emulator {
        let secrets = [
            ("FAIRWAY_SECRET_DATAGOLF_API_KEY".to_owned(), self.secret("datagolf")),
            ("FAIRWAY_DB_SECRET".to_owned(), self.secret("database")),
        ];
        self.start("get_new_eventlist_events", time, &secrets)
    }

    /// What `scripts/aws/deploy` starts first: the same package with two secrets, the master's and the user's.
    pub fn setup(&self) -> Emulator {
        let secrets = [
            ("FAIRWAY_DB_SECRET".to_owned(), self.secret("master")),
            ("FAIRWAY_DB_USER_SECRET".to_owned(), self.secret("database")),
        ];
        let package = packages().join("get_new_eventlist_events");
        self.start_of(&package, "get_new_eventlist_events_setup", Duration::from_secs(60), &secrets)
    }

    /// Training.
    pub fn train(&self) -> Emulator {
        self.start("train_model", Duration::from_secs(120), &[])
    }

    /// Any function.
    pub fn start(&self, name: &str, time: Duration, more: &[(String, String)]) -> Emulator {
        self.start_of(&packages().join(name), name, time, more)
    }

    /// The same of another package.
    pub fn start_of(
        &self,
        package: &Path,
        name: &str,
        time: Duration,
        more: &[(String, String)],
    ) -> Emulator {
        let variables: Vec<_> = self.variables.iter().chain(more).cloned().collect();
        Emulator::start(package, name, time, &variables)
    }

    /// A queue's event with S3's notifications of these keys, as they are in the bucket with its prefix.
    pub fn arrived(&self, keys: &[&str]) -> String {
        let messages: Vec<String> = keys.iter().map(|key| message(&self.notification(key))).collect();
        format!(r#"{{"Records":[{}]}}"#, messages.join(","))
    }

    /// S3's own JSON for a new object.
    pub fn notification(&self, key: &str) -> String {
        let place = self.session.variable("FAIRWAY_BUCKET").unwrap_or_default();
        let (bucket, prefix) = place.trim_start_matches("s3://").split_once('/').unwrap_or((&place, ""));
        let key = format!("{}/{key}", prefix.trim_end_matches('/'));
        let template =
            std::fs::read_to_string(repo().join("fixtures/lambda/s3_object_created.json")).unwrap();
        template.replace("BUCKET", bucket).replace("KEY", &as_form_field(key.trim_start_matches('/')))
    }
}

/// The packages, unpacked: those in the folder FAIRWAY_PACKAGES, or laid out once a process from the programs that were
/// built with the tests.
pub fn packages() -> &'static Path {
    static PACKAGES: OnceLock<(Option<TempDir>, PathBuf)> = OnceLock::new();
    let (_, folder) = PACKAGES.get_or_init(|| {
        if let Some(folder) = std::env::var_os("FAIRWAY_PACKAGES") {
            return (None, PathBuf::from(folder));
        }
        let folder = tempfile::Builder::new().prefix("fairway-packages-").tempdir_in(bin_dir()).unwrap();
        let path = folder.path().join("packages");
        let output = Command::new(repo().join("scripts/aws/package"))
            .arg("--programs")
            .arg(bin_dir())
            .arg("--stage")
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (Some(folder), path)
    });
    folder
}

/// A message of a queue.
fn message(body: &str) -> String {
    let body = body.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let rest = r#""attributes":{},"messageAttributes":{},"eventSource":"aws:sqs""#;
    format!(r#"{{"messageId":"1","receiptHandle":"h","body":"{body}",{rest}}}"#)
}

/// As S3 writes a key into its notifications: as a form's field.
fn as_form_field(key: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
            char::from(byte).to_string()
        }
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    key.bytes().map(byte).collect()
}
