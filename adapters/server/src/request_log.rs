//! The log of requests, one line each, as Go desync writes it.

use std::fmt::Arguments;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use axum::http::{Method, StatusCode, Uri};

/// Where requests are logged.
pub struct RequestLog {
    target: LogTarget,
    out: Mutex<Out>,
}

/// What a log is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// The console.
    Stdout,
    /// The end of a file, which is created if need be.
    File(PathBuf),
}

enum Out {
    Stdout,
    File(File),
}

impl RequestLog {
    /// Opens a log.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(target: LogTarget) -> io::Result<Self> {
        Ok(Self { out: Mutex::new(target.open()?), target })
    }

    /// Opens the file again: the one there was may have been moved away.
    ///
    /// # Errors
    /// If it cannot be opened; the old one is used on.
    pub fn reopen(&self) -> io::Result<()> {
        let out = self.target.open()?;
        *self.out.lock().unwrap_or_else(PoisonError::into_inner) = out;
        Ok(())
    }

    pub(crate) fn request(&self, client: &SocketAddr, method: &Method, uri: &Uri, status: StatusCode) {
        self.line(format_args!("Client: {client}, Request: {method} {uri}, Response: {}", status.as_u16()));
    }

    /// What was refused before it was a request.
    pub(crate) fn refused(&self, client: &SocketAddr, reason: &str) {
        self.line(format_args!("Client: {client}, Refused: {reason}"));
    }

    fn line(&self, text: Arguments<'_>) {
        let time = jiff::Zoned::now().strftime("%Y/%m/%d %H:%M:%S").to_string();
        let line = format!("{time} {text}\n");
        let written = match &mut *self.out.lock().unwrap_or_else(PoisonError::into_inner) {
            Out::Stdout => io::stdout().lock().write_all(line.as_bytes()),
            Out::File(file) => file.write_all(line.as_bytes()),
        };
        if let Err(error) = written {
            log::debug!("request log: {error}");
        }
    }
}

impl LogTarget {
    fn open(&self) -> io::Result<Out> {
        Ok(match self {
            Self::Stdout => Out::Stdout,
            Self::File(path) => Out::File(File::options().append(true).create(true).open(path)?),
        })
    }
}
