//! One entry of a tar stream as values of ours.

use std::collections::BTreeMap;
use std::str;

use desync_core::format::catar::{
    Acl, AclEntry, Content, DefaultAcl, DeviceNumber, Node, Xattr, is_plain_owner_name,
};
use tar_core::parse::ParsedEntry;
use tar_core::{EntryType, PaxError, PaxExtensions};

use super::Bytes;
use crate::{Owners, acl};

const CAPABILITY: &[u8] = b"security.capability";
const SELINUX: &[u8] = b"security.selinux";

/// An entry.
pub(super) struct Entry {
    /// Its path as it stands in the stream.
    pub(super) path: Vec<u8>,
    pub(super) kind: EntryType,
    /// The node, without a name.
    pub(super) node: Node,
    /// Where a hard link leads to.
    pub(super) link_target: Option<Vec<u8>>,
    /// Bytes that follow in the stream.
    pub(super) stored_len: u64,
    /// Where they were put.
    pub(super) bytes: Option<Bytes>,
    /// What of it an archive does not hold.
    pub(super) lost: Vec<String>,
}

/// What a global header says of all entries that say nothing themselves.
#[derive(Default)]
pub(super) struct Globals(BTreeMap<Vec<u8>, Vec<u8>>);

impl Globals {
    /// Takes a global header. An empty value takes an earlier one back.
    pub(super) fn merge(&mut self, records: PaxExtensions<'_>) -> Result<(), PaxError> {
        for record in records {
            let record = record?;
            self.0.insert(record.key_bytes().to_vec(), record.value_bytes().to_vec());
        }
        self.0.retain(|_, value| !value.is_empty());
        Ok(())
    }
}

/// Records of a PAX header, local before global.
struct Records<'a> {
    local: BTreeMap<&'a [u8], &'a [u8]>,
    globals: &'a Globals,
}

impl<'a> Records<'a> {
    fn new(entry: &ParsedEntry<'a>, globals: &'a Globals) -> Result<Self, String> {
        let mut local = BTreeMap::new();
        for record in PaxExtensions::new(entry.pax.unwrap_or_default()) {
            let record = record.map_err(|error| error.to_string())?;
            local.insert(record.key_bytes(), record.value_bytes());
        }
        Ok(Self { local, globals })
    }

    fn get(&self, key: &str) -> Option<&'a [u8]> {
        let global = || self.globals.0.get(key.as_bytes()).map(Vec::as_slice);
        self.local.get(key.as_bytes()).copied().or_else(global)
    }

    /// A number, which must be one if it is there.
    fn number(&self, key: &str) -> Result<Option<u64>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| format!("PAX {key} is no number"))
    }
}

/// Translates an entry; a sparse one with its map and its whole length.
pub(super) fn entry(
    parsed: &ParsedEntry<'_>,
    sparse: Option<(&[(u64, u64)], u64)>,
    globals: &Globals,
    owners: &Owners,
) -> Result<Entry, String> {
    let path = parsed.path.to_vec();
    let named = |problem: String| format!("{}: {problem}", String::from_utf8_lossy(&path));
    let records = Records::new(parsed, globals).map_err(named)?;
    let size = records.number("size").map_err(named)?.unwrap_or(parsed.size);
    if sparse.is_none() && size != parsed.size {
        return Err(named(format!("PAX says {size} bytes, the header {}", parsed.size)));
    }
    let len = match sparse {
        Some((map, whole)) => check_map(map, whole, parsed.size).map(|()| whole).map_err(named)?,
        None => parsed.size,
    };
    // Streams of version 7 have no type for directories.
    let is_old_directory = parsed.entry_type == EntryType::Regular && path.ends_with(b"/");
    let kind = match parsed.entry_type {
        EntryType::Regular if is_old_directory => EntryType::Directory,
        EntryType::Continuous | EntryType::GnuSparse => EntryType::Regular,
        kind => kind,
    };
    let content = content(kind, parsed, len).map_err(named)?;
    let mut node = Node::new(Vec::new(), content);
    node.permissions = parsed.mode & 0o7777;
    node.uid = id(records.number("uid").map_err(named)?.unwrap_or(parsed.uid)).map_err(named)?;
    node.gid = id(records.number("gid").map_err(named)?.unwrap_or(parsed.gid)).map_err(named)?;
    node.mtime = time(records.get("mtime"), parsed.mtime).map_err(named)?;
    let name = |key, header: &Option<std::borrow::Cow<'_, [u8]>>, id: u32| {
        let name = records.get(key).or(header.as_deref());
        name.filter(|name| id != 0 && is_plain_owner_name(name)).map(<[u8]>::to_vec)
    };
    node.user = name("uname", &parsed.uname, node.uid);
    node.group = name("gname", &parsed.gname, node.gid);
    let lost = extended(&mut node, parsed, &records, owners).map_err(named)?;
    let link_target = parsed.link_target.as_ref().map(|target| target.to_vec());
    Ok(Entry { path, kind, node, link_target, stored_len: parsed.size, bytes: None, lost })
}

/// Ranges must ascend within the file and be as long together as what is stored.
fn check_map(map: &[(u64, u64)], whole: u64, stored: u64) -> Result<(), String> {
    let mut end = 0;
    let mut sum = 0_u64;
    for &(at, count) in map {
        let next = at.checked_add(count).filter(|next| at >= end && *next <= whole);
        end = next.ok_or("ranges of a sparse file overlap or lie beyond its end")?;
        sum += count;
    }
    if sum == stored { Ok(()) } else { Err(format!("a sparse file of {sum} bytes has {stored} stored")) }
}

fn content(kind: EntryType, parsed: &ParsedEntry<'_>, len: u64) -> Result<Content, String> {
    let number = || {
        let missing = || "a device without numbers".to_owned();
        Ok::<_, String>(DeviceNumber {
            major: parsed.dev_major.ok_or_else(missing)?,
            minor: parsed.dev_minor.ok_or_else(missing)?,
        })
    };
    Ok(match kind {
        EntryType::Directory => Content::Directory,
        EntryType::Symlink => {
            let target = parsed.link_target.as_ref().ok_or("a link without a target")?;
            Content::Symlink { target: target.to_vec() }
        }
        EntryType::Char => Content::CharDevice(number()?),
        EntryType::Block => Content::BlockDevice(number()?),
        EntryType::Fifo => Content::Fifo,
        // The content of a hard link is that of its target.
        _ => Content::File { len },
    })
}

fn id(id: u64) -> Result<u32, String> {
    u32::try_from(id)
        .ok()
        .filter(|id| *id != u32::MAX && *id != 0xffff)
        .ok_or_else(|| format!("id {id} cannot be stored"))
}

/// Seconds, with a fraction and a sign in PAX, as nanoseconds.
fn time(text: Option<&[u8]>, header: u64) -> Result<i64, String> {
    let seconds = |seconds: i64| seconds.checked_mul(1_000_000_000);
    let nanoseconds = match text {
        // GNU's headers hold times before 1970 as a negative number of 64 bits.
        None => seconds(header.cast_signed()),
        Some(text) => str::from_utf8(text).ok().and_then(decimal),
    };
    nanoseconds.filter(|time| *time != -1).ok_or_else(|| "a time that cannot be stored".to_owned())
}

/// A decimal number of seconds in nanoseconds, digits beyond them cut off.
fn decimal(text: &str) -> Option<i64> {
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let value = whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(digits.parse().ok()?)?;
    Some(if is_negative { -value } else { value })
}

/// Sets what is beyond the header; gives back what cannot be stored.
fn extended(
    node: &mut Node,
    parsed: &ParsedEntry<'_>,
    records: &Records<'_>,
    owners: &Owners,
) -> Result<Vec<String>, String> {
    let mut lost = Vec::new();
    let is_file = matches!(node.content, Content::File { .. });
    let is_link = matches!(node.content, Content::Symlink { .. });
    for (name, value) in &parsed.xattrs {
        match &name[..] {
            SELINUX => node.selinux = Some(value.strip_suffix(&[0]).unwrap_or(value).to_vec()),
            CAPABILITY if is_file => node.fcaps = Some(value.to_vec()),
            _ if is_link => {
                lost.push(format!("extended attribute {} of a symlink", String::from_utf8_lossy(name)));
            }
            acl::ACCESS => match acl::access(value, owners) {
                Some(acl) => node.acl = acl,
                None => lost.push("an access list that cannot be understood".to_owned()),
            },
            acl::DEFAULT => match acl::default(value, owners) {
                Some(acl) => node.default_acl = Some(acl),
                None => lost.push("a default access list that cannot be understood".to_owned()),
            },
            _ => node.xattrs.push(Xattr { name: name.to_vec(), value: value.to_vec() }),
        }
    }
    node.xattrs.sort();
    node.xattrs.dedup_by(|a, b| a.name == b.name);
    if let Some(label) = records.get("RHT.security.selinux") {
        node.selinux = Some(label.strip_suffix(&[0]).unwrap_or(label).to_vec());
    }
    if let Some(flags) = records.get("SCHILY.fflags") {
        lost.push(format!("attributes, which are not read from tar: {}", String::from_utf8_lossy(flags)));
    }
    if let Some(text) = records.get("SCHILY.acl.access").filter(|_| !is_link) {
        let list = list(text, owners)?;
        if let Some(mask) = list.mask {
            node.acl = Acl { users: list.users, groups: list.groups, group_obj: Some(list.group_obj) };
            // The group's bits of the mode are the mask.
            node.permissions = node.permissions & !0o070 | u32::from(mask) << 3;
        }
    }
    if let Some(text) = records.get("SCHILY.acl.default").filter(|_| node.content.is_directory()) {
        node.default_acl = Some(list(text, owners)?);
    }
    Ok(lost)
}

/// An access list in words: `user:NAME:rwx[:ID]` and so on, between commas or newlines.
fn list(text: &[u8], owners: &Owners) -> Result<DefaultAcl, String> {
    let wrong = || "an access list that cannot be understood".to_owned();
    let text = str::from_utf8(text).map_err(|_| wrong())?;
    let mut list = DefaultAcl::default();
    for line in text.split([',', '\n']).map(|line| line.split('#').next().unwrap_or("").trim()) {
        if line.is_empty() {
            continue;
        }
        let fields: Vec<_> = line.split(':').map(str::trim).collect();
        let [kind, who, letters, rest @ ..] = &fields[..] else { return Err(wrong()) };
        let permissions = permissions(letters).ok_or_else(wrong)?;
        match (*kind, who.is_empty()) {
            ("user" | "u", true) => list.user_obj = permissions,
            ("group" | "g", true) => list.group_obj = permissions,
            ("mask" | "m", true) => list.mask = Some(permissions),
            ("other" | "o", true) => list.other = permissions,
            ("user" | "u", false) => {
                list.users.push(named(who, rest, permissions, &|name| owners.user_id(name))?)
            }
            ("group" | "g", false) => {
                list.groups.push(named(who, rest, permissions, &|name| owners.group_id(name))?)
            }
            _ => return Err(wrong()),
        }
    }
    list.users.sort();
    list.groups.sort();
    Ok(list)
}

/// A named entry: its id stands behind the permissions, or in place of the name, or is what this machine says.
fn named(
    who: &str,
    rest: &[&str],
    permissions: u8,
    id_of: &dyn Fn(&[u8]) -> Option<u32>,
) -> Result<AclEntry, String> {
    let stated = rest.first().and_then(|id| id.parse().ok()).or_else(|| who.parse().ok());
    let id = stated.or_else(|| id_of(who.as_bytes()));
    let id = id.ok_or_else(|| format!("an access list for {who}, whom nobody here knows"))?;
    let name = Some(who.as_bytes().to_vec()).filter(|name| is_plain_owner_name(name));
    Ok(AclEntry { id, name, permissions })
}

fn permissions(letters: &str) -> Option<u8> {
    letters.chars().try_fold(0, |bits, letter| match letter {
        'r' => Some(bits | 4),
        'w' => Some(bits | 2),
        'x' => Some(bits | 1),
        '-' => Some(bits),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact() {
        assert_eq!(decimal("1.5"), Some(1_500_000_000));
        assert_eq!(decimal("-1.5"), Some(-1_500_000_000));
        assert_eq!(decimal("7"), Some(7_000_000_000));
        assert_eq!(decimal("1.1234567899"), Some(1_123_456_789));
        for wrong in ["", "-", "1.x", "x", "1e9", "99999999999999"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn access_lists_are_read() {
        let found = list(
            b"user::rwx\nuser:5:r--\nuser:lp:rw-:7,group::r-x\nmask::rwx\nother::---\n",
            &Owners::default(),
        )
        .unwrap();
        let ids: Vec<_> = found.users.iter().map(|user| (user.id, user.permissions)).collect();
        assert_eq!((ids, found.user_obj, found.mask), (vec![(5, 4), (7, 6)], 7, Some(7)));
        assert!(list(b"user:nobody-knows:rwx", &Owners::default()).is_err());
    }

    #[test]
    fn maps_of_sparse_files_are_checked() {
        assert!(check_map(&[(0, 5), (10, 5)], 20, 10).is_ok());
        for (map, whole, stored) in [
            (vec![(5, 5), (0, 5)], 20, 10),
            (vec![(0, 21)], 20, 21),
            (vec![(u64::MAX, 2)], 20, 2),
            (vec![], 5, 1),
        ] {
            assert!(check_map(&map, whole, stored).is_err(), "{map:?}");
        }
    }
}
