//! The terminal the user sits at, if any.

use std::fs::OpenOptions;
use std::io::IsTerminal;

/// Whether stderr is a terminal.
pub(super) fn on_stderr() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether stdout is a terminal.
pub(super) fn on_stdout() -> bool {
    std::io::stdout().is_terminal()
}

/// Columns of the controlling terminal; 0 if there is none.
pub(super) fn columns() -> usize {
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else { return 0 };
    rustix::termios::tcgetwinsize(&terminal).map_or(0, |size| usize::from(size.ws_col))
}
