//! How fast each set of kernels scans and hashes on one core, beside the scalar scan and the `sha2` crate.

use std::hint::black_box;
use std::time::Duration;

use desync_core::chunking::{ChunkSizes, CutRule, Cutter, Kernel};
use desync_core::digest::{DigestKind, HashKernel};
use desync_kernels::Kernels;
use serde::Serialize;

use crate::process::thread_time;
use crate::report::middle;

/// Bytes worked on in one measurement: more than the first two caches hold.
const LEN: usize = 16 << 20;

/// Bytes handed to a scan at once.
const BLOCK_LEN: usize = 1 << 20;

/// Measurements of each kernel; they take turns, so that a slow moment hits all.
const ROUNDS: usize = 25;

/// One thing that kernels do, and how fast each of them does it, the slowest first.
#[derive(Serialize)]
pub(crate) struct Speeds {
    pub(crate) what: String,
    pub(crate) kernels: Vec<Speed>,
}

#[derive(Serialize)]
pub(crate) struct Speed {
    pub(crate) name: &'static str,
    /// 10⁹ bytes for each second of one core.
    pub(crate) gigabytes: f64,
    /// To the first.
    pub(crate) ratio: f64,
}

/// Everything that kernels do.
pub(crate) fn measure() -> Vec<Speeds> {
    let bytes = noise();
    let mut scans: Vec<Kernel> = Kernels::available().map(|(_, kernels)| kernels.scan).collect();
    scans.dedup_by_key(|kernel| kernel.name());
    scans.reverse();
    let jobs = scans.iter().map(|kernel| (kernel.name(), || scan(*kernel, &bytes)));
    let mut found = vec![speeds("scan".to_owned(), jobs.collect())];

    let mut hashes: Vec<HashKernel> = Kernels::available().map(|(_, kernels)| kernels.hash).collect();
    hashes.reverse();
    let equal: Vec<&[u8]> = bytes.chunks(64 << 10).collect();
    let natural = natural_chunks(&bytes);
    for digest in [DigestKind::Sha512_256, DigestKind::Sha256] {
        for (mix, chunks) in [("64 KiB chunks", &equal), ("chunks as cut", &natural)] {
            let jobs = hashes.iter().map(|kernel| (kernel.name(), || hash(*kernel, digest, chunks)));
            found.push(speeds(format!("{digest}, {mix}"), jobs.collect()));
        }
    }
    found
}

/// Bytes without any pattern, by xorshift.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(LEN / 8).flatten().collect()
}

fn scan(kernel: Kernel, bytes: &[u8]) {
    let discriminator = ChunkSizes::DEFAULT.discriminator(CutRule::Casync);
    let mut count = 0;
    for block in bytes.chunks(BLOCK_LEN) {
        kernel.candidates(block, discriminator, &mut |_| count += 1);
    }
    black_box(count);
}

fn hash(kernel: HashKernel, digest: DigestKind, chunks: &[&[u8]]) {
    for batch in chunks.chunks(kernel.batch_len()) {
        black_box(kernel.ids_of(digest, batch));
    }
}

fn natural_chunks(bytes: &[u8]) -> Vec<&[u8]> {
    let cutter = Cutter::new(&ChunkSizes::DEFAULT, CutRule::Casync, Kernels::detect().scan);
    let mut chunks = Vec::new();
    let mut rest = bytes;
    while let Some(len) = cutter.first_cut(rest, true) {
        let (chunk, left) = rest.split_at(len);
        chunks.push(chunk);
        rest = left;
    }
    chunks
}

fn speeds(what: String, jobs: Vec<(&'static str, impl Fn())>) -> Speeds {
    let mut times = vec![Vec::new(); jobs.len()];
    for _ in 0..ROUNDS {
        for ((_, job), times) in jobs.iter().zip(&mut times) {
            let before = thread_time();
            job();
            times.push(thread_time().saturating_sub(before));
        }
    }
    let seconds =
        times.iter().map(|times| middle(times.iter().map(Duration::as_secs_f64)).unwrap_or(f64::NAN));
    let gigabytes: Vec<f64> = seconds.map(|seconds| LEN as f64 / seconds / 1e9).collect();
    let kernels = jobs.iter().zip(&gigabytes).map(|((name, _), &speed)| Speed {
        name,
        gigabytes: speed,
        ratio: speed / gigabytes[0],
    });
    Speeds { what, kernels: kernels.collect() }
}
