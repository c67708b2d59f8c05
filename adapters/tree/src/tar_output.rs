//! A tree into a tar stream: GNU headers, and a PAX header before those of nodes that GNU's cannot carry.

use std::io::Write;
use std::path::{Path, PathBuf};

use desync_core::format::catar::{AclEntry, Content, DeviceNumber, Node};
use tar_core::EntryType;
use tar_core::builder::{EntryBuilder, HeaderBuilder, PaxBuilder};

use crate::path::TreePath;
use crate::{Error, Notices, Sink};

const BLOCK: u64 = 512;

/// Blocks that a stream is filled up to, as tapes want it.
const RECORD: u64 = 20 * BLOCK;

/// Largest id and length that every reader of GNU headers understands as octal digits.
const ID_MAX: u32 = 0o777_7777;
const LEN_MAX: u64 = 0o777_7777_7777;
const TIME_MAX: i64 = 0o777_7777_7777;

/// Longest name of an owner in a header, and its NUL.
const OWNER_LEN_MAX: usize = 31;

/// Writes a tar stream.
pub struct TarWriter<'a, W> {
    out: W,
    name: PathBuf,
    notices: &'a dyn Notices,
    path: TreePath,
    /// Bytes written.
    written: u64,
}

impl<'a, W: Write> TarWriter<'a, W> {
    /// Begins a stream. Errors call `out` by `name`.
    pub fn new(out: W, name: &Path, notices: &'a dyn Notices) -> Self {
        Self { out, name: name.to_owned(), notices, path: TreePath::default(), written: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(Error::file("write", &self.name))
    }

    fn fill_up(&mut self, unit: u64) -> Result<(), Error> {
        let missing = self.written.next_multiple_of(unit) - self.written;
        self.write(&vec![0; missing as usize])
    }

    fn refused(&self, path: &[u8], error: impl std::fmt::Display) -> Error {
        Error::Input { path: crate::path::shown(path), reason: format!("cannot be put into tar: {error}") }
    }

    fn headers(&self, path: &[u8], node: &Node) -> Result<Vec<u8>, Error> {
        let mut pax = PaxBuilder::new();
        let mut entry = EntryBuilder::new_gnu();
        let failed = |error| self.refused(path, error);
        let (kind, len) = kind(&node.content);
        entry.path(path).entry_type(kind).mode(node.permissions).map_err(failed)?;
        if let Content::Symlink { target } = &node.content {
            entry.link_name(target);
        }
        if let Content::CharDevice(DeviceNumber { major, minor })
        | Content::BlockDevice(DeviceNumber { major, minor }) = &node.content
        {
            entry.device(*major, *minor).map_err(failed)?;
        }
        entry.size(if len > LEN_MAX { 0 } else { len }).map_err(failed)?;
        if len > LEN_MAX {
            pax.size(len);
        }
        entry.uid(u64::from(if node.uid > ID_MAX { 0 } else { node.uid })).map_err(failed)?;
        entry.gid(u64::from(if node.gid > ID_MAX { 0 } else { node.gid })).map_err(failed)?;
        if node.uid > ID_MAX {
            pax.uid(node.uid.into());
        }
        if node.gid > ID_MAX {
            pax.gid(node.gid.into());
        }
        if let Some(user) = &node.user {
            owner_name(user, "uname", &mut pax, |name| entry.username(name).map(drop)).map_err(failed)?;
        }
        if let Some(group) = &node.group {
            owner_name(group, "gname", &mut pax, |name| entry.groupname(name).map(drop)).map_err(failed)?;
        }
        let seconds = node.mtime.div_euclid(1_000_000_000);
        entry.mtime(seconds.clamp(0, TIME_MAX).cast_unsigned()).map_err(failed)?;
        if !(0..=TIME_MAX).contains(&seconds) || node.mtime.rem_euclid(1_000_000_000) != 0 {
            pax.add("mtime", decimal(node.mtime));
        }
        extended(node, &mut pax);
        let mut out = pax_entry(pax.finish()).map_err(failed)?;
        out.extend_from_slice(&entry.finish_bytes());
        Ok(out)
    }
}

impl<W: Write> Sink for TarWriter<'_, W> {
    fn node(&mut self, node: &Node) -> Result<(), Error> {
        let path = self.path.of(&node.name);
        let shown = self.path.shown(&node.name);
        if !node.attributes.is_empty() {
            self.notices.lost(&shown, "its attributes cannot be put into tar");
        }
        if node.quota_projid.is_some() {
            self.notices.lost(&shown, "its quota project cannot be put into tar");
        }
        match node.content {
            Content::Directory => self.path.enter(&node.name),
            Content::Socket => {
                self.notices.lost(&shown, "a socket cannot be put into tar, left out");
                return Ok(());
            }
            _ => {}
        }
        let headers = self.headers(if path.is_empty() { b"." } else { &path }, node)?;
        self.write(&headers)
    }

    fn data(&mut self, bytes: &[u8], is_last: bool) -> Result<(), Error> {
        self.write(bytes)?;
        if is_last { self.fill_up(BLOCK) } else { Ok(()) }
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.path.leave();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.write(&[0; 2 * BLOCK as usize])?;
        self.fill_up(RECORD)?;
        self.out.flush().map_err(Error::file("write", &self.name))
    }
}

const fn kind(content: &Content) -> (EntryType, u64) {
    match content {
        Content::Directory => (EntryType::Directory, 0),
        Content::File { len } => (EntryType::Regular, *len),
        Content::Symlink { .. } => (EntryType::Symlink, 0),
        Content::CharDevice(_) => (EntryType::Char, 0),
        Content::BlockDevice(_) => (EntryType::Block, 0),
        Content::Fifo | Content::Socket => (EntryType::Fifo, 0),
    }
}

fn owner_name<E>(
    name: &[u8],
    key: &str,
    pax: &mut PaxBuilder,
    header: impl FnOnce(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    if name.len() <= OWNER_LEN_MAX {
        return header(name);
    }
    pax.add(key, name);
    Ok(())
}

/// Seconds with as many digits behind the point as they need.
fn decimal(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let whole = nanoseconds.unsigned_abs();
    let text = format!("{sign}{}.{:09}", whole / 1_000_000_000, whole % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Extended attributes, access lists, labels and capabilities, under the names that GNU tar and bsdtar give them.
fn extended(node: &Node, pax: &mut PaxBuilder) {
    let mut xattr = |name: &[u8], value: &[u8]| {
        // Names that are no UTF-8 exist only in hostile archives.
        let name = String::from_utf8_lossy(name);
        pax.add(&format!("SCHILY.xattr.{name}"), value);
    };
    node.xattrs.iter().for_each(|found| xattr(&found.name, &found.value));
    if let Some(capabilities) = &node.fcaps {
        xattr(b"security.capability", capabilities);
    }
    if let Some(label) = &node.selinux {
        pax.add("RHT.security.selinux", label);
    }
    if let Some(group_obj) = node.acl.group_obj {
        let of_mode = |shift: u32| (node.permissions >> shift & 7) as u8;
        let named = Named { users: &node.acl.users, groups: &node.acl.groups };
        pax.add("SCHILY.acl.access", named.text(of_mode(6), group_obj, of_mode(0), Some(of_mode(3))));
    }
    if let Some(list) = &node.default_acl {
        let named = Named { users: &list.users, groups: &list.groups };
        pax.add("SCHILY.acl.default", named.text(list.user_obj, list.group_obj, list.other, list.mask));
    }
}

/// The named entries of an access list.
struct Named<'a> {
    users: &'a [AclEntry],
    groups: &'a [AclEntry],
}

impl Named<'_> {
    /// The list as star writes it, with the id behind each entry; GNU tar and bsdtar read that too.
    fn text(&self, user_obj: u8, group_obj: u8, other: u8, mask: Option<u8>) -> Vec<u8> {
        let mut text = Vec::new();
        let mut line = |kind: &str, entry: Option<&AclEntry>, permissions: u8| {
            let id = entry.map(|entry| entry.id.to_string()).unwrap_or_default();
            let name = entry.and_then(|entry| entry.name.as_deref()).unwrap_or(id.as_bytes());
            let id = if id.is_empty() { String::new() } else { format!(":{id}") };
            let letters = letters(permissions);
            for part in [kind.as_bytes(), b":", name, b":", letters.as_bytes(), id.as_bytes(), b"\n"] {
                text.extend_from_slice(part);
            }
        };
        line("user", None, user_obj);
        self.users.iter().for_each(|user| line("user", Some(user), user.permissions));
        line("group", None, group_obj);
        self.groups.iter().for_each(|group| line("group", Some(group), group.permissions));
        mask.into_iter().for_each(|mask| line("mask", None, mask));
        line("other", None, other);
        text
    }
}

fn letters(permissions: u8) -> String {
    [(4, 'r'), (2, 'w'), (1, 'x')]
        .into_iter()
        .map(|(bit, letter)| if permissions & bit == 0 { '-' } else { letter })
        .collect()
}

/// A PAX header, if there is anything in it.
fn pax_entry(data: Vec<u8>) -> Result<Vec<u8>, tar_core::HeaderError> {
    if data.is_empty() {
        return Ok(Vec::new());
    }
    let mut header = HeaderBuilder::new_gnu();
    header.path(b"././@PaxHeader")?.mode(0o644)?.uid(0)?.gid(0)?.mtime(0)?;
    header.size(data.len() as u64)?.entry_type(EntryType::XHeader);
    let mut out = header.finish().as_bytes().to_vec();
    out.extend_from_slice(&data);
    out.resize(out.len().next_multiple_of(BLOCK as usize), 0);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_needless_digits() {
        assert_eq!(decimal(1_500_000_000), "1.5");
        assert_eq!(decimal(-1_500_000_000), "-1.5");
        assert_eq!(decimal(2_000_000_000), "2");
        assert_eq!(decimal(1), "0.000000001");
    }
}
