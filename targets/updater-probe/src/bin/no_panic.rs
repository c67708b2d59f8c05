//! The updater in a firmware that links only if it cannot panic.
//!
//! Driven without `async`: the compiler gives each `async fn` a panic for being polled after its end, which
//! no input brings about.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // a function that is nowhere

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use desync_core::codec::stream_memory;
use desync_core::update::{State, Updater, Workspace, boot};
use updater_probe::{BareChip, Link, WINDOW, config, get, offer, put};

#[entry]
fn main() -> ! {
    put(update());
    loop {
        core::hint::spin_loop();
    }
}

/// What an update does, and what a bootloader decides; it reads and writes the journal as the update does.
fn update() -> u32 {
    let in_flux = Some(get());
    put(boot::choose(&State { in_flux, ..State::default() }).slot.position() as u32);
    let Ok(mut updater) = Updater::new::<u32>(BareChip, config()) else { return 1 };
    let (mut sector, mut words, mut zstd) = ([0; 4096], [0; 2000], [0; stream_memory(WINDOW)]);
    let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
    match updater.run_blocking(&offer(), &mut Link, workspace) {
        Ok(report) => report.fetched.bytes as u32,
        Err(_) => 2,
    }
}

unsafe extern "C" {
    /// Whoever needs it does not link.
    fn the_updater_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: never linked, so never called.
    unsafe { the_updater_can_panic() }
}
