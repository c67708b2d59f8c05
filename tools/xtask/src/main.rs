//! `cargo xtask`: the one list of this project's habits, shared by developers and CI.
//!
//! Each task is a short command here; what it does lives in the file of its name. Nothing of the product
//! lives here, and nothing that CI does is written anywhere else.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its user")]

mod boards;
mod c_programs;
mod checks;
mod demo;
mod other_systems;
mod probe;
mod setup;
mod shell;
mod sizes;
mod steps;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One short command for each habit of this project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Cut two versions of a real root file system into a store and extract one from the other
    Demo,
    /// Install what is missing, then run everything that CI runs
    Test,
    /// Run everything that CI runs; install nothing
    Ci,
    /// Install what the other tasks need: Debian packages, Rust targets and components, cargo-deny
    Setup,
    /// Check what no compiler checks: arrows between crates, opening comments, lengths, README
    Tidy,
    /// Check licences, banned crates and sources of all dependencies
    Deny,
    /// Build the core for bare machines, with and without its features, and the firmware
    NoStd,
    /// Check the program for Windows, macOS and FreeBSD
    OtherSystems,
    /// Build for a machine: armv7 and aarch64 give a static Linux program, windows a program that is tried under
    /// Wine, c-library the archive for programs in C, c-example firmware in C, other names firmware of boards
    Board {
        /// Which machine
        name: String,
    },
    /// Build what we ship for small machines and compare its sizes with their budgets
    Sizes {
        /// Print an object of the sizes in bytes
        #[arg(long)]
        json: bool,
    },
    /// Write the header for programs in C anew: adapters/ffi/include/desync.h
    Header,
    /// Run firmware on emulated machines: smoke cases and updates from a real store
    Hil {
        /// Only cases with this word in their names
        word: Option<String>,
    },
    /// Fuzz every decoder, or one, for some seconds each
    Fuzz {
        /// Which decoder; all of them if left out
        target: Option<String>,
        /// Seconds for each target
        #[arg(long, default_value_t = 30)]
        seconds: u32,
    },
    /// Build real data from Debian packages in .corpus/
    Corpus,
    /// Measure against casync, and any desync found on PATH, on the corpus
    Bench {
        /// Passed on; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Put two versions of the Debian image into every kind of server and take them out, also while it is killed
    Network {
        /// Only servers with this word in their tests' names
        word: Option<String>,
    },
    /// Put a tree of very many small files through the commands on trees, and bound their memory
    Soak {
        /// How many; each takes some 10 KB of disk in .corpus/
        #[arg(default_value_t = 1_000_000)]
        files: u32,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    std::env::set_current_dir(shell::workspace_root())?;
    match task {
        Task::Demo => demo::run_all(),
        Task::Test => {
            setup::run_all()?;
            checks::ci()
        }
        Task::Ci => checks::ci(),
        Task::Setup => setup::run_all(),
        Task::Tidy => tidy::run(),
        Task::Deny => checks::deny(),
        Task::NoStd => checks::no_std(),
        Task::OtherSystems => other_systems::check(),
        Task::Board { name } => boards::build(&name),
        Task::Header => c_programs::header(),
        Task::Sizes { json } => sizes::run(json),
        Task::Hil { word } => checks::hil(word.as_deref().unwrap_or_default()),
        Task::Fuzz { target, seconds } => tools::fuzz(target.as_deref(), seconds, 0),
        Task::Corpus => tools::corpus(&[]),
        Task::Bench { options } => tools::bench(&options),
        Task::Network { word } => tools::network(word.as_deref().unwrap_or_default()),
        Task::Soak { files } => tools::soak(files),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn every_task_has_help() {
        let command = super::Cli::command();
        command.clone().debug_assert();
        for task in command.get_subcommands() {
            assert!(task.get_about().is_some(), "{} says nothing of itself", task.get_name());
        }
    }
}
