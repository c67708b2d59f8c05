//! The records an archive is made of: their types, and how long each may be.
//!
//! Here: numbers of the format. Not here: in which order records may come, and what their bodies mean.

/// Bytes of a record's head: size and type.
pub(super) const HEAD_LEN: usize = 16;

/// Bytes of a whole ENTRY record.
pub(super) const ENTRY_LEN: u64 = 64;

/// Bytes of one item of a GOODBYE record.
pub(super) const ITEM_LEN: usize = 24;

/// Longest name of a file, in bytes.
pub(super) const NAME_LEN_MAX: usize = 255;

/// Longest target of a symbolic link, in bytes.
pub(super) const TARGET_LEN_MAX: usize = 4095;

/// Last word of every GOODBYE record.
///
/// Source: casync `caformat.h`, `CA_FORMAT_GOODBYE_TAIL_MARKER`.
pub(super) const GOODBYE_MARKER: u64 = 0x5744_6fa5_3370_2943;

/// The type of a record.
///
/// Source: casync `caformat.h`, `CA_FORMAT_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Record {
    /// Begins a node: mode, owner, time.
    Entry,
    /// Name of the owner.
    User,
    /// Name of the group.
    Group,
    /// An extended attribute.
    Xattr,
    /// An entry of the access list for a user.
    AclUser,
    /// An entry of the access list for a group.
    AclGroup,
    /// What the owning group may do, if the access list has a mask.
    AclGroupObj,
    /// The fixed part of a directory's default access list.
    AclDefault,
    /// An entry of the default access list for a user.
    AclDefaultUser,
    /// An entry of the default access list for a group.
    AclDefaultGroup,
    /// A label of SELinux.
    Selinux,
    /// Capabilities of a program file.
    Fcaps,
    /// The quota project.
    QuotaProjid,
    /// Content of a regular file.
    Payload,
    /// Target of a symbolic link.
    Symlink,
    /// Numbers of a device.
    Device,
    /// Names the node that follows.
    Filename,
    /// Ends a directory.
    Goodbye,
}

/// Types in the order that the metadata of a node must have; behind them content, names and ends.
const TYPES: [(Record, u64); 18] = [
    (Record::Entry, 0x1396_fabc_ea5b_bb51),
    (Record::User, 0xf453_131a_aeea_ccb3),
    (Record::Group, 0x25eb_6ac9_6939_6a52),
    (Record::Xattr, 0xb815_7091_f80b_c486),
    (Record::AclUser, 0x297d_c88b_2ef1_2faf),
    (Record::AclGroup, 0x36f2_acb5_6cb3_dd0b),
    (Record::AclGroupObj, 0x2304_7110_441f_38f3),
    (Record::AclDefault, 0xfe3e_eda6_823c_8cd0),
    (Record::AclDefaultUser, 0xbdf0_3df9_bd01_0a91),
    (Record::AclDefaultGroup, 0xa0cb_1168_782d_1f51),
    (Record::Selinux, 0x46fa_f060_2fd2_6c59),
    (Record::Fcaps, 0xf726_7db0_afed_0629),
    (Record::QuotaProjid, 0x161b_af2d_8772_a72b),
    (Record::Payload, 0x8b9e_1d93_d6dc_ffc9),
    (Record::Symlink, 0x664a_6fb6_830e_0d6c),
    (Record::Device, 0xac3d_ace3_69df_e643),
    (Record::Filename, 0x6dbb_6ebc_b316_1f0b),
    (Record::Goodbye, 0xdfd3_5c5e_8327_c403),
];

impl Record {
    /// The record that a type word means.
    pub(super) fn from_word(word: u64) -> Option<Self> {
        TYPES.iter().find(|(_, found)| *found == word).map(|(record, _)| *record)
    }

    /// The type word.
    pub(super) fn word(self) -> u64 {
        TYPES[self as usize].1
    }

    /// Whether it describes the node that an ENTRY began.
    pub(super) fn is_metadata(self) -> bool {
        (Self::User..=Self::QuotaProjid).contains(&self)
    }

    /// Whether a node may have several of it in a row.
    pub(super) const fn repeats(self) -> bool {
        matches!(
            self,
            Self::Xattr | Self::AclUser | Self::AclGroup | Self::AclDefaultUser | Self::AclDefaultGroup
        )
    }

    /// Shortest and longest body in bytes; a payload and a GOODBYE have no bound of their own.
    pub(super) const fn body_lens(self) -> (u64, u64) {
        let name_max = NAME_LEN_MAX as u64 + 1;
        let target_max = TARGET_LEN_MAX as u64 + 1;
        match self {
            Self::Entry => (ENTRY_LEN - HEAD_LEN as u64, ENTRY_LEN - HEAD_LEN as u64),
            Self::User | Self::Group | Self::Filename => (2, name_max),
            // `a.b`, its NUL, and up to 64 KiB of value.
            Self::Xattr => (4, name_max + 65536),
            Self::AclUser | Self::AclGroup | Self::AclDefaultUser | Self::AclDefaultGroup => {
                (16, 16 + name_max)
            }
            Self::AclGroupObj | Self::QuotaProjid => (8, 8),
            Self::AclDefault => (32, 32),
            Self::Selinux | Self::Symlink => (2, target_max),
            Self::Fcaps => (1, 65536),
            Self::Device => (16, 16),
            Self::Payload => (0, u64::MAX - 17),
            Self::Goodbye => (ITEM_LEN as u64, u64::MAX - 17),
        }
    }
}

impl core::fmt::Display for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Entry => "ENTRY",
            Self::User => "USER",
            Self::Group => "GROUP",
            Self::Xattr => "XATTR",
            Self::AclUser => "ACL_USER",
            Self::AclGroup => "ACL_GROUP",
            Self::AclGroupObj => "ACL_GROUP_OBJ",
            Self::AclDefault => "ACL_DEFAULT",
            Self::AclDefaultUser => "ACL_DEFAULT_USER",
            Self::AclDefaultGroup => "ACL_DEFAULT_GROUP",
            Self::Selinux => "SELINUX",
            Self::Fcaps => "FCAPS",
            Self::QuotaProjid => "QUOTA_PROJID",
            Self::Payload => "PAYLOAD",
            Self::Symlink => "SYMLINK",
            Self::Device => "DEVICE",
            Self::Filename => "FILENAME",
            Self::Goodbye => "GOODBYE",
        })
    }
}

/// A little-endian word; the caller has made sure that it is there.
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_stand_at_their_own_place() {
        for (place, (record, word)) in TYPES.iter().enumerate() {
            assert_eq!(*record as usize, place);
            assert_eq!(Record::from_word(*word), Some(*record));
        }
    }
}
