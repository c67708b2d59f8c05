//! The commands about the program itself: `config`, `manpage`, `completion`.

#[cfg(feature = "manual")]
use std::ffi::OsString;

#[cfg(feature = "manual")]
use clap_complete::Shell;

use super::help;
use crate::settings::notation;

/// Show or write the config file
///
/// Prints the settings in force as JSON: what the config file says, with the defaults of what it leaves
/// out. With --write they are written back to the config file, which need not exist yet.
#[derive(clap::Args)]
#[command(after_help = help::CONFIG)]
pub(crate) struct ConfigArgs {
    /// Write the config file instead of printing it
    #[arg(short = 'w', long, value_parser = notation::boolean)]
    pub(crate) write: Option<bool>,
}

/// Write the man pages
///
/// One page for the program and one for each command, into a directory that exists. The date on them is
/// today, or that of $SOURCE_DATE_EPOCH.
#[cfg(feature = "manual")]
#[derive(clap::Args)]
#[command(after_help = help::MANPAGE)]
pub(crate) struct ManpageArgs {
    /// Where to write them
    #[arg(value_name = "output-directory")]
    pub(crate) directory: OsString,

    /// Title of the pages
    #[arg(long, value_name = "TEXT", default_value = "desync")]
    pub(crate) title: String,

    /// Section of the manual
    #[arg(long, value_name = "TEXT", default_value = "3")]
    pub(crate) section: String,

    /// Source named at the foot of the pages
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) source: String,

    /// Manual named at the head of the pages
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) manual: String,
}

/// Print the completion script of a shell
///
/// The script completes commands and flags.
#[cfg(feature = "manual")]
#[derive(clap::Args)]
#[command(after_help = help::COMPLETION)]
pub(crate) struct CompletionArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: Option<Shell>,

    /// Leave out the descriptions
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_descriptions: Option<bool>,
}
