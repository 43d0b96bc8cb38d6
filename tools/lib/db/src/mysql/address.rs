//! `mysql://user@host:port/database?…`, and what else it takes to connect.

use std::path::PathBuf;
use std::time::Duration;

use ::mysql::{OptsBuilder, SslOpts};
use failure::{Failure, Outcome};
use url::{Host, Url};

use crate::Access;
use crate::mysql::waiting;
use crate::users::secret;

/// From the environment or a file: never from the URL, which every user of the machine can read.
const PASSWORD: &str = "FAIRWAY_DB_PASSWORD";
const PASSWORD_FILE: &str = "FAIRWAY_DB_PASSWORD_FILE";

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A peer that is silent this long while it owes an acknowledgement is gone (milliseconds).
const SILENT_MS: u32 = 30_000;

/// Where a server is, and how messages call it.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) name: String,
    pub(super) database: String,
    /// Whether TLS is asked for.
    pub(super) encrypted: bool,
    /// How long it may be away.
    pub(super) longest_wait: Duration,
    pub(super) options: OptsBuilder,
}

impl Address {
    pub(super) fn parse(text: &str, access: Access) -> Outcome<Address> {
        let wrong = |reason: &str| {
            Failure::usage(format!("--db mysql:…: {reason} (like mysql://user@host:3306/database)"))
        };
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
        let database = decoded(url.path().trim_start_matches('/'));
        if database.is_empty() || database.contains('/') {
            return Err(wrong("it names no database"));
        }
        let port = url.port().unwrap_or(3306);
        let user = decoded(url.username());
        let asked = Asked::of(&url)?;
        let tls = asked.tls(is_loopback(&url));
        let options = OptsBuilder::new()
            .ip_or_hostname(Some(host))
            .tcp_port(port)
            .user(Some(user).filter(|user| !user.is_empty()))
            .pass(secret(PASSWORD, PASSWORD_FILE)?)
            .db_name(Some(&database))
            .socket(asked.socket.clone())
            .prefer_socket(false)
            .tcp_connect_timeout(Some(CONNECT))
            .tcp_keepalive_time_ms(Some(SILENT_MS))
            .tcp_user_timeout_ms(Some(SILENT_MS))
            .ssl_opts(tls.clone())
            .init(session(access));
        let name = format!("mysql://{host}:{port}/{database}");
        Ok(Address { name, database, encrypted: tls.is_some(), longest_wait: waiting::longest()?, options })
    }
}

/// What stands behind the question mark.
#[derive(Default)]
struct Asked {
    mode: Option<Mode>,
    ca: Option<PathBuf>,
    socket: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disabled,
    VerifyCa,
    VerifyIdentity,
}

impl Asked {
    fn of(url: &Url) -> Outcome<Asked> {
        let mut asked = Asked::default();
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), value.as_ref()) {
                ("ssl-mode", "disabled") => asked.mode = Some(Mode::Disabled),
                ("ssl-mode", "verify-ca") => asked.mode = Some(Mode::VerifyCa),
                ("ssl-mode", "verify-identity") => asked.mode = Some(Mode::VerifyIdentity),
                ("ssl-mode", other) => {
                    return Err(Failure::usage(format!(
                        "--db mysql:…: ssl-mode={other:?}: use verify-identity, verify-ca or disabled"
                    )));
                }
                ("ssl-ca", path) => asked.ca = Some(PathBuf::from(path)),
                ("socket", path) => asked.socket = Some(path.to_owned()),
                (other, _) => {
                    return Err(Failure::usage(format!(
                        "--db mysql:…: {other:?} is no parameter (ssl-mode, ssl-ca, socket)"
                    )));
                }
            }
        }
        if let Some(path) = asked.ca.as_ref().filter(|path| !path.is_file()) {
            return Err(Failure::config(format!("{}: there is no such file (ssl-ca)", path.display())));
        }
        Ok(asked)
    }

    /// Whatever leaves this machine is encrypted and its peer verified, unless somebody says otherwise.
    fn tls(&self, loopback: bool) -> Option<SslOpts> {
        let usual = if loopback && self.ca.is_none() { Mode::Disabled } else { Mode::VerifyIdentity };
        let verified = SslOpts::default().with_root_cert_path(self.ca.clone());
        match self.mode.unwrap_or(usual) {
            Mode::Disabled => None,
            Mode::VerifyCa => Some(verified.with_danger_skip_domain_validation(true)),
            Mode::VerifyIdentity => Some(verified),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        // For a scheme that browsers do not know, an address is not told from a name.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What every session starts with: exact text, errors instead of silent changes, no surprise from the server's defaults.
fn session(access: Access) -> Vec<String> {
    let mut statements = vec![
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin".to_owned(),
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
            .to_owned(),
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ".to_owned(),
        // How long a change of a table waits for those that use it (seconds); then it is "later".
        "SET SESSION lock_wait_timeout = 10".to_owned(),
    ];
    if access == Access::Read {
        statements.push("SET SESSION TRANSACTION READ ONLY".to_owned());
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(url: &str) -> Option<SslOpts> {
        let url = Url::parse(url).unwrap();
        Asked::of(&url).unwrap().tls(is_loopback(&url))
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_and_verified() {
        assert_eq!(tls("mysql://u@127.0.0.1/d"), None);
        assert_eq!(tls("mysql://u@localhost:3307/d"), None);
        assert_eq!(tls("mysql://u@[::1]/d"), None);
        for away in [
            "mysql://u@10.0.0.1/d",
            "mysql://u@db.example/d",
            "mysql://u@127.0.0.1/d?ssl-mode=verify-identity",
        ] {
            let tls = tls(away).unwrap();
            assert!(!tls.accept_invalid_certs() && !tls.skip_domain_validation(), "{away}");
        }
        assert!(tls("mysql://u@db.example/d?ssl-mode=verify-ca").unwrap().skip_domain_validation());
        assert_eq!(tls("mysql://u@db.example/d?ssl-mode=disabled"), None);
    }

    #[test]
    fn a_mistyped_url_is_named() {
        for (url, words) in [
            ("mysql://u@host", "no database"),
            ("mysql:///d", "no host"),
            ("mysql://u@host/d?ssl-mode=required", "use verify-identity"),
            ("mysql://u@host/d?sslmode=x", "\"sslmode\" is no parameter"),
            ("mysql://u@host/d?ssl-ca=/nowhere.pem", "there is no such file"),
        ] {
            let failure = Address::parse(url, Access::Read).unwrap_err().to_string();
            assert!(failure.contains(words), "{url}: {failure}");
        }
    }
}
