//! Unix systems.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, FileType, OpenOptions};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
#[cfg(feature = "server")]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::signals::Request;

/// The variable that names the user's directory.
pub(crate) const HOME: &str = "HOME";

/// The bytes of a word, which need not be text.
pub(crate) fn bytes(word: &OsStr) -> &[u8] {
    word.as_bytes()
}

/// The word of these bytes, which are a part of another word.
pub(crate) fn word_of(bytes: impl Into<Vec<u8>>) -> OsString {
    OsString::from_vec(bytes.into())
}

pub(crate) fn is_fifo(kind: FileType) -> bool {
    kind.is_fifo()
}

pub(crate) fn is_block_device(kind: FileType) -> bool {
    kind.is_block_device()
}

/// Makes a directory and those above it, for others to read.
pub(crate) fn create_directories(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(directory)
}

/// Stdin and stdout, unbuffered, which wait for their bytes; casync hands its child pipes that do not.
pub(crate) fn standard_streams() -> io::Result<(File, File)> {
    Ok((stream(rustix::stdio::stdin())?, stream(rustix::stdio::stdout())?))
}

fn stream(fd: BorrowedFd<'_>) -> io::Result<File> {
    let owned = fd.try_clone_to_owned()?;
    let flags = fcntl_getfl(owned.as_fd())?;
    if flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(owned.as_fd(), flags - OFlags::NONBLOCK)?;
    }
    Ok(File::from(owned))
}

/// Columns of the controlling terminal; 0 if there is none.
pub(crate) fn terminal_columns() -> usize {
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else { return 0 };
    rustix::termios::tcgetwinsize(&terminal).map_or(0, |size| usize::from(size.ws_col))
}

/// Each connection is an open file, and what a shell allows is for programs that open few.
#[cfg(feature = "server")]
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        log::debug!("raising the limit of open files: {error}");
    }
}

/// What is asked of the program from outside.
pub(crate) struct Requests(Signals);

impl Requests {
    /// Listens from now on for who wants the program to stop and, if it `reloads`, for SIGHUP.
    ///
    /// # Errors
    /// If the system refuses handlers.
    pub(crate) fn listen(reloads: bool) -> io::Result<Self> {
        let signals = [SIGINT, SIGTERM].into_iter().chain(reloads.then_some(SIGHUP));
        Ok(Self(Signals::new(signals)?))
    }

    /// Calls `hear` with each request, for ever.
    pub(crate) fn each(mut self, mut hear: impl FnMut(Request)) {
        for signal in &mut self.0 {
            hear(if signal == SIGHUP { Request::Reload } else { Request::Stop });
        }
    }
}
