use std::path::Path;
use std::process::Command;

/// Makes `ca.pem`, and `server.pem` with `server.key` signed by it for a host name or address.
pub(crate) fn make(folder: &Path, host: &str) {
    let kind = if host.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    let line = format!(
        "set -e\n\
         openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=test authority' -keyout ca.key -out ca.pem\n\
         openssl req -newkey rsa:2048 -nodes -subj '/CN=test server' -keyout server.key -out server.csr\n\
         printf 'subjectAltName={kind}:{host}\\nbasicConstraints=CA:FALSE\\n' > names\n\
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names \
         -out server.pem"
    );
    let made = Command::new("bash").args(["-c", &line]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
