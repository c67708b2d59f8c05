//! Owner, mode, attributes and time of restored nodes, in the order in which none undoes another.
//!
//! What cannot be set is told, and the rest is set all the same.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use desync_core::format::FeatureFlags;
use desync_core::format::catar::{Content, Node};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid};

use super::RestoreOptions;
use crate::attributes::{self, LOCKS};
use crate::system::{self, XattrsOf};
use crate::{Notices, Owners, acl};

/// Attributes that must be set while a file is empty, or a directory has no children.
const EARLY: FeatureFlags = FeatureFlags::FLAG_NOATIME
    .union(FeatureFlags::FLAG_COMPR)
    .union(FeatureFlags::FLAG_NOCOW)
    .union(FeatureFlags::FLAG_NOCOMP)
    .union(FeatureFlags::FLAG_PROJINHERIT);

/// Namespaces whose attributes change nothing but themselves.
const PLAIN_NAMESPACES: [&[u8]; 2] = [b"user.", b"trusted."];

const SELINUX: &[u8] = b"security.selinux";
const CAPABILITY: &[u8] = b"security.capability";

/// Sets metadata.
#[derive(Clone, Copy)]
pub(super) struct Metadata<'a> {
    pub(super) options: RestoreOptions,
    /// What the archive records and is wanted: what is not recorded is left as it is.
    pub(super) features: FeatureFlags,
    /// Whether time 0 means that no time is recorded, as in archives of Go desync.
    pub(super) zero_time_is_none: bool,
    pub(super) owners: &'a Owners,
    pub(super) notices: &'a dyn Notices,
}

impl Metadata<'_> {
    /// Sets what must be set while a file or directory is empty.
    pub(super) fn early(&self, file: BorrowedFd<'_>, node: &Node, path: &Path) {
        let wanted = self.features & EARLY;
        if !wanted.is_empty() && !node.attributes.is_empty() {
            self.tell(path, "attributes", system::set_chattr(file, node.attributes, wanted));
        }
        if let Some(project) = node.quota_projid {
            self.tell(path, "quota project", system::set_project(file, project));
        }
    }

    /// Takes away what a node has that the archive does not record of it: what it inherited from its directory, or
    /// had before.
    pub(super) fn clear(&self, xattrs: XattrsOf<'_>, node: &Node, path: &Path) {
        if self.features.contains(FeatureFlags::ACL) {
            let lists =
                [(acl::ACCESS, node.acl.group_obj.is_some()), (acl::DEFAULT, node.default_acl.is_some())];
            for (name, _) in lists.iter().filter(|(_, is_recorded)| !is_recorded) {
                self.tell(path, "access list", xattrs.remove(name));
            }
        }
        if self.features.contains(FeatureFlags::XATTRS) {
            let names = xattrs.list().unwrap_or_default();
            let is_plain = |name: &[u8]| PLAIN_NAMESPACES.iter().any(|namespace| name.starts_with(namespace));
            let is_recorded = |name: &[u8]| node.xattrs.iter().any(|xattr| xattr.name == name);
            for name in names.iter().filter(|name| is_plain(name) && !is_recorded(name)) {
                self.tell(path, "extended attributes", xattrs.remove(name));
            }
        }
    }

    /// Sets what a complete file or directory has, time last.
    pub(super) fn of_file(&self, file: BorrowedFd<'_>, node: &Node, path: &Path) {
        if let Some((uid, gid)) = self.owner(node, path) {
            self.tell(path, "owner", fs::fchown(file, uid, gid).map_err(Into::into));
        }
        // After the owner: a change of it takes set-id bits and capabilities away.
        self.tell(path, "mode", fs::fchmod(file, self.mode(node)).map_err(Into::into));
        self.extended(XattrsOf::File(file), node, path);
        if let Some(times) = self.times(node) {
            self.tell(path, "time", fs::futimens(file, &times).map_err(Into::into));
        }
    }

    /// Sets what a node has that cannot be opened for it: a link, a device, a FIFO, a socket.
    pub(super) fn of_name(&self, directory: BorrowedFd<'_>, name: &[u8], node: &Node, path: &Path) {
        let file_name = OsStr::from_bytes(name);
        let no_follow = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((uid, gid)) = self.owner(node, path) {
            let changed = fs::chownat(directory, file_name, uid, gid, no_follow);
            self.tell(path, "owner", changed.map_err(Into::into));
        }
        if !matches!(node.content, Content::Symlink { .. }) {
            self.tell(path, "mode", change_mode(directory, name, self.mode(node)));
        }
        self.extended(XattrsOf::Name(directory, name), node, path);
        if let Some(times) = self.times(node) {
            let set = fs::utimensat(directory, file_name, &times, no_follow);
            self.tell(path, "time", set.map_err(Into::into));
        }
    }

    /// Sets what must come after everything else: it may forbid any further change.
    pub(super) fn late(&self, file: BorrowedFd<'_>, node: &Node, path: &Path) {
        let wanted = self.features.difference(EARLY);
        if !node.attributes.difference(attributes::fat_kinds()).is_empty() {
            let normal = wanted.difference(LOCKS);
            self.tell(path, "attributes", system::set_chattr(file, node.attributes, normal));
            self.tell(path, "attributes", system::set_chattr(file, node.attributes, wanted & LOCKS));
        }
        if node.attributes.intersects(attributes::fat_kinds()) {
            if system::is_fat(file) {
                self.tell(path, "attributes", system::set_fat(file, node.attributes, wanted));
            } else {
                self.notices.lost(path, "FAT attributes cannot be set: not a FAT file system");
            }
        }
    }

    /// Who shall own a node: by id, or by name where the archive has no ids.
    fn owner(&self, node: &Node, path: &Path) -> Option<(Option<Uid>, Option<Gid>)> {
        let features = self.features;
        if !self.options.owners {
            return None;
        }
        if features.intersects(FeatureFlags::UIDS_16BIT | FeatureFlags::UIDS_32BIT) {
            return Some((Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid))));
        }
        if !features.contains(FeatureFlags::USER_NAMES) {
            return None;
        }
        let find = |name: &Option<Vec<u8>>, ids: &dyn Fn(&[u8]) -> Option<u32>, what| match name {
            None => Some(0),
            Some(name) => ids(name).or_else(|| {
                let name = String::from_utf8_lossy(name);
                self.notices.lost(path, &format!("{what} cannot be set: nobody is called {name} here"));
                None
            }),
        };
        let uid = find(&node.user, &|name| self.owners.user_id(name), "owner");
        let gid = find(&node.group, &|name| self.owners.group_id(name), "group");
        Some((uid.map(Uid::from_raw), gid.map(Gid::from_raw)))
    }

    /// The mode a node shall have.
    fn mode(&self, node: &Node) -> Mode {
        let records =
            self.features.intersects(FeatureFlags::PERMISSIONS | FeatureFlags::ACL | FeatureFlags::READ_ONLY);
        if self.options.permissions && records {
            let exact = !self.features.contains(FeatureFlags::READ_ONLY);
            let mask = if exact { 0 } else { umask() };
            return Mode::from_raw_mode(node.permissions & !mask);
        }
        let all = if node.content.is_directory() { 0o777 } else { 0o666 };
        Mode::from_raw_mode(all & !umask())
    }

    fn extended(&self, xattrs: XattrsOf<'_>, node: &Node, path: &Path) {
        if let Some(value) = acl::access_value(&node.acl, node.permissions)
            && self.options.permissions
        {
            self.tell(path, "access list", xattrs.set(acl::ACCESS, &value));
        }
        if let Some(list) = &node.default_acl {
            self.tell(path, "default access list", xattrs.set(acl::DEFAULT, &acl::default_value(list)));
        }
        for xattr in &node.xattrs {
            let is_plain = PLAIN_NAMESPACES.iter().any(|namespace| xattr.name.starts_with(namespace));
            let name = String::from_utf8_lossy(&xattr.name);
            if is_plain || self.options.all_xattrs {
                self.tell(path, &format!("extended attribute {name}"), xattrs.set(&xattr.name, &xattr.value));
            } else {
                self.notices.lost(
                    path,
                    &format!("extended attribute {name} not set: its namespace changes what a file may do"),
                );
            }
        }
        if let Some(capabilities) = &node.fcaps {
            self.tell(path, "capabilities", xattrs.set(CAPABILITY, capabilities));
        }
        if let Some(label) = &node.selinux {
            let value = [&label[..], &[0]].concat();
            self.tell(path, "label", xattrs.set(SELINUX, &value));
        }
    }

    /// The time a node shall have; the time of its last use stays.
    fn times(&self, node: &Node) -> Option<Timestamps> {
        let recorded = FeatureFlags::NSEC_TIME
            | FeatureFlags::USEC_TIME
            | FeatureFlags::SEC_TIME
            | FeatureFlags::TWO_SEC_TIME;
        let is_none = self.zero_time_is_none && node.mtime == 0;
        if is_none || !self.features.intersects(recorded) {
            return None;
        }
        Some(Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec {
                tv_sec: node.mtime.div_euclid(1_000_000_000),
                tv_nsec: node.mtime.rem_euclid(1_000_000_000),
            },
        })
    }

    fn tell(&self, path: &Path, what: &str, result: io::Result<()>) {
        if let Err(error) = result {
            self.notices.lost(path, &format!("{what} cannot be set: {error}"));
        }
    }
}

/// Changes the mode of what cannot be opened. The kernel would follow a link by name, but not by descriptor.
fn change_mode(directory: BorrowedFd<'_>, name: &[u8], mode: Mode) -> io::Result<()> {
    let file = fs::openat(
        directory,
        OsStr::from_bytes(name),
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    if FileType::from_raw_mode(fs::fstat(&file)?.st_mode) == FileType::Symlink {
        return Err(io::Error::other("it became a link"));
    }
    Ok(fs::chmod(system::proc_path(file.as_fd()), mode)?)
}

/// The process's umask, read where reading it does not change it.
fn umask() -> u32 {
    static UMASK: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        field.and_then(|field| u32::from_str_radix(field.trim(), 8).ok()).unwrap_or(0o022)
    })
}
