//! What a board's line to its host is made of.

use std::path::Path;

/// The board's end of the line to its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// There is none.
    None,
    /// The UART is a Unix socket, `line` in the board's folder; the board starts once somebody connects.
    Socket,
    /// The UART is a TCP port of this machine; the board starts once somebody connects.
    Tcp(u16),
    /// The UART is a terminal, which the emulator names on its standard output.
    Terminal,
}

impl Line {
    /// What the emulator is told.
    pub(crate) fn argument(&self, socket: &Path) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Socket => format!("unix:{},server=on,wait=on", socket.display()),
            Self::Tcp(port) => format!("tcp:127.0.0.1:{port},server=on,wait=on"),
            Self::Terminal => "pty".to_owned(),
        }
    }
}
