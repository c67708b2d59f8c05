//! Building the firmware of a board, in the workspace of `targets/`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::Board;

/// A program for a board.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The board.
    pub board: Board,
    /// The ELF file, with debug information and defmt's strings.
    pub elf: PathBuf,
}

impl Firmware {
    /// Builds it, in release, with its products below the host's `target/`.
    ///
    /// # Errors
    /// When cargo fails; its own messages are on standard error.
    pub fn build(board: Board) -> anyhow::Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this crate lies in the workspace")?;
        let products = root.join("target/firmware");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--release", "--package", board.name, "--target", board.target]);
        cargo.current_dir(root.join("targets")).env("CARGO_TARGET_DIR", &products);
        // Flags for the host would take the place of the board's own.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        let status = cargo.status().context("cannot start cargo")?;
        if !status.success() {
            bail!("firmware of {} does not build: {status}", board.name);
        }
        Ok(Self { board, elf: products.join(board.target).join("release").join(board.name) })
    }
}
