//! Telling the service manager how the server fares.
//!
//! Source: `sd_notify(3)`.

use std::env;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Something that service managers want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Requests are answered from now on.
    Ready,
    /// The server is finishing its requests and will end.
    Stopping,
}

/// Tells the service manager, if there is one.
pub fn notify(readiness: Readiness) {
    let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else { return };
    let told = (|| {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&address)?,
        };
        let word = match readiness {
            Readiness::Ready => "READY=1",
            Readiness::Stopping => "STOPPING=1",
        };
        UnixDatagram::unbound()?.send_to_addr(word.as_bytes(), &address)
    })();
    if let Err(error) = told {
        log::warn!("telling the service manager: {error}");
    }
}
