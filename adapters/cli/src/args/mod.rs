//! What was typed: the command line as clap sees it, one file per command or small group of commands.
//!
//! The first of two layers. Here a flag is present or absent and its value well-formed; what it means
//! together with others, with the config file and with the environment is `settings`' business. The same
//! definitions feed the help, the man pages and the shell completions.
//!
//! Nothing here is `Debug`: what was typed may hold passwords and keys.

mod chunk;
mod extract;
mod global;
mod help;
mod make;
#[cfg(feature = "fuse")]
mod mounting;
mod pflag;
mod program;
mod reading;
#[cfg(feature = "server")]
mod servers;
mod serving;
mod shared;
mod transfer;
#[cfg(feature = "trees")]
mod tree;
mod upkeep;
mod usage;

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::{FromArgMatches, Parser, Subcommand};

pub(crate) use chunk::ChunkArgs;
pub(crate) use extract::ExtractArgs;
pub(crate) use global::GlobalArgs;
pub(crate) use make::MakeArgs;
#[cfg(feature = "fuse")]
pub(crate) use mounting::{MountArgs, MountIndexArgs, MountedBlobArgs};
pub(crate) use program::ConfigArgs;
#[cfg(feature = "manual")]
pub(crate) use program::{CompletionArgs, ManpageArgs};
pub(crate) use reading::{CatArgs, InfoArgs, InspectChunksArgs, ListChunksArgs, VerifyIndexArgs};
#[cfg(feature = "server")]
pub(crate) use servers::{ChunkServerArgs, IndexServerArgs, ServerArgs};
pub(crate) use serving::PullArgs;
#[cfg(feature = "serve-link")]
pub(crate) use serving::ServeLinkArgs;
#[cfg(any(feature = "fuse", feature = "server", feature = "trees"))]
pub(crate) use shared::SourceArgs;
pub(crate) use shared::{ChunkSizeArg, IgnoreArgs, ProfileArg, StoreArgs};
pub(crate) use transfer::{CacheArgs, ChopArgs};
#[cfg(feature = "trees")]
pub(crate) use tree::{FeatureArgs, MtreeArgs, TarArgs, UntarArgs};
pub(crate) use upkeep::{PruneArgs, VerifyArgs};
pub(crate) use usage::Refusal;

/// The whole command line.
#[derive(Parser)]
#[command(
    name = "desync",
    version,
    about = "Content-addressed distribution of binaries, compatible with casync",
    long_about = help::PROGRAM,
    after_help = help::STORES,
    args_override_self = true,
    disable_help_flag = false,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    Make(MakeArgs),
    Extract(ExtractArgs),
    VerifyIndex(VerifyIndexArgs),
    Chunk(ChunkArgs),
    ListChunks(ListChunksArgs),
    Info(InfoArgs),
    InspectChunks(InspectChunksArgs),
    Cat(CatArgs),
    #[cfg(feature = "fuse")]
    MountIndex(MountIndexArgs),
    #[cfg(feature = "fuse")]
    Mount(MountArgs),
    #[cfg(feature = "trees")]
    Tar(TarArgs),
    #[cfg(feature = "trees")]
    Untar(UntarArgs),
    #[cfg(feature = "trees")]
    Mtree(MtreeArgs),
    Chop(ChopArgs),
    Cache(CacheArgs),
    Verify(VerifyArgs),
    Prune(PruneArgs),
    Pull(PullArgs),
    #[cfg(feature = "serve-link")]
    ServeLink(ServeLinkArgs),
    #[cfg(feature = "server")]
    ChunkServer(ChunkServerArgs),
    #[cfg(feature = "server")]
    IndexServer(IndexServerArgs),
    Config(ConfigArgs),
    #[cfg(feature = "manual")]
    Manpage(ManpageArgs),
    #[cfg(feature = "manual")]
    Completion(CompletionArgs),
}

impl Command {
    /// The flags about stores, of commands that have them.
    pub(crate) const fn store_args(&self) -> Option<&StoreArgs> {
        Some(match self {
            Self::Make(args) => &args.stores,
            Self::Extract(args) => &args.stores,
            Self::VerifyIndex(args) => &args.stores,
            Self::ListChunks(args) => &args.stores,
            Self::Info(args) => &args.stores,
            Self::InspectChunks(args) => &args.stores,
            Self::Cat(args) => &args.stores,
            Self::Chop(args) => &args.stores,
            Self::Cache(args) => &args.stores,
            Self::Prune(args) => &args.stores,
            #[cfg(feature = "serve-link")]
            Self::ServeLink(args) => &args.stores,
            #[cfg(feature = "server")]
            Self::ChunkServer(args) => &args.stores,
            #[cfg(feature = "server")]
            Self::IndexServer(args) => &args.stores,
            #[cfg(feature = "fuse")]
            Self::MountIndex(args) => &args.blob.stores,
            #[cfg(feature = "fuse")]
            Self::Mount(args) => &args.blob.stores,
            #[cfg(feature = "trees")]
            Self::Tar(args) => &args.stores,
            #[cfg(feature = "trees")]
            Self::Untar(args) => &args.stores,
            #[cfg(feature = "trees")]
            Self::Mtree(args) => &args.stores,
            Self::Chunk(_) | Self::Verify(_) | Self::Pull(_) | Self::Config(_) => return None,
            #[cfg(feature = "manual")]
            Self::Manpage(_) | Self::Completion(_) => return None,
        })
    }
}

/// What `--version` says, behind the name of the program.
static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{}\n{}", env!("CARGO_PKG_VERSION"), crate::settings::kernels::in_words()));

/// The definition of the command line, with the parsing rules of Go desync laid over it.
pub(crate) fn definition() -> clap::Command {
    pflag::like_pflag(<Cli as clap::CommandFactory>::command().long_version(VERSION.as_str()))
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// The text to print, and where to; help and version are "errors" that go to stdout.
pub(crate) fn parse(line: Vec<OsString>) -> Result<Cli, Refusal> {
    let definition = definition();
    definition
        .clone()
        .try_get_matches_from(&line)
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| usage::explain(&definition, &line, &error))
}

#[cfg(test)]
mod tests;
