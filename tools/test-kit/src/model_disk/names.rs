//! Names: what each means now, and everything it meant since it was last synced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::world::{Dice, NodeId};

/// All names of a disk but its root's.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<PathBuf, Meanings>);

/// What a name meant, oldest first: the first is durable, the last is now.
type Meanings = Vec<Option<NodeId>>;

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<NodeId> {
        self.0.get(path).and_then(|meanings| *meanings.last().expect("never empty"))
    }

    pub(super) fn set(&mut self, path: &Path, node: Option<NodeId>) {
        self.0.entry(path.to_owned()).or_insert_with(|| vec![None]).push(node);
    }

    /// The names there are now, with what they mean.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, NodeId)> {
        self.0.keys().filter_map(|path| Some((path.as_path(), self.get(path)?)))
    }

    /// Makes the names in a directory durable, or all names.
    pub(super) fn sync(&mut self, directory: Option<&Path>) {
        for (path, meanings) in &mut self.0 {
            if directory.is_none() || directory == path.parent() {
                meanings.drain(..meanings.len() - 1);
            }
        }
    }

    /// The names as they may be found after a power cut, durable. Those in a lost directory are lost.
    pub(super) fn after_power_cut(&self, dice: &mut Dice) -> Self {
        let mut found = BTreeMap::new();
        // Parents come before their children.
        for (path, meanings) in &self.0 {
            let meaning = meanings[dice.roll(meanings.len() as u64) as usize];
            let parent_is_there =
                path.parent().is_some_and(|parent| parent == Path::new("/") || found.contains_key(parent));
            if meaning.is_some() && parent_is_there {
                found.insert(path.clone(), vec![meaning]);
            }
        }
        Self(found)
    }
}
