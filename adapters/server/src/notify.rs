//! Telling the service manager how the server fares.
//!
//! Source: `sd_notify(3)`.

use std::env;

use crate::system;

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
    let word = match readiness {
        Readiness::Ready => "READY=1",
        Readiness::Stopping => "STOPPING=1",
    };
    if let Err(error) = system::tell(&address, word.as_bytes()) {
        log::warn!("telling the service manager: {error}");
    }
}
