//! Arm's MPS2 boards: bootloader, and an image that updates itself.
//!
//! | address | what |
//! |---|---|
//! | 0x0000_0000 | bootloader; QEMU loads it at each start |
//! | 0x2000_0000 | RAM of whoever runs |
//! | 0x2010_0000 | operations on flash since power came: what a test counts by |
//! | 0x2020_0000 | where an image runs |
//! | 0x2100_0000 | PSRAM, taken for NOR flash: journal, two indexes, two slots |
//!
//! An image is linked for one address and the bootloader copies it there from its slot. So one build, and one
//! index, serves both slots, and what two versions share is found whichever slot it lies in. A product that
//! runs from flash has a chip that exchanges its banks, or ships two builds.
#![allow(unsafe_code, reason = "a bootloader writes memory by address and jumps into it")]

use core::sync::atomic::AtomicU32;

use cortex_m::peripheral::{SCB, SYST};
use desync_core::update::boot;
use desync_core::update::{Blocking, Layout, Nor, Phase, Slot, UpdateError, block_on};
use semihosting::process::ExitCode;

use crate::flash::{Cells as _, Power, RuledFlash, Window};
use crate::options::Options;
use crate::uart::UartPort;
use crate::uart::cmsdk::CmsdkUart;
use crate::uart::cortex::start_clock;
use crate::update::{BoardFlash, layout, update};

const SLOT_LEN: usize = 160 << 10;
const LAYOUT: Layout = layout(SLOT_LEN as u64);

/// Where images run, and where their stack is: the memory map of an image.
const RUN: usize = 0x2020_0000;
const RAM: core::ops::RangeInclusive<u32> = 0x2000_0000..=0x2010_0000;

const OPERATIONS: *mut u32 = 0x2010_0000 as *mut u32;

/// The boards' clock. Source: Arm application notes AN385 and AN386.
const HERTZ: u32 = 25_000_000;

/// What a release says of itself, found in the image by its first eight bytes.
#[repr(C)]
#[derive(Debug)]
pub struct Release {
    /// `RELEASE\0`.
    pub magic: [u8; 8],
    /// Its version.
    pub version: u32,
    /// 0 in a release that fails its test of itself.
    pub is_healthy: u32,
}

/// This build as a [`Release`]: its version is the number in `FIRMWARE_VERSION`, 1 if that is not set.
#[macro_export]
#[doc(hidden)]
macro_rules! mps2_release {
    () => {
        $crate::mps2::Release::of(option_env!("FIRMWARE_VERSION"))
    };
}

pub use mps2_release as release;

impl Release {
    /// A healthy one of the version that is written there, in one decimal digit.
    #[must_use]
    pub const fn of(version: Option<&str>) -> Self {
        let version = match version {
            Some(digits) => (digits.as_bytes()[0] - b'0') as u32,
            None => 1,
        };
        Self { magic: *b"RELEASE\0", version, is_healthy: 1 }
    }
}

fn flash(options: &Options) -> BoardFlash<Window> {
    // SAFETY: RAM that no linker script of ours gives away, aligned; one core runs one program at a time.
    let operations = unsafe { AtomicU32::from_ptr(OPERATIONS) };
    Nor(Blocking(RuledFlash::new(Window::psram(), Power::new(operations, options.cut))))
}

/// The bootloader: copies the image of the right slot to where it runs, and starts it.
pub fn boot() -> ! {
    let options = Options::read();
    let mut flash = flash(&options);
    // A journal that cannot be read is no reason not to start.
    let slot = block_on(boot::start(&mut flash, &LAYOUT)).unwrap_or(Slot::A);
    for slot in [slot, slot.other()] {
        let from = LAYOUT.slots[slot.position()].start as usize; // in the PSRAM
        // SAFETY: memory set aside for images: the bootloader's own lies below it.
        let image = unsafe { core::slice::from_raw_parts_mut(RUN as *mut u8, SLOT_LEN) };
        Window::psram().read(from, image);
        if !is_startable(image) {
            continue;
        }
        defmt::info!("starting slot {}", slot);
        // SAFETY: the processor is as after its reset but for the vector table, which is the image's now; what
        // was looked at above are its stack and its first instruction.
        unsafe {
            (*SCB::PTR).vtor.write(RUN as u32);
            cortex_m::asm::bootload(RUN as *const u32)
        }
    }
    semihosting::eprintln!("boot: no slot has an image");
    ExitCode::FAILURE.exit_process()
}

/// Whether memory begins with a stack in RAM and a first instruction in the image.
fn is_startable(image: &[u8]) -> bool {
    let word = |at: usize| image[at..at + 4].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    let first = word(4) as usize;
    RAM.contains(&word(0)) && (RUN..RUN + SLOT_LEN).contains(&first) && first % 2 == 1
}

/// The image: confirms itself if it is on trial and healthy; else asks for an update if it is told to.
/// `at_end` is what it does then.
pub fn run(release: &'static Release, syst: SYST, at_end: impl FnOnce()) -> ! {
    let options = Options::read();
    // SAFETY: a reference is readable; volatile, since the image may have been changed after it was linked.
    let Release { version, is_healthy, .. } = unsafe { core::ptr::read_volatile(release) };
    start_clock(syst, HERTZ);
    let mut flash = flash(&options);
    let state = block_on(boot::state(&mut flash, &LAYOUT)).expect("the journal is read");
    semihosting::println!("app: version {version}");
    defmt::info!("version {}, {}", version, state);
    if matches!(state.phase, Phase::Trial { .. }) {
        if is_healthy == 0 {
            semihosting::eprintln!("app: the test of itself failed");
            ExitCode::from(3).exit_process()
        }
        block_on(boot::confirm(&mut flash, &LAYOUT)).expect("the journal is written");
        semihosting::println!("app: confirmed");
    } else if options.updates {
        match update(flash, LAYOUT, UartPort(CmsdkUart::uart0()), &options) {
            Ok(_) => SCB::sys_reset(),
            Err(UpdateError::Current) => {
                semihosting::println!("app: nothing newer is offered");
                ExitCode::SUCCESS.exit_process()
            }
            Err(error) => {
                defmt::error!("{}", error);
                semihosting::eprintln!("app: {error}");
                ExitCode::from(2).exit_process()
            }
        }
    }
    at_end();
    semihosting::println!("app: {} operations on flash", flash.0.0.operations());
    ExitCode::SUCCESS.exit_process()
}
