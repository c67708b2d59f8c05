//! What every command is given besides its own arguments: config, digest, the switch that cancels.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use desync_core::DigestKind;
#[cfg(feature = "fuse")]
use desync_core::digest::HashKernel;
use desync_engine::{Cancel, Context, Kernels};
use desync_files::Durability;

use desync_store::Compression;

use crate::args::{GlobalArgs, StoreArgs};
use crate::config::{self, Config, ConfigFile};
use crate::output::ProgressDisplay;
use crate::settings::{self, StoreOverrides, UsageError};
use crate::stores::Stores;

/// The run of one command.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) config_file: Option<ConfigFile>,
    /// The digest insisted upon.
    pub(crate) digest: Option<DigestKind>,
    pub(crate) cancel: Cancel,
    kernels: Kernels,
    /// What relative keys of the config and relative locations are relative to.
    pub(crate) working_dir: PathBuf,
}

impl Session {
    /// Reads the config file and the global flags.
    ///
    /// # Errors
    /// A config file that cannot be used, or a digest nobody knows.
    pub(crate) fn new(global: &GlobalArgs, config_may_be_new: bool, cancel: Cancel) -> anyhow::Result<Self> {
        let config_file = ConfigFile::locate(global.config.as_ref(), std::env::var_os("HOME"));
        let config = config::load(config_file.as_ref(), config_may_be_new)?;
        let digest = settings::digest(global.digest.as_deref())?;
        // Without a working directory, what is relative is relative to the root.
        let working_dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let kernels = settings::kernels::kernels()?;
        Ok(Self { config, config_file, digest, cancel, kernels, working_dir })
    }

    /// What is needed to open the stores of this command.
    ///
    /// # Errors
    /// Flags that contradict each other.
    pub(crate) fn stores(&self, args: &StoreArgs, durability: Durability) -> Result<Stores<'_>, UsageError> {
        Ok(Stores {
            config: &self.config,
            overrides: StoreOverrides::new(args)?,
            working_dir: &self.working_dir,
            durability,
            cache_repair: args.cache_repair.unwrap_or(true),
            compression: Compression::DEFAULT,
            cancel: &self.cancel,
        })
    }

    /// What names chunks.
    #[cfg(feature = "fuse")]
    pub(crate) const fn hash_kernel(&self) -> HashKernel {
        self.kernels.hash
    }

    /// What a pipeline is given.
    pub(crate) fn context<'a>(&'a self, workers: NonZeroUsize, progress: &'a ProgressDisplay) -> Context<'a> {
        Context { workers, progress, cancel: &self.cancel, kernels: self.kernels }
    }
}

/// Whether to wait for the disk, by the flag `--no-sync`.
pub(crate) fn durability(no_sync: Option<bool>) -> Durability {
    if no_sync.unwrap_or(false) { Durability::NoSync } else { Durability::Sync }
}
