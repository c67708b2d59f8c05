//! Which proxy the environment names for a server: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, in either case.
//!
//! Read as Go's programs and curl do: the variable of the URL's scheme counts; servers of this machine are
//! reached directly; an entry of `NO_PROXY` is a domain with all below it, an address, a network in CIDR
//! notation, or `*`, each but the last two optionally with a port.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::{Error, Proxy};

/// The proxy for requests to `origin`, if there is to be one.
///
/// # Errors
/// A variable that names no proxy.
pub(crate) fn for_origin(
    origin: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, Error> {
    let Ok(uri) = origin.parse::<Uri>() else { return Ok(None) };
    let upper = if uri.scheme_str() == Some("https") { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    let read = |name: &str| {
        let value = variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
        value.filter(|value| !value.is_empty())
    };
    let Some(proxy) = read(upper) else { return Ok(None) };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if upper == "HTTPS_PROXY" { 443 } else { 80 });
    if is_here(host) || read("NO_PROXY").is_some_and(|list| excludes(&list, host, port)) {
        return Ok(None);
    }
    Proxy::new(&proxy).map(Some)
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether an entry of `NO_PROXY` is for this host and port.
fn excludes(list: &str, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return is_address(&entry, address, port);
        }
        let (domain, entry_port) = split_port(&entry);
        let is_same = host == domain.trim_start_matches('.') && !domain.starts_with('.');
        let is_below =
            host.strip_suffix(domain.trim_start_matches('.')).is_some_and(|rest| rest.ends_with('.'));
        !domain.is_empty() && (is_same || is_below) && entry_port.is_none_or(|only| only == port)
    })
}

fn is_address(entry: &str, address: IpAddr, port: u16) -> bool {
    if let Some((network, bits)) = entry.split_once('/') {
        let parsed = network.parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
        return parsed.is_some_and(|(network, bits)| is_in(address, network, bits));
    }
    if let Ok(same) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
        return same == address;
    }
    let (host, entry_port) = split_port(entry);
    host.trim_matches(['[', ']']).parse() == Ok(address) && entry_port == Some(port)
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (entry, None),
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (u128::from(a.to_bits()), u128::from(n.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits(), n.to_bits(), 128),
        _ => return false,
    };
    let host_bits = width - bits.min(width);
    address.checked_shr(host_bits) == network.checked_shr(host_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(origin: &str, environment: &[(&str, &str)]) -> Option<String> {
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        for_origin(origin, variable).unwrap().map(|proxy| proxy.host().to_owned())
    }

    #[test]
    fn the_variable_of_the_scheme_counts() {
        let both = [("HTTP_PROXY", "http://plain:1"), ("https_proxy", "tls:2")];
        assert_eq!(proxy("http://h", &both).as_deref(), Some("plain"));
        assert_eq!(proxy("https://h", &both).as_deref(), Some("tls"));
        assert_eq!(proxy("https://h", &both[..1]), None);
        assert_eq!(proxy("http://h", &[("HTTP_PROXY", "")]), None);
        let nonsense = |_: &str| Some("http://".to_owned());
        assert!(for_origin("http://h", nonsense).is_err());
    }

    #[test]
    fn some_servers_are_reached_directly() {
        for (origin, list, direct) in [
            ("http://localhost:8080", "", true),
            ("http://127.0.0.9", "", true),
            ("http://[::1]:80", "", true),
            ("http://h.example.com", "example.com", true),
            ("http://example.com", "x, Example.com", true),
            ("http://example.com", ".example.com", false),
            ("http://badexample.com", "example.com", false),
            ("http://h:81", "h:80", false),
            ("http://h:81", "h:81", true),
            ("http://10.1.2.3", "10.0.0.0/8", true),
            ("http://11.1.2.3", "10.0.0.0/8", false),
            ("http://10.1.2.3", "10.1.2.3", true),
            ("http://[fd00::1]", "fd00::/8", true),
            ("http://anything", "*", true),
            ("http://anything", "", false),
        ] {
            let environment = [("HTTP_PROXY", "p:1"), ("NO_PROXY", list)];
            assert_eq!(proxy(origin, &environment).is_none(), direct, "{origin} {list}");
        }
    }
}
