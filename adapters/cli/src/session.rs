//! What every command is given besides its own arguments: config, digest, the switch that cancels.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use desync_config::{Config, StoreOptions, StoreOverrides};
use desync_core::DigestKind;
#[cfg(feature = "fuse")]
use desync_core::digest::HashKernel;
use desync_engine::{Cancel, Context, Kernels};
use desync_files::Durability;

use desync_store::{Budget, Compression};

use crate::args::{Command, GlobalArgs, StoreArgs};
use crate::commands;
use crate::config::{self, ConfigFile};
use crate::output::ProgressDisplay;
use crate::settings::{self, Encryption, Location, UsageError};
use crate::stores::Stores;
use crate::system;

/// The run of one command.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) config_file: Option<ConfigFile>,
    /// The digest insisted upon.
    pub(crate) digest: Option<DigestKind>,
    pub(crate) cancel: Cancel,
    kernels: Kernels,
    /// What this run's flags say about stores, those of indexes among them.
    pub(crate) overrides: StoreOverrides,
    /// How many connections a store may have.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "local stores have none"))]
    pub(crate) connections: NonZeroUsize,
    /// What this run may download.
    #[cfg_attr(
        not(any(feature = "http", feature = "ssh")),
        allow(dead_code, reason = "local stores give theirs for nothing")
    )]
    pub(crate) budget: Arc<Budget>,
    /// What relative keys of the config and relative locations are relative to.
    pub(crate) working_dir: PathBuf,
}

impl Session {
    /// Reads the config file, the global flags and those about stores.
    ///
    /// # Errors
    /// A config file that cannot be used, a digest nobody knows, or flags that contradict each other.
    pub(crate) fn new(global: &GlobalArgs, command: &Command, cancel: Cancel) -> anyhow::Result<Self> {
        let default = StoreArgs::default();
        let args = command.store_args().unwrap_or(&default);
        let overrides = settings::overrides(args)?;
        let connections = settings::workers(args.concurrency)?;
        let budget = Arc::new(args.max_download.map_or_else(Budget::unlimited, Budget::new));
        let config_may_be_new = commands::creates_config(command);
        let config_file = ConfigFile::locate(global.config.as_ref(), std::env::var_os(system::HOME));
        let config = config::load(config_file.as_ref(), config_may_be_new)?;
        let digest = settings::digest(global.digest.as_deref())?;
        // Without a working directory, what is relative is relative to the root.
        let working_dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let kernels = settings::kernels::kernels()?;
        Ok(Self { config, config_file, digest, cancel, kernels, overrides, connections, budget, working_dir })
    }

    /// The same with the config file as it is now, for what is opened while a command runs.
    ///
    /// # Errors
    /// A config file that cannot be used.
    #[cfg(any(feature = "fuse", feature = "server"))]
    pub(crate) fn renewed(&self) -> anyhow::Result<Self> {
        let config = config::load(self.config_file.as_ref(), false)?;
        let (config_file, cancel) = (self.config_file.clone(), self.cancel.clone());
        let (overrides, budget) = (self.overrides.clone(), Arc::clone(&self.budget));
        let working_dir = self.working_dir.clone();
        Ok(Self { config, config_file, cancel, overrides, budget, working_dir, ..*self })
    }

    /// What is needed to open the stores of this command.
    ///
    /// # Errors
    /// Flags that contradict each other.
    pub(crate) fn stores(&self, args: &StoreArgs, durability: Durability) -> Result<Stores<'_>, UsageError> {
        Ok(Stores {
            session: self,
            overrides: settings::overrides(args)?,
            durability,
            cache_repair: args.cache_repair.unwrap_or(true),
            compression: Compression::DEFAULT,
            skip_verify: false,
        })
    }

    /// What names chunks.
    #[cfg(feature = "fuse")]
    pub(crate) const fn hash_kernel(&self) -> HashKernel {
        self.kernels.hash
    }

    /// The options of the place that an index lies in.
    ///
    /// # Errors
    /// The config has two entries for it, or asks of it what no index store does.
    pub(crate) fn index_options(&self, location: &Location) -> anyhow::Result<StoreOptions> {
        let options =
            self.config.options_for(&location.parent().secret_text(), &self.overrides, &self.working_dir)?;
        if Encryption::of(&options).is_mentioned() {
            bail!("{location}: encryption is not supported by index stores");
        }
        Ok(options)
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
