//! An MPS2 board with a bootloader and an image, and what a test wants of it.

use std::path::Path;

use desync_hil_tests::{Board, Emulator, Firmware, FlashFile, Host, Layout, Line, Outcome, Program, Running};
use tempfile::TempDir;

/// A version of the firmware.
pub(crate) struct Release {
    pub(crate) version: u32,
    pub(crate) image: Vec<u8>,
}

impl Release {
    /// As it is built.
    pub(crate) fn built(board: Board, version: u32) -> Self {
        let image = Firmware::build_version(board, Program::App, version).unwrap().image().unwrap();
        Self { version, image }
    }

    /// Another version of this one: what it says of itself is changed, and a few bytes of data come behind.
    pub(crate) fn patched(&self, version: u8, is_healthy: bool) -> Self {
        let mut image = self.image.clone();
        let at = image.windows(8).position(|bytes| bytes == b"RELEASE\0").expect("what a release says");
        image[at + 8] = version;
        image[at + 12] = u8::from(is_healthy);
        image.extend(desync_test_kit::prng(3000, version.into()));
        Self { version: version.into(), image }
    }
}

/// A board in a folder of its own.
pub(crate) struct Device {
    pub(crate) board: Board,
    pub(crate) flash: FlashFile,
    pub(crate) folder: TempDir,
    bootloader: Firmware,
    emulator: Emulator,
}

impl Device {
    pub(crate) fn new(name: &str, emulator: Emulator) -> Self {
        let board = Board::named(name);
        let bootloader = Firmware::build(board, Program::Bootloader).unwrap();
        Self::with(&bootloader, emulator)
    }

    /// Another board of the same kind.
    pub(crate) fn with(bootloader: &Firmware, emulator: Emulator) -> Self {
        let (folder, board) = (tempfile::tempdir().unwrap(), bootloader.board);
        let flash = FlashFile::new(folder.path(), &board);
        Self { board, flash, folder, bootloader: bootloader.clone(), emulator }
    }

    /// As it leaves the factory, with rubbish in the other slot, so that all of it must be erased.
    pub(crate) fn make(&self, release: &Release) {
        let rubbish = desync_test_kit::prng(self.board.slot_len as usize, 5);
        self.flash.make(&self.board, &release.image, &rubbish).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) const fn slots(&self) -> [u64; 2] {
        Layout::of(&self.board).slots
    }

    pub(crate) fn start(&self, line: &Line, words: &[&str]) -> Running {
        self.emulator.start(&self.bootloader, self.path(), line, words).unwrap()
    }

    pub(crate) fn run(&self, words: &[&str]) -> Outcome {
        self.start(&Line::None, words).end().unwrap()
    }

    /// Runs it with its UART connected to this host, which offers an index, and has it ask for an update.
    pub(crate) fn update(&self, host: &Host, index: &Path, words: &[&str]) -> Outcome {
        let running = self.start(&Line::Socket, &[&["update"], words].concat());
        let _serving = host.serve(index, self.path().join("line").to_str().unwrap(), false).unwrap();
        running.end().unwrap()
    }

    /// Starts it without a line and without an update: it must say that it is this release.
    pub(crate) fn assert_boots(&self, release: &Release, what: &dyn std::fmt::Debug) {
        let outcome = self.run(&[]);
        let said = format!("app: version {}\n", release.version);
        assert!(outcome.output.contains(&said) && outcome.code == Some(0), "{what:?}: {outcome:?}");
    }
}

/// A word and the number behind it, of what a board printed.
pub(crate) fn figure(output: &str, word: &str) -> u64 {
    let mut words = output.split_whitespace().skip_while(|found| *found != word);
    let number = words.nth(1).and_then(|digits| digits.parse().ok());
    number.unwrap_or_else(|| panic!("no {word} in: {output}"))
}
