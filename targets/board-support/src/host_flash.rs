//! The program of boards whose flash is a file on the host: one update, and what memory it took.

use core::sync::atomic::AtomicU32;

use desync_core::update::{Blocking, Layout, Nor, Phase, block_on, boot};
use semihosting::process::ExitCode;

use crate::flash::{HostFile, Power, RuledFlash};
use crate::options::Options;
use crate::uart::{Uart, UartPort};
use crate::update::{BoardFlash, layout, update};

const LAYOUT: Layout = layout(1 << 20);

/// Operations on flash since power came.
static OPERATIONS: AtomicU32 = AtomicU32::new(0);

fn flash(options: &Options) -> BoardFlash<HostFile> {
    Nor(Blocking(RuledFlash::new(HostFile::open(), Power::new(&OPERATIONS, options.cut))))
}

/// Updates if it is told to; confirms an image on trial, as if it had booted. `memory` tells the most bytes of
/// heap and of stack that were in use.
pub fn run(uart: impl Uart, memory: impl FnOnce() -> (usize, usize)) -> ! {
    let options = Options::read();
    let mut flash = flash(&options);
    if options.updates {
        if let Err(error) = update(flash, LAYOUT, UartPort(uart), &options) {
            defmt::error!("{}", error);
            semihosting::eprintln!("update: {error}");
            ExitCode::from(2).exit_process()
        }
    } else {
        let slot = block_on(boot::start(&mut flash, &LAYOUT)).expect("the journal works");
        let state = block_on(boot::state(&mut flash, &LAYOUT)).expect("the journal works");
        if matches!(state.phase, Phase::Trial { .. }) {
            block_on(boot::confirm(&mut flash, &LAYOUT)).expect("the journal works");
        }
        semihosting::println!("boot: slot {slot:?}");
    }
    let (heap, stack) = memory();
    crate::report_memory(heap, stack);
    ExitCode::SUCCESS.exit_process()
}
