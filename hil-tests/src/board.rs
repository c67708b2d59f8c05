//! The boards that there is firmware for.

/// A machine that there is firmware for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Its folder in `targets/`, and the package in it.
    pub name: &'static str,
    /// Rust's name for its processor.
    pub target: &'static str,
    /// The emulator.
    pub qemu: &'static str,
    /// What the emulator is told about the machine, its flash in `flash.bin` included.
    pub machine: &'static [&'static str],
    /// Its programs.
    pub programs: &'static [Program],
    /// Length of its flash in bytes.
    pub flash_len: u64,
    /// Length of each slot in bytes.
    pub slot_len: u64,
}

/// A program of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Cuts, names and decodes a chunk.
    Smoke,
    /// Starts the image of the right slot.
    Bootloader,
    /// An image that updates itself.
    App,
    /// All there is: updates a flash that it does not run from.
    Updater,
}

/// An MPS2 board: its PSRAM is a file, so that it outlives the emulator.
const fn mps2(name: &'static str, target: &'static str, machine: &'static [&'static str]) -> Board {
    let programs = &[Program::Smoke, Program::Bootloader, Program::App];
    Board {
        name,
        target,
        qemu: "qemu-system-arm",
        machine,
        programs,
        flash_len: 16 << 20,
        slot_len: 160 << 10,
    }
}

/// QEMU's description of memory that is a file.
const PSRAM: &str = "memory-backend-file,id=psram,size=16M,mem-path=flash.bin,share=on";

/// All of them. On the last two the flash is a file that the firmware reads and writes by semihosting.
pub const BOARDS: [Board; 4] = [
    mps2("mps2-an386", "thumbv7em-none-eabihf", &["-M", "mps2-an386,memory-backend=psram", "-object", PSRAM]),
    mps2("mps2-an385", "thumbv7m-none-eabi", &["-M", "mps2-an385,memory-backend=psram", "-object", PSRAM]),
    Board {
        name: "netduinoplus2",
        target: "thumbv7em-none-eabihf",
        qemu: "qemu-system-arm",
        machine: &["-M", "netduinoplus2"],
        programs: &[Program::Updater],
        flash_len: 3 << 20,
        slot_len: 1 << 20,
    },
    Board {
        name: "riscv32-virt",
        target: "riscv32imac-unknown-none-elf",
        qemu: "qemu-system-riscv32",
        machine: &["-M", "virt", "-bios", "none"],
        programs: &[Program::Updater],
        flash_len: 3 << 20,
        slot_len: 1 << 20,
    },
];

impl Board {
    /// The board of this name.
    ///
    /// # Panics
    /// If there is none: tests name boards that there are.
    #[must_use]
    pub fn named(name: &str) -> Self {
        *BOARDS.iter().find(|board| board.name == name).expect("a board of this name")
    }

    /// What cargo calls a program of this board.
    #[must_use]
    pub fn binary(&self, program: Program) -> String {
        match program {
            Program::Smoke => format!("{}-smoke", self.name),
            Program::Bootloader => format!("{}-bootloader", self.name),
            Program::App => format!("{}-app", self.name),
            Program::Updater => self.name.to_owned(),
        }
    }
}
