//! A tree on disk into a sink.
//!
//! One thread walks: it opens directories and hands out their names in order, several at a time. The workers open,
//! describe and, if they are small, read files, in any order. The caller's thread passes on what they found in the
//! order of the walk and reads large files in pieces. For a listing the workers hash files instead of passing them on.
//!
//! Every name is opened in its directory's descriptor and never followed, so a tree that changes meanwhile
//! leads nowhere else.

mod describe;
mod digests;
mod walk;

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use desync_core::format::FeatureFlags;
use desync_core::format::catar::Node;
use desync_engine::{Context, ordered};

use crate::notices::COPIED_LINK;
use crate::{Error, MtreeWriter, Notices, Owners, Sink};
use describe::{Data, Described, Describer};
use digests::Digests;
use walk::{Job, Walk};

/// Bytes of a large file read at a time.
const PIECE_LEN: usize = 1 << 20;

/// Names handed to a worker at once, at least.
const NAMES_AT_ONCE: usize = 8;

/// Names on their way for each worker: enough that none waits while a large file is read. Each may be an open file.
const NAMES_PER_WORKER: usize = 32;

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
    let mut passer = Passer { options, notices, sink, seen: HashSet::new(), buffer: Vec::new(), context };
    let describer = Describer::new(options.features, owners, notices);
    let worker = || |jobs| Ok(describer.describe(jobs));
    let walk = Walk::new(root, options, notices)?;
    each(walk, NAMES_AT_ONCE, context, worker, |described| passer.pass(described))?;
    passer.sink.finish()
}

/// Lists the tree at `root`. Files are hashed by the workers, many at a time.
///
/// # Errors
/// As [`pack()`].
pub fn list<W: Write>(
    root: &Path,
    options: &PackOptions,
    owners: &Owners,
    notices: &dyn Notices,
    listing: &mut MtreeWriter<W>,
    context: &Context<'_>,
) -> Result<(), Error> {
    let describer = Describer::new(options.features, owners, notices);
    let digests = Digests::new(listing.digest(), notices, context);
    let names_at_once = context.kernels.hash.batch_len().clamp(NAMES_AT_ONCE, NAMES_PER_WORKER);
    let worker = || |jobs| digests.of(describer.describe(jobs));
    let walk = Walk::new(root, options, notices)?;
    each(walk, names_at_once, context, worker, |described| match described {
        Described::Node { node, data: Data::Digest(digest), .. } => listing.file(&node, &digest),
        Described::Node { node, .. } => listing.node(&node),
        Described::Leave => listing.leave(),
        Described::Nothing => Ok(()),
    })?;
    listing.finish()
}

/// Has workers describe all names of a tree and hands what they found to `collect`, in order.
fn each<W: FnMut(Vec<Job>) -> Result<Vec<Described>, Error> + Send>(
    mut walk: Walk<'_>,
    names_at_once: usize,
    context: &Context<'_>,
    new_worker: impl Fn() -> W,
    mut collect: impl FnMut(Described) -> Result<(), Error>,
) -> Result<(), Error> {
    let groups = std::iter::from_fn(|| {
        let group: Vec<Job> = walk.by_ref().take(names_at_once).collect();
        (!group.is_empty()).then_some(Ok(group))
    });
    let in_flight_max = context.workers.get() * (NAMES_PER_WORKER / names_at_once);
    ordered(context, in_flight_max, groups, new_worker, |group| group.into_iter().try_for_each(&mut collect))
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
            self.notices.lost(path, COPIED_LINK);
        }
        self.sink.node(node)?;
        let len = match data {
            Data::None | Data::Digest(_) => return Ok(()),
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
