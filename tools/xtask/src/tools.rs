//! Starting the tools beside us: corpus, benchmark, fuzzing. Each is a program with its own help.

use std::process::Stdio;

use crate::shell::{cargo, run, workspace_root};

/// Builds the corpus, or parts of it; does nothing when it is there.
pub(crate) fn corpus(parts: &[&str]) -> anyhow::Result<()> {
    let mut command = cargo(&["run", "--quiet", "--package", "desync-corpus", "--"]);
    if !parts.is_empty() {
        // Only a step on the way to something else: nobody asked for the list.
        command.stdout(Stdio::null());
    }
    run(command.args(parts))
}

/// Measures the release build on the corpus, which is built first if missing.
pub(crate) fn bench(options: &[String]) -> anyhow::Result<()> {
    let asks_help = options.iter().any(|option| option == "--help" || option == "-h");
    if !asks_help {
        corpus(&["root"])?;
        build_release()?;
    }
    bench_with(options)
}

/// Puts a tree of so many small files through the release build.
pub(crate) fn soak(files: u32) -> anyhow::Result<()> {
    build_release()?;
    bench_with(&["--many".into(), files.to_string()])
}

/// Puts the image into every kind of server with the release build, or into those with this word in their names.
pub(crate) fn network(word: &str) -> anyhow::Result<()> {
    corpus(&["root"])?;
    build_release()?;
    let tests = ["test", "--quiet", "--package", "desync", "--test", "image", "--"];
    let all = ["--ignored", "--nocapture", "--test-threads=1", word];
    let program = workspace_root().join("target/release/desync");
    run(cargo(&tests).args(all).env("DESYNC_TEST_PROGRAM", program).env("CI", "1"))
}

fn build_release() -> anyhow::Result<()> {
    run(&mut cargo(&["build", "--quiet", "--release", "--package", "desync"]))
}

fn bench_with(options: &[String]) -> anyhow::Result<()> {
    run(cargo(&["run", "--quiet", "--release", "--package", "desync-bench", "--"]).args(options))
}

/// Fuzzes one decoder, or all, for some seconds each, with inputs that come of `seed`; 0 is another each time.
pub(crate) fn fuzz(target: Option<&str>, seconds: u32, seed: u32) -> anyhow::Result<()> {
    let (seconds, seed) = (seconds.to_string(), seed.to_string());
    let mut command = cargo(&["run", "--quiet", "--release", "--package", "desync-fuzz", "--"]);
    command.args(["--seconds", &seconds, "--seed", &seed]).args(target);
    run(command.current_dir(workspace_root()))
}
