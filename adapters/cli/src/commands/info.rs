//! `info`.

use std::fs::File;
use std::io::Write;

use anyhow::Context;
use desync_core::chunking::ChunkSizes;
use desync_engine::{ChunkLengths, ChunkSet, Info, Whereabouts, info};
use desync_files::Durability;
use desync_store::ChunkStore;
use serde::Serialize;

use super::inspect_chunks;
use crate::args::InfoArgs;
use crate::indexes;
use crate::output::{self, ProgressDisplay};
use crate::session::Session;
use crate::settings::{Location, UsageError, list, optional_location, workers};

/// What is printed, in this order.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Printed {
    total: u64,
    unique: u64,
    in_store: u64,
    in_seed: u64,
    in_cache: u64,
    not_in_seed_nor_cache: u64,
    size: u64,
    dedup_size_not_in_seed: u64,
    dedup_size_not_in_seed_nor_cache: u64,
    dedup_size_not_in_seed_nor_cache_compressed: u64,
    chunk_size_min: u64,
    chunk_size_avg: u64,
    chunk_size_max: u64,
}

#[derive(Clone, Copy)]
enum Format {
    Json,
    Plain,
}

pub(super) fn run(args: &InfoArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    let stores = session.stores(&args.stores, Durability::Sync)?;
    let format = format(args.format.as_deref())?;
    let location = Location::new(&args.index);
    let sources = list(&args.source.store)?;
    let seeds: Vec<Location> = list(&args.seed)?.into_iter().map(Location::new).collect();
    indexes::only_one_from_stdin(seeds.iter().chain([&location]))?;

    let store = if sources.is_empty() { None } else { Some(stores.source(&sources, None)?) };
    let cache = optional_location(args.source.cache.as_ref());
    let cache = cache.map(|cache| stores.single(&cache)).transpose()?;
    let lengths = chunk_lengths(args)?;
    let index = indexes::read(&location, session)?;
    let seeds: ChunkSet = indexes::ids(&seeds, session)?.into();
    let whereabouts = Whereabouts {
        store: store.as_ref().map(|store| store as &dyn ChunkStore),
        cache: cache.as_ref().map(|cache| &cache.chunks as &dyn ChunkStore),
        seeds: &seeds,
        lengths: &lengths,
    };
    let progress = ProgressDisplay::from_environment();
    let found = info(&index, whereabouts, &session.context(workers, &progress))?;
    print(&Printed::new(&found, &index.header.sizes), format)
}

fn format(word: Option<&str>) -> Result<Format, UsageError> {
    match word {
        None | Some("json") => Ok(Format::Json),
        Some("plain") => Ok(Format::Plain),
        Some(other) => Err(UsageError::new(format!("unsupported output format \"{other}\""))),
    }
}

fn chunk_lengths(args: &InfoArgs) -> anyhow::Result<ChunkLengths> {
    let Some(path) = args.chunks_info.as_ref().filter(|path| !path.is_empty()) else {
        return Ok(ChunkLengths::new());
    };
    File::open(path)
        .map_err(anyhow::Error::from)
        .and_then(inspect_chunks::read)
        .with_context(|| path.display().to_string())
}

impl Printed {
    fn new(found: &Info, sizes: &ChunkSizes) -> Self {
        Self {
            total: found.total,
            unique: found.unique,
            in_store: found.in_store,
            in_seed: found.in_seed,
            in_cache: found.in_cache,
            not_in_seed_nor_cache: found.not_in_seed_nor_cache,
            size: found.blob_len,
            dedup_size_not_in_seed: found.len_not_in_seed,
            dedup_size_not_in_seed_nor_cache: found.len_not_in_seed_nor_cache,
            dedup_size_not_in_seed_nor_cache_compressed: found.stored_len_not_in_seed_nor_cache,
            chunk_size_min: sizes.min(),
            chunk_size_avg: sizes.avg(),
            chunk_size_max: sizes.max(),
        }
    }

    const fn lines(&self) -> [(&'static str, u64); 13] {
        [
            ("Blob size", self.size),
            ("Size of deduplicated chunks not in seed", self.dedup_size_not_in_seed),
            ("Size of deduplicated chunks not in seed nor cache", self.dedup_size_not_in_seed_nor_cache),
            ("Total chunks", self.total),
            ("Unique chunks", self.unique),
            ("Chunks in store", self.in_store),
            ("Chunks in seed", self.in_seed),
            ("Chunks in cache", self.in_cache),
            ("Chunks not in seed nor cache", self.not_in_seed_nor_cache),
            ("Compressed chunks not in seed nor cache", self.dedup_size_not_in_seed_nor_cache_compressed),
            ("Chunk size min", self.chunk_size_min),
            ("Chunk size avg", self.chunk_size_avg),
            ("Chunk size max", self.chunk_size_max),
        ]
    }
}

fn print(printed: &Printed, format: Format) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match format {
        Format::Json => output::print_json(&mut out, printed),
        Format::Plain => {
            for (label, number) in printed.lines() {
                writeln!(out, "{label}: {number}")?;
            }
            out.flush()?;
            Ok(())
        }
    }
}
