//! A file compared with an index: each chunk's range is read once and hashed, many chunks side by side. Who
//! wants to keep what is right gets it while it is at hand.
//!
//! Null chunks in holes are right without being read, those that are read are not hashed.

use std::ops::Range;
use std::path::Path;

use desync_core::digest::HashKernel;
use desync_core::format::{ChunkEntry, Index};
use desync_core::plan::ZeroChunk;
use desync_core::{ChunkId, VerifiedChunk};
use desync_files::DiskFile;

use crate::pool::ordered;
use crate::zeros::are_zeros;
use crate::{ChunkSet, Context, Error};

/// Bytes that one job covers, unless a single chunk is longer.
const JOB_LEN: u64 = 4 << 20;

/// Jobs on their way for each worker. Each takes [`JOB_LEN`] of memory while it is worked on.
const JOBS_PER_WORKER: usize = 2;

/// What is compared with what.
#[derive(Clone, Copy)]
pub(crate) struct Comparison<'a> {
    pub(crate) index: &'a Index,
    pub(crate) file: &'a dyn DiskFile,
    /// The file as the user named it.
    pub(crate) path: &'a Path,
}

/// Calls `each` for every chunk of the index, in order, with its position and what lies in its place.
///
/// # Errors
/// Those of the file, those that `each` returns, and [`Error::Interrupted`].
pub(crate) fn compare(
    comparison: Comparison<'_>,
    context: &Context<'_>,
    each: impl FnMut(usize, &ChunkEntry, ChunkId) -> Result<(), Error>,
) -> Result<(), Error> {
    compare_and_keep(comparison, &ChunkSet::default(), &|_| Ok(()), context, each)
}

/// As [`compare`], but for the `ignored` chunks, which are not looked at; and `keep` is called by the workers
/// with each chunk that is what the index says.
pub(crate) fn compare_and_keep(
    comparison: Comparison<'_>,
    ignored: &ChunkSet,
    keep: &Keep<'_>,
    context: &Context<'_>,
    mut each: impl FnMut(usize, &ChunkEntry, ChunkId) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut jobs = Jobs { comparison, ignored, position: 0, data: 0..0 };
    let zero = ZeroChunk::of(&comparison.index.header);
    let worker = || {
        let mut hand = Hand { comparison, zero, keep, hash: context.kernels.hash, buffer: Vec::new() };
        move |job: Job| Ok((job.chunks.start, hand.names(&job)?))
    };
    let feed = std::iter::from_fn(|| jobs.next().transpose());
    let in_flight_max = context.workers.get() * JOBS_PER_WORKER;
    ordered(context, in_flight_max, feed, worker, |(first, found): (usize, Vec<ChunkId>)| {
        for (position, found) in (first..).zip(found) {
            each(position, &entry(comparison.index, position), found)?;
        }
        Ok(())
    })
}

/// Takes a chunk that lies in its place: `None` is the null chunk, zeros that were not hashed.
pub(crate) type Keep<'a> = dyn Fn(Option<VerifiedChunk<&[u8]>>) -> Result<(), Error> + Sync + 'a;

/// Neighbouring chunks, by position in the index.
struct Job {
    chunks: Range<usize>,
    /// Whether they lie in a hole.
    in_hole: bool,
}

/// One worker's means to look at the file.
struct Hand<'a> {
    comparison: Comparison<'a>,
    zero: ZeroChunk,
    keep: &'a Keep<'a>,
    hash: HashKernel,
    buffer: Vec<u8>,
}

impl Hand<'_> {
    /// The names of what lies in the places of a job's chunks.
    fn names(&mut self, job: &Job) -> Result<Vec<ChunkId>, Error> {
        let index = self.comparison.index;
        let zero = self.zero;
        let entries: Vec<ChunkEntry> = job.chunks.clone().map(|position| entry(index, position)).collect();
        if job.in_hole && entries.iter().all(|entry| entry.len() == zero.len()) {
            self.check_end(entries.last().map_or(0, |entry| entry.end))?;
            if entries.iter().any(|entry| entry.id == zero.id()) {
                (self.keep)(None)?;
            }
            return Ok(vec![zero.id(); entries.len()]);
        }
        let (start, end) = (entries[0].start, entries[entries.len() - 1].end);
        let len = usize::try_from(end - start)
            .map_err(|_| Error::Index(format!("a chunk of {} bytes is too long", end - start)))?;
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        let buffer = &mut self.buffer[..len];
        let Comparison { file, path, .. } = self.comparison;
        file.read_exact_at(buffer, start).map_err(Error::file("read", path))?;
        let (mut names, mut places, mut others) = (vec![zero.id(); entries.len()], Vec::new(), Vec::new());
        for (place, entry) in entries.iter().enumerate() {
            // Offsets within the buffer fit `usize`, since its length does.
            let chunk = &buffer[(entry.start - start) as usize..(entry.end - start) as usize];
            if entry.len() == zero.len() && are_zeros(chunk) {
                if entry.id == zero.id() {
                    (self.keep)(None)?;
                }
            } else {
                places.push(place);
                others.push(chunk);
            }
        }
        let others = VerifiedChunk::name_many(self.hash, index.header.digest(), others);
        for (place, chunk) in places.into_iter().zip(others) {
            names[place] = chunk.id();
            if chunk.id() == entries[place].id {
                (self.keep)(Some(chunk))?;
            }
        }
        Ok(names)
    }

    /// What looks like a hole may be the end of a file that has become shorter.
    fn check_end(&self, end: u64) -> Result<(), Error> {
        let Comparison { file, path, .. } = self.comparison;
        let len = file.len().map_err(Error::file("measure", path))?;
        if len >= end {
            Ok(())
        } else {
            Err(Error::file("read", path)(std::io::ErrorKind::UnexpectedEof.into()))
        }
    }
}

fn entry(index: &Index, position: usize) -> ChunkEntry {
    index.entry(position).expect("jobs stay within the index")
}

/// Cuts the index into jobs that lie in data or in holes.
struct Jobs<'a> {
    comparison: Comparison<'a>,
    ignored: &'a ChunkSet,
    position: usize,
    /// The data range of the file at or after the position.
    data: Range<u64>,
}

impl Jobs<'_> {
    fn next(&mut self) -> Result<Option<Job>, Error> {
        let Comparison { index, file, path } = self.comparison;
        while index.items.get(self.position).is_some_and(|item| self.ignored.contains(&item.id)) {
            self.position += 1;
        }
        let Some(first) = index.entry(self.position) else { return Ok(None) };
        if self.data.end <= first.start {
            let next = file.next_data(first.start).map_err(Error::file("look for holes in", path))?;
            self.data = next.unwrap_or(u64::MAX..u64::MAX);
        }
        let max = index.header.sizes.max();
        let lies_in_hole = |entry: &ChunkEntry| entry.end <= self.data.start && entry.len() == max;
        let in_hole = lies_in_hole(&first);
        let start = self.position;
        while let Some(entry) = index.entry(self.position) {
            let fits = entry.end - first.start <= JOB_LEN || self.position == start;
            let is_alike = lies_in_hole(&entry) == in_hole && (in_hole || entry.start < self.data.end);
            if !fits || !is_alike || self.ignored.contains(&entry.id) {
                break;
            }
            self.position += 1;
        }
        Ok(Some(Job { chunks: start..self.position, in_hole }))
    }
}
