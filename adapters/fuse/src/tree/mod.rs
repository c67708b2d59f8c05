//! An archive as a tree of files, directories, links and devices.
//!
//! Names are found by the archive's own tables; only what is asked for is read. Nothing in the archive is
//! believed: whatever is not as it should be is an input/output error for whoever asked.
//!
//! Memory: 24 bytes a node that the kernel remembers, and 16 a name in a directory that is being listed.

mod attributes;
mod content;
mod inodes;

use core::ops::Range;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::time::Duration;

use desync_core::Limits;
use desync_core::format::Strictness;
use desync_core::format::catar::{
    Archive, ArchiveError, Content as NodeContent, Directory, Found, Place, Xattr,
};
use desync_engine::{Error, ReadAhead};
use fuser::{
    Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags, KernelConfig,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};

use crate::handles::Handles;
use crate::session;
pub use content::Content;
use inodes::Inodes;

/// How long the kernel may believe what it was told: nothing changes.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// Most names in a directory that is listed: 256 MiB of places.
const NAMES_MAX: u64 = 16 << 20;

/// Names ahead of the one being listed whose nodes are fetched.
const NAMES_AHEAD: usize = 32;

/// Bytes of a name and its node that are fetched ahead.
const NODE_GUESS: u64 = 512;

/// A file system that is an archive.
pub struct Tree {
    shared: Arc<Shared>,
    files: Handles<OpenFile>,
    directories: Handles<OpenDirectory>,
}

/// What tasks need that may have to wait.
struct Shared {
    archive: Archive<Content>,
    content: Content,
    inodes: Inodes,
}

struct OpenFile {
    bytes: Range<u64>,
    reader: ReadAhead,
}

/// A directory that is being listed.
struct OpenDirectory {
    itself: Place,
    children: Vec<Range<u64>>,
}

/// Why the kernel does not get what it asked for.
enum Refusal {
    /// It asked for something that is not there, or not of this kind.
    Errno(Errno),
    /// The archive cannot be read there.
    Archive(ArchiveError<Error>),
}

impl From<ArchiveError<Error>> for Refusal {
    fn from(error: ArchiveError<Error>) -> Self {
        Self::Archive(error)
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl Refusal {
    /// The number for the kernel; the words are logged.
    fn errno(self) -> Errno {
        match self {
            Self::Errno(errno) => errno,
            Self::Archive(error) => {
                log::warn!("{error}");
                Errno::EIO
            }
        }
    }
}

/// A node by its number in the kernel.
struct Known {
    number: INodeNo,
    place: Place,
    found: Found,
}

impl Known {
    fn attributes(&self) -> FileAttr {
        attributes::of(self.number, &self.found)
    }
}

impl Tree {
    /// Looks at the root of an archive.
    ///
    /// # Errors
    /// [`ArchiveError`] if it has none.
    pub fn open(content: Content) -> Result<Self, ArchiveError<Error>> {
        let len = content.len().map_err(ArchiveError::Read)?;
        let mut archive = Archive::open(content.clone(), len, Strictness::Lenient, Limits::HOST)?;
        archive.node(archive.root())?;
        let inodes = Inodes::new(archive.root());
        let shared = Arc::new(Shared { archive, content, inodes });
        Ok(Self { shared, files: Handles::new(), directories: Handles::new() })
    }

    /// Runs what may have to wait for the store.
    fn run(&self, task: impl FnOnce(&Shared) + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        self.shared.content.run(move || task(&shared));
    }
}

impl Shared {
    fn node(&self, number: INodeNo) -> Result<Known, Refusal> {
        let place = self.inodes.place(number).ok_or(Errno::ESTALE)?;
        Ok(Known { number, place, found: self.archive.clone().node(place)? })
    }

    fn directory(&self, number: INodeNo) -> Result<Directory, Refusal> {
        let node = self.node(number)?;
        if !node.found.node.content.is_directory() {
            return Err(Errno::ENOTDIR.into());
        }
        Ok(self.archive.clone().directory(node.place)?)
    }

    /// Finds a name, and notes that the kernel is told of it.
    fn lookup(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Refusal> {
        let directory = self.directory(parent)?;
        let mut archive = self.archive.clone();
        let place = archive.lookup(&directory, name.as_bytes())?.ok_or(Errno::ENOENT)?;
        let found = archive.node(place)?;
        self.tell_of(place)?;
        Ok(attributes::of(Inodes::number(place), &found))
    }

    fn tell_of(&self, place: Place) -> Result<(), Refusal> {
        if self.inodes.learn(place) {
            return Ok(());
        }
        log::warn!("tables of the archive contradict each other about the node at {}", place.entry);
        Err(Errno::EIO.into())
    }

    fn open_directory(&self, number: INodeNo) -> Result<OpenDirectory, Refusal> {
        let itself = self.inodes.place(number).ok_or(Errno::ESTALE)?;
        let directory = self.directory(number)?;
        if directory.children > NAMES_MAX {
            log::warn!("a directory of {} names is too large to be listed", directory.children);
            return Err(Errno::EIO.into());
        }
        Ok(OpenDirectory { itself, children: self.archive.clone().children(&directory)? })
    }

    /// Hands the entries of a directory to `add` from `offset` on, until that is full or one cannot be read. That is
    /// an error only if it is the first.
    fn list(
        &self,
        directory: &OpenDirectory,
        offset: u64,
        mut add: impl FnMut(u64, Place, &OsStr, &FileAttr) -> Result<Added, Refusal>,
    ) -> Result<(), Refusal> {
        let first = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut is_first = true;
        for number in first..directory.children.len().saturating_add(2) {
            match self.list_one(directory, number, &mut add) {
                Ok(Added::Full) => break,
                Ok(Added::Told) => {}
                Err(refusal) if is_first => return Err(refusal),
                Err(_) => break,
            }
            is_first = false;
        }
        Ok(())
    }

    fn list_one(
        &self,
        directory: &OpenDirectory,
        number: usize,
        add: &mut impl FnMut(u64, Place, &OsStr, &FileAttr) -> Result<Added, Refusal>,
    ) -> Result<Added, Refusal> {
        let next = number as u64 + 1;
        let mut archive = self.archive.clone();
        let dots = [OsStr::new("."), OsStr::new("..")];
        if let Some(name) = dots.get(number) {
            // The kernel knows what these are.
            let found = archive.node(directory.itself)?;
            let attributes = attributes::of(Inodes::number(directory.itself), &found);
            return add(next, directory.itself, name, &attributes);
        }
        let place = number - dots.len();
        if place.is_multiple_of(NAMES_AHEAD) {
            let coming = directory.children[place..].iter().take(2 * NAMES_AHEAD);
            coming.for_each(|child| self.content.want(child.start..child.end.min(child.start + NODE_GUESS)));
        }
        let (name, place) = archive.child_at(directory.children[place].clone())?;
        let found = archive.node(place)?;
        add(next, place, OsStr::from_bytes(&name), &attributes::of(Inodes::number(place), &found))
    }

    fn extended(&self, number: INodeNo) -> Result<Vec<Xattr>, Refusal> {
        Ok(attributes::extended(self.node(number)?.found.node))
    }
}

/// What became of an entry that was to be listed.
enum Added {
    Told,
    Full,
}

/// Answers with a value of which the kernel may want only the length.
fn answer_sized(value: Result<Vec<u8>, Refusal>, size: u32, reply: ReplyXattr) {
    match value {
        Ok(value) if size == 0 => reply.size(u32::try_from(value.len()).unwrap_or(u32::MAX)),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
        Err(refusal) => reply.error(refusal.errno()),
    }
}

impl Filesystem for Tree {
    fn init(&mut self, _request: &Request, kernel: &mut KernelConfig) -> std::io::Result<()> {
        session::configure(kernel);
        for wish in [
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_CACHE_SYMLINKS,
        ] {
            // A kernel that cannot is slower, and as right.
            let _ = kernel.add_capabilities(wish);
        }
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_owned();
        self.run(move |shared| match shared.lookup(parent, &name) {
            Ok(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
            Err(refusal) => reply.error(refusal.errno()),
        });
    }

    fn forget(&self, _request: &Request, number: INodeNo, lookups: u64) {
        self.shared.inodes.forget(number, lookups);
    }

    fn getattr(&self, _request: &Request, number: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        self.run(move |shared| match shared.node(number) {
            Ok(node) => reply.attr(&FOREVER, &node.attributes()),
            Err(refusal) => reply.error(refusal.errno()),
        });
    }

    fn readlink(&self, _request: &Request, number: INodeNo, reply: ReplyData) {
        self.run(move |shared| match shared.node(number).map(|node| node.found.node.content) {
            Ok(NodeContent::Symlink { target }) => reply.data(&target),
            Ok(_) => reply.error(Errno::EINVAL),
            Err(refusal) => reply.error(refusal.errno()),
        });
    }

    fn open(&self, _request: &Request, number: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let files = self.files.clone();
        self.run(move |shared| match shared.node(number) {
            Ok(node) if matches!(node.found.node.content, NodeContent::File { .. }) => {
                let file = OpenFile { bytes: node.found.content, reader: ReadAhead::new() };
                reply.opened(files.open(file), FopenFlags::FOPEN_KEEP_CACHE);
            }
            Ok(_) => reply.error(Errno::EINVAL),
            Err(refusal) => reply.error(refusal.errno()),
        });
    }

    fn read(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        offset: u64,
        len: u32,
        _flags: OpenFlags,
        _lock: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(file) = self.files.get(handle) else { return reply.error(Errno::EBADF) };
        self.shared.content.answer(&file.reader, attributes::part(&file.bytes, offset, len), reply);
    }

    fn release(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.files.close(handle);
        reply.ok();
    }

    fn opendir(&self, _request: &Request, number: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let directories = self.directories.clone();
        self.run(move |shared| match shared.open_directory(number) {
            Ok(directory) => reply.opened(
                directories.open(directory),
                FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE,
            ),
            Err(refusal) => reply.error(refusal.errno()),
        });
    }

    fn readdir(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let Some(directory) = self.directories.get(handle) else { return reply.error(Errno::EBADF) };
        self.run(move |shared| {
            let add = |next, _, name: &OsStr, attributes: &FileAttr| {
                let is_full = reply.add(attributes.ino, next, attributes.kind, name);
                Ok(if is_full { Added::Full } else { Added::Told })
            };
            match shared.list(&directory, offset, add) {
                Ok(()) => reply.ok(),
                Err(refusal) => reply.error(refusal.errno()),
            }
        });
    }

    fn readdirplus(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let Some(directory) = self.directories.get(handle) else { return reply.error(Errno::EBADF) };
        self.run(move |shared| {
            let add = |next, place: Place, name: &OsStr, attributes: &FileAttr| {
                // The first two are the directory itself, of which the kernel is not told anew.
                let is_new = next > 2;
                if is_new {
                    shared.tell_of(place)?;
                }
                if !reply.add(attributes.ino, next, name, &FOREVER, attributes, Generation(0)) {
                    return Ok(Added::Told);
                }
                if is_new {
                    shared.inodes.forget(attributes.ino, 1);
                }
                Ok(Added::Full)
            };
            match shared.list(&directory, offset, add) {
                Ok(()) => reply.ok(),
                Err(refusal) => reply.error(refusal.errno()),
            }
        });
    }

    fn releasedir(
        &self,
        _request: &Request,
        _number: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.directories.close(handle);
        reply.ok();
    }

    fn getxattr(&self, _request: &Request, number: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let name = name.to_owned();
        self.run(move |shared| {
            let value = shared.extended(number).and_then(|all| {
                let found = all.into_iter().find(|xattr| xattr.name == name.as_bytes());
                found.map(|xattr| xattr.value).ok_or_else(|| Errno::NO_XATTR.into())
            });
            answer_sized(value, size, reply);
        });
    }

    fn listxattr(&self, _request: &Request, number: INodeNo, size: u32, reply: ReplyXattr) {
        self.run(move |shared| {
            let names = shared.extended(number).map(|all| {
                all.into_iter().flat_map(|xattr| xattr.name.into_iter().chain([0])).collect::<Vec<u8>>()
            });
            answer_sized(names, size, reply);
        });
    }

    fn statfs(&self, _request: &Request, _number: INodeNo, reply: ReplyStatfs) {
        let blocks = self.shared.content.len().unwrap_or(0).div_ceil(4096);
        reply.statfs(blocks, 0, 0, 0, 0, 4096, 255, 4096);
    }
}
