//! From a file system to a mount, and back: mounting, the threads that take requests, unmounting.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use fuser::{Config, Filesystem, KernelConfig, MountOption, Session, SessionUnmounter};
use rustix::mount::UnmountFlags;

/// Threads that take the kernel's requests. They wait for nothing, so few are enough.
const THREADS: usize = 2;

/// Requests that the kernel may have under way for what it reads ahead: sixteen readers keep as many busy.
const BACKGROUND: u16 = 64;

/// What every file system here wishes from the kernel.
pub(crate) fn configure(kernel: &mut KernelConfig) {
    // A kernel that refuses is slower, and as right.
    let _ = kernel.set_max_background(BACKGROUND);
}

/// Something that is mounted.
#[derive(Debug)]
pub struct Mounted {
    mountpoint: PathBuf,
    unmounter: SessionUnmounter,
}

/// Mounts `filesystem` at the directory or file `mountpoint`, for the eyes of this user only. `ended` is called
/// once it is no longer mounted, whoever unmounted it, with an error if it ended otherwise.
///
/// # Errors
/// The system's own, and those of `fusermount3`, which is asked where mounting is for root only.
pub fn mount(
    filesystem: impl Filesystem,
    mountpoint: &Path,
    ended: impl FnOnce(io::Result<()>) + Send + 'static,
) -> io::Result<Mounted> {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::RO,
        MountOption::NoAtime,
        MountOption::FSName("desync".into()),
        MountOption::Subtype("desync".into()),
    ];
    config.n_threads = Some(THREADS);
    config.clone_fd = true;
    // Unmounting goes by this path, and the process may have another working directory by then.
    let mountpoint = mountpoint.canonicalize()?;
    let mut session = Session::new(filesystem, &mountpoint, &config)?;
    let unmounter = session.unmount_callable();
    thread::Builder::new()
        .name("mount".into())
        .spawn(move || ended(session.run().or_else(unless_unmounted)))?;
    Ok(Mounted { mountpoint, unmounter })
}

/// The kernel tells those who wait for requests of an unmount by `ENODEV`, which the session takes for its end, and at
/// times by `ECONNABORTED` (seen with Linux 6.18).
fn unless_unmounted(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::ConnectionAborted { Ok(()) } else { Err(error) }
}

impl Mounted {
    /// Unmounts it. If it is in use it vanishes from the tree at once, and those who have files of it open keep
    /// them until this process ends.
    ///
    /// # Errors
    /// The system's own. That it is not mounted any more is none.
    pub fn unmount(mut self) -> io::Result<()> {
        match self.unmounter.unmount() {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => self.detach(),
            other => other,
        }
    }

    fn detach(&self) -> io::Result<()> {
        match rustix::mount::unmount(&self.mountpoint, UnmountFlags::DETACH) {
            Err(rustix::io::Errno::PERM) => {
                let mut helper = Command::new("fusermount3");
                let output = helper.args(["-u", "-z", "--"]).arg(&self.mountpoint).output()?;
                if output.status.success() {
                    return Ok(());
                }
                Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
            }
            other => Ok(other?),
        }
    }
}
