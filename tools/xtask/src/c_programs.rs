//! The updater for programs in C: its header, its archives, and the example.

use crate::checks::{BARE_TARGETS, in_targets};
use crate::shell::{cargo, program, run, workspace_root};

/// The folder of the header, for a compiler's `-I`.
const INCLUDE: &str = "adapters/ffi/include";

/// Processors that the archive is built for.
pub(crate) const TARGETS: [&str; 3] = [BARE_TARGETS[0], BARE_TARGETS[1], "riscv32imac-unknown-none-elf"];

/// Writes the header anew.
pub(crate) fn header() -> anyhow::Result<()> {
    let test = ["test", "--quiet", "--package", "desync-ffi", "--test", "header", "committed"];
    run(cargo(&test).env("DESYNC_WRITE_HEADER", "1"))?;
    println!("{}", workspace_root().join(INCLUDE).join("desync.h").display());
    Ok(())
}

/// Builds the archive for every processor, and says where each is.
pub(crate) fn library() -> anyhow::Result<()> {
    for target in TARGETS {
        let build = ["build", "--quiet", "--release", "--package", "c-library", "--target", target];
        run(in_targets(&mut cargo(&build)))?;
        println!(
            "{}",
            workspace_root().join("target/firmware").join(target).join("release/libdesync.a").display()
        );
    }
    println!("{}", workspace_root().join(INCLUDE).join("desync.h").display());
    Ok(())
}

/// Builds the example, and says where it is.
pub(crate) fn example() -> anyhow::Result<()> {
    run(&mut program("make", &["--quiet", "-C", "targets/c-example"]))?;
    println!("{}", workspace_root().join("target/c-example").display());
    Ok(())
}
