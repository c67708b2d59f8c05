//! Writing an archive: nodes in, bytes out, without I/O.
//!
//! What is written is checked by the rules of the reader, so nothing comes out that it would refuse. Memory: 24
//! bytes for each name of an open directory, for its table.

use alloc::vec::Vec;

use super::check;
use super::draft::metadata_records;
use super::error::{CatarError, Problem};
use super::goodbye::{self, Child, name_hash};
use super::node::{Content, DeviceNumber, Node};
use super::record::{ENTRY_LEN, HEAD_LEN, Record};
use crate::format::{FeatureFlags, Strictness};
use crate::limits::Limits;

/// Turns nodes, depth first and in order of their names, into the bytes of an archive.
///
/// Bytes are appended to the `out` that each call is given; the caller takes them away as it likes.
#[derive(Clone, Debug)]
pub struct Encoder {
    features: FeatureFlags,
    depth_max: usize,
    /// Bytes made so far.
    offset: u64,
    open: Vec<Level>,
    /// Bytes of the last file that have not come yet.
    left: u64,
}

#[derive(Clone, Debug)]
struct Level {
    entry: u64,
    last_name: Vec<u8>,
    children: Vec<Child>,
}

impl Encoder {
    /// An encoder at the start of an archive.
    ///
    /// # Errors
    /// [`Problem::Flags`] for feature flags that are not in normal form.
    pub fn new(features: FeatureFlags, limits: &Limits) -> Result<Self, CatarError> {
        features.check_strict().map_err(|error| Problem::Flags(error).at(0))?;
        let depth_max = limits.archive_depth_max;
        Ok(Self { features, depth_max, offset: 0, open: Vec::new(), left: 0 })
    }

    /// What the archive records.
    #[must_use]
    pub const fn features(&self) -> FeatureFlags {
        self.features
    }

    /// Bytes made so far: where the next record will start.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends a node. If it is a file, its bytes follow by [`Encoder::data`]; if it is a directory, its
    /// children do, and then [`Encoder::leave`].
    ///
    /// # Errors
    /// [`CatarError`] for a node that may not stand here; nothing is appended then.
    pub fn node(&mut self, node: &Node, out: &mut Vec<u8>) -> Result<(), CatarError> {
        self.check(node).map_err(|problem| problem.at(self.offset))?;
        let before = out.len();
        let start = self.offset;
        if let Some(level) = self.open.last_mut() {
            level.children.push(Child { hash: name_hash(&node.name), start, end: 0 });
            level.last_name.clone_from(&node.name);
            record(Record::Filename, &[&node.name, &[0]], out);
        }
        let entry = start + (out.len() - before) as u64;
        self.entry(node, out);
        metadata_records(node, |kind, body| record(kind, body, out));
        match &node.content {
            Content::Directory => {
                self.open.push(Level { entry, last_name: Vec::new(), children: Vec::new() });
            }
            Content::File { len } => {
                self.left = *len;
                head(Record::Payload, *len, out);
            }
            Content::Symlink { target } => record(Record::Symlink, &[target, &[0]], out),
            Content::CharDevice(DeviceNumber { major, minor })
            | Content::BlockDevice(DeviceNumber { major, minor }) => {
                let body = [major, minor].map(|number| u64::from(*number).to_le_bytes());
                record(Record::Device, &[body.as_flattened()], out);
            }
            Content::Fifo | Content::Socket => {}
        }
        self.offset += (out.len() - before) as u64;
        self.end_child(node.content.is_directory());
        Ok(())
    }

    /// Appends bytes of the file that came last.
    ///
    /// # Errors
    /// [`Problem::ContentLength`] for more than was announced; nothing is appended then.
    pub fn data(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), CatarError> {
        self.skip_data(bytes.len() as u64)?;
        out.extend_from_slice(bytes);
        Ok(())
    }

    /// Counts bytes of the file that came last, which the caller passes on itself.
    ///
    /// # Errors
    /// [`Problem::ContentLength`] for more than was announced.
    pub fn skip_data(&mut self, len: u64) -> Result<(), CatarError> {
        let left = self.left.checked_sub(len).ok_or(Problem::ContentLength.at(self.offset))?;
        self.left = left;
        self.offset += len;
        if left == 0 {
            self.end_child(false);
        }
        Ok(())
    }

    /// Appends the end of the innermost open directory.
    ///
    /// # Errors
    /// [`Problem::OutOfPlace`] if none is open, [`Problem::ContentLength`] within a file.
    pub fn leave(&mut self, out: &mut Vec<u8>) -> Result<(), CatarError> {
        if self.left > 0 {
            return Err(Problem::ContentLength.at(self.offset));
        }
        let out_of_place = Problem::OutOfPlace { record: Record::Goodbye };
        let mut level = self.open.pop().ok_or(out_of_place.at(self.offset))?;
        let before = out.len();
        goodbye::encode(&mut level.children, level.entry, self.offset, out);
        self.offset += (out.len() - before) as u64;
        self.end_child(false);
        Ok(())
    }

    /// Declares the end of the archive.
    ///
    /// # Errors
    /// [`Problem::Truncated`] if there is no root, or it is open.
    pub const fn finish(&self) -> Result<(), CatarError> {
        if self.open.is_empty() && self.offset > 0 { Ok(()) } else { Err(Problem::Truncated.at(self.offset)) }
    }

    fn check(&self, node: &Node) -> Result<(), Problem> {
        if self.left > 0 {
            return Err(Problem::ContentLength);
        }
        match self.open.last() {
            Some(level) => {
                check::name(&node.name)?;
                if !level.children.is_empty() && level.last_name >= node.name {
                    return Err(Problem::NameOrder);
                }
            }
            None if self.offset > 0 => return Err(Problem::OutOfPlace { record: Record::Entry }),
            None if !node.content.is_directory() => return Err(Problem::RootKind),
            None => {}
        }
        if self.open.len() >= self.depth_max {
            return Err(Problem::TooDeep { max: self.depth_max });
        }
        if let Content::File { len } = node.content {
            // Room for what comes behind it too.
            let is_possible = len < 1 << 63 && self.offset < 1 << 63;
            if !is_possible {
                return Err(Problem::BeyondEnd { len });
            }
        }
        check::node(node, self.features, Strictness::Strict)
    }

    fn entry(&self, node: &Node, out: &mut Vec<u8>) {
        let words = [
            self.features.bits(),
            node.mode().into(),
            node.attributes.bits(),
            node.uid.into(),
            node.gid.into(),
            node.mtime.cast_unsigned(),
        ];
        head(Record::Entry, ENTRY_LEN - HEAD_LEN as u64, out);
        words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }

    /// Notes that the last child of the innermost directory ends here, unless more of it comes.
    fn end_child(&mut self, is_open: bool) {
        if is_open || self.left > 0 {
            return;
        }
        if let Some(level) = self.open.last_mut()
            && let Some(child) = level.children.last_mut()
        {
            child.end = self.offset;
        }
    }
}

fn head(record: Record, body_len: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(HEAD_LEN as u64 + body_len).to_le_bytes());
    out.extend_from_slice(&record.word().to_le_bytes());
}

fn record(record: Record, body: &[&[u8]], out: &mut Vec<u8>) {
    head(record, body.iter().map(|part| part.len() as u64).sum(), out);
    body.iter().for_each(|part| out.extend_from_slice(part));
}
