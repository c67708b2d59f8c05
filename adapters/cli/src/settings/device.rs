//! Where a device is reached: `tcp:HOST:PORT`, or the path of a serial port or Unix socket.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::UsageError;

/// Bits per second if nothing is said.
const BAUD: u32 = 115_200;

/// The line to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceLine {
    /// A TCP peer, as `host:port`.
    Tcp(String),
    /// A Unix socket or a serial port; which, shows when it is opened.
    Path {
        /// Where it is.
        path: PathBuf,
        /// Speed of a serial port.
        baud: u32,
    },
}

impl DeviceLine {
    /// What was typed, understood.
    ///
    /// # Errors
    /// A TCP peer without a port, or a speed that no port has.
    pub(crate) fn new(text: &OsStr, baud: Option<i64>) -> Result<Self, UsageError> {
        let baud = match baud {
            None => BAUD,
            Some(baud) => u32::try_from(baud)
                .ok()
                .filter(|baud| *baud > 0)
                .ok_or_else(|| UsageError::new(format!("invalid speed {baud}")))?,
        };
        match text.to_str().and_then(|text| text.strip_prefix("tcp:")) {
            None => Ok(Self::Path { path: Path::new(text).to_owned(), baud }),
            Some(peer) => match peer.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Self::Tcp(peer.to_owned()))
                }
                _ => Err(UsageError::new(format!("'tcp:{peer}' is not tcp:HOST:PORT"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let line = |text: &str| DeviceLine::new(text.as_ref(), None);
        assert_eq!(line("tcp:127.0.0.1:4000"), Ok(DeviceLine::Tcp("127.0.0.1:4000".into())));
        assert_eq!(line("tcp:[::1]:4000"), Ok(DeviceLine::Tcp("[::1]:4000".into())));
        let path = PathBuf::from("/dev/ttyUSB0");
        assert_eq!(line("/dev/ttyUSB0"), Ok(DeviceLine::Path { path, baud: 115_200 }));
        assert!(line("tcp:host").is_err() && line("tcp:host:port").is_err() && line("tcp::1").is_err());
        for baud in [0, -1, 1 << 40] {
            assert!(DeviceLine::new("x".as_ref(), Some(baud)).is_err());
        }
    }
}
