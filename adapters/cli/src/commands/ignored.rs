//! `--ignore` and `--ignore-chunks`: the chunks that `chop` and `cache` leave out.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, anyhow};
use desync_core::ChunkId;
use desync_engine::ChunkSet;

use crate::args::IgnoreArgs;
use crate::indexes;
use crate::session::Session;
use crate::settings::{Location, UsageError, list};

/// Longest line of a file of IDs: an ID and any sensible amount of whitespace.
const LINE_MAX: u64 = 4096;

/// The indexes whose chunks are left out.
pub(super) fn indexes_of(args: &IgnoreArgs) -> Result<Vec<Location>, UsageError> {
    let words = list(&args.ignore)?;
    Ok(words.into_iter().map(Location::new).collect())
}

/// All chunks that are left out.
pub(super) fn chunks(indexes: &[Location], args: &IgnoreArgs, session: &Session) -> anyhow::Result<ChunkSet> {
    let mut ids = indexes::ids(indexes, session)?;
    for path in list(&args.ignore_chunks)? {
        read_ids(&path, &mut ids).with_context(|| path.display().to_string())?;
    }
    Ok(ids.into())
}

/// One ID per line; whitespace around it and blank lines do not count.
fn read_ids(path: &OsString, ids: &mut Vec<ChunkId>) -> anyhow::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let len = file.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
        if len == 0 {
            break;
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            let text = std::str::from_utf8(text).ok();
            let id = text.and_then(|text| text.parse().ok());
            ids.push(id.ok_or_else(|| anyhow!("line {number} is not a chunk ID of 64 hex digits"))?);
        }
    }
    Ok(())
}
