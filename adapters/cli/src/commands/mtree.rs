//! `mtree`.

use std::io::Write as _;
use std::path::Path;

use desync_core::DigestKind;
use desync_core::format::catar::Expected;
use desync_core::format::{FeatureFlags, Strictness};
use desync_engine::{Phase, Progress as _};
use desync_files::Durability;
use desync_tree::{MtreeWriter, Owners, PackOptions, UnpackOptions, list};

use super::losses::Losses;
use super::untar::Archive;
use crate::args::MtreeArgs;
use crate::output::{self, ProgressDisplay};
use crate::session::Session;
use crate::settings::{UsageError, workers};

pub(super) fn run(args: &MtreeArgs, session: &Session) -> anyhow::Result<()> {
    let is_index = args.index.unwrap_or(false);
    let input = Path::new(&args.input);
    let is_directory = args.input != "-" && input.is_dir();
    if is_directory && is_index {
        return Err(UsageError::new("-i can't be used with input directory").into());
    }
    let lenient = args.lenient.unwrap_or(false);
    let options = UnpackOptions {
        expected: Expected::default(),
        strictness: if lenient { Strictness::Lenient } else { Strictness::Strict },
        features: FeatureFlags::all(),
        strip_nul_of_xattrs: false,
    };
    let archive = Archive {
        input: &args.input,
        is_index,
        source: &args.source,
        stores: &args.stores,
        seeds: &[],
        durability: Durability::Sync,
        options,
    };
    archive.check()?;
    let progress = ProgressDisplay::beside_stdout();
    let losses = Losses::default();
    let mut out = output::stdout();
    let digest = session.digest.unwrap_or(DigestKind::Sha512_256);
    let mut sink = MtreeWriter::new(&mut out, Path::new("-"), digest)?;
    if is_directory {
        let context = session.context(workers(args.stores.concurrency)?, &progress);
        let options = PackOptions { features: shown(), one_file_system: false, copy_hard_links: true };
        progress.begin(Phase::Listing, 0);
        list(input, &options, &Owners::of_this_machine(), &losses, &mut sink, &context)?;
        progress.end();
    } else {
        archive.unpack(&mut sink, session, &progress)?;
    }
    out.flush()?;
    losses.into_result()
}

/// What a listing tells of a node.
fn shown() -> FeatureFlags {
    FeatureFlags::UIDS_32BIT
        | FeatureFlags::NSEC_TIME
        | FeatureFlags::PERMISSIONS
        | FeatureFlags::SYMLINKS
        | FeatureFlags::DEVICE_NODES
        | FeatureFlags::FIFOS
        | FeatureFlags::SOCKETS
}
