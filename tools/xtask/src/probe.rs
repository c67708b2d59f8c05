//! What the updater takes: firmware that is built to be measured.
//!
//! Of `targets/updater-probe`, one firmware has the updater and one has nothing: the difference in flash is the
//! updater's. A third links only if the updater has no way to panic. `targets/ram-probe` is run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::shell::{cargo, output, program, run, workspace_root};

const TARGET: &str = "thumbv7em-none-eabihf";

/// Bytes of flash that the updater adds to an empty firmware.
pub(crate) fn updater_flash() -> anyhow::Result<u64> {
    let built = build("updater-probe")
        .context("if the_updater_can_panic is what the linker misses, it can: see no_panic.rs")?;
    let (with, without) = (flash(&built.join("updater-probe"))?, flash(&built.join("empty-probe"))?);
    with.checked_sub(without).context("a firmware with the updater is smaller than one without")
}

/// Bytes of memory that an update takes, stack and all that it is given, chunks of 256 KiB among them: what an
/// emulated board with 128 KiB finds of its stack to have been used.
pub(crate) fn updater_ram() -> anyhow::Result<u64> {
    let firmware = build("ram-probe")?.join("ram-probe");
    let mut emulator = program("timeout", &["120", "qemu-system-arm", "-M", "netduinoplus2", "-nographic"]);
    emulator.args(["-monitor", "none", "-serial", "none"]);
    emulator.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(firmware);
    let said = output(&mut emulator)?;
    let ram = said.lines().find_map(|line| line.strip_prefix("ram: "));
    ram.with_context(|| format!("the firmware says: {said}"))?.trim().parse().context("bytes of memory")
}

/// Builds a package of firmware; gives the folder that its programs are in.
fn build(package: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace_root().join("target/firmware");
    let mut command = cargo(&["build", "--quiet", "--release", "--package", package]);
    command.args(["--target", TARGET]).current_dir(workspace_root().join("targets"));
    // Flags for the host would take the place of the firmware's own.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(command.env("CARGO_TARGET_DIR", &folder))?;
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
