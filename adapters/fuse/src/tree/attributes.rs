//! What a node looks like to the kernel: its attributes, and its extended attributes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use core::ops::Range;
use desync_core::format::catar::{Content, DeviceNumber, Found, Node, Xattr};
use desync_tree::access_lists;
use fuser::{FileAttr, FileType, INodeNo};

/// Block size told, in bytes.
const BLOCK_LEN: u32 = 4096;

/// The kind of a node.
pub(super) const fn kind(content: &Content) -> FileType {
    match content {
        Content::Directory => FileType::Directory,
        Content::File { .. } => FileType::RegularFile,
        Content::Symlink { .. } => FileType::Symlink,
        Content::CharDevice(_) => FileType::CharDevice,
        Content::BlockDevice(_) => FileType::BlockDevice,
        Content::Fifo => FileType::NamedPipe,
        Content::Socket => FileType::Socket,
    }
}

/// The attributes of a node.
pub(super) fn of(number: INodeNo, found: &Found) -> FileAttr {
    let node = &found.node;
    let (size, rdev) = match &node.content {
        Content::File { len } => (*len, 0),
        Content::Symlink { target } => (target.len() as u64, 0),
        Content::CharDevice(device) | Content::BlockDevice(device) => (0, encoded(*device)),
        _ => (0, 0),
    };
    let time = time(node.mtime);
    FileAttr {
        ino: number,
        size,
        blocks: size.div_ceil(512),
        // Nothing else is recorded.
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: kind(&node.content),
        // Twelve bits.
        perm: (node.permissions & 0o7777) as u16,
        // Of directories, too: one that has 1 does not tell how many directories it holds.
        nlink: 1,
        uid: node.uid,
        gid: node.gid,
        rdev,
        blksize: BLOCK_LEN,
        flags: 0,
    }
}

/// A device's numbers in the 32 bits that the kernel passes.
///
/// Source: Linux `include/linux/kdev_t.h`, `new_encode_dev`.
const fn encoded(device: DeviceNumber) -> u32 {
    (device.minor & 0xff) | (device.major << 8) | ((device.minor & !0xff) << 12)
}

/// The moment so many nanoseconds after 1970.
fn time(nanoseconds: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
    let moment =
        if nanoseconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    moment.unwrap_or(UNIX_EPOCH)
}

/// All extended attributes, those with records of their own included.
pub(super) fn extended(node: Node) -> Vec<Xattr> {
    let lists = access_lists(&node);
    let own = [("security.capability", node.fcaps), ("security.selinux", node.selinux)];
    let own = own.into_iter().filter_map(|(name, value)| Some(Xattr { name: name.into(), value: value? }));
    node.xattrs.into_iter().chain(own).chain(lists).collect()
}

/// The part of a file of so many bytes that a read asks for, as a range of the archive.
pub(super) fn part(content: &Range<u64>, offset: u64, len: u32) -> Range<u64> {
    let start = content.start.saturating_add(offset).min(content.end);
    start..start.saturating_add(u64::from(len)).min(content.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stay_within_their_file() {
        assert_eq!(part(&(100..200), 0, 4096), 100..200);
        assert_eq!(part(&(100..200), 90, 5), 190..195);
        assert_eq!(part(&(100..200), 100, 5), 200..200);
        assert_eq!(part(&(100..200), u64::MAX, u32::MAX), 200..200);
    }

    #[test]
    fn devices_and_times_are_the_kernels() {
        // /dev/null, /dev/sda1, and numbers that need all bits.
        for (major, minor, word) in [(1, 3, 0x103), (8, 1, 0x801), (0xfff, 0xf_ffff, u32::MAX)] {
            assert_eq!(encoded(DeviceNumber { major, minor }), word);
        }
        assert_eq!(time(-1), UNIX_EPOCH - Duration::from_nanos(1));
        assert_eq!(time(i64::MAX), UNIX_EPOCH + Duration::from_nanos(i64::MAX as u64));
        let _ = time(i64::MIN);
    }
}
