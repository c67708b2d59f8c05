//! `inspect-chunks`, and reading what it wrote.

use std::io::Read;
use std::path::PathBuf;

use anyhow::bail;
use desync_core::ChunkId;
use desync_core::format::{ChunkEntry, StorageForm};
use desync_engine::{ChunkLength, ChunkLengths};
use desync_files::Durability;
use serde::{Deserialize, Serialize};

use crate::args::InspectChunksArgs;
use crate::indexes;
use crate::output::{self, OutputFile};
use crate::session::Session;
use crate::settings::{Location, Scheme, optional_location, workers};

/// One chunk of an index.
#[derive(Serialize, Deserialize)]
struct ChunkInfo {
    id: String,
    uncompressed_size: u64,
    #[serde(default, skip_serializing_if = "is_unknown")]
    compressed_size: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape serde calls")]
fn is_unknown(size: &u64) -> bool {
    *size == 0
}

pub(super) fn run(args: &InspectChunksArgs, session: &Session) -> anyhow::Result<()> {
    workers(args.stores.concurrency)?;
    let stores = session.stores(&args.stores, Durability::Sync)?;
    let directory = match optional_location(args.store.as_ref()) {
        None => None,
        Some(location) if location.scheme() != Scheme::Local => bail!("'{location}' is not a local store"),
        Some(location) => {
            let form = stores.single(&location)?.form();
            form.is_compressed().then(|| (location.path().to_owned(), form))
        }
    };
    let mut chunks = Vec::new();
    indexes::for_each_chunk(&Location::new(&args.index), session, |_, entry| {
        session.cancel.check()?;
        chunks.push(inspect(entry, directory.as_ref())?);
        Ok(())
    })?;
    match args.output.as_ref().filter(|output| *output != "-") {
        None => output::print_json(&mut output::stdout(), &chunks),
        Some(path) => {
            let mut out = OutputFile::create(path.as_ref())?;
            output::print_json(&mut out, &chunks)?;
            out.finish()
        }
    }
}

fn inspect(entry: &ChunkEntry, directory: Option<&(PathBuf, StorageForm)>) -> anyhow::Result<ChunkInfo> {
    let compressed_size = match directory {
        None => 0,
        Some((directory, form)) => {
            let path = directory.join(form.path_of(&entry.id).as_str());
            match std::fs::symlink_metadata(&path) {
                Ok(found) if found.is_file() => found.len(),
                Ok(_) => 0,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
                Err(error) => bail!("{}: {error}", path.display()),
            }
        }
    };
    Ok(ChunkInfo { id: entry.id.to_string(), uncompressed_size: entry.len(), compressed_size })
}

/// Reads what `inspect-chunks` wrote; `null` is what Go desync writes for an index without chunks.
pub(super) fn read(input: impl Read) -> anyhow::Result<ChunkLengths> {
    let chunks: Option<Vec<ChunkInfo>> = serde_json::from_reader(std::io::BufReader::new(input))?;
    let chunks = chunks.unwrap_or_default().into_iter();
    chunks
        .map(|chunk| {
            let id: ChunkId = chunk.id.parse()?;
            Ok((id, ChunkLength { plain: chunk.uncompressed_size, stored: chunk.compressed_size }))
        })
        .collect()
}
