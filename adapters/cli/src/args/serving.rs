//! The commands that serve a peer: `pull` and `serve-link`.

use std::ffi::OsString;

use super::help;
#[cfg(feature = "serve-link")]
use super::shared::{SourceArgs, StoreArgs};
#[cfg(feature = "serve-link")]
use crate::settings::notation;

/// Serve the chunks of a local store on stdin and stdout
///
/// What casync, desync and Go desync start through ssh on the machine that has the store. Speaks casync's
/// protocol until the other side has all it wants. Chunks are sent as they are stored, compressed if they
/// are not, and not verified: the other side does that.
#[derive(clap::Args)]
#[command(after_help = help::PULL)]
pub(crate) struct PullArgs {
    /// A base archive: must be '-'
    #[arg(value_name = "base")]
    pub(crate) base: OsString,

    /// An archive: must be '-'
    #[arg(value_name = "archive")]
    pub(crate) archive: OsString,

    /// An index: must be '-'
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// The local store to serve
    #[arg(value_name = "store")]
    pub(crate) store: OsString,
}

#[cfg(feature = "serve-link")]
/// Serve an index and its chunks to a device on a serial line or socket
///
/// The device asks for pieces of the index and of chunks, as its updater needs them. The language is safe on
/// lines that lose, double or damage bytes or fall silent: what does not arrive is asked for again. Chunks
/// that the device cannot decode in its memory are compressed anew for it. Ends when the device says that it
/// is done; a line that closes before is opened again.
#[derive(clap::Args)]
#[command(after_help = help::SERVE_LINK)]
pub(crate) struct ServeLinkArgs {
    /// The index to serve; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// The device: a serial port or a Unix socket by its path, or tcp:HOST:PORT
    #[arg(value_name = "device")]
    pub(crate) device: OsString,

    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Speed of a serial port in bits per second [default: 115200]
    #[arg(long, value_name = "BITS", value_parser = notation::integer)]
    pub(crate) baud: Option<i64>,

    /// Go on after a device is done, for the next one
    #[arg(short = 'k', long, value_parser = notation::boolean)]
    pub(crate) keep: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}
