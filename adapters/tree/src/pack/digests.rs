//! Files as their digests: what a worker does for a listing.

use std::fs::File;
use std::io::{self, Read};

use desync_core::digest::HashKernel;
use desync_core::format::catar::Content;
use desync_core::{ChunkId, DigestKind};
use desync_engine::Context;

use super::PIECE_LEN;
use super::describe::{Data, Described};
use crate::{Error, Notices};

/// Hashes files.
#[derive(Clone, Copy)]
pub(super) struct Digests<'a> {
    pub(super) digest: DigestKind,
    pub(super) kernel: HashKernel,
    pub(super) notices: &'a dyn Notices,
    pub(super) context: &'a Context<'a>,
}

impl Digests<'_> {
    /// Puts digests in the place of bytes: small files side by side, large ones as they are read.
    pub(super) fn of(&self, mut group: Vec<Described>) -> Result<Vec<Described>, Error> {
        let small = group.iter().filter_map(|described| match described {
            Described::Node { data: Data::Small(bytes), .. } => Some(&bytes[..]),
            _ => None,
        });
        let mut digests = self.kernel.ids_of(self.digest, &small.collect::<Vec<_>>()).into_iter();
        for described in &mut group {
            let Described::Node { node, data, path, .. } = described else { continue };
            let (digest, len) = match data {
                Data::Small(bytes) => (digests.next().map(Ok), bytes.len() as u64),
                Data::Large(file, announced) => {
                    let read = self.of_large(file)?;
                    let len = read.as_ref().map_or(*announced, |(_, len)| *len);
                    if len != *announced {
                        self.notices.lost(path, "changed its length while it was read");
                    }
                    node.content = Content::File { len };
                    (Some(read.map(|(digest, _)| digest)), len)
                }
                Data::None | Data::Digest(_) => continue,
            };
            match digest {
                Some(Ok(digest)) => {
                    *data = Data::Digest(digest);
                    self.context.progress.advance(len);
                }
                Some(Err(error)) => {
                    self.notices.lost(path, &format!("cannot be read, left out: {error}"));
                    *described = Described::Nothing;
                }
                None => return Err(Error::Unsupported("internal error: a file without a digest".into())),
            }
        }
        Ok(group)
    }

    /// The digest of all of a file, and its length. The outer error is an interruption.
    fn of_large(&self, file: &mut File) -> Result<io::Result<(ChunkId, u64)>, Error> {
        let (mut hasher, mut len, mut buffer) = (self.digest.hasher(), 0, vec![0; PIECE_LEN]);
        loop {
            self.context.cancel.check()?;
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Ok((hasher.finish(), len))),
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
