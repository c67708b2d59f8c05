//! Which nodes may stand in an archive: the rules that hold for reading and writing alike.
//!
//! Not here: the order of records and names, which only a reader or writer of the whole archive can tell.

use super::error::Problem;
use super::node::{
    ATTRIBUTES, AclEntry, Content, DeviceNumber, MODES, Node, SUBVOLUME, plain_permissions, time_unit,
};
use super::record::{NAME_LEN_MAX, Record, TARGET_LEN_MAX};
use crate::format::{FeatureFlags, Strictness};

/// The longest value of an extended attribute, and of file capabilities.
const VALUE_LEN_MAX: usize = 65536;

/// Largest number of a project; the reserved one is above it.
const ID_MAX: u32 = u32::MAX - 1;

/// Checks everything about a node that does not depend on its neighbours.
pub(super) fn node(node: &Node, features: FeatureFlags, strictness: Strictness) -> Result<(), Problem> {
    let feature = |wanted: FeatureFlags, what| {
        if features.contains(wanted) { Ok(()) } else { Err(Problem::NotFeatured(what)) }
    };
    feature(node.content.feature(), "this kind of node")?;
    permissions(node, features)?;
    attributes(node, features)?;
    time(node.mtime, features)?;
    id(node.uid, features)?;
    id(node.gid, features)?;
    for (record, name) in [(Record::User, &node.user), (Record::Group, &node.group)] {
        if let Some(name) = name {
            feature(FeatureFlags::USER_NAMES, "names of owners")?;
            owner_name(record, name, strictness)?;
        }
    }
    if !node.xattrs.is_empty() {
        feature(FeatureFlags::XATTRS, "extended attributes")?;
        xattrs(node, strictness)?;
    }
    acls(node, features, strictness)?;
    if let Some(label) = &node.selinux {
        feature(FeatureFlags::SELINUX, "labels")?;
        text(Record::Selinux, label, TARGET_LEN_MAX)?;
    }
    if let Some(capabilities) = &node.fcaps {
        feature(FeatureFlags::FCAPS, "capabilities")?;
        only_on(matches!(node.content, Content::File { .. }), Record::Fcaps)?;
        if capabilities.is_empty() || capabilities.len() > VALUE_LEN_MAX {
            return Err(Problem::Text { record: Record::Fcaps });
        }
    }
    if let Some(project) = node.quota_projid {
        feature(FeatureFlags::QUOTA_PROJID, "quota projects")?;
        only_on(has_attributes(&node.content), Record::QuotaProjid)?;
        if project == 0 || project > ID_MAX {
            return Err(Problem::Id { id: project.into() });
        }
    }
    content(&node.content)
}

/// Checks the name of a node that is not the root.
pub(super) fn name(name: &[u8]) -> Result<(), Problem> {
    let is_wrong = name.is_empty()
        || name.len() > NAME_LEN_MAX
        || name == b"."
        || name == b".."
        || name.iter().any(|byte| matches!(byte, 0 | b'/'));
    if is_wrong { Err(Problem::Name) } else { Ok(()) }
}

const fn only_on(is_right_kind: bool, record: Record) -> Result<(), Problem> {
    if is_right_kind { Ok(()) } else { Err(Problem::WrongKind { record }) }
}

const fn has_attributes(content: &Content) -> bool {
    matches!(content, Content::Directory | Content::File { .. })
}

fn permissions(node: &Node, features: FeatureFlags) -> Result<(), Problem> {
    let found = node.permissions;
    let is_right = match node.content {
        Content::Symlink { .. } => found == 0o777,
        _ if features.intersects(MODES) => found & !0o7777 == 0,
        _ => {
            let read_only = features.contains(FeatureFlags::READ_ONLY);
            found == plain_permissions(&node.content, true)
                || read_only && found == plain_permissions(&node.content, false)
        }
    };
    if is_right { Ok(()) } else { Err(Problem::Mode { mode: node.mode().into() }) }
}

fn attributes(node: &Node, features: FeatureFlags) -> Result<(), Problem> {
    let allowed = match node.content {
        Content::Directory => ATTRIBUTES,
        Content::File { .. } => ATTRIBUTES.difference(SUBVOLUME),
        _ => FeatureFlags::empty(),
    };
    if (allowed & features).contains(node.attributes) {
        return Ok(());
    }
    Err(Problem::NodeFlags { flags: node.attributes.bits() })
}

/// Times before 1970 wrap around, and there is no telling whether their writer rounded before or after that.
fn time(mtime: i64, features: FeatureFlags) -> Result<(), Problem> {
    let stored = mtime.cast_unsigned();
    let is_right = match time_unit(features) {
        None => mtime == 0,
        Some(unit) => {
            stored != u64::MAX && (mtime % unit == 0 || stored.is_multiple_of(unit.cast_unsigned()))
        }
    };
    if is_right { Ok(()) } else { Err(Problem::Time { mtime: stored }) }
}

fn id(id: u32, features: FeatureFlags) -> Result<(), Problem> {
    let is_right = if features.contains(FeatureFlags::UIDS_16BIT) {
        id < 0xffff
    } else if features.contains(FeatureFlags::UIDS_32BIT) {
        id <= ID_MAX && id != 0xffff
    } else {
        id == 0
    };
    if is_right { Ok(()) } else { Err(Problem::Id { id: id.into() }) }
}

/// Whether casync could read this name of a user or group.
///
/// Source: casync `util.c`, `uid_is_valid` and `name_is_valid`.
#[must_use]
pub fn is_plain_owner_name(name: &[u8]) -> bool {
    let (Some(first), true) = (name.first(), name.len() <= NAME_LEN_MAX) else { return false };
    (first.is_ascii_alphabetic() || *first == b'_')
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && name != b"root"
}

fn owner_name(record: Record, name: &[u8], strictness: Strictness) -> Result<(), Problem> {
    let is_right = match strictness {
        Strictness::Strict => is_plain_owner_name(name),
        Strictness::Lenient => {
            text(record, name, NAME_LEN_MAX)?;
            !name.iter().any(|byte| byte.is_ascii_control() || matches!(byte, b'/' | b':'))
        }
    };
    if is_right { Ok(()) } else { Err(Problem::Text { record }) }
}

fn text(record: Record, text: &[u8], len_max: usize) -> Result<(), Problem> {
    if text.is_empty() || text.len() > len_max || text.contains(&0) {
        return Err(Problem::Text { record });
    }
    Ok(())
}

fn xattrs(node: &Node, strictness: Strictness) -> Result<(), Problem> {
    let record = Record::Xattr;
    let is_link = matches!(node.content, Content::Symlink { .. });
    only_on(!is_link || strictness == Strictness::Lenient, record)?;
    for xattr in &node.xattrs {
        text(record, &xattr.name, NAME_LEN_MAX)?;
        let dot = xattr.name.iter().position(|byte| *byte == b'.');
        let is_right = dot.is_some_and(|dot| dot > 0 && dot + 1 < xattr.name.len());
        if !is_right || xattr.value.len() > VALUE_LEN_MAX {
            return Err(Problem::Text { record });
        }
    }
    if node.xattrs.is_sorted_by(|a, b| a.name < b.name) {
        Ok(())
    } else {
        Err(Problem::RecordOrder { record })
    }
}

fn acls(node: &Node, features: FeatureFlags, strictness: Strictness) -> Result<(), Problem> {
    let acl = &node.acl;
    let has_access = acl.group_obj.is_some() || !acl.users.is_empty() || !acl.groups.is_empty();
    if !has_access && node.default_acl.is_none() {
        return Ok(());
    }
    if !features.contains(FeatureFlags::ACL) {
        return Err(Problem::NotFeatured("access lists"));
    }
    only_on(!matches!(node.content, Content::Symlink { .. }), Record::AclGroupObj)?;
    if has_access && acl.group_obj.is_none() {
        return Err(Problem::Missing { record: Record::AclGroupObj });
    }
    let named = |record, entries: &[AclEntry]| acl_entries(record, entries, features, strictness);
    named(Record::AclUser, &acl.users)?;
    named(Record::AclGroup, &acl.groups)?;
    acl.group_obj.map_or(Ok(()), permission)?;
    let Some(default) = &node.default_acl else { return Ok(()) };
    only_on(node.content.is_directory(), Record::AclDefault)?;
    named(Record::AclDefaultUser, &default.users)?;
    named(Record::AclDefaultGroup, &default.groups)?;
    if default.mask.is_none() && !(default.users.is_empty() && default.groups.is_empty()) {
        return Err(Problem::Missing { record: Record::AclDefault });
    }
    let all = [default.user_obj, default.group_obj, default.other, default.mask.unwrap_or(0)];
    all.into_iter().try_for_each(permission)
}

fn acl_entries(
    record: Record,
    entries: &[AclEntry],
    features: FeatureFlags,
    strictness: Strictness,
) -> Result<(), Problem> {
    for entry in entries {
        id(entry.id, features)?;
        permission(entry.permissions)?;
        if let Some(name) = &entry.name {
            owner_name(record, name, strictness)?;
        }
    }
    if entries.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(Problem::RecordOrder { record }) }
}

fn permission(bits: u8) -> Result<(), Problem> {
    if bits <= 7 { Ok(()) } else { Err(Problem::Permissions { bits: bits.into() }) }
}

fn content(content: &Content) -> Result<(), Problem> {
    match content {
        Content::Symlink { target } => text(Record::Symlink, target, TARGET_LEN_MAX),
        Content::CharDevice(DeviceNumber { major, minor })
        | Content::BlockDevice(DeviceNumber { major, minor })
            if *major >= 1 << 12 || *minor >= 1 << 20 =>
        {
            Err(Problem::DeviceNumber { major: (*major).into(), minor: (*minor).into() })
        }
        _ => Ok(()),
    }
}
