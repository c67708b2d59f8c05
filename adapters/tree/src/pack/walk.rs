//! The walk through a tree on disk: directories opened, names in order.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desync_core::format::FeatureFlags;
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};

use super::PackOptions;
use crate::attributes;
use crate::path::{TreePath, shown};
use crate::{Error, Notices, system};

/// What a worker is asked to do.
pub(super) enum Job {
    /// Describe a directory that is open; the name of the root is empty.
    Directory { name: Vec<u8>, directory: Arc<OwnedFd>, path: PathBuf },
    /// Describe a name that is no directory.
    Other { parent: Arc<OwnedFd>, name: Vec<u8>, path: PathBuf },
    /// Nothing: a directory ends here.
    Leave,
}

/// A directory whose names are being handed out.
struct Level {
    directory: Arc<OwnedFd>,
    device: u64,
    /// All names, one after another.
    names: Vec<u8>,
    /// End of each name in `names`, and what the directory says it is; in order.
    entries: std::vec::IntoIter<(usize, usize, FileType)>,
}

/// An iterator over the tree, depth first.
pub(super) struct Walk<'a> {
    options: &'a PackOptions,
    notices: &'a dyn Notices,
    root_device: u64,
    levels: Vec<Level>,
    path: TreePath,
    root: Option<(Arc<OwnedFd>, u64)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        root: &Path,
        options: &'a PackOptions,
        notices: &'a dyn Notices,
    ) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || -> io::Result<(OwnedFd, u64)> {
            let directory = fs::open(root, flags, Mode::empty())?;
            let device = fs::fstat(&directory)?.st_dev;
            Ok((directory, device))
        };
        let (directory, root_device) = open().map_err(Error::file("open directory", root))?;
        let root = Some((Arc::new(directory), root_device));
        Ok(Self { options, notices, root_device, levels: Vec::new(), path: TreePath::default(), root })
    }

    /// Begins a directory, and tells what keeps it from being read.
    fn enter(&mut self, name: Vec<u8>, directory: Arc<OwnedFd>, device: u64) -> Job {
        let outer = self.levels.last().map_or(device, |level| level.device);
        self.path.enter(&name);
        let path = shown(self.path.bytes());
        let is_elsewhere = self.options.one_file_system && device != self.root_device;
        let is_made_up = (self.levels.is_empty() || device != outer) && system::is_made_up(directory.as_fd());
        if is_made_up && !is_elsewhere {
            self.notices.lost(&path, "holds only what the kernel makes up: left empty");
        }
        let entries = if is_elsewhere || is_made_up { Ok(Default::default()) } else { read(&directory) };
        let (names, entries) = entries.unwrap_or_else(|error| {
            self.notices.lost(&path, &format!("cannot be read, left empty: {error}"));
            Default::default()
        });
        let entries = entries.into_iter();
        self.levels.push(Level { directory: Arc::clone(&directory), device, names, entries });
        Job::Directory { name, directory, path }
    }

    /// The job of a name in the innermost directory; `None` if it is left out.
    fn child(&mut self, parent: &Arc<OwnedFd>, name: Vec<u8>, kind: FileType) -> Option<Job> {
        match self.try_child(parent, &name, kind) {
            Ok(Some((directory, device))) => Some(self.enter(name, directory, device)),
            Ok(None) if kind == FileType::Directory => None,
            Ok(None) => {
                let path = self.path.shown(&name);
                Some(Job::Other { parent: Arc::clone(parent), name, path })
            }
            Err(error) => {
                self.notices.lost(&self.path.shown(&name), &format!("cannot be read, left out: {error}"));
                None
            }
        }
    }

    /// The open directory behind a name, if it is one and wanted.
    fn try_child(
        &self,
        parent: &Arc<OwnedFd>,
        name: &[u8],
        kind: FileType,
    ) -> io::Result<Option<(Arc<OwnedFd>, u64)>> {
        let kind = match kind {
            FileType::Unknown => {
                let found = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(found.st_mode)
            }
            known => known,
        };
        if kind != FileType::Directory {
            return Ok(None);
        }
        let directory = system::open_directory(parent.as_fd(), name)?;
        if self.options.features.contains(FeatureFlags::EXCLUDE_NODUMP) {
            let attributes = attributes::from_chattr(system::chattr_bits(directory.as_fd())?);
            if attributes.contains(FeatureFlags::FLAG_NODUMP) {
                return Ok(None);
            }
        }
        let device = fs::fstat(&directory)?.st_dev;
        Ok(Some((Arc::new(directory), device)))
    }
}

impl Iterator for Walk<'_> {
    type Item = Job;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((directory, device)) = self.root.take() {
            return Some(self.enter(Vec::new(), directory, device));
        }
        loop {
            let level = self.levels.last_mut()?;
            let Some((start, end, kind)) = level.entries.next() else {
                self.levels.pop();
                self.path.leave();
                return Some(Job::Leave);
            };
            let name = level.names[start..end].to_vec();
            let parent = Arc::clone(&level.directory);
            if let Some(job) = self.child(&parent, name, kind) {
                return Some(job);
            }
        }
    }
}

type Names = (Vec<u8>, Vec<(usize, usize, FileType)>);

/// The names in a directory, in order of their bytes.
fn read(directory: &OwnedFd) -> io::Result<Names> {
    let (mut names, mut entries) = (Vec::new(), Vec::new());
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            let start = names.len();
            names.extend_from_slice(name);
            entries.push((start, names.len(), entry.file_type()));
        }
    }
    entries.sort_unstable_by(|a, b| names[a.0..a.1].cmp(&names[b.0..b.1]));
    Ok((names, entries))
}
