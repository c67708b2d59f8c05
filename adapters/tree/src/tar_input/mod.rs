//! A tar stream into a sink.
//!
//! Entries of a stream come in any order, a link may lead to what comes later, a name may come twice; an archive is in
//! order and has each name once. So all headers are read before anything is passed on; the bytes of files stay where
//! they are if the stream is a file, and else go to a temporary file without a name.
//!
//! What a stream says is read right or refused by name: a name with `..`, a link to nowhere, a file below something
//! that is no directory, an end that comes too early.

mod entry;
mod names;
mod reader;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use desync_core::format::FeatureFlags;
use desync_core::format::catar::{Content, Node};
use desync_engine::Context;

use crate::path::shown;
use crate::{Error, Notices, Owners, Sink};
use names::Names;
use reader::{Found, Reader};

/// Bytes of a file passed on at a time.
const PIECE_LEN: usize = 1 << 20;

/// How a stream becomes a tree.
#[derive(Clone, Copy, Debug)]
pub struct TarOptions {
    /// What is recorded, in normal form. What they leave out is not told.
    pub features: FeatureFlags,
    /// Whether a root is made up where the stream has none.
    pub add_root: bool,
    /// Whether it is wanted that hard links become files of their own.
    pub copy_hard_links: bool,
}

/// Where the bytes of a file are in the spool.
#[derive(Clone, Debug)]
struct Bytes {
    start: u64,
    /// Ranges of the file that the bytes are, in order; the rest is zeros. `None`: all of it.
    map: Option<Vec<(u64, u64)>>,
}

/// A name of the tree.
struct Item {
    node: Node,
    bytes: Option<Bytes>,
    children: BTreeMap<Vec<u8>, usize>,
}

/// A stream that has been read.
pub struct TarInput<'a> {
    items: Vec<Item>,
    spool: File,
    options: TarOptions,
    context: Context<'a>,
    name: PathBuf,
}

/// What a tar stream is read from.
pub enum TarSource {
    /// A file whose bytes stay where they are.
    File(File),
    /// Anything else.
    Stream(Box<dyn Read + Send>),
}

impl<'a> TarInput<'a> {
    /// Reads a whole stream; errors call it `name`.
    ///
    /// # Errors
    /// [`Error::Input`] for what cannot become an archive, [`Error::File`], [`Error::Interrupted`].
    pub fn read(
        source: TarSource,
        name: &Path,
        options: TarOptions,
        owners: &Owners,
        notices: &dyn Notices,
        context: Context<'a>,
    ) -> Result<Self, Error> {
        let (reader, spool) = Reader::new(source, name)?;
        let mut names = Names::new(name, options, notices);
        let spool = reader.read_all(spool, owners, &context, |found| match found {
            Found::Entry(entry) => names.add(entry),
            Found::Unknown { path, kind } => {
                let what = format!("an entry of unknown type {:?}, left out", char::from(kind));
                notices.lost(&shown(&path), &what);
                Ok(())
            }
        })?;
        let items = names.into_items()?;
        Ok(Self { items, spool, options, context, name: name.to_owned() })
    }

    /// Hands the tree to a sink, and finishes it.
    ///
    /// # Errors
    /// The sink's, [`Error::File`], [`Error::Interrupted`].
    pub fn pass(self, sink: &mut dyn Sink) -> Result<(), Error> {
        // An explicit stack: names can be deep. `None` is the end of a directory.
        let mut due = vec![Some(0)];
        let mut buffer = vec![0; PIECE_LEN];
        while let Some(place) = due.pop() {
            self.context.cancel.check()?;
            let Some(place) = place else {
                sink.leave()?;
                continue;
            };
            let item = &self.items[place];
            let mut node = item.node.clone();
            if !node.reduce(self.options.features) {
                continue;
            }
            sink.node(&node)?;
            match node.content {
                Content::Directory => {
                    due.push(None);
                    due.extend(item.children.values().rev().map(|child| Some(*child)));
                }
                Content::File { len } => self.pass_bytes(len, item.bytes.as_ref(), &mut buffer, sink)?,
                _ => {}
            }
        }
        sink.finish()
    }

    /// Hands on the bytes of a file.
    fn pass_bytes(
        &self,
        len: u64,
        bytes: Option<&Bytes>,
        buffer: &mut [u8],
        sink: &mut dyn Sink,
    ) -> Result<(), Error> {
        if len == 0 {
            return sink.data(&[], true);
        }
        let whole = [(0, len)];
        let (mut from, map) = match bytes {
            Some(Bytes { start, map }) => (*start, map.as_deref().unwrap_or(&whole)),
            None => (0, &[][..]),
        };
        let mut left = len;
        for &(at, count) in map {
            let hole = at - (len - left);
            self.pass_range(None, hole, &mut left, buffer, sink)?;
            self.pass_range(Some(from), count, &mut left, buffer, sink)?;
            from += count;
        }
        let rest = left;
        self.pass_range(None, rest, &mut left, buffer, sink)
    }

    /// Hands on bytes of the spool, or zeros; `left` of the file are still to come before it.
    fn pass_range(
        &self,
        from: Option<u64>,
        len: u64,
        left: &mut u64,
        buffer: &mut [u8],
        sink: &mut dyn Sink,
    ) -> Result<(), Error> {
        let mut done = 0;
        while done < len {
            self.context.cancel.check()?;
            let piece = &mut buffer[..(len - done).min(PIECE_LEN as u64) as usize];
            match from {
                Some(from) => {
                    self.spool.read_exact_at(piece, from + done).map_err(Error::file("read", &self.name))?
                }
                None => piece.fill(0),
            }
            done += piece.len() as u64;
            *left -= piece.len() as u64;
            self.context.progress.advance(piece.len() as u64);
            sink.data(piece, *left == 0)?;
        }
        Ok(())
    }
}
