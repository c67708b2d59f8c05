//! A blob to a writer, in order: `cat`, and `extract` to a pipe.
//!
//! Chunks are fetched by all workers at once, several by each so that they are verified side by side, and
//! written in order by the coordinator. Nothing is read back, so no step can copy from the target.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use desync_core::DigestKind;
use desync_core::chunk_source::{ChunkSource as _, Wanted, WantedLen};
use desync_core::format::{ChunkEntry, Index};
use desync_core::plan::ZeroChunk;
use desync_store::{ChunkStore, PlainBytes};

use crate::fetch::{Fetcher, GATHERED_LEN_MAX};
use crate::pool::ordered;
use crate::seeds::SeedFile;
use crate::{Context, Error, Phase};

/// Groups of pieces on their way for each worker.
const GROUPS_PER_WORKER: usize = 2;

/// Bytes of all pieces that are on their way, divided among the workers: they wait in memory for their turn.
const BYTES_ON_THEIR_WAY: u64 = 32 << 20;

/// Bytes of zeros written at a time.
const ZEROS_LEN: u64 = 64 << 10;

/// One chunk of the blob and where its bytes come from.
pub(crate) struct Piece {
    pub(crate) entry: ChunkEntry,
    pub(crate) from: PieceSource,
}

/// Where the bytes of a piece come from.
pub(crate) enum PieceSource {
    Zero,
    Store,
    /// This seed, from this offset on; the store if the seed lies and that is allowed.
    Seed(usize, u64),
}

/// What pieces are made from.
#[derive(Clone, Copy)]
pub(crate) struct Supplies<'a> {
    pub(crate) digest: DigestKind,
    pub(crate) store: &'a dyn ChunkStore,
    pub(crate) seeds: &'a [SeedFile],
    /// Whether a seed that lies is an error, or its chunk is fetched instead.
    pub(crate) seeds_must_match: bool,
}

/// Writes `range` of the blob to `out`. What lies past the end of the blob is an error of the caller.
///
/// # Errors
/// [`Error::File`] for `-` if `out` fails, the store's if a chunk cannot be had, [`Error::Interrupted`].
/// Everything before the failing chunk has been written then.
pub fn write_blob(
    index: &Index,
    range: Range<u64>,
    store: &dyn ChunkStore,
    out: &mut dyn Write,
    context: &Context<'_>,
) -> Result<(), Error> {
    let header = &index.header;
    let zero = ZeroChunk::of(header);
    let first = index.items.partition_point(|item| item.end <= range.start);
    let pieces = index.entries().skip(first).take_while(|entry| entry.start < range.end).map(|entry| {
        Ok(Piece { entry, from: if zero.is(&entry) { PieceSource::Zero } else { PieceSource::Store } })
    });
    let supplies = Supplies { digest: header.digest(), store, seeds: &[], seeds_must_match: true };
    deliver(pieces, &range, supplies, out, context)
}

/// Writes the part of `pieces` that lies in `range`, in order.
pub(crate) fn deliver(
    pieces: impl Iterator<Item = Result<Piece, Error>>,
    range: &Range<u64>,
    supplies: Supplies<'_>,
    out: &mut dyn Write,
    context: &Context<'_>,
) -> Result<(), Error> {
    let len = range.end - range.start;
    context.progress.begin(Phase::Writing, len);
    let in_flight_max = context.workers.get() * GROUPS_PER_WORKER;
    let worker = || {
        let mut fetcher = Fetcher::new(supplies.store, context.kernels.hash);
        move |group: Vec<Piece>| {
            announce(&group, supplies.digest, &mut fetcher);
            let obtained = group.into_iter().map(|piece| {
                context.cancel.check()?;
                let bytes = obtain(&piece, supplies, &mut fetcher)?;
                Ok((piece.entry, bytes))
            });
            obtained.collect::<Result<Vec<_>, Error>>()
        }
    };
    // Short blobs are shared out evenly.
    let on_their_way = BYTES_ON_THEIR_WAY.min(len) / in_flight_max as u64;
    let groups = Groups {
        pieces,
        count_max: context.kernels.hash.batch_len(),
        len_max: on_their_way.min(GATHERED_LEN_MAX),
    };
    ordered(context, in_flight_max, groups, worker, |group| {
        for (entry, bytes) in group {
            let part = entry.start.max(range.start)..entry.end.min(range.end);
            let written = match bytes {
                None => write_zeros(out, part.end - part.start),
                Some(chunk) => {
                    let within = (part.start - entry.start) as usize..(part.end - entry.start) as usize;
                    out.write_all(&chunk.as_ref()[within])
                }
            };
            written.map_err(Error::file("write", Path::new("-")))?;
            context.progress.advance(part.end - part.start);
        }
        Ok(())
    })?;
    out.flush().map_err(Error::file("write", Path::new("-")))?;
    context.progress.end();
    Ok(())
}

/// Gathers neighbouring pieces for one worker.
struct Groups<I> {
    pieces: I,
    count_max: usize,
    /// A group ends with the piece that reaches this length.
    len_max: u64,
}

impl<I: Iterator<Item = Result<Piece, Error>>> Iterator for Groups<I> {
    type Item = Result<Vec<Piece>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut group, mut len) = (Vec::new(), 0);
        while group.len() < self.count_max
            && let Some(piece) = self.pieces.next()
        {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Some(Err(error)),
            };
            if !matches!(piece.from, PieceSource::Zero) {
                len += piece.entry.len();
            }
            group.push(piece);
            if len >= self.len_max {
                break;
            }
        }
        (!group.is_empty()).then_some(Ok(group))
    }
}

fn announce(group: &[Piece], digest: DigestKind, fetcher: &mut Fetcher<'_>) {
    let stored = group.iter().filter(|piece| matches!(piece.from, PieceSource::Store));
    fetcher.announce(stored.map(|piece| wanted(&piece.entry, digest)));
}

const fn wanted(entry: &ChunkEntry, digest: DigestKind) -> Wanted {
    Wanted { id: entry.id, digest, len: WantedLen::Exactly(entry.len()) }
}

/// The verified bytes of a piece; `None` for zeros.
fn obtain(
    piece: &Piece,
    supplies: Supplies<'_>,
    fetcher: &mut Fetcher<'_>,
) -> Result<Option<PlainBytes>, Error> {
    let entry = &piece.entry;
    if let PieceSource::Zero = piece.from {
        return Ok(None);
    }
    if let PieceSource::Seed(seed, start) = piece.from {
        let file = &supplies.seeds[seed];
        match file.read_chunk(start, entry, supplies.digest) {
            Ok(chunk) => return Ok(Some(chunk.into_bytes().into())),
            Err(_) if supplies.seeds_must_match => return Err(file.invalid()),
            Err(error) => log::warn!("seed not used: {error}"),
        }
    }
    Ok(Some(fetcher.fetch(&wanted(entry, supplies.digest))?.into_bytes()))
}

fn write_zeros(out: &mut dyn Write, mut len: u64) -> std::io::Result<()> {
    let zeros = vec![0; len.min(ZEROS_LEN) as usize];
    while len > 0 {
        let now = len.min(ZEROS_LEN);
        out.write_all(&zeros[..now as usize])?;
        len -= now;
    }
    Ok(())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::testing::{Count, Through, directory_store, fill, index_of, with_context};

    #[test]
    fn defect_75_chunks_are_fetched_ahead() {
        let blob: Vec<u8> = (0..640_u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        let room = tempfile::tempdir().unwrap();
        let (store, _) = directory_store(room.path());
        fill(&store, &blob, &index);
        let asked = Count::default();
        // The first answer waits until a second question has come.
        let store = Through {
            inner: &store,
            get: |inner: &&_, wanted: &Wanted| {
                asked.add();
                asked.wait_for(2, "one chunk is fetched at a time");
                ChunkStore::get(*inner, wanted)
            },
        };
        let mut out = Vec::new();
        with_context(2, |context, _| write_blob(&index, 0..2560, &store, &mut out, context)).unwrap();
        assert!(out == blob);
    }

    #[test]
    fn every_range_is_exact() {
        let mut blob: Vec<u8> = (0..64_u32).flat_map(u32::to_le_bytes).collect();
        blob[64..192].fill(0);
        let index = index_of(&blob, 64);
        let room = tempfile::tempdir().unwrap();
        let (store, _) = directory_store(room.path());
        fill(&store, &blob, &index);
        for start in (0..=blob.len()).step_by(7) {
            for end in (start..=blob.len()).step_by(13) {
                let mut out = Vec::new();
                let range = start as u64..end as u64;
                with_context(2, |context, _| write_blob(&index, range, &store, &mut out, context)).unwrap();
                assert!(out == blob[start..end], "{start}..{end}");
            }
        }
    }
}
