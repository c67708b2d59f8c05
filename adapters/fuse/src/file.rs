//! The blob of an index as the only file of a mount.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use desync_engine::{Blob, ReadAhead};
use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, Request,
};

use crate::handles::Handles;
use crate::{reading, session};

/// The number of the file; the root has the one that FUSE gives it.
const FILE: INodeNo = INodeNo(2);

/// How long the kernel may believe what it was told: nothing changes.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// Block size told, in bytes: reads of this length are good ones.
const BLOCK_LEN: u32 = 64 << 10;

/// A file system of one file.
pub struct BlobFile {
    blob: Arc<Blob>,
    name: OsString,
    /// When it was mounted: the time of everything.
    since: SystemTime,
    readers: Handles<ReadAhead>,
}

impl BlobFile {
    /// `blob` as a file of this name.
    #[must_use]
    pub fn new(blob: Arc<Blob>, name: &OsStr) -> Self {
        Self { blob, name: name.to_owned(), since: SystemTime::now(), readers: Handles::new() }
    }

    fn attributes(&self, number: INodeNo) -> Option<FileAttr> {
        let (kind, perm, nlink, size) = match number {
            INodeNo::ROOT => (FileType::Directory, 0o755, 2, 0),
            FILE => (FileType::RegularFile, 0o444, 1, self.blob.len()),
            _ => return None,
        };
        Some(FileAttr {
            ino: number,
            size,
            blocks: size.div_ceil(512),
            atime: self.since,
            mtime: self.since,
            ctime: self.since,
            crtime: self.since,
            kind,
            perm,
            nlink,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: BLOCK_LEN,
            flags: 0,
        })
    }
}

impl Filesystem for BlobFile {
    fn init(&mut self, _request: &Request, kernel: &mut KernelConfig) -> std::io::Result<()> {
        session::configure(kernel);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.attributes(FILE).filter(|_| parent == INodeNo::ROOT && name == self.name) {
            Some(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _request: &Request, number: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(number) {
            Some(attributes) => reply.attr(&FOREVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _request: &Request, number: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if number == FILE {
            reply.opened(self.readers.open(ReadAhead::new()), FopenFlags::FOPEN_KEEP_CACHE);
        } else {
            reply.error(Errno::EISDIR);
        }
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
        let range = offset..offset.saturating_add(u64::from(len));
        reading::answer(&self.blob, self.readers.get(handle).as_deref(), range, reply);
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
        self.readers.close(handle);
        reply.ok();
    }

    fn readdir(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        if number != INodeNo::ROOT {
            return reply.error(Errno::ENOTDIR);
        }
        let entries = [
            (INodeNo::ROOT, FileType::Directory, OsStr::new(".")),
            (INodeNo::ROOT, FileType::Directory, OsStr::new("..")),
            (FILE, FileType::RegularFile, &self.name),
        ];
        let rest = entries.into_iter().enumerate().skip(usize::try_from(offset).unwrap_or(usize::MAX));
        for (place, (number, kind, name)) in rest {
            if reply.add(number, place as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _number: INodeNo, reply: ReplyStatfs) {
        let blocks = self.blob.len().div_ceil(u64::from(BLOCK_LEN));
        reply.statfs(blocks, 0, 0, 2, 0, BLOCK_LEN, 255, BLOCK_LEN);
    }
}
