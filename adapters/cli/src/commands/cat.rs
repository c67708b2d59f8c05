//! `cat`.

use std::io::Write;

use anyhow::bail;
use desync_core::format::Index;
use desync_engine::write_blob;
use desync_files::Durability;

use crate::args::CatArgs;
use crate::indexes;
use crate::output::{self, OutputFile, ProgressDisplay};
use crate::session::Session;
use crate::settings::{Location, UsageError, at_least_one, optional_location, workers};
use crate::stores::and_flush;

pub(super) fn run(args: &CatArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    let stores = session.stores(&args.stores, Durability::Sync)?;
    let locations = at_least_one(&args.source.store, "no store provided")?;
    let Ok(offset) = u64::try_from(args.offset.unwrap_or(0)) else {
        return Err(UsageError::new("unable to seek before start of file").into());
    };
    let cache = optional_location(args.source.cache.as_ref());

    let store = stores.source(&locations, cache.as_ref())?;
    let index = indexes::read(&Location::new(&args.index), session)?;
    let range = Range::within(&index, offset, args.length.unwrap_or(0))?;
    let output = args.output.as_ref().filter(|output| *output != "-");
    let progress = match output {
        Some(_) => ProgressDisplay::from_environment(),
        None => ProgressDisplay::beside_stdout(),
    };
    let context = session.context(workers, &progress);
    let write = |out: &mut dyn Write| {
        let written = write_blob(&index, range.bytes.clone(), &store, out, &context);
        and_flush(&store, written.map_err(Into::into))
    };
    match output {
        None => {
            let mut out = output::stdout();
            write(&mut out)?;
            out.flush()?;
        }
        Some(path) => {
            let mut out = OutputFile::create(path.as_ref())?;
            write(&mut out)?;
            out.finish()?;
        }
    }
    if range.is_short {
        bail!("EOF: the blob ends at {}", index.blob_len());
    }
    Ok(())
}

/// What is written, and whether more was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    bytes: std::ops::Range<u64>,
    is_short: bool,
}

impl Range {
    /// The range from `offset` on; a `length` of 0 or less means to the end.
    fn within(index: &Index, offset: u64, length: i64) -> anyhow::Result<Self> {
        let end = index.blob_len();
        if offset > end {
            bail!("offset {offset} is beyond the end of the blob at {end}");
        }
        let wanted_end = match u64::try_from(length) {
            Err(_) | Ok(0) => end,
            Ok(length) => offset.saturating_add(length),
        };
        Ok(Self { bytes: offset..wanted_end.min(end), is_short: wanted_end > end })
    }
}
