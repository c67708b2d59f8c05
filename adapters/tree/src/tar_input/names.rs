//! The names of a tar stream as a tree: parents found, repeats replaced, hard links resolved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use desync_core::format::catar::{Content, Node};
use tar_core::EntryType;

use super::entry::Entry;
use super::{Item, TarOptions};
use crate::notices::COPIED_LINK;
use crate::path::shown;
use crate::{Error, Notices};

/// The tree so far. Entries stand by their path; the empty path is the root.
pub(super) struct Names<'a> {
    stream: PathBuf,
    options: TarOptions,
    notices: &'a dyn Notices,
    entries: BTreeMap<Vec<u8>, Item>,
    /// The first path of the stream.
    first: Option<Vec<u8>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(stream: &Path, options: TarOptions, notices: &'a dyn Notices) -> Self {
        Self { stream: stream.to_owned(), options, notices, entries: BTreeMap::new(), first: None }
    }

    /// Takes the next entry. A path that came before is replaced, as extracting the stream would.
    pub(super) fn add(&mut self, entry: Box<Entry>) -> Result<(), Error> {
        let Some(path) = normal(&entry.path) else {
            return Err(self.refused(&entry.path, "a name that leads out of its directory"));
        };
        let Entry { kind, mut node, link_target, bytes, lost, .. } = *entry;
        lost.iter().for_each(|what| self.notices.lost(&shown(&path), what));
        self.first.get_or_insert_with(|| path.clone());
        let mut bytes = bytes.filter(|_| matches!(node.content, Content::File { .. }));
        if kind == EntryType::Link {
            let target = link_target.unwrap_or_default();
            let found = normal(&target).and_then(|target| self.entries.get(&target));
            let Some(Item { node: linked, bytes: linked_bytes, .. }) = found else {
                let target = String::from_utf8_lossy(&target);
                return Err(
                    self.refused(&path, &format!("a hard link to {target}, which does not come before it"))
                );
            };
            if linked.content.is_directory() {
                return Err(self.refused(&path, "a hard link to a directory"));
            }
            (node, bytes) = (linked.clone(), linked_bytes.clone());
            if !self.options.copy_hard_links {
                self.notices.lost(&shown(&path), COPIED_LINK);
            }
        }
        let is_directory = node.content.is_directory();
        if let Some(before) = self.entries.get(&path)
            && before.node.content.is_directory() != is_directory
        {
            return Err(self.refused(&path, "comes twice, once as a directory and once not"));
        }
        node.name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
        self.entries.insert(path, Item { node, bytes, children: BTreeMap::new() });
        Ok(())
    }

    /// The items, the root first, each with the places of its children.
    pub(super) fn into_items(mut self) -> Result<Vec<Item>, Error> {
        let strip = self.root()?;
        let mut places: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut items: Vec<Item> = Vec::with_capacity(self.entries.len());
        // A parent sorts before what is in it.
        for (path, item) in std::mem::take(&mut self.entries) {
            let Some(below) = below(&path, &strip) else {
                return Err(self
                    .refused(&path, "outside of the first entry: --tar-add-root makes one root of several"));
            };
            let place = items.len();
            if !below.is_empty() {
                let parent = below.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |at| &below[..at]);
                match places.get(parent) {
                    Some(parent) if items[*parent].node.content.is_directory() => {
                        items[*parent].children.insert(item.node.name.clone(), place);
                    }
                    Some(_) => return Err(self.refused(&path, "lies below something that is no directory")),
                    None => return Err(self.refused(&path, "its directory is not in the stream")),
                }
            }
            places.insert(below.to_vec(), place);
            items.push(item);
        }
        if let Some(root) = items.first_mut() {
            root.node.name.clear();
        }
        Ok(items)
    }

    /// What is left of every path when the root is taken off: nothing if the root has no name.
    fn root(&mut self) -> Result<Vec<u8>, Error> {
        if self.entries.contains_key(&b""[..]) {
            return Ok(Vec::new());
        }
        if self.options.add_root {
            let node = Node { permissions: 0o755, ..Node::new(Vec::new(), Content::Directory) };
            self.entries.insert(Vec::new(), Item { node, bytes: None, children: BTreeMap::new() });
            return Ok(Vec::new());
        }
        let first = self.first.take().unwrap_or_default();
        match self.entries.get(&first) {
            Some(item) if item.node.content.is_directory() => Ok(first),
            Some(_) => {
                Err(self.refused(&first, "comes first and is no directory: --tar-add-root makes a root"))
            }
            None => {
                Err(Error::Input { path: self.stream.clone(), reason: "a tar stream without entries".into() })
            }
        }
    }

    fn refused(&self, path: &[u8], reason: &str) -> Error {
        Error::Input { path: self.stream.clone(), reason: format!("{}: {reason}", shown(path).display()) }
    }
}

/// A path without a leading slash, empty parts and `.`; `None` if it has `..`.
fn normal(path: &[u8]) -> Option<Vec<u8>> {
    let mut normal = Vec::with_capacity(path.len());
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return None,
            _ => {
                if !normal.is_empty() {
                    normal.push(b'/');
                }
                normal.extend_from_slice(part);
            }
        }
    }
    Some(normal)
}

/// The part of a path below a root: empty for the root itself, `None` for what lies elsewhere.
fn below<'p>(path: &'p [u8], root: &[u8]) -> Option<&'p [u8]> {
    match path.strip_prefix(root)? {
        [] => Some(&[]),
        rest if root.is_empty() => Some(rest),
        [b'/', rest @ ..] => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_normal_or_nothing() {
        assert_eq!(normal(b"./a//b/./c/").as_deref(), Some(&b"a/b/c"[..]));
        assert_eq!(normal(b"/etc").as_deref(), Some(&b"etc"[..]));
        assert_eq!(normal(b"./").as_deref(), Some(&b""[..]));
        assert_eq!(normal(b"a/../b"), None);
    }

    #[test]
    fn roots_are_taken_off_whole() {
        assert_eq!(below(b"a/b", b"a"), Some(&b"b"[..]));
        assert_eq!(below(b"a", b"a"), Some(&b""[..]));
        assert_eq!(below(b"ab", b"a"), None);
        assert_eq!(below(b"ab/c", b""), Some(&b"ab/c"[..]));
    }
}
