//! What Linux can do with a descriptor beyond reading and writing. `portable` answers the same questions
//! for systems that cannot.

use core::ops::Range;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FallocateFlags, FileType, Mode, OFlags, ResolveFlags, SeekFrom};
use rustix::io::{Errno, ReadWriteFlags};

mod ioctl {
    //! Requests that rustix does not have. Numbers: Linux `include/uapi/linux/fs.h`.
    nix::ioctl_write_ptr!(clone_range, 0x94, 13, libc::file_clone_range);
    nix::ioctl_read!(device_len, 0x12, 114, u64);
    nix::ioctl_write_ptr_bad!(zero_out, nix::request_code_none!(0x12, 127), [u64; 2]);
}

/// The bytes of a regular file that `path` itself names, `len_max` at most, if its name and its bytes are in memory.
///
/// Names are looked up without waiting since Linux 5.12; older kernels and some containers refuse the call. Not all
/// file systems read without waiting.
pub(super) fn read_cached(path: &Path, len_max: u64) -> Option<Vec<u8>> {
    // Without NONBLOCK a FIFO would make us wait for its writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?;
    let found = rustix::fs::fstat(&file).ok()?;
    let len = u64::try_from(found.st_size).ok()?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || len > len_max {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    let read = match rustix::io::preadv2(&file, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT)
    {
        Err(Errno::OPNOTSUPP) if is_memory(&file) => rustix::io::pread(&file, &mut *bytes, 0),
        read => read,
    };
    (read.ok()? == bytes.len()).then_some(bytes)
}

/// Whether a file is on a file system that has nothing but memory.
fn is_memory(file: &OwnedFd) -> bool {
    const TMPFS: u32 = 0x0102_1994; // `include/uapi/linux/magic.h`
    // Its type differs between machines.
    rustix::fs::fstatfs(file).is_ok_and(|found| found.f_type as u32 == TMPFS)
}

/// Size of a block device in bytes.
#[allow(unsafe_code)]
pub(super) fn device_len(device: &File) -> io::Result<u64> {
    let mut len = 0;
    // SAFETY: BLKGETSIZE64 stores one u64 through the pointer, which is valid for the call.
    unsafe { ioctl::device_len(device.as_raw_fd(), &raw mut len) }?;
    Ok(len)
}

/// Makes a range of a block device read as zeros; `false` if the device cannot.
#[allow(unsafe_code)]
pub(super) fn zero_out(device: &File, range: Range<u64>) -> io::Result<bool> {
    let request = [range.start, range.end - range.start];
    // SAFETY: BLKZEROOUT reads two u64 through the pointer, which is valid for the call.
    let result = unsafe { ioctl::zero_out(device.as_raw_fd(), &raw const request) };
    done_or_unsupported(result.map(drop))
}

/// Turns a range of a file into a hole; `false` if its file system cannot. The length stays.
pub(super) fn punch_hole(file: &File, offset: u64, len: u64) -> io::Result<bool> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    loop {
        match rustix::fs::fallocate(file, flags, offset, len) {
            Ok(()) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NODEV) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The next range of a file of `len` bytes, at or after `offset`, that may hold data.
pub(super) fn next_data(file: &File, offset: u64, len: u64) -> io::Result<Option<Range<u64>>> {
    let start = match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(start) if start < len => start,
        Ok(_) | Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOTTY) => return Ok(Some(offset..len)),
        Err(errno) => return Err(errno.into()),
    };
    let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
        Ok(end) => end.min(len),
        // The file became shorter meanwhile. Whoever reads the range will find out.
        Err(Errno::NXIO) => len,
        Err(errno) => return Err(errno.into()),
    };
    Ok(Some(start..end))
}

/// Shares a range of `source` with `file`; `false` if these two cannot share there.
#[allow(unsafe_code)]
pub(super) fn clone_range(
    file: &File,
    source: &File,
    source_offset: u64,
    offset: u64,
    len: u64,
) -> io::Result<bool> {
    let request = libc::file_clone_range {
        src_fd: i64::from(source.as_raw_fd()),
        src_offset: source_offset,
        src_length: len,
        dest_offset: offset,
    };
    // SAFETY: FICLONERANGE reads one file_clone_range through the pointer, which is valid for the call, and
    // both files are open for as long.
    let result = unsafe { ioctl::clone_range(file.as_raw_fd(), &raw const request) };
    match result {
        // Another file system, another mount, a swap file.
        Err(nix::Error::EXDEV | nix::Error::ETXTBSY) => Ok(false),
        other => done_or_unsupported(other.map(drop)),
    }
}

/// Writes back the file system that holds `file`.
///
/// The kernel reports failures of write-back through this call since Linux 5.8.
pub(super) fn sync_fs(file: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(file)?)
}

/// Sorts out the answers by which the kernel says "not here" or "not so aligned".
fn done_or_unsupported(result: nix::Result<()>) -> io::Result<bool> {
    use nix::Error;
    match result {
        Ok(()) => Ok(true),
        Err(Error::EOPNOTSUPP | Error::EINVAL | Error::ENOTTY | Error::ENOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
