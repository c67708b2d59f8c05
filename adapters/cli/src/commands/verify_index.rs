//! `verify-index`.

use std::path::Path;

use anyhow::anyhow;
use desync_engine::{Error, verify_index};
use desync_files::HostDisk;

use crate::args::VerifyIndexArgs;
use crate::indexes;
use crate::output::ProgressDisplay;
use crate::session::Session;
use crate::settings::{Location, overrides, workers};

pub(super) fn run(args: &VerifyIndexArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    overrides(&args.stores)?;
    let index = indexes::read(&Location::new(&args.index), session)?;
    let progress = ProgressDisplay::from_environment();
    let context = session.context(workers, &progress);
    verify_index(&index, &HostDisk, Path::new(&args.file), &context).map_err(|error| match error {
        Error::Mismatch { start, end, expected, found, .. } => anyhow!(
            "seed index for {} doesn't match its data: bytes {start}..{end} are {found}, not {expected}",
            args.file.display()
        ),
        Error::Length { index_len, file_len, .. } => {
            anyhow!("index size ({index_len}) does not match file size ({file_len})")
        }
        other => other.into(),
    })
}
