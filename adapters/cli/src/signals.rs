//! SIGINT and SIGTERM: the first asks pipelines to stop, the second ends the program.
//!
//! A pipeline that cannot stop soon, because a read from a pipe or a hanging disk holds it, is ended after a
//! moment anyway: that is no worse than a power cut, which every command survives. SIGHUP keeps its default
//! action. SIGPIPE is ignored by the runtime and shows as an error of the write.

use std::process;
use std::thread;
use std::time::Duration;

use desync_engine::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit;
use crate::output;

/// How long a pipeline has to stop by itself.
const PATIENCE: Duration = Duration::from_millis(800);

/// Watches for signals from now on.
///
/// # Errors
/// If the system refuses handlers or a thread.
pub(crate) fn watch(cancel: &Cancel) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    for signal in [SIGINT, SIGTERM] {
        // In the handler itself, so that no moment passes in which a command could still succeed.
        signal_hook::flag::register(signal, cancel.flag())?;
    }
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut asked = false;
        for _ in &mut signals {
            if asked {
                process::exit(exit::FAILED.into());
            }
            asked = true;
            // If the reminder cannot start, a second signal still works.
            let _ = thread::Builder::new().name("patience".into()).spawn(end_soon);
        }
    })?;
    Ok(())
}

fn end_soon() {
    thread::sleep(PATIENCE);
    output::say("Error: interrupted");
    process::exit(exit::FAILED.into());
}
