//! Firmware run on (emulated) hardware: building it for a board, starting it with its flash and its line,
//! cutting its power, and the hosts at the other end of the line.
//!
//! A board here is a row of [`BOARDS`]; what the firmware does lives in `targets/`, what must come of it in
//! `tests/`.

mod board;
mod emulator;
mod firmware;
mod flash;
mod host;
mod line;
mod noise;

pub use board::{BOARDS, Board, Program};
pub use emulator::{Emulator, Outcome, Running};
pub use firmware::{Firmware, Sizes};
pub use flash::{FlashFile, Layout, SECTOR};
pub use host::{Host, Serving, desync};
pub use line::Line;
pub use noise::{Faults, NoisyLine};
