//! XFS with reflinks, in a file, mounted while it is measured on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::run;

/// Room for a seed and an output of each program; the file is sparse.
const LEN: u64 = 8 << 30;

/// A mounted file system; unmounted when dropped.
pub(crate) struct Xfs {
    folder: PathBuf,
}

impl Xfs {
    /// None where it cannot be mounted: without root or mkfs.xfs.
    pub(crate) fn mount(folder: &Path) -> anyhow::Result<Option<Self>> {
        let image = folder.join("xfs.img");
        let mounted = folder.join("xfs");
        fs::create_dir_all(&mounted)?;
        File::create(&image)?.set_len(LEN)?;
        let mkfs = run(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&image), folder);
        let mount = || run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mounted), folder);
        match mkfs.and_then(|()| mount()) {
            Ok(()) => Ok(Some(Self { folder: mounted.canonicalize()? })),
            Err(error) => {
                eprintln!("no XFS: {error:#}");
                Ok(None)
            }
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Xfs {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.folder).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.folder.display());
        }
    }
}
