//! Staying mounted: until somebody unmounts or asks to stop, doing meanwhile what is asked for.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, anyhow};
use desync_fuse::Filesystem;

use crate::session::Session;
use crate::signals::{self, Request};

/// How long a mount may take to save its state and unmount.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often what would be lost in a power cut is saved.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// What is done for a mount besides answering its readers.
pub(super) trait Housekeeping {
    /// Whether a hang-up asks for something. If not it means what it always does: the terminal is gone, so end.
    fn uses_hang_up(&self) -> bool;

    /// Reads what may have changed again.
    fn reload(&self);

    /// Saves what is only in memory.
    fn save(&self) -> anyhow::Result<()>;
}

/// An archive in a file needs nothing.
impl Housekeeping for () {
    fn uses_hang_up(&self) -> bool {
        false
    }

    fn reload(&self) {}

    fn save(&self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// What happens to a mount.
enum Happening {
    Asked(Request),
    Ended(std::io::Result<()>),
}

/// Mounts, and returns when it is no longer mounted. What was asked for in between was done, and everything saved.
///
/// # Errors
/// If it cannot be mounted or unmounted, or what must be saved cannot.
pub(super) fn serve(
    filesystem: impl Filesystem,
    mountpoint: &Path,
    session: &Session,
    keeper: &impl Housekeeping,
) -> anyhow::Result<()> {
    let (happens, happenings) = channel();
    let asked = happens.clone();
    // Whoever is not there to hear has ended.
    signals::serve(&session.cancel, PATIENCE, move |request| {
        let _ = asked.send(Happening::Asked(request));
    })
    .context("watching for signals")?;
    let ended = move |result| {
        let _ = happens.send(Happening::Ended(result));
    };
    let shown = mountpoint.display();
    let mounted = desync_fuse::mount(filesystem, mountpoint, ended)
        .map_err(|error| anyhow!("mount {shown}: {error}"))?;
    log::info!("mounted at {shown}");
    loop {
        match happenings.recv_timeout(SAVE_EVERY) {
            Ok(Happening::Ended(result)) => {
                keeper.save()?;
                return result.with_context(|| format!("{shown}"));
            }
            Ok(Happening::Asked(Request::Reload)) if keeper.uses_hang_up() => {
                keeper.reload();
                warn(keeper.save());
            }
            Ok(Happening::Asked(_)) | Err(RecvTimeoutError::Disconnected) => {
                // Saved first: unmounting may take longer than there is time.
                let saved = keeper.save();
                mounted.unmount().map_err(|error| anyhow!("unmount {shown}: {error}"))?;
                return saved;
            }
            Err(RecvTimeoutError::Timeout) => warn(keeper.save()),
        }
    }
}

/// What fails once may not fail at the end.
fn warn(saved: anyhow::Result<()>) {
    if let Err(error) = saved {
        log::warn!("{error:#}");
    }
}
