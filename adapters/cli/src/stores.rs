//! From locations to chunk stores: which kind a scheme opens, and how several stores become one.
//!
//! `[cache] -> router -> {store | failover group}…`, requests for one chunk shared. A new kind of store is
//! one line in [`KINDS`].

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use desync_config::{StoreOptions, StoreOverrides};
use desync_core::format::StorageForm;
use desync_files::{Durability, HostDisk};
use desync_store::{
    Backend, Cache, CacheRepair, ChunkStore, Compression, Dedup, Failover, FormatOptions, FormattedStore,
    PrunableBackend, Router,
};
use desync_store_directory::DirectoryStore;

use crate::config::retry_policy;
use crate::session::Session;
use crate::settings::{Encryption, EncryptionError, Location, Scheme};

/// Which backend serves which scheme.
const KINDS: &[(Scheme, OpenBackend)] = &[
    (Scheme::Local, open_directory),
    #[cfg(feature = "http")]
    (Scheme::Http, crate::network::http::open_http),
    #[cfg(feature = "object")]
    (Scheme::S3, crate::network::object::open_s3),
    #[cfg(feature = "object")]
    (Scheme::Gcs, crate::network::object::open_gcs),
    #[cfg(feature = "oci")]
    (Scheme::Oci, crate::network::oci::open_oci),
    #[cfg(feature = "ssh")]
    (Scheme::Ssh, crate::network::ssh::open_ssh),
    #[cfg(feature = "ssh")]
    (Scheme::Sftp, crate::network::ssh::open_sftp),
];

/// Opens the backend behind a location.
type OpenBackend = fn(&Location, &StoreOptions, &Stores<'_>) -> anyhow::Result<Arc<dyn Backend>>;

/// Any chunk store.
pub(crate) type SharedStore = Arc<dyn ChunkStore>;

/// What is needed to open stores.
pub(crate) struct Stores<'a> {
    pub(crate) session: &'a Session,
    pub(crate) overrides: StoreOverrides,
    pub(crate) durability: Durability,
    /// Whether damaged chunks of a cache are replaced.
    pub(crate) cache_repair: bool,
    /// How chunks that are put into stores are compressed.
    pub(crate) compression: Compression,
    /// Whether chunks are used as stores give them, unchecked, whatever their options say.
    pub(crate) skip_verify: bool,
}

/// One store with everything known about it.
pub(crate) struct SingleStore {
    pub(crate) chunks: FormattedStore<Arc<dyn Backend>>,
}

impl SingleStore {
    /// The form of its chunks.
    pub(crate) fn form(&self) -> StorageForm {
        self.chunks.form()
    }

    /// Its wider interface, if its chunks can be listed and removed.
    pub(crate) fn prunable(&self) -> Option<&dyn PrunableBackend> {
        self.chunks.backend().as_prunable()
    }
}

impl Stores<'_> {
    /// The store that reads from several locations, in order, with a cache in front if there is one.
    ///
    /// # Errors
    /// A location that cannot be opened.
    pub(crate) fn source(
        &self,
        locations: &[OsString],
        cache: Option<&Location>,
    ) -> anyhow::Result<SharedStore> {
        let members = locations.iter().map(|text| self.group(text)).collect::<Result<Vec<_>, _>>()?;
        let router: SharedStore = Arc::new(Router::new(members));
        let source: SharedStore = match cache {
            None => router,
            Some(cache) => {
                let repair = if self.cache_repair { CacheRepair::Replace } else { CacheRepair::Fail };
                Arc::new(Cache::new(self.target(cache)?, router, repair))
            }
        };
        Ok(Arc::new(Dedup::new(source)))
    }

    /// The store that chunks are put into.
    ///
    /// # Errors
    /// A location that cannot be opened or not be written.
    pub(crate) fn target(&self, location: &Location) -> anyhow::Result<SharedStore> {
        let store = self.single(location)?;
        if !store.chunks.backend().is_writable() {
            bail!("store '{location}' does not support writing");
        }
        Ok(Arc::new(store.chunks))
    }

    /// One store, as its options say.
    ///
    /// # Errors
    /// A location that cannot be opened, or whose options cannot be met.
    pub(crate) fn single(&self, location: &Location) -> anyhow::Result<SingleStore> {
        let options = self.options(location)?;
        self.open(location, &options, options.skip_verify.unwrap_or(false) || self.skip_verify)
    }

    /// One store that gives chunks as it has them, whatever its options say: the reader verifies.
    ///
    /// # Errors
    /// As [`Stores::single`].
    pub(crate) fn unverified(&self, location: &Location) -> anyhow::Result<SingleStore> {
        let options = self.options(location)?;
        self.open(location, &options, true)
    }

    fn options(&self, location: &Location) -> anyhow::Result<StoreOptions> {
        let Session { config, working_dir, .. } = self.session;
        Ok(config.options_for(&location.secret_text(), &self.overrides, working_dir)?)
    }

    /// The members of `a|b`, or one store. A directory that has such a name is one store.
    fn group(&self, text: &OsString) -> anyhow::Result<SharedStore> {
        if Path::new(text).is_dir() {
            return Ok(Arc::new(self.single(&Location::new(text))?.chunks));
        }
        let members = Location::new(text)
            .members()
            .map(|member| Ok(Arc::new(self.single(&member)?.chunks) as SharedStore))
            .collect::<anyhow::Result<Vec<_>>>()?;
        match <[_; 1]>::try_from(members) {
            Ok([only]) => Ok(only),
            Err(members) => Ok(Arc::new(Failover::new(members))),
        }
    }

    fn open(
        &self,
        location: &Location,
        options: &StoreOptions,
        skip_verify: bool,
    ) -> anyhow::Result<SingleStore> {
        if Encryption::of(options).is_mentioned() && location.scheme() == Scheme::Ssh {
            bail!("encryption is not supported by casync protocol (ssh://) stores");
        }
        let kind = KINDS.iter().find(|(scheme, _)| *scheme == location.scheme());
        let Some((_, open)) = kind else { return Err(not_built_in(location)) };
        let mut format = self.format(options, skip_verify).with_context(|| format!("store '{location}'"))?;
        if location.scheme() == Scheme::Ssh {
            // The protocol has one form, and what comes from over there is always checked.
            format = FormatOptions { compressed: true, skip_verify: false, ..format };
        }
        Ok(SingleStore { chunks: FormattedStore::new(open(location, options, self)?, format) })
    }

    fn format(&self, options: &StoreOptions, skip_verify: bool) -> Result<FormatOptions, EncryptionError> {
        let cipher = Encryption::of(options).cipher()?.map(Arc::new);
        let retry = retry_policy(options, &self.session.cancel);
        let compressed = !options.uncompressed;
        Ok(FormatOptions { compressed, cipher, skip_verify, compression: self.compression, retry })
    }
}

/// Makes what was put into a store durable, whatever became of the work: chunks that were fetched before a
/// failure stay in the cache for the next run. The work's own failure is the one to tell.
pub(crate) fn and_flush<T>(store: &dyn ChunkStore, done: anyhow::Result<T>) -> anyhow::Result<T> {
    let flushed = store.flush();
    let done = done?;
    flushed?;
    Ok(done)
}

fn not_built_in(location: &Location) -> anyhow::Error {
    let word = location.scheme_word().map_or("", |(word, _)| word);
    anyhow!("store '{location}': stores of scheme {word} are not built in")
}

fn open_directory(
    location: &Location,
    _options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    Ok(Arc::new(DirectoryStore::open(Arc::new(HostDisk), location.path(), stores.durability)?))
}
