//! Windows.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType};
use std::io;
use std::os::windows::io::{AsHandle as _, BorrowedHandle};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::signals::Request;

/// The variable that names the user's directory.
pub(crate) const HOME: &str = "USERPROFILE";

/// How often it is looked whether somebody pressed Ctrl-C: handlers here may do no more than leave a note.
const GLANCE: Duration = Duration::from_millis(50);

/// The bytes of a word, which need not be text.
pub(crate) fn bytes(word: &OsStr) -> &[u8] {
    word.as_encoded_bytes()
}

/// The word of these bytes, which are a part of another word. What is no text becomes a word that names nothing.
pub(crate) fn word_of(bytes: impl Into<Vec<u8>>) -> OsString {
    String::from_utf8_lossy(&bytes.into()).into_owned().into()
}

/// There are none that have a path among files.
pub(crate) fn is_fifo(_kind: FileType) -> bool {
    false
}

/// There are none that have a path among files.
pub(crate) fn is_block_device(_kind: FileType) -> bool {
    false
}

/// Makes a directory and those above it.
pub(crate) fn create_directories(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

/// Stdin and stdout, unbuffered.
pub(crate) fn standard_streams() -> io::Result<(File, File)> {
    Ok((stream(io::stdin().as_handle())?, stream(io::stdout().as_handle())?))
}

fn stream(handle: BorrowedHandle<'_>) -> io::Result<File> {
    Ok(File::from(handle.try_clone_to_owned()?))
}

/// Not asked for: progress is as wide as if there were no terminal.
pub(crate) fn terminal_columns() -> usize {
    0
}

/// There is no such limit.
#[cfg(feature = "server")]
pub(crate) fn raise_file_limit() {}

/// What is asked of the program from outside.
pub(crate) struct Requests(Arc<AtomicBool>);

impl Requests {
    /// Listens from now on for who wants the program to stop; nobody can ask it to reload.
    ///
    /// # Errors
    /// If the system refuses handlers.
    pub(crate) fn listen(_reloads: bool) -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Self(asked))
    }

    /// Calls `hear` with each request, for ever.
    pub(crate) fn each(self, mut hear: impl FnMut(Request)) {
        loop {
            thread::sleep(GLANCE);
            if self.0.swap(false, Ordering::Relaxed) {
                hear(Request::Stop);
            }
        }
    }
}
