//! Access lists: from the form the kernel keeps in extended attributes, and back.
//!
//! Source: Linux `include/uapi/linux/posix_acl_xattr.h`: version 2, then entries of tag, permissions and id, all
//! little-endian, sorted by tag and id.

use desync_core::format::catar::{Acl, AclEntry, DefaultAcl, Node, Xattr};

use crate::Owners;

/// Attribute of the access list.
pub(crate) const ACCESS: &[u8] = b"system.posix_acl_access";

/// Attribute of the list for new files in a directory.
pub(crate) const DEFAULT: &[u8] = b"system.posix_acl_default";

const VERSION: u32 = 2;
const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 16;
const OTHER: u16 = 32;

/// Id of entries that have none.
const NO_ID: u32 = u32::MAX;

/// A list as the kernel keeps it.
#[derive(Default)]
struct Parsed {
    user_obj: u8,
    group_obj: u8,
    other: u8,
    mask: Option<u8>,
    users: Vec<AclEntry>,
    groups: Vec<AclEntry>,
}

/// The access list, apart from what the mode says already; `None` if it is none.
pub(crate) fn access(value: &[u8], owners: &Owners) -> Option<Acl> {
    let list = parse(value, owners)?;
    // Without a mask the mode says it all.
    let group_obj = list.mask.map(|_| list.group_obj);
    Some(Acl { users: list.users, groups: list.groups, group_obj })
}

/// The default list.
pub(crate) fn default(value: &[u8], owners: &Owners) -> Option<DefaultAcl> {
    let list = parse(value, owners)?;
    Some(DefaultAcl {
        user_obj: list.user_obj,
        group_obj: list.group_obj,
        other: list.other,
        mask: list.mask,
        users: list.users,
        groups: list.groups,
    })
}

fn parse(value: &[u8], owners: &Owners) -> Option<Parsed> {
    let (version, entries) = value.split_first_chunk::<4>()?;
    let (entries, rest) = entries.as_chunks::<8>();
    if u32::from_le_bytes(*version) != VERSION || !rest.is_empty() {
        return None;
    }
    let mut list = Parsed::default();
    for &[tag0, tag1, permissions, _, id0, id1, id2, id3] in entries {
        let id = u32::from_le_bytes([id0, id1, id2, id3]);
        match u16::from_le_bytes([tag0, tag1]) {
            USER_OBJ => list.user_obj = permissions,
            GROUP_OBJ => list.group_obj = permissions,
            OTHER => list.other = permissions,
            MASK => list.mask = Some(permissions),
            USER => list.users.push(AclEntry { id, name: owners.user(id), permissions }),
            GROUP => list.groups.push(AclEntry { id, name: owners.group(id), permissions }),
            _ => return None,
        }
    }
    list.users.sort();
    list.groups.sort();
    Some(list)
}

/// The attribute of an access list on a file of these permissions; `None` if there is no list.
pub(crate) fn access_value(acl: &Acl, permissions: u32) -> Option<Vec<u8>> {
    let group_obj = acl.group_obj?;
    let of_mode = |shift: u32| (permissions >> shift & 7) as u8;
    Some(value(of_mode(6), group_obj, of_mode(0), Some(of_mode(3)), &acl.users, &acl.groups))
}

/// The attribute of a default list.
pub(crate) fn default_value(acl: &DefaultAcl) -> Vec<u8> {
    value(acl.user_obj, acl.group_obj, acl.other, acl.mask, &acl.users, &acl.groups)
}

/// The access lists of a node, as the extended attributes that the kernel has them in.
pub fn attributes(node: &Node) -> impl Iterator<Item = Xattr> + use<> {
    let own = access_value(&node.acl, node.permissions).map(|value| (ACCESS, value));
    let default = node.default_acl.as_ref().map(|list| (DEFAULT, default_value(list)));
    own.into_iter().chain(default).map(|(name, value)| Xattr { name: name.to_vec(), value })
}

fn value(
    user_obj: u8,
    group_obj: u8,
    other: u8,
    mask: Option<u8>,
    users: &[AclEntry],
    groups: &[AclEntry],
) -> Vec<u8> {
    let mut out = VERSION.to_le_bytes().to_vec();
    let mut put = |tag: u16, permissions: u8, id: u32| {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&u16::from(permissions).to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
    };
    put(USER_OBJ, user_obj, NO_ID);
    users.iter().for_each(|entry| put(USER, entry.permissions, entry.id));
    put(GROUP_OBJ, group_obj, NO_ID);
    groups.iter().for_each(|entry| put(GROUP, entry.permissions, entry.id));
    if let Some(mask) = mask {
        put(MASK, mask, NO_ID);
    }
    put(OTHER, other, NO_ID);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_survive_the_way_there_and_back() {
        let entry = |id, permissions| AclEntry { id, name: None, permissions };
        let acl =
            Acl { users: vec![entry(5, 7), entry(9, 0)], groups: vec![entry(1, 4)], group_obj: Some(5) };
        let kept = access_value(&acl, 0o751).unwrap();
        assert_eq!(access(&kept, &Owners::default()), Some(acl));
        let list = DefaultAcl {
            user_obj: 7,
            group_obj: 5,
            mask: Some(7),
            users: vec![entry(1, 2)],
            ..DefaultAcl::default()
        };
        assert_eq!(default(&default_value(&list), &Owners::default()), Some(list));
        assert_eq!(access_value(&Acl::default(), 0o777), None);
    }

    #[test]
    fn what_is_no_list_is_told() {
        for value in [&b""[..], b"\x01\0\0\0", b"\x02\0\0\0\x01", b"\x02\0\0\0\x03\0\0\0\0\0\0\0"] {
            assert_eq!(access(value, &Owners::default()), None);
        }
    }
}
