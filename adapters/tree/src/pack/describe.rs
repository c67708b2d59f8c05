//! Names on disk as nodes: what a worker does.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use desync_core::ChunkId;
use desync_core::format::FeatureFlags;
use desync_core::format::catar::{Content, DeviceNumber, Node, Xattr};
use rustix::buffer::spare_capacity;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::walk::Job;
use crate::system::{self, XattrsOf};
use crate::{Notices, Owners, acl, attributes};

/// Files up to this length are read by the workers.
const SMALL_LEN_MAX: usize = 128 << 10;

/// The largest ids that an archive holds in 16 and in 32 bits, and one that stands for those it cannot hold.
const NOBODY: u32 = 65534;

/// Attributes that need no reading of extended ones by name.
const SELINUX: &[u8] = b"security.selinux";
const CAPABILITY: &[u8] = b"security.capability";

/// What a worker found.
pub(super) enum Described {
    Node {
        node: Box<Node>,
        data: Data,
        path: PathBuf,
        /// Device and inode of a file with several names.
        link: Option<(u64, u64)>,
    },
    /// It is left out.
    Nothing,
    Leave,
}

/// The bytes of a file.
pub(super) enum Data {
    None,
    Small(Vec<u8>),
    /// To be read, and how many.
    Large(File, u64),
    /// Only what they hash to.
    Digest(ChunkId),
}

/// Describes names.
pub(super) struct Describer<'a> {
    features: FeatureFlags,
    owners: &'a Owners,
    notices: &'a dyn Notices,
    /// A device that is known not to be FAT, most often the only one; 0 for none.
    not_fat: AtomicU64,
}

impl<'a> Describer<'a> {
    pub(super) const fn new(features: FeatureFlags, owners: &'a Owners, notices: &'a dyn Notices) -> Self {
        Self { features, owners, notices, not_fat: AtomicU64::new(0) }
    }

    pub(super) fn describe(&self, jobs: Vec<Job>) -> Vec<Described> {
        jobs.into_iter().map(|job| self.describe_one(job)).collect()
    }

    fn describe_one(&self, job: Job) -> Described {
        let (result, path) = match job {
            Job::Leave => return Described::Leave,
            Job::Directory { name, directory, path } => {
                // A directory must not be left out: its children and its end follow.
                let found = self.directory(name.clone(), &directory, &path).unwrap_or_else(|error| {
                    self.notices.lost(&path, &format!("cannot be described: {error}"));
                    let node = Node { permissions: 0o700, ..Node::new(name, Content::Directory) };
                    (Box::new(node), Data::None, None)
                });
                (Ok(Some(found)), path)
            }
            Job::Other { parent, name, path } => (self.other(&parent, name, &path), path),
        };
        match result {
            Ok(Some((mut node, data, link))) => {
                if node.reduce(self.features) {
                    Described::Node { node, data, path, link }
                } else {
                    Described::Nothing
                }
            }
            Ok(None) => Described::Nothing,
            Err(error) => {
                self.notices.lost(&path, &format!("cannot be read, left out: {error}"));
                Described::Nothing
            }
        }
    }

    fn directory(&self, name: Vec<u8>, directory: &OwnedFd, path: &Path) -> io::Result<Found> {
        let stat = fs::fstat(directory)?;
        let mut node = self.node(name, Content::Directory, &stat, path);
        self.file_attributes(&mut node, directory.as_fd(), stat.st_dev, path);
        self.extended(&mut node, XattrsOf::File(directory.as_fd()), path);
        Ok((node, Data::None, None))
    }

    fn other(&self, parent: &OwnedFd, name: Vec<u8>, path: &Path) -> io::Result<Option<Found>> {
        let stat = fs::statat(parent, &name[..], AtFlags::SYMLINK_NOFOLLOW)?;
        let content = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return self.file(parent, name, path),
            FileType::Symlink => {
                Content::Symlink { target: fs::readlinkat(parent, &name[..], Vec::new())?.into_bytes() }
            }
            FileType::CharacterDevice => Content::CharDevice(device(&stat)),
            FileType::BlockDevice => Content::BlockDevice(device(&stat)),
            FileType::Fifo => Content::Fifo,
            FileType::Socket => Content::Socket,
            FileType::Directory | FileType::Unknown => {
                return Err(io::Error::other("became something else while it was read"));
            }
        };
        let link = (stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino));
        let mut node = self.node(name.clone(), content, &stat, path);
        self.extended(&mut node, XattrsOf::Name(parent.as_fd(), &name), path);
        Ok(Some((node, Data::None, link)))
    }

    fn file(&self, parent: &OwnedFd, name: Vec<u8>, path: &Path) -> io::Result<Option<Found>> {
        let open = |flags| system::open_beneath(parent.as_fd(), &name, OFlags::RDONLY | flags, Mode::empty());
        // Only owners may ask not to leave a trace.
        let file = open(OFlags::NOATIME).or_else(|_| open(OFlags::empty()))?;
        let stat = fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("became something else while it was read"));
        }
        let len = u64::try_from(stat.st_size).unwrap_or(0);
        let mut node = self.node(name, Content::File { len }, &stat, path);
        self.file_attributes(&mut node, file.as_fd(), stat.st_dev, path);
        let is_unwanted = FeatureFlags::EXCLUDE_NODUMP.bits() & self.features.bits() != 0
            && node.attributes.contains(FeatureFlags::FLAG_NODUMP);
        if is_unwanted {
            return Ok(None);
        }
        self.extended(&mut node, XattrsOf::File(file.as_fd()), path);
        let link = (stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino));
        let Some(small) = usize::try_from(len).ok().filter(|len| *len <= SMALL_LEN_MAX) else {
            return Ok(Some((node, Data::Large(File::from(file), len), link)));
        };
        // What is there is what is announced; whether it grows while it is read does not matter.
        let bytes = read_whole(&file, small, SMALL_LEN_MAX)?;
        if bytes.len() as u64 != len {
            self.notices.lost(path, "changed its length while it was read");
        }
        node.content = Content::File { len: bytes.len() as u64 };
        Ok(Some((node, Data::Small(bytes), link)))
    }

    /// What `stat` tells.
    fn node(&self, name: Vec<u8>, content: Content, stat: &Stat, path: &Path) -> Box<Node> {
        let mut node = Box::new(Node::new(name, content));
        node.permissions = stat.st_mode & 0o7777;
        node.uid = self.id("owner", stat.st_uid, path);
        node.gid = self.id("group", stat.st_gid, path);
        node.mtime = self.time(stat, path);
        if self.features.contains(FeatureFlags::USER_NAMES) {
            node.user = self.owners.user(stat.st_uid).filter(|_| stat.st_uid != 0);
            node.group = self.owners.group(stat.st_gid).filter(|_| stat.st_gid != 0);
        }
        node
    }

    fn id(&self, what: &str, id: u32, path: &Path) -> u32 {
        let max = if self.features.contains(FeatureFlags::UIDS_16BIT) {
            0xfffe
        } else if self.features.contains(FeatureFlags::UIDS_32BIT) {
            u32::MAX - 1
        } else {
            return id;
        };
        if id <= max && id != 0xffff {
            return id;
        }
        self.notices.lost(path, &format!("{what} {id} cannot be stored, {NOBODY} is"));
        NOBODY
    }

    /// Nanoseconds since 1970; the one before it is reserved.
    fn time(&self, stat: &Stat, path: &Path) -> i64 {
        let nanoseconds = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
        match i64::try_from(nanoseconds) {
            Ok(-1) => -2,
            Ok(time) => time,
            Err(_) => {
                self.notices.lost(path, "its time cannot be stored, the nearest is");
                if nanoseconds < 0 { i64::MIN } else { i64::MAX }
            }
        }
    }

    /// chattr and FAT attributes and the project, of directories and files.
    fn file_attributes(&self, node: &mut Node, file: BorrowedFd<'_>, device: u64, path: &Path) {
        let wanted = attributes::chattr_kinds() | FeatureFlags::EXCLUDE_NODUMP;
        if self.features.intersects(wanted) {
            match system::chattr_bits(file) {
                Ok(bits) => node.attributes |= attributes::from_chattr(bits),
                Err(error) => self.notices.lost(path, &format!("attributes cannot be read: {error}")),
            }
        }
        if self.features.intersects(attributes::fat_kinds()) && self.is_fat(file, device) {
            node.attributes |= attributes::from_fat(system::fat_bits(file));
        }
        if self.features.contains(FeatureFlags::QUOTA_PROJID) {
            match system::project(file) {
                Ok(project) => node.quota_projid = Some(project).filter(|project| *project != 0),
                Err(error) => self.notices.lost(path, &format!("project cannot be read: {error}")),
            }
        }
    }

    /// Whether a file is on FAT. The kernel is asked once where all files are on one device.
    fn is_fat(&self, file: BorrowedFd<'_>, device: u64) -> bool {
        if device != 0 && self.not_fat.load(Ordering::Relaxed) == device {
            return false;
        }
        let is_fat = system::is_fat(file);
        if !is_fat {
            self.not_fat.store(device, Ordering::Relaxed);
        }
        is_fat
    }

    fn extended(&self, node: &mut Node, xattrs: XattrsOf<'_>, path: &Path) {
        let wanted = FeatureFlags::XATTRS | FeatureFlags::ACL | FeatureFlags::SELINUX | FeatureFlags::FCAPS;
        if !self.features.intersects(wanted) {
            return;
        }
        if let Err(error) = self.try_extended(node, xattrs, path) {
            self.notices.lost(path, &format!("extended attributes cannot be read: {error}"));
        }
    }

    fn try_extended(&self, node: &mut Node, xattrs: XattrsOf<'_>, path: &Path) -> io::Result<()> {
        for name in xattrs.list()? {
            let feature = match &name[..] {
                SELINUX => FeatureFlags::SELINUX,
                CAPABILITY => FeatureFlags::FCAPS,
                acl::ACCESS | acl::DEFAULT => FeatureFlags::ACL,
                _ => FeatureFlags::XATTRS,
            };
            if !self.features.contains(feature) {
                continue;
            }
            let Some(value) = xattrs.get(&name)? else { continue };
            self.extended_one(node, name, value, path);
        }
        node.xattrs.sort();
        Ok(())
    }

    fn extended_one(&self, node: &mut Node, name: Vec<u8>, value: Vec<u8>, path: &Path) {
        let refuse = |why: &str| {
            let name = String::from_utf8_lossy(&name);
            self.notices.lost(path, &format!("extended attribute {name} cannot be stored: {why}"));
        };
        let is_file = matches!(node.content, Content::File { .. });
        match &name[..] {
            SELINUX => {
                let label = value.strip_suffix(&[0]).unwrap_or(&value);
                match label.is_empty() || label.contains(&0) {
                    true => refuse("no label"),
                    false => node.selinux = Some(label.to_vec()),
                }
            }
            CAPABILITY if is_file => node.fcaps = Some(value),
            acl::ACCESS => match acl::access(&value, self.owners) {
                Some(list) => node.acl = list,
                None => refuse("no access list"),
            },
            acl::DEFAULT => match acl::default(&value, self.owners) {
                Some(list) => node.default_acl = Some(list),
                None => refuse("no access list"),
            },
            _ if matches!(node.content, Content::Symlink { .. }) => {
                refuse("archives have none of symbolic links");
            }
            _ => node.xattrs.push(Xattr { name, value }),
        }
    }
}

/// A node, its data, and its device and inode if it has several names.
type Found = (Box<Node>, Data, Option<(u64, u64)>);

/// All of a file that had `len` bytes, up to `len_max`. One call does where nothing changes.
pub(super) fn read_whole(file: impl AsFd, len: usize, len_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len + 1);
    while bytes.len() < len_max {
        match rustix::io::read(&file, spare_capacity(&mut bytes)) {
            Ok(0) => break,
            // Had it grown, there would have been room for one byte more.
            Ok(_) if bytes.len() == len => break,
            Ok(_) => bytes.reserve(len_max - bytes.len().min(len_max)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(len_max);
    Ok(bytes)
}

fn device(stat: &Stat) -> DeviceNumber {
    DeviceNumber { major: fs::major(stat.st_rdev), minor: fs::minor(stat.st_rdev) }
}
