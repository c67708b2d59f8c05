//! Names of users and groups, as `/etc/passwd` and `/etc/group` give them.
//!
//! Read from the files and not through the system's name service: that would load libraries into a static
//! program, and an archive should not depend on who answers on the network today.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use desync_core::format::catar::is_plain_owner_name;

/// The users and groups of a machine.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    users: HashMap<u32, Vec<u8>>,
    groups: HashMap<u32, Vec<u8>>,
}

impl Owners {
    /// Those of this machine. A file that is not there or not readable names nobody.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let read = |path: &str| fs::read(Path::new(path)).map(|text| parse(&text)).unwrap_or_default();
        Self { users: read("/etc/passwd"), groups: read("/etc/group") }
    }

    /// The name of a user, if an archive can hold it; root has none.
    pub(crate) fn user(&self, id: u32) -> Option<Vec<u8>> {
        self.users.get(&id).filter(|name| is_plain_owner_name(name)).cloned()
    }

    /// The name of a group, if an archive can hold it; root has none.
    pub(crate) fn group(&self, id: u32) -> Option<Vec<u8>> {
        self.groups.get(&id).filter(|name| is_plain_owner_name(name)).cloned()
    }

    /// The id of a user.
    pub(crate) fn user_id(&self, name: &[u8]) -> Option<u32> {
        self.users.iter().find(|(_, found)| *found == name).map(|(id, _)| *id)
    }

    /// The id of a group.
    pub(crate) fn group_id(&self, name: &[u8]) -> Option<u32> {
        self.groups.iter().find(|(_, found)| *found == name).map(|(id, _)| *id)
    }
}

/// Lines `name:password:id:…`; the first line of an id counts.
fn parse(text: &[u8]) -> HashMap<u32, Vec<u8>> {
    let mut names = HashMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), _, Some(id)) = (fields.next(), fields.next(), fields.next()) else { continue };
        if let Some(id) = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()) {
            names.entry(id).or_insert_with(|| name.to_vec());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_an_id_counts() {
        let owners = Owners {
            users: parse(b"root:x:0:0::/:/bin/sh\n_apt:x:42:65534::/:\nsecond:x:42:1\nbroken\nx:y:z\n"),
            groups: parse(b"root:x:0:\na.dot:x:7:\n"),
        };
        assert_eq!(owners.user(42).as_deref(), Some(&b"_apt"[..]));
        assert_eq!((owners.user(0), owners.group(7)), (None, None));
        assert_eq!((owners.user_id(b"_apt"), owners.group_id(b"a.dot")), (Some(42), Some(7)));
    }
}
