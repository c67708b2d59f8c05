//! `desync-fuzz [TARGET] --seconds N`: fuzzes every decoder on stable Rust.
//!
//! Builds `fuzz-engine` with LLVM's coverage instrumentation, as cargo-fuzz does it without a sanitizer, then
//! runs each target for some seconds from the golden data. What the engine finds on the way stays in
//! `target/fuzz/corpus/` for the next run; an input that fails lands in `target/fuzz/failed/`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its user")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};
use clap::Parser;
use desync_fuzz::{TARGETS, Target, seeds, targets};

/// Coverage counters for libFuzzer; debug assertions, since overflow is a finding.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";

/// Seconds after which one input counts as a hang.
const HANG: u32 = 10;

/// Fuzz every decoder, or one.
#[derive(Parser)]
struct Options {
    /// Which decoder; all of them if left out
    target: Option<String>,
    /// Seconds for each
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// Tries the same inputs as every run with this number, as long as the code is the same; 0 is another each time
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let chosen: Vec<&Target> = match &options.target {
        None => TARGETS.iter().collect(),
        Some(name) => vec![targets::find(name).with_context(|| {
            let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            format!("no target {name:?}; there are {}", known.join(", "))
        })?],
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
    let engine = build(&folder)?;
    let mut failed = Vec::new();
    for target in chosen {
        if let Err(error) = fuzz(target, &engine, &folder, options) {
            eprintln!("{}: {error:#}", target.name);
            failed.push(target.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

/// Builds the instrumented engine. A target triple is named so that the flags spare build scripts.
fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let version = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--package", "desync-fuzz", "--bin", "fuzz-engine"]);
    cargo.args(["--features", "libfuzzer", "--target", host, "--config", "profile.release.lto=false"]);
    cargo.env("CARGO_TARGET_DIR", folder).env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = cargo.stdin(Stdio::null()).status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the engine does not build: {status}");
    }
    Ok(folder.join(host).join("release/fuzz-engine"))
}

fn fuzz(target: &Target, engine: &Path, folder: &Path, options: &Options) -> anyhow::Result<()> {
    let Options { seconds, seed, .. } = options;
    let corpus = folder.join("corpus").join(target.name);
    let failed = folder.join("failed");
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&failed)?;
    for (number, seed) in seeds(target.name).iter().enumerate() {
        fs::write(corpus.join(format!("seed-{number}")), seed)?;
    }
    let prefix = failed.join(format!("{}-", target.name));
    let mut command = Command::new(engine);
    command.env("FUZZ_TARGET", target.name).arg(&corpus).stdin(Stdio::null());
    command.arg(format!("-artifact_prefix={}", prefix.display()));
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={}", target.len_max));
    command.arg(format!("-seed={seed}")).arg(format!("-timeout={HANG}")).args([
        "-rss_limit_mb=1024",
        "-verbosity=0",
        "-print_final_stats=1",
    ]);
    let output = command.output().with_context(|| format!("cannot start {}", engine.display()))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{}\n{messages}\nthe input was saved as {}*", output.status, prefix.display());
    }
    let runs = messages.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    println!("{:14} {:>10} runs in {seconds} s, nothing found", target.name, runs.unwrap_or("?").trim());
    Ok(())
}
