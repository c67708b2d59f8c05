//! A tree on disk into a sink.
//!
//! One thread walks: it opens directories and hands out their names in order. The workers open, describe and, if
//! they are small, read files, in any order. The caller's thread passes on what they found in the order of the
//! walk and reads large files in pieces.
//!
//! Every name is opened in its directory's descriptor and never followed, so a tree that changes meanwhile
//! leads nowhere else.

mod describe;
mod walk;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use desync_core::format::FeatureFlags;
use desync_core::format::catar::Node;
use desync_engine::{Context, ordered};

use crate::{Error, Notices, Owners, Sink};
use describe::{Data, Described, Describer};
use walk::{Job, Walk};

/// Bytes of a large file read at a time.
const PIECE_LEN: usize = 1 << 20;

/// Nodes on their way for each worker: enough that none waits while a large file is read.
const NODES_PER_WORKER: usize = 32;

/// What of a tree is wanted.
#[derive(Clone, Copy, Debug)]
pub struct PackOptions {
    /// What is recorded, in normal form. What they leave out is not told.
    pub features: FeatureFlags,
    /// Whether directories on other file systems are left empty.
    pub one_file_system: bool,
    /// Whether it is wanted that files of several names become files of their own.
    pub copy_hard_links: bool,
}

/// Hands the tree at `root` to `sink`, and finishes it.
///
/// # Errors
/// If the root cannot be read, the sink's, [`Error::Interrupted`]. What cannot be read below the root is told to
/// `notices` and left out.
pub fn pack(
    root: &Path,
    options: &PackOptions,
    owners: &Owners,
    notices: &dyn Notices,
    sink: &mut dyn Sink,
    context: &Context<'_>,
) -> Result<(), Error> {
    let walk = Walk::new(root, options, notices)?;
    let describer = Describer { features: options.features, owners, notices };
    let in_flight_max = context.workers.get() * NODES_PER_WORKER;
    let mut passer = Passer { options, notices, sink, seen: HashSet::new(), buffer: Vec::new(), context };
    let worker = || move |job: Job| Ok(describer.describe(job));
    ordered(context, in_flight_max, walk, worker, |described| passer.pass(described))?;
    passer.sink.finish()
}

/// Passes on what the workers found.
struct Passer<'a> {
    options: &'a PackOptions,
    notices: &'a dyn Notices,
    sink: &'a mut dyn Sink,
    /// Device and inode of each file with several names that came.
    seen: HashSet<(u64, u64)>,
    buffer: Vec<u8>,
    context: &'a Context<'a>,
}

impl Passer<'_> {
    fn pass(&mut self, described: Described) -> Result<(), Error> {
        match described {
            Described::Node { node, data, path, link } => self.pass_node(&node, data, &path, link),
            Described::Leave => self.sink.leave(),
            Described::Nothing => Ok(()),
        }
    }

    fn pass_node(
        &mut self,
        node: &Node,
        data: Data,
        path: &Path,
        link: Option<(u64, u64)>,
    ) -> Result<(), Error> {
        if let Some(identity) = link
            && !self.seen.insert(identity)
            && !self.options.copy_hard_links
        {
            self.notices.lost(path, "another name of a file that came before: stored as a file of its own");
        }
        self.sink.node(node)?;
        let len = match data {
            Data::None => return Ok(()),
            Data::Small(bytes) => {
                self.sink.data(&bytes, true)?;
                bytes.len() as u64
            }
            Data::Large(file, len) => {
                self.pass_large(file, len, path)?;
                len
            }
        };
        self.context.progress.advance(len);
        Ok(())
    }

    /// The length was announced: a file that shrinks meanwhile is filled up with zeros, one that grows is cut.
    fn pass_large(&mut self, mut file: File, len: u64, path: &Path) -> Result<(), Error> {
        self.buffer.resize(PIECE_LEN, 0);
        let mut left = len;
        let mut is_short = false;
        while left > 0 {
            self.context.cancel.check()?;
            let wanted = left.min(PIECE_LEN as u64) as usize;
            let mut read = 0;
            while read < wanted && !is_short {
                match file.read(&mut self.buffer[read..wanted]) {
                    Ok(0) => {
                        self.notices.lost(path, "shrank while it was read: filled up with zeros");
                        is_short = true;
                    }
                    Ok(count) => read += count,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(Error::file("read", path)(error)),
                }
            }
            self.buffer[read..wanted].fill(0);
            left -= wanted as u64;
            self.sink.data(&self.buffer[..wanted], left == 0)?;
        }
        if !is_short && file.metadata().is_ok_and(|now| now.len() > len) {
            self.notices.lost(path, "grew while it was read: only its first bytes were stored");
        }
        Ok(())
    }
}
