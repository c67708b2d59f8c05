//! Feature flags: the 64-bit set in an index header and in every catar entry.
//!
//! Here: the bits, which sets are normal, and the sets that the programs write for a plain blob. Not here:
//! what a flag makes an archive record.
//!
//! Invariants
//! - A normal form is normal (test: `normal_form_is_stable`).
//! - The known bits are `f0000001ffffffff` (constant assertion below).

use crate::digest::DigestKind;

bitflags::bitflags! {
    /// What an archive or index records.
    ///
    /// Sets from an input may hold unknown bits; [`FeatureFlags::check_strict`] refuses those.
    ///
    /// Source: casync `caformat.h`, `CA_FORMAT_*`; words of `--with=` in `caformat-util.c`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct FeatureFlags: u64 {
        /// Owner ids below 65535.
        const UIDS_16BIT = 1 << 0;
        /// Owner ids of 32 bits.
        const UIDS_32BIT = 1 << 1;
        /// Names of owners.
        const USER_NAMES = 1 << 2;
        /// Times in seconds.
        const SEC_TIME = 1 << 3;
        /// Times in microseconds.
        const USEC_TIME = 1 << 4;
        /// Times in nanoseconds.
        const NSEC_TIME = 1 << 5;
        /// Times in units of two seconds, as FAT has them.
        const TWO_SEC_TIME = 1 << 6;
        /// Whether a file may be written, and nothing else of its mode.
        const READ_ONLY = 1 << 7;
        /// All permission bits.
        const PERMISSIONS = 1 << 8;
        /// Symbolic links.
        const SYMLINKS = 1 << 9;
        /// Block and character devices.
        const DEVICE_NODES = 1 << 10;
        /// FIFOs.
        const FIFOS = 1 << 11;
        /// Sockets.
        const SOCKETS = 1 << 12;
        /// FAT attribute *hidden*.
        const FLAG_HIDDEN = 1 << 13;
        /// FAT attribute *system*.
        const FLAG_SYSTEM = 1 << 14;
        /// FAT attribute *archive*.
        const FLAG_ARCHIVE = 1 << 15;
        /// chattr +a.
        const FLAG_APPEND = 1 << 16;
        /// chattr +A.
        const FLAG_NOATIME = 1 << 17;
        /// chattr +c.
        const FLAG_COMPR = 1 << 18;
        /// chattr +C.
        const FLAG_NOCOW = 1 << 19;
        /// chattr +d.
        const FLAG_NODUMP = 1 << 20;
        /// chattr +D.
        const FLAG_DIRSYNC = 1 << 21;
        /// chattr +i.
        const FLAG_IMMUTABLE = 1 << 22;
        /// chattr +S.
        const FLAG_SYNC = 1 << 23;
        /// chattr +m.
        const FLAG_NOCOMP = 1 << 24;
        /// chattr +P.
        const FLAG_PROJINHERIT = 1 << 25;
        /// btrfs subvolumes.
        const SUBVOLUME = 1 << 26;
        /// Read-only btrfs subvolumes.
        const SUBVOLUME_RO = 1 << 27;
        /// Extended attributes.
        const XATTRS = 1 << 28;
        /// Access control lists.
        const ACL = 1 << 29;
        /// SELinux labels.
        const SELINUX = 1 << 30;
        /// File capabilities.
        const FCAPS = 1 << 31;
        /// Quota project ids.
        const QUOTA_PROJID = 1 << 32;
        /// `.caexclude` files were honoured.
        const EXCLUDE_FILE = 1 << 60;
        /// IDs of chunks are SHA-512/256; without it SHA-256.
        const SHA512_256 = 1 << 61;
        /// Other mounts were left out.
        const EXCLUDE_SUBMOUNTS = 1 << 62;
        /// Files with chattr +d were left out.
        const EXCLUDE_NODUMP = 1 << 63;
    }
}

const _: () = assert!(FeatureFlags::all().bits() == 0xf000_0001_ffff_ffff);

/// Flags that no writer makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FlagsError {
    /// All bits set: reserved, never a set of features.
    #[error("reserved feature flags ffffffffffffffff")]
    Reserved,
    /// Bits that mean nothing yet.
    #[error("unknown feature flags {unknown:016x}")]
    Unknown {
        /// Those bits alone.
        unknown: u64,
    },
    /// A set that a writer would have reduced or completed first.
    #[error("feature flags {found:016x} are not in normal form ({normal:016x})")]
    NotNormal {
        /// The set as it came.
        found: u64,
        /// What a writer would have made of it.
        normal: u64,
    },
}

impl FeatureFlags {
    /// The digest these flags name.
    #[must_use]
    pub const fn digest(self) -> DigestKind {
        if self.contains(Self::SHA512_256) { DigestKind::Sha512_256 } else { DigestKind::Sha256 }
    }

    /// The same set with the digest bit set for `digest`.
    #[must_use]
    pub const fn with_digest(self, digest: DigestKind) -> Self {
        match digest {
            DigestKind::Sha512_256 => self.union(Self::SHA512_256),
            DigestKind::Sha256 => self.difference(Self::SHA512_256),
        }
    }

    /// What `desync make` writes for a plain blob: `a000000000000000`, `8000000000000000` under SHA-256.
    #[must_use]
    pub const fn desync_blob(digest: DigestKind) -> Self {
        Self::EXCLUDE_NODUMP.with_digest(digest)
    }

    /// What `casync make` writes for a plain blob: `b000000000000000`, `9000000000000000` under SHA-256.
    #[must_use]
    pub const fn casync_blob(digest: DigestKind) -> Self {
        Self::EXCLUDE_NODUMP.union(Self::EXCLUDE_FILE).with_digest(digest)
    }

    /// Reduces a set as every writer does before writing it. Unknown bits stay.
    ///
    /// Source: casync `caformat-util.c`, `ca_feature_flags_normalize`.
    #[must_use]
    pub fn normal_form(self) -> Self {
        let mut set = self;
        let owners = Self::UIDS_16BIT | Self::UIDS_32BIT | Self::USER_NAMES;
        if set.contains(Self::ACL) && !set.intersects(owners) {
            set |= Self::UIDS_32BIT | Self::USER_NAMES;
        }
        // Each rule drops what a finer or stronger flag says already; their order matters.
        let implied = [
            (Self::UIDS_32BIT, Self::UIDS_16BIT),
            (Self::NSEC_TIME, Self::USEC_TIME | Self::SEC_TIME | Self::TWO_SEC_TIME),
            (Self::USEC_TIME, Self::SEC_TIME | Self::TWO_SEC_TIME),
            (Self::SEC_TIME, Self::TWO_SEC_TIME),
            (Self::ACL, Self::PERMISSIONS | Self::READ_ONLY),
            (Self::PERMISSIONS, Self::READ_ONLY),
            (Self::EXCLUDE_NODUMP, Self::FLAG_NODUMP),
        ];
        for (stronger, weaker) in implied {
            if set.contains(stronger) {
                set = set.difference(weaker);
            }
        }
        if set.contains(Self::SUBVOLUME_RO) {
            set |= Self::SUBVOLUME;
        }
        set
    }

    /// Whether casync would accept this set.
    ///
    /// # Errors
    /// [`FlagsError`]: reserved, with unknown bits, or not in normal form.
    pub fn check_strict(self) -> Result<(), FlagsError> {
        if self.bits() == u64::MAX {
            return Err(FlagsError::Reserved);
        }
        let unknown = self.bits() & !Self::all().bits();
        if unknown != 0 {
            return Err(FlagsError::Unknown { unknown });
        }
        let normal = self.normal_form();
        if normal != self {
            return Err(FlagsError::NotNormal { found: self.bits(), normal: normal.bits() });
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for FeatureFlags {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "FeatureFlags({=u64:016x})", self.bits());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_flags_are_the_programs() {
        let bits = |flags: FeatureFlags| flags.bits();
        assert_eq!(bits(FeatureFlags::desync_blob(DigestKind::Sha512_256)), 0xa000_0000_0000_0000);
        assert_eq!(bits(FeatureFlags::desync_blob(DigestKind::Sha256)), 0x8000_0000_0000_0000);
        assert_eq!(bits(FeatureFlags::casync_blob(DigestKind::Sha512_256)), 0xb000_0000_0000_0000);
        assert_eq!(bits(FeatureFlags::casync_blob(DigestKind::Sha256)), 0x9000_0000_0000_0000);
        for digest in [DigestKind::Sha512_256, DigestKind::Sha256] {
            assert_eq!(FeatureFlags::desync_blob(digest).digest(), digest);
        }
    }

    /// Sets that casync was seen to write for its `--with=` and `--without=` words.
    #[test]
    fn sets_written_by_casync_pass() {
        for bits in [
            0xb000_0001_ffef_fe26_u64,
            0xb000_0001_bfef_fe26,
            0x9000_0001_ffef_fe26,
            0x3000_0001_ffff_fe26,
            0xf000_0001_ffef_fe26,
            0xa000_0001_ffef_fe26,
            0xb000_0000_0000_1f09,
            0xb000_0000_0000_e0c0,
            0xb000_0000_13ef_ff22,
            0xb000_0001_ec41_4406,
            0xb000_0000_03ef_0000,
            0xb000_0000_2000_0006,
            0xb000_0000_0c00_0000,
            0xb000_0000_13ae_bb20,
            0xb000_0001_dfef_ff26,
            0xb000_0000_1000_1f22,
            0,
        ] {
            assert_eq!(FeatureFlags::from_bits_retain(bits).check_strict(), Ok(()), "{bits:016x}");
        }
    }

    #[test]
    fn normal_form_reduces_and_completes() {
        let all = FeatureFlags::all();
        // `--with=best` of a casync with SELinux is everything, reduced.
        assert_eq!((all - FeatureFlags::EXCLUDE_SUBMOUNTS).normal_form().bits(), 0xb000_0001_ffef_fe26);
        let acl = FeatureFlags::ACL;
        assert_eq!(acl.normal_form(), acl | FeatureFlags::UIDS_32BIT | FeatureFlags::USER_NAMES);
        let read_only = FeatureFlags::SUBVOLUME_RO;
        assert_eq!(read_only.normal_form(), read_only | FeatureFlags::SUBVOLUME);
    }

    #[test]
    fn normal_form_is_stable() {
        // Every pair and triple of bits reaches every rule and every combination of two rules.
        for a in 0..64 {
            for b in 0..64 {
                for c in 0..64 {
                    let set = FeatureFlags::from_bits_retain(1 << a | 1 << b | 1 << c).normal_form();
                    assert_eq!(set.normal_form(), set);
                }
            }
        }
    }

    #[test]
    fn foreign_sets_are_refused_by_name() {
        let check = |bits| FeatureFlags::from_bits_retain(bits).check_strict();
        assert_eq!(check(u64::MAX), Err(FlagsError::Reserved));
        assert_eq!(check(1 << 33 | 1), Err(FlagsError::Unknown { unknown: 1 << 33 }));
        assert_eq!(check(0x3), Err(FlagsError::NotNormal { found: 0x3, normal: 0x2 }));
    }
}
