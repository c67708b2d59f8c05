//! Looking names up in an archive that can be read at any offset, by its tables of names.
//!
//! Nothing of the archive is believed: a table leads only into its own directory, nodes get strictly smaller on
//! the way down, so that no table can lead in circles, and each name and node is checked where it is found.
//! Nothing is kept between calls but the archive's length and flags.

use alloc::vec::Vec;
use core::ops::Range;

use super::check;
use super::decoder::node_at;
use super::error::{CatarError, Problem};
use super::goodbye::{Item, goodbye_len, name_hash};
use super::node::{Content, Node};
use super::record::{ENTRY_LEN, GOODBYE_MARKER, HEAD_LEN, ITEM_LEN, NAME_LEN_MAX, Record, word};
use crate::block_io::BlockRead;
use crate::format::{FeatureFlags, Strictness};
use crate::limits::Limits;

/// Bytes read at first for a node: more than most have.
const NODE_GUESS: usize = 512;

/// Bytes of a table read at a time when all of it is wanted.
const TABLE_PIECE_ITEMS: u64 = 1024;

/// Names with the hash that is sought which are looked at before the table counts as hostile.
const COLLISIONS_MAX: usize = 64;

/// Shortest FILENAME record with the shortest node behind it.
const CHILD_LEN_MIN: u64 = HEAD_LEN as u64 + 2 + ENTRY_LEN;

/// Why an archive could not be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError<E> {
    /// Reading failed.
    #[error(transparent)]
    Read(E),
    /// It is not as an archive should be.
    #[error(transparent)]
    Format(#[from] CatarError),
}

/// Where a node lies in the archive; stays valid as long as the archive does not change, so it identifies the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Where its ENTRY starts.
    pub entry: u64,
    /// Where the next record that is not part of it starts.
    pub end: u64,
}

/// A node that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What is recorded of it. Its name is empty: who asked knows it.
    pub node: Node,
    /// Where its content lies: the bytes of a file; the children of a directory, without its table; else empty.
    pub content: Range<u64>,
}

/// The table of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where its ENTRY starts.
    entry: u64,
    /// Where its GOODBYE starts.
    goodbye: u64,
    /// How many names it has.
    pub children: u64,
}

/// An archive that is read at any offset.
#[derive(Clone, Debug)]
pub struct Archive<R> {
    reader: R,
    len: u64,
    features: FeatureFlags,
    strictness: Strictness,
    limits: Limits,
}

impl<R: BlockRead> Archive<R> {
    /// Looks at the root of an archive of `len` bytes.
    ///
    /// # Errors
    /// [`ArchiveError`] if its first record is not that of an archive.
    pub fn open(
        mut reader: R,
        len: u64,
        strictness: Strictness,
        limits: Limits,
    ) -> Result<Self, ArchiveError<R::Error>> {
        let mut entry = [0; ENTRY_LEN as usize];
        if len < ENTRY_LEN + (HEAD_LEN + ITEM_LEN) as u64 {
            return Err(Problem::Truncated.at(len).into());
        }
        reader.read(0, &mut entry).map_err(ArchiveError::Read)?;
        let out_of_place = Problem::OutOfPlace { record: Record::Entry }.at(0);
        let features = leading_features(&entry).ok_or(out_of_place)?;
        features.check_strict().map_err(|error| Problem::Flags(error).at(16))?;
        Ok(Self { reader, len, features, strictness, limits })
    }

    /// What the archive records.
    #[must_use]
    pub const fn features(&self) -> FeatureFlags {
        self.features
    }

    /// The root directory.
    #[must_use]
    pub const fn root(&self) -> Place {
        Place { entry: 0, end: self.len }
    }

    /// What is recorded of the node at `place`.
    ///
    /// # Errors
    /// [`ArchiveError`], also if it does not end where its place says.
    pub fn node(&mut self, place: Place) -> Result<Found, ArchiveError<R::Error>> {
        let mut wanted = NODE_GUESS;
        // Behind a node without content its end is told by the record there.
        let readable = self.len.min(place.end.saturating_add(HEAD_LEN as u64));
        let available = readable.checked_sub(place.entry).ok_or(Problem::Truncated.at(place.entry))?;
        loop {
            let len = usize::try_from(available).unwrap_or(usize::MAX).min(wanted);
            let bytes = self.bytes(place.entry, len)?;
            if let Some((node, end)) =
                node_at(&bytes, place.entry, self.features, self.strictness, &self.limits)?
            {
                return self.found(node, place, end);
            }
            if len < wanted {
                return Err(Problem::Truncated.at(place.entry).into());
            }
            // Grows up to what the records of a node may have together.
            wanted = wanted.saturating_mul(8);
        }
    }

    fn found(&mut self, node: Node, place: Place, end: u64) -> Result<Found, ArchiveError<R::Error>> {
        let wrong = Problem::Goodbye("a node does not end where its item says").at(place.entry);
        let content = match node.content {
            Content::Directory => {
                let directory = self.directory(place)?;
                end..directory.goodbye
            }
            Content::File { len } => end..end.checked_add(len).ok_or(wrong)?,
            _ => end..end,
        };
        let is_right = match node.content {
            Content::Directory => content.start <= content.end,
            _ => content.end == place.end,
        };
        if is_right { Ok(Found { node, content }) } else { Err(wrong.into()) }
    }

    /// The table of the directory at `place`, found from its end.
    ///
    /// # Errors
    /// [`ArchiveError`] if there is no table of it.
    pub fn directory(&mut self, place: Place) -> Result<Directory, ArchiveError<R::Error>> {
        let wrong = || Problem::Goodbye("its end does not lead to its directory").at(place.entry);
        let shortest = ENTRY_LEN + (HEAD_LEN + ITEM_LEN) as u64;
        if place.end > self.len || place.end.checked_sub(place.entry).is_none_or(|len| len < shortest) {
            return Err(wrong().into());
        }
        let tail = self.item(place.end - ITEM_LEN as u64)?;
        let goodbye = place.end.checked_sub(tail.size).filter(|at| *at >= place.entry + ENTRY_LEN);
        let goodbye = goodbye.ok_or_else(wrong)?;
        let items = tail.size.checked_sub((HEAD_LEN + ITEM_LEN) as u64).ok_or_else(wrong)?;
        let children = items / ITEM_LEN as u64;
        let head = self.bytes(goodbye, HEAD_LEN)?;
        let is_right = tail.hash == GOODBYE_MARKER
            && tail.offset == goodbye - place.entry
            && goodbye_len(children) == Some(tail.size)
            && word(&head, 0) == tail.size
            && word(&head, 8) == Record::Goodbye.word();
        if is_right { Ok(Directory { entry: place.entry, goodbye, children }) } else { Err(wrong().into()) }
    }

    /// Finds a name in a directory: reads its table's path to the name, and the name.
    ///
    /// # Errors
    /// [`ArchiveError`] if what the table leads to is not as it should be.
    pub fn lookup(
        &mut self,
        directory: &Directory,
        name: &[u8],
    ) -> Result<Option<Place>, ArchiveError<R::Error>> {
        let hash = name_hash(name);
        let mut collisions = 0;
        // Positions still to be looked at: more than one only where hashes are equal.
        let mut positions = Vec::from([0]);
        while let Some(position) = positions.pop() {
            if position >= directory.children {
                continue;
            }
            let item = self.item(item_offset(directory, position))?;
            if item.hash == hash {
                let (found, place) = self.named(directory, &item)?;
                if found == name {
                    return Ok(Some(place));
                }
                collisions += 1;
                if collisions > COLLISIONS_MAX {
                    return Err(Problem::HashCollisions.at(directory.goodbye).into());
                }
            }
            if item.hash >= hash {
                positions.push(2 * position + 1);
            }
            if item.hash <= hash {
                positions.push(2 * position + 2);
            }
        }
        Ok(None)
    }

    /// The name and place at a position of the table, in an order that means nothing but stays the same.
    ///
    /// # Errors
    /// [`ArchiveError`]; also if there is no such position.
    pub fn child(
        &mut self,
        directory: &Directory,
        position: u64,
    ) -> Result<(Vec<u8>, Place), ArchiveError<R::Error>> {
        if position >= directory.children {
            return Err(Problem::Goodbye("it has no such item").at(directory.goodbye).into());
        }
        let item = self.item(item_offset(directory, position))?;
        self.named(directory, &item)
    }

    /// Where the children of a directory lie, in the order of the archive and so of their names: ranges from
    /// FILENAME to end, to be handed to [`Archive::child_at`]. Takes 16 bytes a child.
    ///
    /// # Errors
    /// [`ArchiveError`], also if the children do not follow each other without gaps, as in a sound archive.
    pub fn children(&mut self, directory: &Directory) -> Result<Vec<Range<u64>>, ArchiveError<R::Error>> {
        let mut children = Vec::new();
        let mut position = 0;
        while position < directory.children {
            let count = TABLE_PIECE_ITEMS.min(directory.children - position);
            let bytes = self.bytes(item_offset(directory, position), count as usize * ITEM_LEN)?;
            for item in bytes.as_chunks::<ITEM_LEN>().0 {
                children.push(child_range(directory, &Item::parse(item))?);
            }
            position += count;
        }
        children.sort_unstable_by_key(|child| child.start);
        let follows = children.array_windows().all(|[a, b]| a.end == b.start);
        let is_last = children.last().is_none_or(|last| last.end == directory.goodbye);
        if !follows || !is_last {
            return Err(Problem::Goodbye("its children overlap or leave gaps").at(directory.goodbye).into());
        }
        Ok(children)
    }

    /// The name and place of one of a directory's [children](Archive::children).
    ///
    /// # Errors
    /// [`ArchiveError`] if no name starts there.
    pub fn child_at(&mut self, child: Range<u64>) -> Result<(Vec<u8>, Place), ArchiveError<R::Error>> {
        let wrong = Problem::Goodbye("an item does not lead to a name").at(child.start);
        let most = (HEAD_LEN + NAME_LEN_MAX + 1) as u64;
        let available = child.end.saturating_sub(child.start).min(most) as usize;
        let bytes = self.bytes(child.start, available)?;
        if bytes.len() < HEAD_LEN || word(&bytes, 8) != Record::Filename.word() {
            return Err(wrong.into());
        }
        let len =
            usize::try_from(word(&bytes, 0)).ok().filter(|len| (HEAD_LEN + 2..=bytes.len()).contains(len));
        let len = len.ok_or(wrong)?;
        let name = super::draft::text(Record::Filename, &bytes[HEAD_LEN..len]).map_err(|_| wrong)?;
        check::name(&name).map_err(|problem| problem.at(child.start))?;
        Ok((name, Place { entry: child.start + len as u64, end: child.end }))
    }

    fn named(
        &mut self,
        directory: &Directory,
        item: &Item,
    ) -> Result<(Vec<u8>, Place), ArchiveError<R::Error>> {
        let range = child_range(directory, item)?;
        self.child_at(range)
    }

    fn item(&mut self, offset: u64) -> Result<Item, ArchiveError<R::Error>> {
        let mut item = [0; ITEM_LEN];
        self.reader.read(offset, &mut item).map_err(ArchiveError::Read)?;
        Ok(Item::parse(&item))
    }

    fn bytes(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, ArchiveError<R::Error>> {
        let mut bytes = alloc::vec![0; len];
        self.reader.read(offset, &mut bytes).map_err(ArchiveError::Read)?;
        Ok(bytes)
    }
}

/// The feature flags of an archive that begins with these bytes: `None` if no archive does, or they are too few.
/// Whether the flags are sound is not looked at.
#[must_use]
pub fn leading_features(bytes: &[u8]) -> Option<FeatureFlags> {
    let head = bytes.get(..HEAD_LEN + 8)?;
    let is_entry = word(head, 0) == ENTRY_LEN && word(head, 8) == Record::Entry.word();
    is_entry.then(|| FeatureFlags::from_bits_retain(word(head, HEAD_LEN)))
}

/// Where an item of a table lies. A directory's table was found whole, so this does not overflow.
const fn item_offset(directory: &Directory, position: u64) -> u64 {
    directory.goodbye + HEAD_LEN as u64 + position * ITEM_LEN as u64
}

/// What an item spans, if that lies within its directory.
fn child_range(directory: &Directory, item: &Item) -> Result<Range<u64>, CatarError> {
    let first = directory.entry + ENTRY_LEN;
    let start = directory.goodbye.checked_sub(item.offset).filter(|start| *start >= first);
    let range = start.and_then(|start| Some(start..start.checked_add(item.size)?));
    let range = range.filter(|range| range.end <= directory.goodbye && item.size >= CHILD_LEN_MIN);
    range.ok_or(Problem::Goodbye("an item leads out of its directory").at(directory.goodbye))
}
