use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sources::{Host, Source};

/// Where requests of a source may go.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// `host` or `host:port`, in small letters.
    hosts: Vec<String>,
    /// The host that secrets go to.
    home: String,
}

impl Reach {
    pub(crate) fn of(source: &Source, url: &Url) -> Reach {
        let home = place_of(url);
        let mut hosts: Vec<String> = source.hosts.iter().map(|host| place_named(host)).collect();
        hosts.push(home.clone());
        Reach { hosts, home }
    }

    /// Whether a request may go to an address; an error says why not, and what to do.
    pub(crate) fn check(&self, url: &Url) -> Result<(), String> {
        let place = place_of(url);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("{place}: the address holds a user or a password"));
        }
        match url.scheme() {
            "https" => {}
            "http" if http_client::is_loopback(url) => {}
            scheme => {
                return Err(format!(
                    "{place}: {scheme}:// can be read on its way; only https:// is followed"
                ));
            }
        }
        if !self.hosts.contains(&place) {
            return Err(format!(
                "{place}: the source does not name this host (add it to hosts, if it is meant)"
            ));
        }
        Ok(())
    }

    /// Whether the source's secret may go to an address.
    pub(crate) fn may_know(&self, url: &Url) -> bool {
        place_of(url) == self.home
    }
}

/// `host`, or `host:port` where the port is not the scheme's.
pub(crate) fn place_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// What a file calls a host, as addresses have it: without the port of https.
fn place_named(host: &str) -> String {
    Url::parse(&format!("https://{host}")).map_or_else(|_| host.to_ascii_lowercase(), |url| place_of(&url))
}

/// Looks names up, and gives only addresses that may be connected to: the connection goes to the very address that was
/// looked at.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Names whose address may be one of this machine or of a private network.
    private: Vec<String>,
}

impl Guard {
    pub(crate) fn of(hosts: &BTreeMap<String, Host>, proxy: Option<&Url>) -> Guard {
        let name = |place: &str| {
            let url = Url::parse(&format!("https://{place}")).ok();
            url.as_ref()
                .and_then(|url| url.host_str())
                .map_or_else(|| place.to_owned(), str::to_ascii_lowercase)
        };
        let mut private: Vec<String> =
            hosts.iter().filter(|(_, host)| host.private).map(|(place, _)| name(place)).collect();
        // A file that names this machine means it.
        private.push("localhost".to_owned());
        private.extend(proxy.and_then(|proxy| proxy.host_str()).map(str::to_ascii_lowercase));
        Guard { private }
    }

    /// Whether an address that stands in a URL as a number may be connected to.
    pub(crate) fn check_literal(&self, url: &Url, is_named: bool) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default();
        let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else {
            return Ok(());
        };
        let is_meant = address.is_loopback() && is_named || self.private.iter().any(|name| name == host);
        if is_public(address) || is_meant { Ok(()) } else { Err(refused(host)) }
    }
}

fn refused(host: &str) -> String {
    format!(
        "{host} is at an address of this machine or of a private network (if that is meant: \
         [hosts.\"{host}\"] private = true)"
    )
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let may_be_private = self.private.contains(&host);
        Box::pin(async move {
            let of = host.clone();
            let found = tokio::task::spawn_blocking(move || (of.as_str(), 0).to_socket_addrs()).await??;
            let all: Vec<SocketAddr> = found.collect();
            let open: Vec<SocketAddr> =
                all.iter().copied().filter(|address| may_be_private || is_public(address.ip())).collect();
            if open.is_empty() && !all.is_empty() {
                return Err(io::Error::other(refused(&host)).into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// As the resolver of a client.
pub(crate) fn shared(guard: Guard) -> Arc<Guard> {
    Arc::new(guard)
}

/// Whether an address is one that anybody on the internet can reach (RFC 6890 and its registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_reserved = a == 0
        || a == 10
        || a == 127
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113);
    !is_reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let [ab, cd] = [g.to_be_bytes(), h.to_be_bytes()];
    let embedded =
        |high: [u8; 2], low: [u8; 2]| is_public_v4(Ipv4Addr::new(high[0], high[1], low[0], low[1]));
    // Addresses of IPv4 in another form: mapped, compatible, translated (RFC 6052) and 6to4.
    if [a, b, c, d, e] == [0; 5] && (f == 0xffff || f == 0) {
        return g != 0 && embedded(ab, cd);
    }
    if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return embedded(ab, cd);
    }
    if a == 0x2002 {
        return embedded(b.to_be_bytes(), c.to_be_bytes());
    }
    // Global unicast, less Teredo, documentation and the local range of translation.
    (a & 0xe000) == 0x2000 && !(a == 0x2001 && (b == 0 || b == 0x0db8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "ff02::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }
}
