//! Firmware run on (emulated) hardware: building it for a board, starting it, catching what it says.
//!
//! A board here is a row of [`BOARDS`]; what the firmware does lives in `targets/`, what must come of it in
//! `tests/`.

mod emulator;
mod firmware;

pub use emulator::{Emulator, Outcome};
pub use firmware::Firmware;

/// A machine that there is firmware for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Its folder in `targets/`, the package in it, and QEMU's name for the machine.
    pub name: &'static str,
    /// Rust's name for its processor.
    pub target: &'static str,
}

/// All of them.
pub const BOARDS: [Board; 2] = [
    Board { name: "mps2-an386", target: "thumbv7em-none-eabihf" },
    Board { name: "mps2-an385", target: "thumbv7m-none-eabi" },
];
