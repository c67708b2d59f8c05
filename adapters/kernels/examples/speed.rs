//! Prints how fast each set of kernels scans and hashes on one core: medians of one run, and their ratios to
//! the scalar scan and to the `sha2` crate.
//!
//! `cargo run --release -p desync-kernels --example speed`

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::time::Instant;

use desync_core::chunking::{ChunkSizes, CutRule, Cutter, Kernel};
use desync_core::digest::{DigestKind, HashKernel};
use desync_kernels::Kernels;

/// Bytes worked on in one measurement: more than the first two caches hold.
const LEN: usize = 16 << 20;

/// Bytes handed to a scan at once, as `make` does.
const BLOCK_LEN: usize = 1 << 20;

/// Measurements of each kernel; they take turns, so that a slow moment hits all.
const ROUNDS: usize = 25;

fn main() {
    let bytes = desync_test_kit::prng(LEN, 1);
    println!("{ROUNDS} rounds over {} MiB, one core, GB/s (ratio to the first)\n", LEN >> 20);
    let mut scans: Vec<Kernel> = Kernels::available().map(|(_, kernels)| kernels.scan).collect();
    scans.dedup_by_key(|kernel| kernel.name());
    scans.reverse();
    report("scan", scans.iter().map(|kernel| (kernel.name(), || scan(*kernel, &bytes))).collect());

    let hashes = Kernels::available().map(|(_, kernels)| kernels.hash);
    let mut hashes: Vec<HashKernel> = hashes.collect();
    hashes.reverse();
    let equal: Vec<&[u8]> = bytes.chunks(64 << 10).collect();
    let natural = natural_chunks(&bytes);
    for digest in [DigestKind::Sha512_256, DigestKind::Sha256] {
        for (mix, chunks) in [("64 KiB chunks", &equal), ("chunks as cut", &natural)] {
            let jobs = hashes.iter().map(|kernel| (kernel.name(), || hash(*kernel, digest, chunks)));
            report(&format!("{digest}, {mix}"), jobs.collect());
        }
    }
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

fn report(what: &str, jobs: Vec<(&str, impl Fn())>) {
    let mut speeds = vec![Vec::new(); jobs.len()];
    for _ in 0..ROUNDS {
        for ((_, job), speeds) in jobs.iter().zip(&mut speeds) {
            let start = Instant::now();
            job();
            speeds.push(LEN as f64 / start.elapsed().as_secs_f64() / 1e9);
        }
    }
    let medians: Vec<f64> = speeds.into_iter().map(median).collect();
    println!("{what}");
    for ((name, _), speed) in jobs.iter().zip(&medians) {
        println!("  {name:15} {speed:5.2}  ({:.2})", speed / medians[0]);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
