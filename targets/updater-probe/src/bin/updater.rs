//! A firmware that can update itself, with all that the updater has: SHA-512/256, zstd, planner and journal.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use desync_core::codec::stream_memory;
use desync_core::update::{Blocking, Nor, Updater, Workspace, block_on, boot};
use updater_probe::{Chip, LAYOUT, Link, WINDOW, config, offer, put};

#[entry]
fn main() -> ! {
    put(update());
    loop {
        core::hint::spin_loop();
    }
}

/// Confirms the running image, and brings the next.
fn update() -> u32 {
    let mut flash = Nor(Blocking(Chip));
    put(block_on(boot::confirm(&mut flash, &LAYOUT)).is_ok().into());
    let Ok(mut updater) = Updater::new::<u32>(flash, config()) else { return 1 };
    let (mut sector, mut words, mut zstd) = ([0; 4096], [0; 2000], [0; stream_memory(WINDOW)]);
    let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
    match block_on(updater.run(&offer(), &mut Link, workspace)) {
        Ok(report) => report.fetched.bytes as u32,
        Err(_) => 2,
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
