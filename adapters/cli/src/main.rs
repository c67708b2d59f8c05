//! The `desync` program: arguments -> settings -> commands. Printing and exit codes are here, algorithms are
//! not.
//!
//! `args` is what was typed, `settings` what it means, `commands` one thin file each: settings, one call of
//! the engine, output.

mod args;
mod commands;
mod config;
mod exit;
mod index_stores;
mod indexes;
#[cfg(any(feature = "http", feature = "server", feature = "ssh"))]
mod listing;
mod logging;
mod network;
mod output;
mod session;
mod settings;
mod signals;
#[cfg(any(feature = "fuse", feature = "server"))]
mod source;
mod stores;
mod system;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use desync_engine::Cancel;

use args::Refusal;
use session::Session;

fn main() -> ExitCode {
    let arguments = std::env::args_os().collect::<Vec<_>>();
    let exposed = hide_secrets(&arguments);
    match args::parse(arguments) {
        Ok(cli) => exit::report(run(cli, &exposed)),
        Err(Refusal::Answer(text)) => exit::report(print(&text)),
        Err(Refusal::Wrong(text)) => {
            output::say(text.trim_end());
            exit::USAGE.into()
        }
    }
}

#[cfg(any(feature = "http", feature = "server", feature = "ssh"))]
use listing::hide_secrets;

/// A program for local stores is given no secrets.
#[cfg(not(any(feature = "http", feature = "server", feature = "ssh")))]
const fn hide_secrets(_arguments: &[std::ffi::OsString]) -> Vec<String> {
    Vec::new()
}

fn run(cli: args::Cli, exposed: &[String]) -> anyhow::Result<()> {
    logging::show(cli.global.verbose.unwrap_or(false));
    exposed.iter().for_each(|warning| log::warn!("{warning}"));
    let Some(command) = cli.command else {
        return print(&args::definition().render_long_help().to_string());
    };
    let cancel = Cancel::default();
    signals::watch(&cancel).context("watching for signals")?;
    let session = Session::new(&cli.global, &command, cancel)?;
    commands::run(command, &session)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = output::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
