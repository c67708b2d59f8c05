//! Attributes of files as Linux and FAT have them, and as archives name them.

use desync_core::format::FeatureFlags;

/// chattr bits.
///
/// Source: Linux `include/uapi/linux/fs.h`, `FS_*_FL`.
const CHATTR: [(u32, FeatureFlags); 10] = [
    (0x20, FeatureFlags::FLAG_APPEND),
    (0x80, FeatureFlags::FLAG_NOATIME),
    (0x4, FeatureFlags::FLAG_COMPR),
    (0x80_0000, FeatureFlags::FLAG_NOCOW),
    (0x40, FeatureFlags::FLAG_NODUMP),
    (0x1_0000, FeatureFlags::FLAG_DIRSYNC),
    (0x10, FeatureFlags::FLAG_IMMUTABLE),
    (0x8, FeatureFlags::FLAG_SYNC),
    (0x400, FeatureFlags::FLAG_NOCOMP),
    (0x2000_0000, FeatureFlags::FLAG_PROJINHERIT),
];

/// FAT bits.
///
/// Source: Linux `include/uapi/linux/msdos_fs.h`, `ATTR_*`.
const FAT: [(u32, FeatureFlags); 3] =
    [(0x2, FeatureFlags::FLAG_HIDDEN), (0x4, FeatureFlags::FLAG_SYSTEM), (0x20, FeatureFlags::FLAG_ARCHIVE)];

/// Those that forbid changing a file: set last, cleared before it is replaced.
pub(crate) const LOCKS: FeatureFlags = FeatureFlags::FLAG_APPEND.union(FeatureFlags::FLAG_IMMUTABLE);

/// What chattr bits mean.
pub(crate) fn from_chattr(bits: u32) -> FeatureFlags {
    meaning(&CHATTR, bits)
}

/// What FAT bits mean.
pub(crate) fn from_fat(bits: u32) -> FeatureFlags {
    meaning(&FAT, bits)
}

/// `bits` with the chattr bits among `kinds` as `attributes` have them.
pub(crate) fn to_chattr(bits: u32, attributes: FeatureFlags, kinds: FeatureFlags) -> u32 {
    overlay(&CHATTR, bits, attributes, kinds)
}

/// `bits` with the FAT bits among `kinds` as `attributes` have them.
pub(crate) fn to_fat(bits: u32, attributes: FeatureFlags, kinds: FeatureFlags) -> u32 {
    overlay(&FAT, bits, attributes, kinds)
}

/// All that chattr can set.
pub(crate) fn chattr_kinds() -> FeatureFlags {
    meaning(&CHATTR, u32::MAX)
}

/// All that FAT has.
pub(crate) fn fat_kinds() -> FeatureFlags {
    meaning(&FAT, u32::MAX)
}

fn meaning(table: &[(u32, FeatureFlags)], bits: u32) -> FeatureFlags {
    table.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, flag)| *flag).collect()
}

fn overlay(table: &[(u32, FeatureFlags)], bits: u32, attributes: FeatureFlags, kinds: FeatureFlags) -> u32 {
    table
        .iter()
        .filter(|(_, flag)| kinds.contains(*flag))
        .fold(bits, |bits, (bit, flag)| if attributes.contains(*flag) { bits | bit } else { bits & !bit })
}
