//! `predictd --healthy`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use failure::{Failure, Outcome};

/// A server that takes longer is not healthy.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the server that listens on `address` whether it is alive: an image without a shell has no other client.
pub(crate) fn ask(address: SocketAddr) -> Outcome {
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    let sick = |reason: String| Failure::unavailable(format!("http://{address}/healthz: {reason}"));
    let answer = status_line(address).map_err(|error| sick(error.to_string()))?;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(sick(answer)) }
}

/// Whoever listens on all addresses is asked on loopback.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut line = Vec::new();
    BufReader::new(stream.take(64)).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).lines().next().unwrap_or_default().to_owned())
}
