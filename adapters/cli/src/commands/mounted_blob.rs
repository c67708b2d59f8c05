//! What a mount reads from: the blob of an index, opened as the flags say, and looked after while it is mounted.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use desync_core::format::Index;
use desync_engine::{Blob, BlobOptions, CopyOnRead};
use desync_files::{Durability, HostDisk};
use desync_store::ChunkStore;

use super::mounting::Housekeeping;
use crate::args::MountedBlobArgs;
use crate::indexes;
use crate::session::Session;
use crate::settings::{CopyOnReadSetting, Location, SourceLocations, SourceSetting, workers};
use crate::source::Source;

/// Bytes of decoded chunks that are kept in memory. The kernel keeps what was read; this is for what is read next.
const CACHE_LEN: u64 = 32 << 20;

/// A blob, the stores it comes from, and where the state of its copy-on-read file is kept.
pub(super) struct MountedBlob<'a> {
    pub(super) blob: Arc<Blob>,
    source: Source<'a>,
    state: Option<PathBuf>,
}

impl<'a> MountedBlob<'a> {
    /// Opens stores, index and copy-on-read file.
    ///
    /// # Errors
    /// Flags that contradict each other, and whatever cannot be opened.
    pub(super) fn open(
        index: &OsStr,
        args: &'a MountedBlobArgs,
        session: &'a Session,
    ) -> anyhow::Result<Self> {
        let workers = workers(args.stores.concurrency)?;
        // Flags that contradict each other are told before anything is opened.
        session.stores(&args.stores, Durability::Sync)?;
        let setting = SourceSetting::new(&args.source, args.store_file.as_ref())?;
        let copy_on_read = CopyOnReadSetting::new(
            args.cor_file.as_ref(),
            args.cor_state_save.as_ref(),
            args.cor_state_init.as_ref(),
            args.cor_init_n,
        )?;

        let open = move |locations: &SourceLocations| -> anyhow::Result<_> {
            let session = session.renewed()?;
            let stores = session.stores(&args.stores, Durability::Sync)?;
            stores.source(&locations.stores, locations.cache.as_ref())
        };
        let source = Source::open(setting, open)?;
        let index = indexes::read(&Location::new(index), session)?;
        let store = Arc::clone(source.store()) as Arc<dyn ChunkStore>;
        let options = BlobOptions { workers, cache_len: CACHE_LEN, hash: session.hash_kernel() };
        let (kept, preload) = match &copy_on_read {
            Some(setting) => open_file(setting, &index)?,
            None => (None, Vec::new()),
        };
        let blob = Blob::new(index, store, kept, options)?;
        if let Some((_, threads)) = copy_on_read.as_ref().and_then(|setting| setting.preload.as_ref()) {
            blob.preload(preload, *threads, &session.cancel);
        }
        Ok(Self { blob, source, state: copy_on_read.and_then(|setting| setting.state) })
    }
}

/// The copy-on-read file, and the chunks to fetch into it at once.
fn open_file(setting: &CopyOnReadSetting, index: &Index) -> anyhow::Result<(Option<CopyOnRead>, Vec<usize>)> {
    let kept = CopyOnRead::open(Arc::new(HostDisk), &setting.file, index, setting.state.as_deref())?;
    let preload = match &setting.preload {
        Some((state, _)) if kept.is_new() => kept.chunks_named_by(state, index)?,
        _ => Vec::new(),
    };
    Ok((Some(kept), preload))
}

impl Housekeeping for MountedBlob<'_> {
    fn uses_hang_up(&self) -> bool {
        self.source.can_change() || self.state.is_some()
    }

    fn reload(&self) {
        if self.source.reload() {
            self.blob.store_changed();
        }
    }

    fn save(&self) -> anyhow::Result<()> {
        if let Some(state) = &self.state {
            self.blob.save_state(state).context("copy-on-read state")?;
        }
        Ok(self.source.store().flush()?)
    }
}
