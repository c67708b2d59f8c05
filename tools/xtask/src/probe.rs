//! What the updater takes: `targets/updater-probe`, linked three times over and looked at.
//!
//! One firmware has the updater, one has nothing: the difference in flash is the updater's. A third links only if
//! the updater has no way to panic.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::shell::{cargo, run, workspace_root};

const TARGET: &str = "thumbv7em-none-eabihf";

/// Bytes of flash that the updater adds to an empty firmware.
pub(crate) fn updater_flash() -> anyhow::Result<u64> {
    let built = build()?;
    let (with, without) = (flash(&built.join("updater-probe"))?, flash(&built.join("empty-probe"))?);
    with.checked_sub(without).context("a firmware with the updater is smaller than one without")
}

/// Builds all three; gives the folder they are in.
fn build() -> anyhow::Result<PathBuf> {
    let folder = workspace_root().join("target/firmware");
    let mut command = cargo(&["build", "--quiet", "--release", "--package", "updater-probe"]);
    command.args(["--target", TARGET]).current_dir(workspace_root().join("targets"));
    // Flags for the host would take the place of the firmware's own.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(command.env("CARGO_TARGET_DIR", &folder))
        .context("if the_updater_can_panic is what the linker misses, it can: see no_panic.rs")?;
    Ok(folder.join(TARGET).join("release"))
}

/// Code, constants and initial data of a firmware: what its segments take in flash.
fn flash(elf: &Path) -> anyhow::Result<u64> {
    let bytes = fs::read(elf).with_context(|| elf.display().to_string())?;
    loaded(&bytes).with_context(|| format!("{} is no ELF file of 32 bits", elf.display()))
}

/// Adds up the lengths in the file of all segments that are loaded.
///
/// Source of the format: Tool Interface Standard, ELF 1.2: header and program header.
fn loaded(elf: &[u8]) -> Option<u64> {
    const LOAD: u32 = 1;
    let word = |at: usize| Some(u32::from_le_bytes(elf.get(at..at + 4)?.try_into().ok()?));
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?)));
    elf.strip_prefix(b"\x7fELF\x01\x01")?;
    let (start, len, count) = (word(28)? as usize, half(42)?, half(44)?);
    let mut sum = 0;
    for at in (start..).step_by(len.max(1)).take(count) {
        if word(at)? == LOAD {
            sum += u64::from(word(at + 16)?);
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loaded_segments_are_added_up() {
        let mut elf = vec![0; 52 + 3 * 32];
        elf[..6].copy_from_slice(b"\x7fELF\x01\x01");
        (elf[28], elf[42], elf[44]) = (52, 32, 3);
        for (segment, kind, len) in [(0, 1, 200), (1, 6, 9), (2, 1, 50)] {
            let at = 52 + 32 * segment;
            (elf[at], elf[at + 16]) = (kind, len);
        }
        assert_eq!(loaded(&elf), Some(250));
        assert_eq!(loaded(&elf[..100]), None);
        assert_eq!(loaded(b"#!/bin/sh"), None);
    }
}
