//! A node of an archive as a value: one file, directory, link or device with all that is recorded of it.
//!
//! Here: the values, and what a set of feature flags keeps of them. Not here: whether a value may stand in
//! an archive (`check`), and its bytes (`draft`, `encoder`).

use alloc::vec::Vec;

use crate::format::FeatureFlags;

/// What kind of node, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A directory; its children follow.
    Directory,
    /// A regular file; its bytes follow.
    File {
        /// How many.
        len: u64,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points to: bytes as they are, absolute, dangling or with `..` as they may be.
        target: Vec<u8>,
    },
    /// A character device.
    CharDevice(DeviceNumber),
    /// A block device.
    BlockDevice(DeviceNumber),
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
}

/// Numbers of a device, as Linux has them: 12 and 20 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceNumber {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl Content {
    /// The bits of a mode that tell the kind.
    #[must_use]
    pub const fn mode_bits(&self) -> u32 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharDevice(_) => 0o020_000,
            Self::Directory => 0o040_000,
            Self::BlockDevice(_) => 0o060_000,
            Self::File { .. } => 0o100_000,
            Self::Symlink { .. } => 0o120_000,
            Self::Socket => 0o140_000,
        }
    }

    /// Whether children follow.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        matches!(self, Self::Directory)
    }

    /// The feature flag without which nodes of this kind are left out of an archive.
    #[must_use]
    pub const fn feature(&self) -> FeatureFlags {
        match self {
            Self::Directory | Self::File { .. } => FeatureFlags::empty(),
            Self::Symlink { .. } => FeatureFlags::SYMLINKS,
            Self::CharDevice(_) | Self::BlockDevice(_) => FeatureFlags::DEVICE_NODES,
            Self::Fifo => FeatureFlags::FIFOS,
            Self::Socket => FeatureFlags::SOCKETS,
        }
    }
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Xattr {
    /// Its name with its namespace.
    pub name: Vec<u8>,
    /// Its value; may be empty.
    pub value: Vec<u8>,
}

/// What one user or group may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclEntry {
    /// Of whom.
    pub id: u32,
    /// Their name, if it is recorded.
    pub name: Option<Vec<u8>>,
    /// Read 4, write 2, execute 1.
    pub permissions: u8,
}

/// The access list of a node beyond its mode. Its mask is in the group's bits of the mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// Named users, ascending.
    pub users: Vec<AclEntry>,
    /// Named groups, ascending.
    pub groups: Vec<AclEntry>,
    /// The owning group, if the list has a mask.
    pub group_obj: Option<u8>,
}

/// The list that new files in a directory get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultAcl {
    /// The owner.
    pub user_obj: u8,
    /// The owning group.
    pub group_obj: u8,
    /// All others.
    pub other: u8,
    /// What the named users and the groups may do at most.
    pub mask: Option<u8>,
    /// Named users, ascending.
    pub users: Vec<AclEntry>,
    /// Named groups, ascending.
    pub groups: Vec<AclEntry>,
}

/// All that is recorded of a node besides its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in its directory; empty for the root.
    pub name: Vec<u8>,
    /// Kind and content.
    pub content: Content,
    /// The lowest twelve bits of the mode.
    pub permissions: u32,
    /// Attributes as chattr and FAT have them, and whether it is a subvolume.
    pub attributes: FeatureFlags,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Nanoseconds since 1970.
    pub mtime: i64,
    /// Name of the owner.
    pub user: Option<Vec<u8>>,
    /// Name of the group.
    pub group: Option<Vec<u8>>,
    /// Extended attributes, ascending by name; those with records of their own are not among them.
    pub xattrs: Vec<Xattr>,
    /// Access list.
    pub acl: Acl,
    /// Access list for new files in a directory.
    pub default_acl: Option<DefaultAcl>,
    /// Label of SELinux.
    pub selinux: Option<Vec<u8>>,
    /// Capabilities of a program, as the kernel keeps them.
    pub fcaps: Option<Vec<u8>>,
    /// Quota project.
    pub quota_projid: Option<u32>,
}

/// Feature flags that are attributes of a node at the same time.
pub(super) const ATTRIBUTES: FeatureFlags = FeatureFlags::FLAG_HIDDEN
    .union(FeatureFlags::FLAG_SYSTEM)
    .union(FeatureFlags::FLAG_ARCHIVE)
    .union(FeatureFlags::FLAG_APPEND)
    .union(FeatureFlags::FLAG_NOATIME)
    .union(FeatureFlags::FLAG_COMPR)
    .union(FeatureFlags::FLAG_NOCOW)
    .union(FeatureFlags::FLAG_NODUMP)
    .union(FeatureFlags::FLAG_DIRSYNC)
    .union(FeatureFlags::FLAG_IMMUTABLE)
    .union(FeatureFlags::FLAG_SYNC)
    .union(FeatureFlags::FLAG_NOCOMP)
    .union(FeatureFlags::FLAG_PROJINHERIT)
    .union(SUBVOLUME);

/// Attributes of directories alone.
pub(super) const SUBVOLUME: FeatureFlags = FeatureFlags::SUBVOLUME.union(FeatureFlags::SUBVOLUME_RO);

/// Either form of owner ids.
pub(super) const UIDS: FeatureFlags = FeatureFlags::UIDS_16BIT.union(FeatureFlags::UIDS_32BIT);

/// Either flag that records all permission bits.
pub(super) const MODES: FeatureFlags = FeatureFlags::PERMISSIONS.union(FeatureFlags::ACL);

/// The unit of times in nanoseconds; `None` if none are recorded.
pub(super) const fn time_unit(features: FeatureFlags) -> Option<i64> {
    if features.contains(FeatureFlags::NSEC_TIME) {
        Some(1)
    } else if features.contains(FeatureFlags::USEC_TIME) {
        Some(1_000)
    } else if features.contains(FeatureFlags::SEC_TIME) {
        Some(1_000_000_000)
    } else if features.contains(FeatureFlags::TWO_SEC_TIME) {
        Some(2_000_000_000)
    } else {
        None
    }
}

impl Node {
    /// A node without metadata: nothing permitted, owned by root, of 1970.
    #[must_use]
    pub const fn new(name: Vec<u8>, content: Content) -> Self {
        Self {
            name,
            content,
            permissions: 0,
            attributes: FeatureFlags::empty(),
            uid: 0,
            gid: 0,
            mtime: 0,
            user: None,
            group: None,
            xattrs: Vec::new(),
            acl: Acl { users: Vec::new(), groups: Vec::new(), group_obj: None },
            default_acl: None,
            selinux: None,
            fcaps: None,
            quota_projid: None,
        }
    }

    /// Type and permission bits, as a system's `st_mode` has them.
    #[must_use]
    pub const fn mode(&self) -> u32 {
        self.content.mode_bits() | self.permissions
    }

    /// Cuts the node down to what `features` (in normal form) record; `false` if they leave it out altogether.
    ///
    /// Source: casync `caencoder.c`.
    #[must_use]
    pub fn reduce(&mut self, features: FeatureFlags) -> bool {
        if !features.contains(self.content.feature()) {
            return false;
        }
        self.reduce_permissions(features);
        self.reduce_owner(features);
        self.mtime = time_unit(features).map_or(0, |unit| self.mtime.div_euclid(unit) * unit);
        self.attributes &= match self.content {
            Content::Directory => ATTRIBUTES & features,
            Content::File { .. } => ATTRIBUTES.difference(SUBVOLUME) & features,
            _ => FeatureFlags::empty(),
        };
        if !features.contains(FeatureFlags::XATTRS) {
            self.xattrs.clear();
        }
        if !features.contains(FeatureFlags::ACL) {
            self.acl = Acl::default();
            self.default_acl = None;
        }
        let lists = [&mut self.acl.users, &mut self.acl.groups].into_iter();
        let defaults = self.default_acl.iter_mut().flat_map(|list| [&mut list.users, &mut list.groups]);
        lists.chain(defaults).for_each(|entries| reduce_entries(entries, features));
        self.selinux = self.selinux.take().filter(|_| features.contains(FeatureFlags::SELINUX));
        self.fcaps = self.fcaps.take().filter(|_| features.contains(FeatureFlags::FCAPS));
        self.quota_projid = self.quota_projid.filter(|_| features.contains(FeatureFlags::QUOTA_PROJID));
        true
    }

    fn reduce_permissions(&mut self, features: FeatureFlags) {
        if let Content::Symlink { .. } = self.content {
            self.permissions = 0o777;
        } else if !features.intersects(MODES) {
            let may_be_written = self.permissions & 0o222 != 0 || !features.contains(FeatureFlags::READ_ONLY);
            self.permissions = plain_permissions(&self.content, may_be_written);
        }
    }

    fn reduce_owner(&mut self, features: FeatureFlags) {
        if !features.contains(FeatureFlags::USER_NAMES) {
            (self.user, self.group) = (None, None);
        }
        if !features.intersects(UIDS) {
            (self.uid, self.gid) = (0, 0);
        }
    }
}

/// Entries keep their names, their ids or both; without ids their order is that of the names.
fn reduce_entries(entries: &mut Vec<AclEntry>, features: FeatureFlags) {
    for entry in &mut *entries {
        entry.name = entry.name.take().filter(|_| features.contains(FeatureFlags::USER_NAMES));
        if !features.intersects(UIDS) {
            entry.id = 0;
        }
    }
    if !features.intersects(UIDS) {
        entries.sort();
        entries.dedup();
    }
}

/// The permissions that stand for all others where they are not recorded.
pub(super) const fn plain_permissions(content: &Content, may_be_written: bool) -> u32 {
    match (content, may_be_written) {
        (Content::Symlink { .. }, _) | (Content::Directory, true) => 0o777,
        (Content::Directory, false) => 0o555,
        (_, true) => 0o666,
        (_, false) => 0o444,
    }
}
