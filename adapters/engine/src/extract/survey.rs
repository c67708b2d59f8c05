//! What a target already holds: each chunk's range is read once and hashed.
//!
//! Null chunks in holes are right without being read.

use std::ops::Range;
use std::path::Path;

use desync_core::VerifiedChunk;
use desync_core::format::{ChunkEntry, Index};
use desync_core::plan::ZeroChunk;
use desync_files::DiskFile;

use crate::pool::ordered;
use crate::{Context, Error, Phase};

/// Bytes of the target that one job covers, unless a single chunk is longer.
const JOB_LEN: u64 = 4 << 20;

/// Neighbouring chunks of the target, by position in the index.
struct Job {
    chunks: Range<usize>,
    /// Whether they lie in a hole: then only null chunks can be right, and those need no reading.
    in_hole: bool,
}

/// Calls `right` with the position of every chunk that `target` holds in its place. Positions ascend.
pub(super) fn survey(
    index: &Index,
    zero: ZeroChunk,
    target: &dyn DiskFile,
    path: &Path,
    context: &Context<'_>,
    mut right: impl FnMut(u32),
) -> Result<(), Error> {
    context.progress.begin(Phase::Surveying, index.blob_len());
    let mut jobs = Jobs { index, target, path, position: 0, data: 0..0 };
    let feed = std::iter::from_fn(|| jobs.next().transpose());
    let worker = || {
        let mut buffer = Vec::new();
        move |job: Job| {
            let mut found = Vec::new();
            for position in job.chunks.clone() {
                let entry = index.entry(position).expect("jobs stay within the index");
                if is_right(&entry, &job, index, zero, target, path, &mut buffer)? {
                    found.push(position as u32);
                }
            }
            Ok((job.chunks, found))
        }
    };
    ordered(
        context,
        context.workers.get() * 4,
        feed,
        worker,
        |(chunks, found): (Range<usize>, Vec<u32>)| {
            found.into_iter().for_each(&mut right);
            context.progress.advance(span(index, &chunks));
            Ok(())
        },
    )?;
    context.progress.end();
    Ok(())
}

fn is_right(
    entry: &ChunkEntry,
    job: &Job,
    index: &Index,
    zero: ZeroChunk,
    target: &dyn DiskFile,
    path: &Path,
    buffer: &mut Vec<u8>,
) -> Result<bool, Error> {
    if job.in_hole && zero.is(entry) {
        return Ok(true);
    }
    buffer.resize(entry.len() as usize, 0);
    target.read_exact_at(buffer, entry.start).map_err(Error::file("read", path))?;
    Ok(VerifiedChunk::check(index.header.digest(), entry.id, &*buffer).is_ok())
}

/// Bytes that a run of chunks covers.
fn span(index: &Index, chunks: &Range<usize>) -> u64 {
    let start = if chunks.start == 0 { 0 } else { index.items[chunks.start - 1].end };
    index.items[chunks.end - 1].end - start
}

/// Cuts the index into jobs that lie in data or in holes.
struct Jobs<'a> {
    index: &'a Index,
    target: &'a dyn DiskFile,
    path: &'a Path,
    position: usize,
    /// The data range of the target at or after the position.
    data: Range<u64>,
}

impl Jobs<'_> {
    fn next(&mut self) -> Result<Option<Job>, Error> {
        let Some(first) = self.index.entry(self.position) else { return Ok(None) };
        if self.data.end <= first.start {
            let next = self.target.next_data(first.start).map_err(Error::file("read", self.path))?;
            self.data = next.unwrap_or(u64::MAX..u64::MAX);
        }
        let in_hole = first.end <= self.data.start;
        let start = self.position;
        while let Some(entry) = self.index.entry(self.position) {
            let same_kind =
                (entry.end <= self.data.start) == in_hole && (in_hole || entry.start < self.data.end);
            let fits = self.position == start || entry.end - first.start <= JOB_LEN;
            if !(same_kind && fits) {
                break;
            }
            self.position += 1;
        }
        Ok(Some(Job { chunks: start..self.position, in_hole }))
    }
}
