//! `chunk-server`.

use std::sync::Arc;

use desync_server::{ChunkSite, Site};
use desync_store::{Compression, Converter};

use super::{digests, server};
use crate::args::ChunkServerArgs;
use crate::output;
use crate::session::{Session, durability};
use crate::settings::{
    Encryption, EncryptionError, Location, ServerSetting, SourceLocations, SourceSetting, UsageError, workers,
};
use crate::source::Source;
use crate::stores::{SharedStore, Stores};

pub(super) fn run(args: &ChunkServerArgs, session: &Session) -> anyhow::Result<()> {
    workers(args.stores.concurrency)?;
    let setting = ServerSetting::new(&args.server)?;
    if args.server.writeable.is_some() {
        output::say("Flag --writeable has been deprecated, use --writable instead");
    }
    let source = SourceSetting::new(&args.source, args.store_file.as_ref())?;
    let wire = wire(args)?;
    let writable = setting.writable;
    let source = Source::open(source, |locations| {
        let session = session.renewed()?;
        let mut stores = session.stores(&args.stores, durability(args.no_sync))?;
        stores.skip_verify = args.skip_verify_read.unwrap_or(true);
        open(&stores, locations, writable)
    })?;
    let site = ChunkSite {
        store: Arc::clone(source.store()) as SharedStore,
        wire,
        is_writable: writable,
        verify_writes: !args.skip_verify_write.unwrap_or(true),
        digests: digests(session),
        is_private: setting.authorization.is_some()
            || setting.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()),
    };
    server::run(Site::Chunks(Arc::new(site)), setting, session, || {
        source.reload();
    })
}

/// The form in which chunks go over the wire.
fn wire(args: &ChunkServerArgs) -> Result<Converter, EncryptionError> {
    let key = args.encryption_key.as_deref().unwrap_or_default();
    let algorithm = args.encryption_algorithm.as_deref().unwrap_or_default();
    let on = args.encryption.unwrap_or(false) || !key.is_empty() || !algorithm.is_empty();
    let encryption = Encryption { on, key, algorithm };
    let cipher = encryption.cipher()?.map(Arc::new);
    Ok(Converter::new(!args.uncompressed.unwrap_or(false), Compression::DEFAULT, cipher))
}

/// Opens what is served: any composition for reading, one store for writing.
fn open(stores: &Stores<'_>, locations: &SourceLocations, writable: bool) -> anyhow::Result<SharedStore> {
    if !writable {
        return stores.source(&locations.stores, locations.cache.as_ref());
    }
    match (&locations.stores[..], &locations.cache) {
        ([only], None) => stores.target(&Location::new(only)),
        _ => Err(UsageError::new("Only one upstream store supported for writing and no cache").into()),
    }
}
