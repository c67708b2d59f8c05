//! Plans an index of 16 million chunks (1 TiB at 64 KiB) and says what that cost.
//!
//! The design promises a few seconds and less than 1.1 GiB for the target alone; run it with
//! `cargo run --release -p desync-core --example plan_16m`. With `--seed`, a seed as large as the target is
//! planned with too: three quarters of its chunks are the target's, in runs of 100.
#![allow(clippy::print_stdout, reason = "an example says what it finds")]

use std::error::Error;
use std::io::{self, Read as _};
use std::time::Instant;

use desync_core::chunking::ChunkSizes;
use desync_core::format::index::stream::{IndexWriter, read_all};
use desync_core::format::{FeatureFlags, Index, IndexHeader, IndexItem, Strictness};
use desync_core::plan::lookup::slots_needed;
use desync_core::plan::{Lookup, PlanInput, PlanSeed, PlanSummary, Planner, ZeroChunk};
use desync_core::{ChunkId, DigestKind, Limits};

const CHUNKS: u64 = 16 << 20;
/// What the design promises. 16 million chunks of 64 bytes are 1 GiB.
const BYTES_PER_CHUNK_MAX: u64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let with_seed = std::env::args().any(|argument| argument == "--seed");
    let header =
        IndexHeader { flags: FeatureFlags::desync_blob(DigestKind::Sha512_256), sizes: ChunkSizes::DEFAULT };
    let started = Instant::now();
    let target = through_a_pipe(header, "target", |number| number)?;
    let seed = if with_seed {
        // Every fourth run of 100 chunks is new.
        Some(through_a_pipe(header, "seed", |number| number + CHUNKS * u64::from(number / 100 % 4 == 3))?)
    } else {
        None
    };

    let begun = Instant::now();
    let mut own_slots = vec![0; slots_needed(CHUNKS as u32)];
    let own = Lookup::build(&target, &mut own_slots, 0x1234_5678_9abc_def0)?;
    let mut seed_slots = vec![0; seed.as_ref().map_or(0, |_| slots_needed(CHUNKS as u32))];
    let mut seeds = Vec::new();
    if let Some(seed) = &seed {
        let lookup = Lookup::build(seed, &mut seed_slots, 0x0fed_cba9_8765_4321)?;
        seeds.push(PlanSeed { lookup, step_len_max: 8 << 20 });
    }
    say("entered into lookups", begun);

    let begun = Instant::now();
    let zero = Some(ZeroChunk::of(&header));
    let input = PlanInput {
        target: &target,
        in_place: None,
        zero,
        seeds: &seeds,
        own: Some(own),
        step_len_max: 8 << 20,
    };
    let summary = PlanSummary::of(Planner::new(input))?;
    say("planned", begun);
    println!("{summary}");
    say("in all", started);
    let peak = peak_rss_kib()? << 10;
    let chunks = CHUNKS * if with_seed { 2 } else { 1 };
    println!("peak memory: {} MiB, {:.1} bytes a chunk of index", peak >> 20, peak as f64 / chunks as f64);
    if peak > BYTES_PER_CHUNK_MAX * chunks {
        return Err(format!("more than the promised {BYTES_PER_CHUNK_MAX} bytes a chunk of index").into());
    }
    Ok(())
}

/// Encodes a synthetic index on one thread and parses it on this one, as if it came from a peer.
fn through_a_pipe(
    header: IndexHeader,
    what: &str,
    content: impl Fn(u64) -> u64 + Send,
) -> Result<Index, Box<dyn Error>> {
    let begun = Instant::now();
    let (reader, writer) = io::pipe()?;
    let len = 104 + 40 * CHUNKS;
    let index = std::thread::scope(|scope| {
        let encoder = scope.spawn(move || {
            let mut index = IndexWriter::new(Std(writer), header).map_err(|error| error.to_string())?;
            for number in 0..CHUNKS {
                let item = IndexItem { end: (number + 1) << 16, id: id(content(number)) };
                index.push(&item).map_err(|error| error.to_string())?;
            }
            index.finish().map(drop).map_err(|error| error.to_string())
        });
        let index = read_all(Std(reader), &Limits::HOST, Strictness::Strict, Some(len));
        encoder.join().expect("the encoder does not panic")?;
        index.map_err(Box::<dyn Error>::from)
    })?;
    say(&format!("encoded and parsed the {what}"), begun);
    Ok(index)
}

/// 32 bytes as evenly spread as a digest, but cheaper to make.
fn id(content: u64) -> ChunkId {
    let mut state = content;
    let mut raw = [0; 32];
    for word in raw.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word.copy_from_slice(&(mixed ^ mixed >> 31).to_le_bytes());
    }
    ChunkId(raw)
}

fn say(what: &str, since: Instant) {
    println!("{what}: {:.2} s", since.elapsed().as_secs_f64());
}

fn peak_rss_kib() -> io::Result<u64> {
    let mut status = String::new();
    std::fs::File::open("/proc/self/status")?.read_to_string(&mut status)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0))
}

/// A stream of the standard library as the core wants it.
struct Std<T>(T);

impl<T> embedded_io::ErrorType for Std<T> {
    type Error = embedded_io::ErrorKind;
}

impl<T: io::Read> embedded_io::Read for Std<T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.0.read(buf).map_err(|_| embedded_io::ErrorKind::Other)
    }
}

impl<T: io::Write> embedded_io::Write for Std<T> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.0.write(buf).map_err(|_| embedded_io::ErrorKind::Other)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.0.flush().map_err(|_| embedded_io::ErrorKind::Other)
    }
}
