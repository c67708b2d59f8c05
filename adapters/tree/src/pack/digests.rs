//! Files as their digests: what a worker does for a listing.
//!
//! Files are hashed side by side, so those of some length are read whole too, as long as all workers together hold
//! little. What is longer is hashed alone, as it is read.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use desync_core::digest::HashKernel;
use desync_core::format::catar::Content;
use desync_core::{ChunkId, DigestKind};
use desync_engine::Context;

use super::PIECE_LEN;
use super::describe::{Data, Described, read_whole};
use crate::{Error, Notices};

/// Files up to this length are read whole, if there is room.
const WHOLE_LEN_MAX: u64 = 4 << 20;

/// Bytes that all workers hold of files that are not small.
const HELD_LEN_MAX: u64 = 32 << 20;

const CHANGED: &str = "changed its length while it was read";

/// Hashes files.
pub(super) struct Digests<'a> {
    digest: DigestKind,
    kernel: HashKernel,
    notices: &'a dyn Notices,
    context: &'a Context<'a>,
    held: AtomicU64,
}

impl<'a> Digests<'a> {
    pub(super) const fn new(digest: DigestKind, notices: &'a dyn Notices, context: &'a Context<'a>) -> Self {
        Self { digest, kernel: context.kernels.hash, notices, context, held: AtomicU64::new(0) }
    }

    /// Puts digests in the place of bytes.
    pub(super) fn of(&self, mut group: Vec<Described>) -> Result<Vec<Described>, Error> {
        let mut held = 0;
        for described in &mut group {
            self.context.cancel.check()?;
            held += self.read(described)?;
        }
        let bytes = group.iter().filter_map(|described| match described {
            Described::Node { data: Data::Small(bytes), .. } => Some(&bytes[..]),
            _ => None,
        });
        let mut digests = self.kernel.ids_of(self.digest, &bytes.collect::<Vec<_>>()).into_iter();
        for described in &mut group {
            if let Described::Node { data, .. } = described
                && let Data::Small(bytes) = data
            {
                self.context.progress.advance(bytes.len() as u64);
                // Else a file would be listed as one without a digest.
                *data = Data::Digest(digests.next().expect("each file is hashed"));
            }
        }
        self.held.fetch_sub(held, Ordering::Relaxed);
        Ok(group)
    }

    /// Reads a file that is not small, or hashes it if it is too long to be kept. How many bytes are held for it.
    fn read(&self, described: &mut Described) -> Result<u64, Error> {
        let Described::Node { node, data, path, .. } = described else { return Ok(0) };
        let Data::Large(file, announced) = data else { return Ok(0) };
        let len = *announced;
        let is_held = self.hold(len);
        let read = if is_held {
            read_whole(&*file, len as usize, len as usize + 1)
                .map(|bytes| (bytes.len() as u64, Data::Small(bytes)))
        } else {
            self.of_long(file)?.map(|(digest, len)| (len, Data::Digest(digest)))
        };
        match read {
            Ok((found, read)) => {
                if found != len {
                    self.notices.lost(path, CHANGED);
                }
                node.content = Content::File { len: found };
                *data = read;
            }
            Err(error) => {
                self.notices.lost(path, &format!("cannot be read, left out: {error}"));
                *described = Described::Nothing;
            }
        }
        Ok(if is_held { len } else { 0 })
    }

    /// Whether so many bytes more may be held; then they count until they are given back.
    fn hold(&self, len: u64) -> bool {
        let more = |held: u64| held.checked_add(len).filter(|held| *held <= HELD_LEN_MAX);
        len <= WHOLE_LEN_MAX && self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// The digest of all of a file, and its length. The outer error is an interruption.
    fn of_long(&self, file: &mut File) -> Result<io::Result<(ChunkId, u64)>, Error> {
        let (mut hasher, mut len, mut buffer) = (self.digest.hasher(), 0, vec![0; PIECE_LEN]);
        loop {
            self.context.cancel.check()?;
            match file.read(&mut buffer) {
                Ok(0) => {
                    self.context.progress.advance(len);
                    return Ok(Ok((hasher.finish(), len)));
                }
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    len += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Err(error)),
            }
        }
    }
}
