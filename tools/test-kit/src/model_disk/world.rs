//! The state of a model disk and the operations on it. Each that changes something passes [`World::step`],
//! which counts it and decides its fate.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use desync_files::{FileKind, Metadata};

use super::names::Names;
use super::node::Content;

pub(super) use super::node::Change;

/// What becomes of the operation at which the power is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It had no effect.
    Undone,
    /// It was done in part, if it is of a kind that can be; else it had no effect.
    Half,
    /// It was done, but nobody heard of it.
    Done,
}

/// A file or directory, by its position in [`World::nodes`].
pub(super) type NodeId = usize;

#[derive(Clone, Debug)]
struct Node {
    kind: FileKind,
    mode: u32,
    modified: SystemTime,
    content: Content,
}

pub(super) struct World {
    nodes: Vec<Node>,
    names: Names,
    clock: SystemTime,
    space: u64,
    operations: u64,
    cut: Option<(u64, Cut)>,
    fail: BTreeSet<u64>,
    is_off: bool,
}

/// What an operation is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Do,
    /// Do half of it, then fail for the power is gone.
    Half,
    /// Do it, then fail.
    DoUnheard,
    /// Do nothing and fail.
    Undone,
    /// Do nothing and report an I/O error.
    Fail,
}

impl Default for World {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            names: Names::default(),
            clock: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            space: u64::MAX,
            operations: 0,
            cut: None,
            fail: BTreeSet::new(),
            is_off: false,
        }
    }
}

impl World {
    pub(super) const fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) const fn cut_power_at(&mut self, number: u64, cut: Cut) {
        self.cut = Some((number, cut));
    }

    pub(super) fn fail_at(&mut self, number: u64) {
        self.fail.insert(number);
    }

    pub(super) const fn limit_space(&mut self, bytes: u64) {
        self.space = bytes;
    }

    pub(super) fn advance_clock(&mut self, by: Duration) {
        self.clock += by;
    }

    pub(super) fn after_power_cut(&self, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut nodes = self.nodes.clone();
        nodes.iter_mut().for_each(|node| node.content = node.content.after_power_cut(&mut dice));
        let names = self.names.after_power_cut(&mut dice);
        Self { nodes, names, clock: self.clock, ..Self::default() }
    }

    pub(super) fn after_kill(&self) -> Self {
        let (nodes, names) = (self.nodes.clone(), self.names.clone());
        Self { nodes, names, clock: self.clock, space: self.space, ..Self::default() }
    }

    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = self.names.iter().filter(|(_, node)| self.nodes[*node].kind == FileKind::File);
        files.map(|(path, node)| (path.to_owned(), self.nodes[node].content.now.clone())).collect()
    }

    /// Counts an operation that changes something and says what becomes of it.
    fn step(&mut self) -> io::Result<Fate> {
        self.check_power()?;
        let number = self.operations;
        self.operations += 1;
        match self.cut {
            Some((cut_at, cut)) if cut_at == number => {
                self.is_off = true;
                Ok(match cut {
                    Cut::Undone => Fate::Undone,
                    Cut::Half => Fate::Half,
                    Cut::Done => Fate::DoUnheard,
                })
            }
            _ if self.fail.remove(&number) => Ok(Fate::Fail),
            _ => Ok(Fate::Do),
        }
    }

    /// An operation that is done whole or not at all.
    fn atomic(&mut self, operation: impl FnOnce(&mut Self)) -> io::Result<()> {
        let fate = self.step()?;
        if matches!(fate, Fate::Do | Fate::DoUnheard) {
            operation(self);
        }
        fate.result()
    }

    fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(no_power()) } else { Ok(()) }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Option<(NodeId, FileKind)>> {
        self.check_power()?;
        if path == Path::new("/") {
            return Ok(Some((NodeId::MAX, FileKind::Directory)));
        }
        Ok(self.names.get(path).map(|node| (node, self.nodes[node].kind)))
    }

    pub(super) fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        let Some((id, kind)) = self.find(path)? else { return Ok(None) };
        let (len, modified, mode) = match self.nodes.get(id) {
            Some(node) => (node.content.now.len() as u64, node.modified, node.mode),
            None => (0, self.clock, 0o755),
        };
        Ok(Some(Metadata { kind, len, modified, mode, owner: None }))
    }

    pub(super) fn read_dir(&self, path: &Path) -> io::Result<Vec<(PathBuf, FileKind)>> {
        self.expect_directory(path)?;
        let children = self.names.iter().filter(|(child, _)| child.parent() == Some(path));
        let children = children.map(|(child, id)| (child.to_owned(), self.nodes[id].kind));
        Ok(children.collect())
    }

    pub(super) fn read<T>(&self, node: NodeId, read: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        self.check_power()?;
        let node = self.nodes.get(node).ok_or(io::ErrorKind::IsADirectory)?;
        Ok(read(&node.content.now))
    }

    pub(super) fn create(&mut self, path: &Path, kind: FileKind, mode: u32) -> io::Result<NodeId> {
        self.expect_directory(parent_of(path)?)?;
        if self.find(path)?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = self.nodes.len();
        self.atomic(|world| {
            world.nodes.push(Node { kind, mode, modified: world.clock, content: Content::default() });
            world.names.set(path, Some(id));
        })?;
        Ok(id)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (node, kind) = self.find(from)?.ok_or(io::ErrorKind::NotFound)?;
        self.expect_directory(parent_of(to)?)?;
        if self.find(to)?.is_some_and(|(_, replaced)| replaced != kind || kind == FileKind::Directory) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.atomic(|world| {
            world.names.set(from, None);
            world.names.set(to, Some(node));
        })
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        match self.find(path)?.ok_or(io::ErrorKind::NotFound)? {
            (_, FileKind::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            _ => self.atomic(|world| world.names.set(path, None)),
        }
    }

    pub(super) fn touch(&mut self, path: &Path) -> io::Result<()> {
        let (id, _) = self.find(path)?.ok_or(io::ErrorKind::NotFound)?;
        self.atomic(|world| world.nodes[id].modified = world.clock)
    }

    pub(super) fn set_mode(&mut self, node: NodeId, mode: u32) -> io::Result<()> {
        self.atomic(|world| world.nodes[node].mode = mode)
    }

    pub(super) fn change(&mut self, id: NodeId, change: Change) -> io::Result<()> {
        let len = self.read(id, |bytes| bytes.len() as u64)?;
        let fate = self.step()?;
        let used: u64 = self.names.iter().map(|(_, node)| self.nodes[node].content.now.len() as u64).sum();
        if used.saturating_sub(len) + change.len_after(len) > self.space {
            return fate.result().and(Err(io::ErrorKind::StorageFull.into()));
        }
        let node = &mut self.nodes[id];
        match fate {
            Fate::Do | Fate::DoUnheard => node.content.change(change),
            Fate::Half => node.content.change(change.half()),
            Fate::Undone | Fate::Fail => {}
        }
        node.modified = self.clock;
        fate.result()
    }

    pub(super) fn sync(&mut self, node: NodeId) -> io::Result<()> {
        let fate = self.step()?;
        if let Some(node) = self.nodes.get_mut(node) {
            fate.sync(&mut node.content);
        }
        fate.result()
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.expect_directory(path)?;
        self.atomic(|world| world.names.sync(Some(path)))
    }

    pub(super) fn sync_fs(&mut self) -> io::Result<()> {
        let fate = self.step()?;
        let half = self.nodes.len() / 2;
        let synced = if fate == Fate::Half { half } else { self.nodes.len() };
        let (done, half_done) = self.nodes.split_at_mut(synced);
        let done_fate = if fate == Fate::Half { Fate::Do } else { fate };
        done.iter_mut().for_each(|node| done_fate.sync(&mut node.content));
        half_done.iter_mut().for_each(|node| fate.sync(&mut node.content));
        if matches!(fate, Fate::Do | Fate::DoUnheard) {
            self.names.sync(None);
        }
        fate.result()
    }

    fn expect_directory(&self, path: &Path) -> io::Result<()> {
        match self.find(path)? {
            Some((_, FileKind::Directory)) => Ok(()),
            Some(_) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Fate {
    /// What the caller hears.
    fn result(self) -> io::Result<()> {
        match self {
            Self::Do => Ok(()),
            Self::Fail => Err(io::Error::other("injected I/O error")),
            Self::Half | Self::DoUnheard | Self::Undone => Err(no_power()),
        }
    }

    fn sync(self, content: &mut Content) {
        match self {
            Self::Do | Self::DoUnheard => content.sync(),
            Self::Half => content.sync_half(),
            Self::Fail => content.sync_failed(),
            Self::Undone => {}
        }
    }
}

fn no_power() -> io::Error {
    io::Error::other("the power is off")
}

fn parent_of(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Random numbers that repeat: SplitMix64.
pub(super) struct Dice(u64);

impl Dice {
    /// A number below `sides`, which is at least 1.
    pub(super) const fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}
