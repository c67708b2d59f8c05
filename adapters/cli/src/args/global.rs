//! Flags of every command.

use std::ffi::OsString;

use crate::settings::notation;

/// Accepted before and after the command's name.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Config file [default: $HOME/.config/desync/config.json]
    ///
    /// A file named here must exist (but for `config --write`); the default one need not.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<OsString>,

    /// Digest that names chunks: sha512-256 or sha256 [default: what the index says, else sha512-256]
    ///
    /// Given explicitly, it is insisted upon: an index made with the other digest is refused.
    #[arg(long, global = true, value_name = "DIGEST")]
    pub(crate) digest: Option<String>,

    /// Tell on stderr what happens behind the scenes
    #[arg(long, global = true, value_parser = notation::boolean)]
    pub(crate) verbose: Option<bool>,
}
