//! SIGINT and SIGTERM: the first asks pipelines to stop, the second ends the program.
//!
//! A pipeline that cannot stop soon, because a read from a pipe or a hanging disk holds it, is ended after a
//! moment anyway: that is no worse than a power cut, which every command survives. SIGHUP keeps its default
//! action, unless a command serves: then it asks for a reload. SIGPIPE is ignored by the runtime and shows as
//! an error of the write.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use desync_engine::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::exit;
use crate::output;
use crate::system::Requests;

/// How many milliseconds a command has to stop by itself.
static PATIENCE: AtomicU64 = AtomicU64::new(800);

/// What somebody asks of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Read what may have changed again (SIGHUP): only of a command that serves.
    #[cfg_attr(windows, allow(dead_code, reason = "nobody can ask for it there"))]
    Reload,
    /// End; a command that serves finishes what is under way and ends successfully (SIGINT, SIGTERM).
    Stop,
}

/// Watches for signals from now on.
///
/// # Errors
/// If the system refuses handlers or a thread.
pub(crate) fn watch(cancel: &Cancel) -> std::io::Result<()> {
    let requests = Requests::listen(false)?;
    for signal in [SIGINT, SIGTERM] {
        // In the handler itself, so that no moment passes in which a command could still succeed.
        signal_hook::flag::register(signal, cancel.flag())?;
    }
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut asked = false;
        requests.each(|_| {
            if asked {
                process::exit(exit::FAILED.into());
            }
            asked = true;
            // If the reminder cannot start, a second signal still works.
            let _ = thread::Builder::new().name("patience".into()).spawn(end_soon);
        });
    })?;
    Ok(())
}

/// For a command that serves until it is told to stop: from now on `hear` is called with what is asked, one
/// request at a time. The command has `patience` to end once asked to stop.
///
/// # Errors
/// If the system refuses handlers or a thread.
#[cfg(any(feature = "fuse", feature = "server"))]
pub(crate) fn serve(
    cancel: &Cancel,
    patience: Duration,
    mut hear: impl FnMut(Request) + Send + 'static,
) -> std::io::Result<()> {
    PATIENCE.store(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    let requests = Requests::listen(true)?;
    let asked_before = cancel.is_cancelled();
    thread::Builder::new().name("requests".into()).spawn(move || {
        if asked_before {
            hear(Request::Stop);
        }
        requests.each(hear);
    })?;
    Ok(())
}

fn end_soon() {
    thread::sleep(Duration::from_millis(PATIENCE.load(Ordering::Relaxed)));
    output::say("Error: interrupted");
    process::exit(exit::FAILED.into());
}
