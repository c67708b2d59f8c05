//! From locations to index stores across a network: which kind a scheme opens.
//!
//! A new kind of index store is one line in [`KINDS`]. Local files are `indexes`' own business.

use std::sync::Arc;

use anyhow::bail;
use desync_config::StoreOptions;
#[cfg(feature = "server")]
use desync_files::{Durability, HostDisk};
use desync_store::{IndexBackend, IndexStore, RemoteIndexStore};
#[cfg(feature = "server")]
use desync_store_directory::DirectoryIndexStore;

use crate::config::retry_policy;
use crate::session::Session;
use crate::settings::{Location, Scheme};

/// Which backend serves which scheme.
const KINDS: &[(Scheme, OpenIndexes)] = &[
    #[cfg(feature = "http")]
    (Scheme::Http, crate::network::http::open_http_indexes),
    #[cfg(feature = "object")]
    (Scheme::S3, crate::network::object::open_s3_indexes),
    #[cfg(feature = "object")]
    (Scheme::Gcs, crate::network::object::open_gcs_indexes),
    #[cfg(feature = "ssh")]
    (Scheme::Sftp, crate::network::ssh::open_sftp_indexes),
];

/// Opens the place that an index's location lies in; returns it and the index's name there.
type OpenIndexes = fn(&Location, &StoreOptions, &Session) -> anyhow::Result<(Arc<dyn IndexBackend>, String)>;

/// An index across a network, by its place and name.
pub(crate) struct RemoteIndex {
    pub(crate) store: Arc<dyn IndexStore>,
    pub(crate) name: String,
}

/// The index at a location, if that is not local. Nothing is asked of the place yet.
///
/// # Errors
/// A location that cannot be opened, or whose options cannot be met.
pub(crate) fn remote(location: &Location, session: &Session) -> anyhow::Result<Option<RemoteIndex>> {
    let Some((word, scheme)) = location.scheme_word() else { return Ok(None) };
    match scheme {
        Scheme::Ssh => bail!("Index storage is not supported by ssh remote stores, {location}"),
        Scheme::Oci => bail!("Index storage is not supported by oci registry stores, {location}"),
        _ => {}
    }
    let Some((_, open)) = KINDS.iter().find(|(known, _)| *known == scheme) else {
        bail!("{location}: index stores of scheme {word} are not built in")
    };
    let options = session.index_options(location)?;
    let (backend, name) = open(location, &options, session)?;
    let store = RemoteIndexStore::new(backend, retry_policy(&options, &session.cancel));
    Ok(Some(RemoteIndex { store: Arc::new(store), name }))
}

/// The index store at a location, whose indexes a server serves.
///
/// # Errors
/// A location that no index store is, that cannot be opened, or whose options cannot be met.
#[cfg(feature = "server")]
pub(crate) fn served(location: &Location, session: &Session) -> anyhow::Result<Arc<dyn IndexStore>> {
    // Some index in it: its store is the one.
    let within = location.joined("index");
    if let Some(RemoteIndex { store, .. }) = remote(&within, session)? {
        return Ok(store);
    }
    session.index_options(&within)?;
    let disk = Arc::new(HostDisk);
    Ok(Arc::new(DirectoryIndexStore::open(disk, location.path(), Durability::Sync)?))
}
