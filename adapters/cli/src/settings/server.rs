//! Flags of servers: where they listen, whom they let in, what they log.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs as _};
use std::path::PathBuf;

use desync_server::{LogTarget, ServerLimits, TlsFiles};

use super::{UsageError, list};
use crate::args::ServerArgs;

/// Where the authorization is that no flag gives.
const AUTHORIZATION_VARIABLE: &str = "DESYNC_HTTP_AUTH";

/// Where the names of services are.
const SERVICES: &str = "/etc/services";

/// What a server's flags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerSetting {
    pub(crate) listen: Vec<ListenAddress>,
    pub(crate) writable: bool,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) authorization: Option<String>,
    pub(crate) log: Option<LogTarget>,
    pub(crate) metrics: Option<ListenAddress>,
    pub(crate) limits: ServerLimits,
}

/// An address as Go writes it: `host:port`, `[address]:port` or `:port`, the port a number or a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    host: String,
    port: String,
}

impl ServerSetting {
    /// Reads the flags.
    ///
    /// # Errors
    /// Flags that need each other and are not together, and addresses that are none.
    pub(crate) fn new(args: &ServerArgs) -> Result<Self, UsageError> {
        let listen = list(&args.listen)?.iter().map(ListenAddress::new).collect::<Result<_, _>>()?;
        let metrics = given(args.metrics.as_ref()).map(ListenAddress::new).transpose()?;
        let log = given(args.log.as_ref()).map(|log| match log.to_str() {
            Some("-") => LogTarget::Stdout,
            _ => LogTarget::File(log.into()),
        });
        Ok(Self {
            listen,
            writable: args.writable.or(args.writeable).unwrap_or(false),
            tls: tls(args)?,
            authorization: authorization(args),
            log,
            metrics,
            limits: limits(args)?,
        })
    }
}

fn given(text: Option<&OsString>) -> Option<&OsString> {
    text.filter(|text| !text.is_empty())
}

fn authorization(args: &ServerArgs) -> Option<String> {
    let value = args.authorization.clone().filter(|value| !value.is_empty());
    value.or_else(|| env::var(AUTHORIZATION_VARIABLE).ok().filter(|value| !value.is_empty()))
}

fn limits(args: &ServerArgs) -> Result<ServerLimits, UsageError> {
    let default = ServerLimits::default();
    let Some(asked) = args.max_connections else { return Ok(default) };
    let connections = usize::try_from(asked).ok().filter(|asked| (1..=1_000_000).contains(asked));
    let refused =
        || UsageError::new(format!("invalid number of connections {asked}, must be between 1 and 1000000"));
    Ok(ServerLimits { connections: connections.ok_or_else(refused)?, ..default })
}

fn tls(args: &ServerArgs) -> Result<Option<TlsFiles>, UsageError> {
    let path = |text: Option<&OsString>| given(text).map(PathBuf::from);
    let client_ca = path(args.client_ca.as_ref());
    let mutual = args.mutual_tls.unwrap_or(false);
    let files = match (path(args.cert.as_ref()), path(args.key.as_ref())) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key, client_ca: client_ca.clone() }),
        (None, None) => None,
        _ => return Err(UsageError::new("--key and --cert options need to be provided together")),
    };
    let wrong = match (&files, mutual, &client_ca) {
        (None, true, _) | (None, _, Some(_)) => "--mutual-tls and --client-ca need --cert and --key",
        (_, true, None) => "--mutual-tls needs --client-ca",
        (_, false, Some(_)) => "--client-ca needs --mutual-tls",
        _ => return Ok(files),
    };
    Err(UsageError::new(wrong))
}

impl ListenAddress {
    fn new(text: &OsString) -> Result<Self, UsageError> {
        let wrong =
            || UsageError::new(format!("invalid address '{}', must be HOST:PORT or :PORT", text.display()));
        let (host, port) = text.to_str().and_then(|text| text.rsplit_once(':')).ok_or_else(wrong)?;
        let host = match (host.strip_prefix('['), host.contains(':')) {
            (Some(host), _) => host.strip_suffix(']').ok_or_else(wrong)?,
            (None, true) => return Err(wrong()),
            (None, false) => host,
        };
        Ok(Self { host: host.to_owned(), port: port.to_owned() })
    }

    /// Port 80 of every interface, as Go desync listens by default.
    pub(crate) fn http() -> Self {
        Self { host: String::new(), port: "http".to_owned() }
    }

    /// Listens on it.
    ///
    /// # Errors
    /// If nothing has that name, or the system refuses.
    pub(crate) fn bind(&self) -> io::Result<TcpListener> {
        let port = self.port()?;
        if self.host.is_empty() {
            // Where there is IPv6, its socket takes IPv4 connections, too.
            return TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|error| match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                _ => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
            });
        }
        let mut addresses: Vec<_> = (self.host.as_str(), port).to_socket_addrs()?.collect();
        addresses.sort_by_key(std::net::SocketAddr::is_ipv6);
        let address = addresses.first().ok_or_else(|| io::Error::other("no address has this name"))?;
        TcpListener::bind(address)
    }

    fn port(&self) -> io::Result<u16> {
        if self.port.bytes().all(|b| b.is_ascii_digit()) && !self.port.is_empty() {
            return self.port.parse().map_err(io::Error::other);
        }
        let known = match self.port.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            name => service(&fs::read_to_string(SERVICES).unwrap_or_default(), name),
        };
        known.ok_or_else(|| io::Error::other("unknown port"))
    }
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The TCP port of a service, by a file in the format of `services(5)`.
fn service(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let first = words.next()?;
        let port = words.next()?.strip_suffix("/tcp")?.parse().ok()?;
        (first == name || words.any(|alias| alias == name)).then_some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<(String, String), String> {
        let address = ListenAddress::new(&text.into()).map_err(|error| error.to_string())?;
        Ok((address.host, address.port))
    }

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        for (text, host, port) in [
            (":http", "", "http"),
            (":8080", "", "8080"),
            ("127.0.0.1:0", "127.0.0.1", "0"),
            ("[::1]:80", "::1", "80"),
            ("name:https", "name", "https"),
        ] {
            assert_eq!(address(text), Ok((host.into(), port.into())), "{text}");
        }
        for text in ["", "80", "::1:80", "[::1:80", "host"] {
            assert!(address(text).is_err(), "{text}");
        }
        let port = |name: &str| ListenAddress { host: String::new(), port: name.into() }.port().ok();
        assert_eq!(
            (port("http"), port("65536"), port(""), port("no such service")),
            (Some(80), None, None, None)
        );
        assert_eq!(service("# x\nweb 80/udp\nweb\t8081/tcp www  # y\n", "www"), Some(8081));
    }

    #[test]
    fn flags_that_need_each_other_come_together() {
        let file = |present: bool| present.then(|| OsString::from("f"));
        for (cert, key, mutual_tls, client_ca, is_right) in [
            (false, false, false, false, true),
            (true, true, false, false, true),
            (true, true, true, true, true),
            (true, false, false, false, false),
            (false, true, false, false, false),
            (false, false, true, true, false),
            (true, true, true, false, false),
            (true, true, false, true, false),
            (false, false, false, true, false),
        ] {
            let args = ServerArgs {
                cert: file(cert),
                key: file(key),
                mutual_tls: Some(mutual_tls),
                client_ca: file(client_ca),
                ..ServerArgs::default()
            };
            let given = (cert, key, mutual_tls, client_ca);
            assert_eq!(tls(&args).is_ok(), is_right, "{given:?}");
        }
    }
}
