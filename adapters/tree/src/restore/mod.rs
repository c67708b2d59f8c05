//! A tree onto disk.
//!
//! Every name is made in its directory's descriptor and never followed, so neither a hostile archive nor somebody
//! who swaps directories for links meanwhile leads outside the target. A file is written under a temporary name and
//! renamed when it is complete, so none is half there under its own; the name is made of the final one, so
//! another run takes over what a killed one left. Metadata of a directory are set when it is complete.
//!
//! Invariants
//! - Nothing is followed: directories are opened, and names made, in descriptors (test:
//!   `a_swapped_directory_leads_nowhere`).
//! - A name holds its old file or all of the new one (test: `a_name_is_never_half_written`).

mod content;
mod metadata;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use desync_core::format::FeatureFlags;
use desync_core::format::catar::{Content, Node, name_hash};
use desync_engine::Cancel;
use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::path::TreePath;
use crate::system::XattrsOf;
use crate::unpack::GO_DESYNC;
use crate::{Error, Notices, Owners, Sink, acl, attributes, system};
use content::FileContent;
use metadata::Metadata;

/// How a tree is restored.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOptions {
    /// Whether owners are set.
    pub owners: bool,
    /// Whether modes are set; otherwise they are what the umask leaves.
    pub permissions: bool,
    /// Whether extended attributes of every namespace are set, not only `user.` and `trusted.`.
    pub all_xattrs: bool,
    /// Whether a directory may be removed with all in it where something else is to stand.
    pub replace_directories: bool,
    /// Whether all of it is synced at the end.
    pub sync: bool,
}

/// Writes a tree to disk.
pub struct Restorer<'a> {
    target: PathBuf,
    options: RestoreOptions,
    metadata: Metadata<'a>,
    notices: &'a dyn Notices,
    cancel: &'a Cancel,
    open: Vec<OpenDirectory>,
    path: TreePath,
    file: Option<OpenFile>,
}

/// A directory that is being filled.
struct OpenDirectory {
    directory: OwnedFd,
    node: Node,
    /// Whether it was there before, or inherited an access list.
    has_a_past: bool,
    /// Whether what is made in it inherits an access list.
    bequeaths: bool,
}

/// A file that is being written.
struct OpenFile {
    content: FileContent,
    node: Node,
    temporary: Vec<u8>,
}

impl<'a> Restorer<'a> {
    /// Restores into `target`, which is made with its parents when the root comes, if it is not there.
    pub fn new(
        target: &Path,
        options: RestoreOptions,
        owners: &'a Owners,
        notices: &'a dyn Notices,
        cancel: &'a Cancel,
    ) -> Self {
        let features = FeatureFlags::empty();
        let metadata = Metadata { options, features, zero_time_is_none: false, owners, notices };
        let path = TreePath::default();
        Self {
            target: target.to_owned(),
            options,
            metadata,
            notices,
            cancel,
            open: Vec::new(),
            path,
            file: None,
        }
    }

    /// What to call a node in an error.
    fn full(&self, name: &[u8]) -> PathBuf {
        self.target.join(OsStr::from_bytes(&self.path.of(name)))
    }

    fn failed(&self, operation: &'static str, name: &[u8]) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = self.full(name);
        move |error| Error::file(operation, &path)(error)
    }

    /// The innermost open directory.
    fn directory(&self) -> Result<BorrowedFd<'_>, Error> {
        let none = || Error::Unsupported("internal error: a node outside of any directory".into());
        Ok(self.open.last().ok_or_else(none)?.directory.as_fd())
    }

    fn enter_root(&mut self, node: &Node) -> Result<(), Error> {
        std::fs::create_dir_all(&self.target).map_err(Error::file("make directory", &self.target))?;
        // The target itself may be a link: the user named it.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = fs::openat(CWD, &self.target, flags, Mode::empty())
            .map_err(|error| Error::file("open directory", &self.target)(error.into()))?;
        self.push(directory, node, true)
    }

    fn enter(&mut self, node: &Node) -> Result<(), Error> {
        let name = &node.name[..];
        let parent = self.directory()?;
        let private = Mode::from_raw_mode(0o700);
        let was_there = match fs::mkdirat(parent, OsStr::from_bytes(name), private) {
            Ok(()) => false,
            Err(Errno::EXIST) => true,
            Err(error) => return Err(self.failed("make directory", name)(error.into())),
        };
        let directory = match system::open_directory(parent, name) {
            Ok(directory) => directory,
            Err(error) => {
                let is_other = [Errno::NOTDIR, Errno::LOOP]
                    .iter()
                    .any(|other| error.raw_os_error() == Some(other.raw_os_error()));
                if is_other {
                    let reason = "exists and is not a directory".into();
                    return Err(Error::Target { path: self.full(name), reason });
                }
                return Err(self.failed("open directory", name)(error));
            }
        };
        let has_a_past = was_there || self.inherits();
        self.push(directory, node, has_a_past)
    }

    /// Whether what is made in the innermost open directory inherits an access list.
    fn inherits(&self) -> bool {
        self.open.last().is_some_and(|open| open.bequeaths)
    }

    fn push(&mut self, directory: OwnedFd, node: &Node, has_a_past: bool) -> Result<(), Error> {
        // An existing directory may forbid its owner what filling it needs.
        if let Ok(found) = fs::fstat(&directory)
            && found.st_mode & 0o700 != 0o700
        {
            let mode = Mode::from_raw_mode(found.st_mode & 0o7777 | 0o700);
            fs::fchmod(&directory, mode).map_err(|error| self.failed("open up", &node.name)(error.into()))?;
        }
        self.path.enter(&node.name);
        self.metadata.early(directory.as_fd(), node, &self.path.shown(b""));
        let bequeaths = has_a_past
            && XattrsOf::File(directory.as_fd()).get(acl::DEFAULT).is_ok_and(|list| list.is_some());
        self.open.push(OpenDirectory { directory, node: node.clone(), has_a_past, bequeaths });
        Ok(())
    }

    /// Makes a node that has neither children nor data, under its temporary name, and puts it in place.
    fn make(&mut self, node: &Node) -> Result<(), Error> {
        let temporary = temporary_name(&node.name);
        let directory = self.directory()?;
        let made =
            system::remove(directory, &temporary).and_then(|()| make_node(directory, &temporary, node));
        match made {
            Ok(()) => {}
            Err(error) if is_forbidden(&error) => {
                self.notices.lost(&self.path.shown(&node.name), &format!("cannot be made: {error}"));
                return Ok(());
            }
            Err(error) => return Err(self.failed("make", &node.name)(error)),
        }
        self.metadata.of_name(directory, &temporary, node, &self.path.shown(&node.name));
        self.publish(&temporary, &node.name)
    }

    /// Renames a complete node. What had its name is replaced, but a directory only if that is wanted.
    fn publish(&self, temporary: &[u8], name: &[u8]) -> Result<(), Error> {
        let directory = self.directory()?;
        let rename = || {
            let (from, to) = (OsStr::from_bytes(temporary), OsStr::from_bytes(name));
            fs::renameat(directory, from, directory, to)
        };
        let result = match rename() {
            Err(Errno::ISDIR) if self.options.replace_directories => {
                system::remove_tree(directory, name).map_err(self.failed("remove directory", name))?;
                rename()
            }
            Err(Errno::ISDIR) => {
                let _ = system::remove(directory, temporary);
                let reason = "exists and is a directory; it is removed only if that is asked for".into();
                return Err(Error::Target { path: self.full(name), reason });
            }
            Err(Errno::PERM) if unlock(directory, name) => rename(),
            other => other,
        };
        result.map_err(|error| {
            let _ = system::remove(directory, temporary);
            self.failed("rename", name)(error.into())
        })
    }

    fn begin_file(&mut self, node: &Node, len: u64) -> Result<(), Error> {
        let temporary = temporary_name(&node.name);
        let directory = self.directory()?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let private = Mode::from_raw_mode(0o600);
        let create = || system::open_beneath(directory, &temporary, flags, private);
        let file = create().or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                // What a killed run left.
                system::remove(directory, &temporary)?;
                create()
            }
            _ => Err(error),
        });
        let file = file.map_err(self.failed("create", &node.name))?;
        self.metadata.early(file.as_fd(), node, &self.path.shown(&node.name));
        let content = FileContent::new(file.into(), len);
        self.file = Some(OpenFile { content, node: node.clone(), temporary });
        Ok(())
    }

    fn end_file(&mut self) -> Result<(), Error> {
        let Some(OpenFile { content, node, temporary }) = self.file.take() else { return Ok(()) };
        let path = self.path.shown(&node.name);
        let done = content.finish().map_err(self.failed("write", &node.name)).and_then(|file| {
            if self.inherits() {
                self.metadata.clear(XattrsOf::File(file.as_fd()), &node, &path);
            }
            self.metadata.of_file(file.as_fd(), &node, &path);
            self.publish(&temporary, &node.name)?;
            Ok(file)
        });
        match done {
            Ok(file) => {
                self.metadata.late(file.as_fd(), &node, &path);
                Ok(())
            }
            Err(error) => {
                let _ = system::remove(self.directory()?, &temporary);
                Err(error)
            }
        }
    }

    fn leave_directory(&mut self) {
        if let Some(OpenDirectory { directory, node, has_a_past, .. }) = self.open.pop() {
            let path = self.path.shown(b"");
            if has_a_past {
                self.metadata.clear(XattrsOf::File(directory.as_fd()), &node, &path);
            }
            self.metadata.of_file(directory.as_fd(), &node, &path);
            self.metadata.late(directory.as_fd(), &node, &path);
        }
        self.path.leave();
    }
}

impl Sink for Restorer<'_> {
    fn begin(&mut self, archived: FeatureFlags, wanted: FeatureFlags) -> Result<(), Error> {
        self.metadata.features = wanted;
        self.metadata.zero_time_is_none = archived == GO_DESYNC;
        Ok(())
    }

    fn node(&mut self, node: &Node) -> Result<(), Error> {
        self.cancel.check()?;
        if node.name.starts_with(TEMPORARY_PREFIX) {
            // It could be taken for an unfinished file and be removed for another one.
            let reason = "a name that only unfinished files have".into();
            return Err(Error::Target { path: self.full(&node.name), reason });
        }
        match &node.content {
            Content::Directory if self.open.is_empty() => self.enter_root(node),
            Content::Directory => self.enter(node),
            Content::File { len } => self.begin_file(node, *len),
            _ => self.make(node),
        }
    }

    fn data(&mut self, bytes: &[u8], is_last: bool) -> Result<(), Error> {
        if let Some(file) = &mut self.file
            && let Err(error) = file.content.write(bytes)
        {
            let name = file.node.name.clone();
            return Err(self.failed("write", &name)(error));
        }
        if is_last { self.end_file() } else { Ok(()) }
    }

    fn leave(&mut self) -> Result<(), Error> {
        let root = if self.open.len() == 1 { self.open[0].directory.try_clone().ok() } else { None };
        self.leave_directory();
        if let Some(root) = root.filter(|_| self.options.sync) {
            fs::syncfs(&root).map_err(|error| Error::file("sync", &self.target)(error.into()))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// A run that ends early leaves no half file, and its directories as complete as can be.
impl Drop for Restorer<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take()
            && let Ok(directory) = self.directory()
        {
            let _ = system::remove(directory, &file.temporary);
        }
        while !self.open.is_empty() {
            self.leave_directory();
        }
    }
}

/// What the names of unfinished files begin with.
const TEMPORARY_PREFIX: &[u8] = b".tmp-untar.";

/// The name that a node has until it is complete. The same in each run, so that leftovers are taken over.
fn temporary_name(name: &[u8]) -> Vec<u8> {
    [TEMPORARY_PREFIX, format!("{:016x}", name_hash(name)).as_bytes()].concat()
}

/// Whether the user may not do this, or the file system cannot.
fn is_forbidden(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    system::is_unsupported(error)
        || [Errno::PERM, Errno::ACCESS].iter().any(|errno| code == Some(errno.raw_os_error()))
}

fn make_node(directory: BorrowedFd<'_>, name: &[u8], node: &Node) -> io::Result<()> {
    let private = Mode::from_raw_mode(0o600);
    let name = OsStr::from_bytes(name);
    let (kind, device) = match &node.content {
        Content::Symlink { target } => {
            return Ok(fs::symlinkat(OsStr::from_bytes(target), directory, name)?);
        }
        Content::CharDevice(number) => (FileType::CharacterDevice, fs::makedev(number.major, number.minor)),
        Content::BlockDevice(number) => (FileType::BlockDevice, fs::makedev(number.major, number.minor)),
        Content::Fifo => (FileType::Fifo, 0),
        Content::Socket => (FileType::Socket, 0),
        Content::Directory | Content::File { .. } => return Err(io::ErrorKind::InvalidInput.into()),
    };
    Ok(fs::mknodat(directory, name, kind, private, device)?)
}

/// Takes the attributes from a file that keep it from being replaced; whether it had any.
fn unlock(directory: BorrowedFd<'_>, name: &[u8]) -> bool {
    let is_regular = fs::statat(directory, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile);
    let Ok(file) = system::open_beneath(directory, name, OFlags::RDONLY, Mode::empty()) else { return false };
    let bits = system::chattr_bits(file.as_fd()).unwrap_or(0);
    is_regular
        && attributes::from_chattr(bits).intersects(attributes::LOCKS)
        && system::set_chattr(file.as_fd(), FeatureFlags::empty(), attributes::LOCKS).is_ok()
}
