//! The terminal the user sits at, if any.

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
    crate::system::terminal_columns()
}
