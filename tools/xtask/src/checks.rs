//! Everything that CI runs, each step also by itself.

use std::process::Command;

use desync_hil_tests::BOARDS;

use crate::boards::{self, LINUX_BOARDS};
use crate::shell::{cargo, run, workspace_root};
use crate::steps::Steps;
use crate::{c_programs, other_systems, sizes, tidy, tools};

/// Machines without an operating system that the core is built for: Cortex-M4F, Cortex-M3 and RV32IMAC.
pub(crate) const BARE_TARGETS: [&str; 3] =
    ["thumbv7em-none-eabihf", "thumbv7m-none-eabi", "riscv32imac-unknown-none-elf"];

/// Seconds that CI fuzzes each decoder.
const FUZZ_SECONDS: u32 = 5;

/// CI tries the same inputs each time, that a change be judged by what it changes; `cargo xtask fuzz` looks for new ones.
const FUZZ_SEED: u32 = 1;

/// All steps; every one runs, whatever became of those before it.
pub(crate) fn ci() -> anyhow::Result<()> {
    let mut steps = Steps::default();
    steps.run("format", format);
    steps.run("tidy", tidy::run);
    steps.run_with("cargo-deny", "licences, bans, sources", deny);
    steps.run("lints", lints);
    steps.run("documentation", documentation);
    steps.run("core and firmware for bare machines", no_std);
    steps.run_with("arm-linux-gnueabihf-gcc", "static programs for boards, and sizes", small_machines);
    steps.run("other systems", other_systems::check);
    // Firmware under QEMU (`hil`) is among them.
    steps.run("kernels of this machine", kernels);
    steps.run("tests", || run(&mut cargo(&["test", "--workspace", "--no-fail-fast"])));
    steps.run_with("g++", "fuzzing", || tools::fuzz(None, FUZZ_SECONDS, FUZZ_SEED));
    steps.finish()
}

/// Says which kernels the tests will be of. `DESYNC_TEST_KERNELS` names those that must be there.
fn kernels() -> anyhow::Result<()> {
    let test = ["test", "--quiet", "-p", "desync-kernels", "--test", "scan", "levels", "--", "--nocapture"];
    run(&mut cargo(&test))
}

fn format() -> anyhow::Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(in_targets(&mut cargo(&["fmt", "--all", "--check"])))
}

fn lints() -> anyhow::Result<()> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn documentation() -> anyhow::Result<()> {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Licences, banned crates and sources. The advisory database is not asked: it would need the network.
pub(crate) fn deny() -> anyhow::Result<()> {
    for manifest in ["Cargo.toml", "targets/Cargo.toml"] {
        run(&mut cargo(&["deny", "--manifest-path", manifest, "check", "licenses", "bans", "sources"]))?;
    }
    Ok(())
}

/// The core for bare machines, with and without its features, then the firmware of every board.
pub(crate) fn no_std() -> anyhow::Result<()> {
    for target in BARE_TARGETS {
        for features in ["", "defmt"] {
            run(&mut cargo(&["build", "-p", "desync-core", "--target", target, "--features", features]))?;
        }
    }
    let boards = BOARDS.map(|board| (board.name, board.target));
    let libraries = c_programs::TARGETS.map(|target| ("c-library", target));
    let probes = ["updater-probe", "ram-probe"].map(|probe| (probe, BARE_TARGETS[0]));
    for (board, target) in boards.into_iter().chain(libraries).chain(probes) {
        let lints = ["clippy", "--release", "--package", board, "--target", target, "--", "-D", "warnings"];
        run(in_targets(&mut cargo(&lints)))?;
    }
    Ok(())
}

/// Every static program, tried out; then all sizes against their budgets.
fn small_machines() -> anyhow::Result<()> {
    LINUX_BOARDS.iter().try_for_each(|board| boards::build(board.name))?;
    sizes::run(false)
}

/// Firmware under QEMU: all cases, or those with this word in their names; power is cut wherever it can be.
pub(crate) fn hil(word: &str) -> anyhow::Result<()> {
    let cases = ["test", "-p", "desync-hil-tests", "--test", "hil", "--", "--nocapture", word];
    run(cargo(&cases).env("HIL_CUTS", "all"))
}

/// Makes a cargo command work in the workspace of the firmware, with its build products beside ours.
pub(crate) fn in_targets(command: &mut Command) -> &mut Command {
    let root = workspace_root();
    command.current_dir(root.join("targets")).env("CARGO_TARGET_DIR", root.join("target/firmware"))
}
