//! The path of the present node within its tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A path that grows and shrinks with the walk through a tree. The root is `.`.
#[derive(Clone, Debug, Default)]
pub(crate) struct TreePath {
    bytes: Vec<u8>,
    /// Length before each open directory was entered.
    lens: Vec<usize>,
}

impl TreePath {
    /// Enters a directory; the root first, whose name is empty.
    pub(crate) fn enter(&mut self, name: &[u8]) {
        self.lens.push(self.bytes.len());
        self.append(name);
    }

    pub(crate) fn leave(&mut self) {
        if let Some(len) = self.lens.pop() {
            self.bytes.truncate(len);
        }
    }

    /// Path of the innermost open directory, relative to the root; empty for the root.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Path of a child of the innermost open directory, relative to the root; empty for the root.
    pub(crate) fn of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = self.clone();
        path.append(name);
        path.bytes
    }

    /// The same for people.
    pub(crate) fn shown(&self, name: &[u8]) -> PathBuf {
        shown(&self.of(name))
    }

    fn append(&mut self, name: &[u8]) {
        if !self.bytes.is_empty() && !name.is_empty() {
            self.bytes.push(b'/');
        }
        self.bytes.extend_from_slice(name);
    }
}

/// A path within a tree as it is shown: the root is `.`.
pub(crate) fn shown(bytes: &[u8]) -> PathBuf {
    Path::new(if bytes.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(bytes) }).to_owned()
}
