//! What commands cost beyond the work that cannot be avoided: scanning, hashing, compressing and decoding the
//! same chunks, done by the same libraries in this process.
//!
//! All of it on one processor, in CPU time (user and system), which says the same on a machine that others use, too;
//! with the store in memory, for what a disk's file system takes for a new file is its own (ext4: twice what tmpfs
//! takes, and many times that once many files were removed).
//!
//! The parts begin with bytes that lie in memory, as the image does in the page cache: whoever scans them first waits
//! for them, and those who follow find them in the processor's caches. A program that need not copy them out of the
//! page cache would take as long.

use std::collections::HashSet;
use std::fs::{self, File};
use std::hint::black_box;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use desync_codec::{Encoder, HostDecoder};
use desync_core::chunking::CutRule;
use desync_core::codec::Decoder as _;
use desync_core::format::{ChunkEntry, Index, StorageForm, Strictness};
use desync_core::plan::ZeroChunk;
use desync_core::{ChunkId, Limits};
use desync_kernels::Kernels;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

use crate::jobs::{Job, Task, job};
use crate::place::{Images, Place};
use crate::process::{self, Cost, thread_time};
use crate::program::Program;
use crate::report::middle;

/// The work that no command can leave out, in seconds of one core.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    /// The chunks of the first image but for zeros: scanned, hashed, and each different one compressed.
    scan: f64,
    digest: f64,
    compress: f64,
    /// Each different chunk of both images decoded and hashed.
    decode: f64,
    decoded_digest: f64,
    /// Reading the first image, and the stored chunks of both.
    read: f64,
    stored_read: f64,
    /// For each different chunk of the first image, asking for its file; making it as a store does, directory and all.
    asked: f64,
    files: f64,
    /// Bytes of the first image's chunks, and of the different ones of both.
    len: u64,
    stored_len: u64,
}

/// A command and the work that it cannot leave out.
#[derive(Serialize)]
pub(crate) struct Bound {
    pub(crate) command: &'static str,
    pub(crate) parts: &'static str,
    pub(crate) cpu_seconds: f64,
    /// The system's part of it: files made, opened, synced and copied.
    pub(crate) system_seconds: f64,
    pub(crate) parts_seconds: f64,
    pub(crate) peak_bytes: u64,
    /// How many times its parts the command takes: the median over rounds, so that a machine that others make slower
    /// for a while does it to both. With the system's part, without it, and with the calls as parts.
    pub(crate) ratio: f64,
    pub(crate) user_ratio: f64,
    pub(crate) ratio_with_calls: f64,
    /// What `ratio` is held to.
    pub(crate) limit: f64,
    /// 10⁹ bytes of data for each second of CPU time.
    pub(crate) gigabytes: f64,
}

impl Bound {
    pub(crate) fn is_kept(&self) -> bool {
        self.ratio <= self.limit
    }
}

/// A command that is held to a bound.
struct Held {
    job: Job,
    parts: &'static str,
    limit: f64,
    seconds: fn(&Parts) -> f64,
    calls: fn(&Parts) -> f64,
}

/// On one worker where that can be said.
const HELD: [Held; 5] = [
    Held {
        job: job("make, fresh", Task::Make { known: false }, Some(1)),
        parts: "scan + digest + zstd",
        limit: 1.15,
        seconds: |parts| parts.scan + parts.digest + parts.compress,
        calls: |parts| parts.read + parts.files,
    },
    Held {
        job: job("make, all known", Task::Make { known: true }, Some(1)),
        parts: "scan + digest",
        limit: 1.25,
        seconds: |parts| parts.scan + parts.digest,
        calls: |parts| parts.read + parts.asked,
    },
    Held {
        job: job("chunk", Task::Chunk, None),
        parts: "scan + digest",
        limit: 1.25,
        seconds: |parts| parts.scan + parts.digest,
        calls: |parts| parts.read,
    },
    Held {
        job: job("verify-index", Task::VerifyIndex, Some(1)),
        parts: "digest",
        limit: 1.25,
        seconds: |parts| parts.digest,
        calls: |parts| parts.read,
    },
    Held {
        job: job("verify", Task::Verify, Some(1)),
        parts: "zstd + digest",
        limit: 1.3,
        seconds: |parts| parts.decode + parts.decoded_digest,
        calls: |parts| parts.stored_read,
    },
];

/// Measures parts and commands in turn.
pub(crate) fn measure(
    program: &Program,
    place: &Place,
    images: &Images,
    rounds: u32,
) -> anyhow::Result<Vec<Bound>> {
    let _one = OneProcessor::pin()?;
    let blobs = [(&place.seed_index, &images.first), (&place.second_index, &images.second)];
    let mut parts = Vec::new();
    let mut costs = vec![Vec::new(); HELD.len()];
    for round in 0..rounds {
        eprintln!("bounds {}/{rounds}", round + 1);
        let floor = place.folder.join(format!("floor-{round}"));
        parts.push(measure_parts(&blobs, &place.store, &floor)?);
        process::forget_peak()?;
        // Also for its memory, which is slow to be had for the first time, to be used again in the next round.
        fs::remove_dir_all(&floor)?;
        for (Held { job, .. }, costs) in HELD.iter().zip(&mut costs) {
            place.prepare(job)?;
            let mut command = program.command(job, place, images).context("a command of our own")?;
            costs.push(process::measure(&mut command, &place.folder)?);
        }
    }
    let bounds = HELD.iter().zip(&costs).map(|(held, costs)| bound(held, &parts, costs));
    Ok(bounds.collect())
}

/// Puts together what all rounds said of a command and its parts.
fn bound(held: &Held, parts: &[Parts], costs: &[Cost]) -> Bound {
    let Held { job, parts: names, limit, seconds, calls } = held;
    let median = |values: &mut dyn Iterator<Item = f64>| middle(values).unwrap_or(f64::NAN);
    let ratio = |of: fn(&Cost) -> Duration, to: &dyn Fn(&Parts) -> f64| {
        median(&mut costs.iter().zip(parts).map(|(cost, parts)| of(cost).as_secs_f64() / to(parts)))
    };
    let cpu_seconds = median(&mut costs.iter().map(|cost| cost.cpu.as_secs_f64()));
    let len = if job.task == Task::Verify { parts[0].stored_len } else { parts[0].len };
    Bound {
        command: job.name,
        parts: names,
        cpu_seconds,
        system_seconds: median(&mut costs.iter().map(|cost| cost.system.as_secs_f64())),
        parts_seconds: median(&mut parts.iter().map(seconds)),
        ratio: ratio(|cost| cost.cpu, seconds),
        user_ratio: ratio(|cost| cost.cpu - cost.system, seconds),
        ratio_with_calls: ratio(|cost| cost.cpu, &|parts| seconds(parts) + calls(parts)),
        limit: *limit,
        peak_bytes: costs.iter().map(|cost| cost.peak).max().unwrap_or(0),
        gigabytes: len as f64 / cpu_seconds / 1e9,
    }
}

/// Keeps this thread, and the programs that it starts, on one processor while it lives: nothing is fetched from
/// another's caches, and programs see that they have one.
struct OneProcessor {
    before: CpuSet,
}

impl OneProcessor {
    fn pin() -> anyhow::Result<Self> {
        let before = sched_getaffinity(None)?;
        let first = (0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu)).context("no processor")?;
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one)?;
        Ok(Self { before })
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        if let Err(error) = sched_setaffinity(None, &self.before) {
            eprintln!("still on one processor: {error}");
        }
    }
}

fn read_index(path: &Path) -> anyhow::Result<Index> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Index::parse(&bytes, &Limits::HOST, Strictness::Strict).with_context(|| path.display().to_string())
}

/// Measures the parts over blobs and their indexes, whose chunks are all in `store`. Makes files in `floor`, which is
/// not there yet.
fn measure_parts(blobs: &[(&PathBuf, &PathBuf)], store: &Path, floor: &Path) -> anyhow::Result<Parts> {
    fs::create_dir(floor)?;
    let mut bench = Workbench {
        kernels: Kernels::detect(),
        encoder: Encoder::new(Encoder::LEVEL_DEFAULT)?,
        decoder: HostDecoder::new(&Limits::HOST),
        store,
        floor,
        buffer: Vec::new(),
        seen: HashSet::new(),
        parts: Parts::default(),
    };
    for (number, (index, blob)) in blobs.iter().enumerate() {
        let (index, blob) = (read_index(index)?, Blob::open(blob)?);
        let zero = ZeroChunk::of(&index.header);
        let entries: Vec<ChunkEntry> = index.entries().filter(|entry| !zero.is(entry)).collect();
        let batch_len = bench.kernels.hash.batch_len();
        let neighbours = entries.chunk_by(|before, entry| before.end == entry.start);
        for batch in neighbours.flat_map(|run| run.chunks(batch_len)) {
            bench.work_on(batch, &index, &blob, number == 0)?;
        }
    }
    Ok(bench.parts)
}

/// An image in memory, and as a file.
struct Blob {
    bytes: Vec<u8>,
    file: File,
}

impl Blob {
    fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { bytes: fs::read(path)?, file: File::open(path)? })
    }

    /// What copying a range out of the page cache takes. Who works on the copy finds it in the processor's caches;
    /// so the bytes are brought there first, which was counted where the parts waited for theirs.
    fn seconds_to_copy(&self, range: Range<usize>, buffer: &mut Vec<u8>) -> anyhow::Result<f64> {
        if buffer.len() < range.len() {
            buffer.resize(range.len(), 0);
        }
        let copy = &mut buffer[..range.len()];
        self.file.read_exact_at(copy, range.start as u64)?;
        let mut result = Ok(());
        let taken = seconds(|| result = self.file.read_exact_at(copy, range.start as u64));
        result?;
        Ok(taken)
    }
}

/// Where the parts are worked on, a batch of chunks at a time.
struct Workbench<'a> {
    kernels: Kernels,
    encoder: Encoder,
    decoder: HostDecoder,
    store: &'a Path,
    floor: &'a Path,
    buffer: Vec<u8>,
    seen: HashSet<ChunkId>,
    parts: Parts,
}

impl Workbench<'_> {
    fn work_on(
        &mut self,
        batch: &[ChunkEntry],
        index: &Index,
        blob: &Blob,
        is_first: bool,
    ) -> anyhow::Result<()> {
        let (start, end) = (batch[0].start as usize, batch[batch.len() - 1].end as usize);
        let bytes = &blob.bytes[start..end];
        let slice = |entry: &ChunkEntry| &blob.bytes[entry.start as usize..entry.end as usize];
        let chunks: Vec<&[u8]> = batch.iter().map(slice).collect();
        let digest = index.header.digest();
        let hash = |chunks: &[&[u8]]| drop(black_box(self.kernels.hash.ids_of(digest, chunks)));
        if is_first {
            let discriminator = index.header.sizes.discriminator(CutRule::Casync);
            self.parts.len += bytes.len() as u64;
            self.parts.scan += seconds(|| self.kernels.scan.candidates(bytes, discriminator, &mut |_| ()));
            self.parts.digest += seconds(|| hash(&chunks));
        }
        let new: Vec<_> = batch.iter().filter(|entry| self.seen.insert(entry.id)).collect();
        let new_chunks: Vec<&[u8]> = new.iter().map(|entry| slice(entry)).collect();
        self.parts.stored_len += new_chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        self.parts.decoded_digest += seconds(|| hash(&new_chunks));
        if is_first {
            self.compress(&new, &new_chunks)?;
            self.parts.read += blob.seconds_to_copy(start..end, &mut self.buffer)?;
        }
        self.decode(&new)
    }

    fn compress(&mut self, entries: &[&ChunkEntry], chunks: &[&[u8]]) -> anyhow::Result<()> {
        let mut stored = Vec::new();
        for (entry, chunk) in entries.iter().zip(chunks) {
            let mut result = Ok(());
            self.parts.compress += seconds(|| result = self.encoder.encode(chunk, &mut stored));
            result?;
            self.make_file(entry, &stored)?;
        }
        Ok(())
    }

    /// Asks for a chunk's file where it is, and makes it where it is not: what the system takes for that.
    fn make_file(&mut self, entry: &ChunkEntry, stored: &[u8]) -> anyhow::Result<()> {
        let name = StorageForm::Compressed.path_of(&entry.id);
        let (kept, target) = (self.store.join(name.as_str()), self.floor.join(name.as_str()));
        let directory = target.parent().context("a chunk lies in a directory")?;
        let temporary = directory.join("temporary");
        let mut result = Ok(());
        self.parts.asked += seconds(|| drop(black_box(fs::symlink_metadata(&kept))));
        self.parts.files += seconds(|| {
            // Most are new; one that is there is as good.
            let _ = fs::create_dir(directory);
            let write = || File::create_new(&temporary)?.write_all_at(stored, 0);
            result = write().and_then(|()| fs::rename(&temporary, &target));
        });
        Ok(result?)
    }

    fn decode(&mut self, entries: &[&ChunkEntry]) -> anyhow::Result<()> {
        let path = |entry: &ChunkEntry| self.store.join(StorageForm::Compressed.path_of(&entry.id).as_str());
        let stored = entries.iter().map(|entry| Ok((fs::read(path(entry))?, entry.len())));
        let (mut read, mut plain, mut result) = (Ok(Vec::new()), Vec::new(), Ok(()));
        self.parts.stored_read += seconds(|| read = stored.collect::<std::io::Result<Vec<_>>>());
        let stored = read?;
        self.parts.decode += seconds(|| {
            result = stored.iter().try_for_each(|(kept, len)| self.decoder.decode(kept, *len, &mut plain));
        });
        Ok(result?)
    }
}

/// Seconds that this thread works.
fn seconds(work: impl FnOnce()) -> f64 {
    let before = thread_time();
    work();
    thread_time().saturating_sub(before).as_secs_f64()
}
