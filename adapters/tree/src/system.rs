//! System calls on files by directory and name, none of which follows a link or leaves the directory.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use desync_core::format::FeatureFlags;
use rustix::fs::{self, AtFlags, IFlags, Mode, OFlags, ResolveFlags, XattrFlags};
use rustix::io::Errno;
use rustix::ioctl;

use crate::attributes;

/// Flags of every open here.
const SAFE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// Whether the kernel has `openat2`; it is asked once.
static HAS_OPENAT2: AtomicBool = AtomicBool::new(true);

/// Opens a name in a directory. The name is one component; should it be a link or lead elsewhere all the same,
/// the kernel refuses.
pub(crate) fn open_beneath(
    directory: BorrowedFd<'_>,
    name: &[u8],
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let name = OsStr::from_bytes(name);
    if HAS_OPENAT2.load(Ordering::Relaxed) {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(directory, name, flags | SAFE, mode, resolve) {
            // No such call, or a sandbox forbids it: one component without following is as safe.
            Err(Errno::NOSYS | Errno::PERM) => HAS_OPENAT2.store(false, Ordering::Relaxed),
            Err(Errno::AGAIN) => {}
            other => return Ok(other?),
        }
    }
    Ok(fs::openat(directory, name, flags | SAFE, mode)?)
}

/// Opens a directory in a directory.
pub(crate) fn open_directory(directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    open_beneath(directory, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
}

/// A path to an open file, for calls that have no variant with a descriptor.
pub(crate) fn proc_path(file: BorrowedFd<'_>) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// A path to a name in an open directory, for the same; the calls that use it do not follow links.
pub(crate) fn proc_path_of(directory: BorrowedFd<'_>, name: &[u8]) -> PathBuf {
    proc_path(directory).join(OsStr::from_bytes(name))
}

/// Where extended attributes are.
#[derive(Clone, Copy)]
pub(crate) enum XattrsOf<'a> {
    /// On an open file or directory.
    File(BorrowedFd<'a>),
    /// On a name in an open directory, which may be a link.
    Name(BorrowedFd<'a>, &'a [u8]),
}

impl XattrsOf<'_> {
    /// Names of all of them; none where the file system has none.
    pub(crate) fn list(self) -> io::Result<Vec<Vec<u8>>> {
        let list = |buffer: &mut [u8]| match self {
            Self::File(file) => fs::flistxattr(file, buffer),
            Self::Name(directory, name) => fs::llistxattr(proc_path_of(directory, name), buffer),
        };
        let names = match grown(list) {
            Ok(names) => names,
            Err(error) if is_unsupported(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(<[u8]>::to_vec).collect())
    }

    /// The value of one; `None` if it is gone.
    pub(crate) fn get(self, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let attribute = OsStr::from_bytes(name);
        let get = |buffer: &mut [u8]| match self {
            Self::File(file) => fs::fgetxattr(file, attribute, buffer),
            Self::Name(directory, name) => fs::lgetxattr(proc_path_of(directory, name), attribute, buffer),
        };
        match grown(get) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.raw_os_error() == Some(Errno::NODATA.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn set(self, name: &[u8], value: &[u8]) -> io::Result<()> {
        let attribute = OsStr::from_bytes(name);
        Ok(match self {
            Self::File(file) => fs::fsetxattr(file, attribute, value, XattrFlags::empty()),
            Self::Name(directory, name) => {
                fs::lsetxattr(proc_path_of(directory, name), attribute, value, XattrFlags::empty())
            }
        }?)
    }

    /// Removes one; that it was not there is no error.
    pub(crate) fn remove(self, name: &[u8]) -> io::Result<()> {
        let attribute = OsStr::from_bytes(name);
        let removed = match self {
            Self::File(file) => fs::fremovexattr(file, attribute),
            Self::Name(directory, name) => fs::lremovexattr(proc_path_of(directory, name), attribute),
        };
        match removed {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Calls with a buffer that grows until the answer fits.
fn grown(call: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 512];
    loop {
        match call(&mut buffer) {
            Ok(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(Errno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 8, 0),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the file system has no such thing at all.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::OPNOTSUPP, Errno::NOSYS, Errno::NOTTY, Errno::INVAL]
        .iter()
        .any(|unsupported| code == Some(unsupported.raw_os_error()))
}

/// The chattr bits of an open file; 0 where the file system has none.
pub(crate) fn chattr_bits(file: BorrowedFd<'_>) -> io::Result<u32> {
    match fs::ioctl_getflags(file) {
        Ok(flags) => Ok(flags.bits()),
        Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Sets some of the chattr bits of an open file and leaves the others.
pub(crate) fn set_chattr(
    file: BorrowedFd<'_>,
    attributes: FeatureFlags,
    kinds: FeatureFlags,
) -> io::Result<()> {
    let kinds = kinds & attributes::chattr_kinds();
    let before = chattr_bits(file)?;
    let after = attributes::to_chattr(before, attributes, kinds);
    if before == after {
        return Ok(());
    }
    Ok(fs::ioctl_setflags(file, IFlags::from_bits_retain(after))?)
}

/// What the kernel tells of a file's project.
///
/// Source: Linux `include/uapi/linux/fs.h`, `struct fsxattr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Fsxattr {
    xflags: u32,
    extsize: u32,
    nextents: u32,
    projid: u32,
    cowextsize: u32,
    pad: [u8; 8],
}

const GET_FSXATTR: ioctl::Opcode = ioctl::opcode::read::<Fsxattr>(b'X', 31);
const SET_FSXATTR: ioctl::Opcode = ioctl::opcode::write::<Fsxattr>(b'X', 32);
const GET_FAT: ioctl::Opcode = ioctl::opcode::read::<u32>(b'r', 0x10);
const SET_FAT: ioctl::Opcode = ioctl::opcode::write::<u32>(b'r', 0x11);

fn fsxattr(file: BorrowedFd<'_>) -> Result<Fsxattr, Errno> {
    // SAFETY: this request writes one `struct fsxattr`, which has the layout of `Fsxattr`.
    #[allow(unsafe_code, reason = "a system call that rustix does not wrap")]
    unsafe {
        ioctl::ioctl(file, ioctl::Getter::<GET_FSXATTR, Fsxattr>::new())
    }
}

/// The quota project of an open file; 0 where there is none.
pub(crate) fn project(file: BorrowedFd<'_>) -> io::Result<u32> {
    match fsxattr(file) {
        Ok(found) => Ok(found.projid),
        Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Sets the quota project of an open file.
pub(crate) fn set_project(file: BorrowedFd<'_>, project: u32) -> io::Result<()> {
    let found = fsxattr(file)?;
    if found.projid == project {
        return Ok(());
    }
    let wanted = Fsxattr { projid: project, ..found };
    // SAFETY: this request reads one `struct fsxattr`, which has the layout of `Fsxattr`.
    #[allow(unsafe_code, reason = "a system call that rustix does not wrap")]
    let set = unsafe { ioctl::ioctl(file, ioctl::Setter::<SET_FSXATTR, Fsxattr>::new(wanted)) };
    Ok(set?)
}

/// The FAT attributes of an open file; 0 where the file system is not FAT.
pub(crate) fn fat_bits(file: BorrowedFd<'_>) -> u32 {
    // SAFETY: this request writes one `__u32`.
    #[allow(unsafe_code, reason = "a system call that rustix does not wrap")]
    let found = unsafe { ioctl::ioctl(file, ioctl::Getter::<GET_FAT, u32>::new()) };
    found.unwrap_or(0)
}

/// Sets some of the FAT attributes of an open file and leaves the others.
pub(crate) fn set_fat(file: BorrowedFd<'_>, attributes: FeatureFlags, kinds: FeatureFlags) -> io::Result<()> {
    let before = fat_bits(file);
    let after = attributes::to_fat(before, attributes, kinds & attributes::fat_kinds());
    if before == after {
        return Ok(());
    }
    // SAFETY: this request reads one `__u32`.
    #[allow(unsafe_code, reason = "a system call that rustix does not wrap")]
    let set = unsafe { ioctl::ioctl(file, ioctl::Setter::<SET_FAT, u32>::new(after)) };
    Ok(set?)
}

/// Whether a file system is FAT.
pub(crate) fn is_fat(file: BorrowedFd<'_>) -> bool {
    /// Source: Linux `include/uapi/linux/magic.h`, `MSDOS_SUPER_MAGIC`.
    const MSDOS: u32 = 0x4d44;
    kind_of_file_system(file) == Some(MSDOS)
}

/// Whether a file system is one whose files the kernel makes up: there is nothing to keep in it.
pub(crate) fn is_made_up(file: BorrowedFd<'_>) -> bool {
    /// Source: Linux `include/uapi/linux/magic.h`: proc, sysfs, cgroup, cgroup2, devpts, debugfs, securityfs,
    /// selinuxfs, configfs (in `fs/configfs`), efivarfs, binfmt_misc, mqueue (in `ipc`), hugetlbfs, pstore, nfsd,
    /// rpc_pipefs, smack, fusectl, tracefs, bpf.
    const MAGICS: [u32; 20] = [
        0x9fa0,
        0x6265_6572,
        0x27_e0eb,
        0x6367_7270,
        0x1cd1,
        0x6462_6720,
        0x7363_6673,
        0xf97c_ff8c,
        0x6265_6570,
        0xde5e_81e4,
        0x4249_4e4d,
        0x1980_0202,
        0x9584_58f6,
        0x6165_676c,
        0x6e66_7364,
        0x6759_6969,
        0x4341_5d53,
        0x6573_5543,
        0x7472_6163,
        0xcafe_4a11,
    ];
    kind_of_file_system(file).is_some_and(|found| MAGICS.contains(&found))
}

/// The magic number of a file system. The kernel's field is wider on some machines, never its numbers.
fn kind_of_file_system(file: BorrowedFd<'_>) -> Option<u32> {
    fs::fstatfs(file).ok().map(|found| found.f_type as u32)
}

/// Removes a name in a directory, whatever it is but a directory; that it was not there is no error.
pub(crate) fn remove(directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match fs::unlinkat(directory, OsStr::from_bytes(name), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes a directory and all in it, links as links.
pub(crate) fn remove_tree(directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    // An explicit stack: a tree may be deeper than ours.
    let mut open = vec![(open_directory(directory, name)?, name.to_vec())];
    while let Some((top, _)) = open.last() {
        let mut child = None;
        for entry in fs::Dir::read_from(top.as_fd())? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            match fs::unlinkat(top, entry.file_name(), AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::ISDIR | Errno::PERM) => {
                    child = Some((open_directory(top.as_fd(), name)?, name.to_vec()));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(child) = child {
            open.push(child);
            continue;
        }
        let (_, name) = open.pop().expect("the loop has a top");
        let parent = open.last().map_or(directory, |(parent, _)| parent.as_fd());
        fs::unlinkat(parent, OsStr::from_bytes(&name), AtFlags::REMOVEDIR)?;
    }
    Ok(())
}
