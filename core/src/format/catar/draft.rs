//! A node that is being read: from its ENTRY record on until its content begins or it turns out to have none.
//!
//! Here: bodies of records to values, and the order of a node's records. Not here: where nodes stand in the
//! archive.

use alloc::vec::Vec;

use super::error::Problem;
use super::node::{AclEntry, Content, DefaultAcl, DeviceNumber, Node, Xattr};
use super::record::{Record, word};
use crate::format::FeatureFlags;
use crate::limits::Limits;

/// Word for a mask that an access list does not have.
const NO_MASK: u64 = u64::MAX;

/// The node so far.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Where its ENTRY starts.
    pub(super) start: u64,
    /// Feature flags of its ENTRY.
    pub(super) features: FeatureFlags,
    node: Node,
    /// The last record of it.
    stage: Record,
    metadata_len: usize,
}

impl Draft {
    /// Begins a node with the body of its ENTRY at `start`.
    pub(super) fn begin(name: Vec<u8>, body: &[u8], start: u64) -> Result<Self, Problem> {
        let mode = word(body, 8);
        let content = content_of(mode).ok_or(Problem::Mode { mode })?;
        let mut node = Node::new(name, content);
        node.permissions = (mode & 0o7777) as u32;
        node.attributes = FeatureFlags::from_bits_retain(word(body, 16));
        node.uid = id(word(body, 24))?;
        node.gid = id(word(body, 32))?;
        node.mtime = word(body, 40).cast_signed();
        let features = FeatureFlags::from_bits_retain(word(body, 0));
        Ok(Self { start, features, node, stage: Record::Entry, metadata_len: 0 })
    }

    /// Whether a record of this type and length may come now.
    pub(super) fn admit(&mut self, record: Record, body_len: u64, limits: &Limits) -> Result<(), Problem> {
        let is_next = record > self.stage || record == self.stage && record.repeats();
        if !record.is_metadata() || !is_next {
            return Err(Problem::OutOfPlace { record });
        }
        let max = limits.archive_metadata_max;
        self.metadata_len = usize::try_from(body_len)
            .ok()
            .and_then(|len| self.metadata_len.checked_add(len))
            .filter(|len| *len <= max)
            .ok_or(Problem::TooMuchMetadata { max })?;
        self.stage = record;
        Ok(())
    }

    /// Takes a record of metadata that was admitted.
    pub(super) fn metadata(&mut self, record: Record, body: &[u8]) -> Result<(), Problem> {
        let node = &mut self.node;
        match record {
            Record::User => node.user = Some(text(record, body)?),
            Record::Group => node.group = Some(text(record, body)?),
            Record::Selinux => node.selinux = Some(text(record, body)?),
            Record::Xattr => node.xattrs.push(xattr(body)?),
            Record::Fcaps => node.fcaps = Some(body.to_vec()),
            Record::QuotaProjid => node.quota_projid = Some(id(word(body, 0))?),
            Record::AclUser => node.acl.users.push(acl_entry(record, body)?),
            Record::AclGroup => node.acl.groups.push(acl_entry(record, body)?),
            Record::AclGroupObj => node.acl.group_obj = Some(permission(word(body, 0))?),
            Record::AclDefault => node.default_acl = Some(default_acl(body)?),
            Record::AclDefaultUser | Record::AclDefaultGroup => {
                let missing = Problem::Missing { record: Record::AclDefault };
                let list = node.default_acl.as_mut().ok_or(missing)?;
                let is_user = record == Record::AclDefaultUser;
                let entries = if is_user { &mut list.users } else { &mut list.groups };
                entries.push(acl_entry(record, body)?);
            }
            _ => return Err(Problem::OutOfPlace { record }),
        }
        Ok(())
    }

    /// Whether this record is the content that the node's kind demands.
    pub(super) const fn wants(&self, record: Record) -> Result<(), Problem> {
        match (self.wanted(), record) {
            (Some(Record::Payload), Record::Payload)
            | (Some(Record::Symlink), Record::Symlink)
            | (Some(Record::Device), Record::Device) => Ok(()),
            (_, Record::Payload | Record::Symlink | Record::Device) => Err(Problem::WrongKind { record }),
            (Some(wanted), Record::Filename | Record::Goodbye) => Err(Problem::Missing { record: wanted }),
            (None, Record::Filename | Record::Goodbye) => Ok(()),
            _ => Err(Problem::OutOfPlace { record }),
        }
    }

    /// The record that must end this node.
    const fn wanted(&self) -> Option<Record> {
        match self.node.content {
            Content::File { .. } => Some(Record::Payload),
            Content::Symlink { .. } => Some(Record::Symlink),
            Content::CharDevice(_) | Content::BlockDevice(_) => Some(Record::Device),
            Content::Directory | Content::Fifo | Content::Socket => None,
        }
    }

    /// The node, once a record that it [wants](Self::wants) came: its length if it is a payload, else its body.
    pub(super) fn close(mut self, payload_len: u64, body: &[u8]) -> Result<Node, Problem> {
        match &mut self.node.content {
            Content::File { len } => *len = payload_len,
            Content::Symlink { target } => *target = text(Record::Symlink, body)?,
            Content::CharDevice(number) | Content::BlockDevice(number) => {
                let (major, minor) = (word(body, 0), word(body, 8));
                let narrow =
                    |number| u32::try_from(number).map_err(|_| Problem::DeviceNumber { major, minor });
                *number = DeviceNumber { major: narrow(major)?, minor: narrow(minor)? };
            }
            Content::Directory | Content::Fifo | Content::Socket => {}
        }
        Ok(self.node)
    }
}

/// The kind that a mode tells, with nothing in it yet.
const fn content_of(mode: u64) -> Option<Content> {
    const NUMBER: DeviceNumber = DeviceNumber { major: 0, minor: 0 };
    if mode & !0o177_777 != 0 {
        return None;
    }
    Some(match mode & 0o170_000 {
        0o010_000 => Content::Fifo,
        0o020_000 => Content::CharDevice(NUMBER),
        0o040_000 => Content::Directory,
        0o060_000 => Content::BlockDevice(NUMBER),
        0o100_000 => Content::File { len: 0 },
        0o120_000 => Content::Symlink { target: Vec::new() },
        0o140_000 => Content::Socket,
        _ => return None,
    })
}

fn id(id: u64) -> Result<u32, Problem> {
    u32::try_from(id).map_err(|_| Problem::Id { id })
}

fn permission(bits: u64) -> Result<u8, Problem> {
    u8::try_from(bits).map_err(|_| Problem::Permissions { bits })
}

/// Text with exactly one NUL, at its end, and something before it.
pub(super) fn text(record: Record, body: &[u8]) -> Result<Vec<u8>, Problem> {
    match body.split_last() {
        Some((0, text)) if !text.is_empty() && !text.contains(&0) => Ok(text.to_vec()),
        _ => Err(Problem::Text { record }),
    }
}

fn xattr(body: &[u8]) -> Result<Xattr, Problem> {
    let nul = body.iter().position(|byte| *byte == 0).ok_or(Problem::Text { record: Record::Xattr })?;
    Ok(Xattr { name: body[..nul].to_vec(), value: body[nul + 1..].to_vec() })
}

/// An id without a name has no NUL either.
fn acl_entry(record: Record, body: &[u8]) -> Result<AclEntry, Problem> {
    let name = &body[16..];
    let name = if name.is_empty() { None } else { Some(text(record, name)?) };
    Ok(AclEntry { id: id(word(body, 0))?, name, permissions: permission(word(body, 8))? })
}

fn default_acl(body: &[u8]) -> Result<DefaultAcl, Problem> {
    let mask = word(body, 24);
    Ok(DefaultAcl {
        user_obj: permission(word(body, 0))?,
        group_obj: permission(word(body, 8))?,
        other: permission(word(body, 16))?,
        mask: if mask == NO_MASK { None } else { Some(permission(mask)?) },
        users: Vec::new(),
        groups: Vec::new(),
    })
}

/// The bodies of a node's metadata records in their order, as `put` wants them.
pub(super) fn metadata_records(node: &Node, mut put: impl FnMut(Record, &[&[u8]])) {
    let named = |record, name: &Option<Vec<u8>>, put: &mut dyn FnMut(Record, &[&[u8]])| {
        if let Some(name) = name {
            put(record, &[name, &[0]]);
        }
    };
    named(Record::User, &node.user, &mut put);
    named(Record::Group, &node.group, &mut put);
    for xattr in &node.xattrs {
        put(Record::Xattr, &[&xattr.name, &[0], &xattr.value]);
    }
    acl_records(Record::AclUser, &node.acl.users, &mut put);
    acl_records(Record::AclGroup, &node.acl.groups, &mut put);
    if let Some(permissions) = node.acl.group_obj {
        put(Record::AclGroupObj, &[&u64::from(permissions).to_le_bytes()]);
    }
    if let Some(list) = &node.default_acl {
        let word = |permissions: u8| u64::from(permissions).to_le_bytes();
        let mask = list.mask.map_or(NO_MASK.to_le_bytes(), word);
        let fixed = [&word(list.user_obj)[..], &word(list.group_obj), &word(list.other), &mask];
        put(Record::AclDefault, &fixed);
        acl_records(Record::AclDefaultUser, &list.users, &mut put);
        acl_records(Record::AclDefaultGroup, &list.groups, &mut put);
    }
    named(Record::Selinux, &node.selinux, &mut put);
    if let Some(capabilities) = &node.fcaps {
        put(Record::Fcaps, &[capabilities]);
    }
    if let Some(project) = node.quota_projid {
        put(Record::QuotaProjid, &[&u64::from(project).to_le_bytes()]);
    }
}

fn acl_records(record: Record, entries: &[AclEntry], put: &mut dyn FnMut(Record, &[&[u8]])) {
    for entry in entries {
        let fixed = [u64::from(entry.id).to_le_bytes(), u64::from(entry.permissions).to_le_bytes()];
        match &entry.name {
            Some(name) => put(record, &[fixed.as_flattened(), name, &[0]]),
            None => put(record, &[fixed.as_flattened()]),
        }
    }
}
