//! The commands, one file each, each thin: settings, one call of the engine, output.

mod cache;
mod cat;
mod chop;
mod chunk;
#[cfg(feature = "server")]
mod chunk_server;
#[cfg(feature = "manual")]
mod completion;
mod config;
mod extract;
mod ignored;
#[cfg(feature = "server")]
mod index_server;
mod info;
mod input;
mod inspect_chunks;
mod list_chunks;
#[cfg(feature = "trees")]
mod losses;
mod make;
#[cfg(feature = "manual")]
mod manpage;
#[cfg(feature = "fuse")]
mod mount;
#[cfg(feature = "fuse")]
mod mount_index;
#[cfg(feature = "fuse")]
mod mounted_blob;
#[cfg(feature = "fuse")]
mod mounting;
#[cfg(feature = "trees")]
mod mtree;
mod prune;
mod pull;
#[cfg(feature = "serve-link")]
mod serve_link;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "trees")]
mod tar;
#[cfg(feature = "trees")]
mod untar;
mod verify;
mod verify_index;

use desync_core::DigestKind;

use crate::args::Command;
use crate::session::Session;

/// Whether the command makes a config file that need not exist before.
pub(crate) fn creates_config(command: &Command) -> bool {
    matches!(command, Command::Config(args) if args.write.unwrap_or(false))
}

/// Runs one command.
pub(crate) fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    match command {
        Command::Make(args) => make::run(&args, session),
        Command::Extract(args) => extract::run(&args, session),
        Command::VerifyIndex(args) => verify_index::run(&args, session),
        Command::Chunk(args) => chunk::run(&args, session),
        Command::ListChunks(args) => list_chunks::run(&args, session),
        Command::Info(args) => info::run(&args, session),
        Command::InspectChunks(args) => inspect_chunks::run(&args, session),
        Command::Cat(args) => cat::run(&args, session),
        #[cfg(feature = "fuse")]
        Command::MountIndex(args) => mount_index::run(&args, session),
        #[cfg(feature = "fuse")]
        Command::Mount(args) => mount::run(&args, session),
        #[cfg(feature = "trees")]
        Command::Tar(args) => tar::run(&args, session),
        #[cfg(feature = "trees")]
        Command::Untar(args) => untar::run(&args, session),
        #[cfg(feature = "trees")]
        Command::Mtree(args) => mtree::run(&args, session),
        Command::Chop(args) => chop::run(&args, session),
        Command::Cache(args) => cache::run(&args, session),
        Command::Verify(args) => verify::run(&args, session),
        Command::Prune(args) => prune::run(&args, session),
        Command::Pull(args) => pull::run(&args, session),
        #[cfg(feature = "serve-link")]
        Command::ServeLink(args) => serve_link::run(&args, session),
        #[cfg(feature = "server")]
        Command::ChunkServer(args) => chunk_server::run(&args, session),
        #[cfg(feature = "server")]
        Command::IndexServer(args) => index_server::run(&args, session),
        Command::Config(args) => config::run(&args, session),
        #[cfg(feature = "manual")]
        Command::Manpage(args) => manpage::run(&args),
        #[cfg(feature = "manual")]
        Command::Completion(args) => completion::run(&args),
    }
}

/// The digests that may name the chunks of a store: it does not say which, and may hold chunks of both.
fn digests(session: &Session) -> &'static [DigestKind] {
    match session.digest {
        None => &[DigestKind::Sha512_256, DigestKind::Sha256],
        Some(DigestKind::Sha512_256) => &[DigestKind::Sha512_256],
        Some(DigestKind::Sha256) => &[DigestKind::Sha256],
    }
}
