//! Real data for demos, benchmarks and long tests, built from Debian packages into `.corpus/`.
//!
//! | file | what |
//! |---|---|
//! | `root-release.ext4` | a root file system of the packages as Debian's stable release has them |
//! | `root-updated.ext4` | the same packages with their updates and security updates |
//! | `root-release.tar` | the first as a tar archive |
//! | `disk.img` | a disk of 20 GiB with both as its slots, and holes between them |
//! | `random.bin` | 128 MiB that no compressor shrinks and no two chunks of which are equal |
//!
//! Invariants
//! - The same package versions give the same bytes, whoever builds them and when (`image`).
//! - A file is listed in the manifest only when it is whole; a second run builds only what is not listed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its user")]

mod bytes;
mod image;
mod manifest;
mod packages;
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

use manifest::Manifest;
use packages::Release;

/// Build real data from Debian packages; what is there already is kept.
#[derive(Parser)]
struct Options {
    /// Which parts; all of them if left out
    parts: Vec<Part>,
    /// Where to build
    #[arg(long, default_value = ".corpus")]
    folder: PathBuf,
}

/// What can be asked for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Both root file systems
    Root,
    /// The tar archive of the first
    Tar,
    /// The sparse disk
    Disk,
    /// The incompressible file
    Random,
}

/// Length of the disk, in bytes, and where its two slots start.
const DISK_LEN: u64 = 20 << 30;
const SLOTS: [u64; 2] = [1 << 20, 12 << 30];

/// Length of the incompressible file, in bytes.
const RANDOM_LEN: u64 = 128 << 20;

fn main() -> ExitCode {
    match build(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corpus: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build(options: &Options) -> anyhow::Result<()> {
    let folder = &options.folder;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut manifest = Manifest::load(folder)?;
    let wants = |part| options.parts.is_empty() || options.parts.contains(&part);
    if wants(Part::Root) || wants(Part::Tar) || wants(Part::Disk) {
        for release in [Release::Stable, Release::Updated] {
            manifest.provide(release.image_name(), |path| root_image(folder, release, path))?;
        }
    }
    if wants(Part::Tar) {
        manifest.provide("root-release.tar", |path| {
            let tree = unpacked(folder, Release::Stable)?;
            image::tar(&tree, path)
        })?;
    }
    if wants(Part::Disk) {
        let images = [Release::Stable, Release::Updated].map(|release| folder.join(release.image_name()));
        manifest.provide("disk.img", |path| bytes::sparse_disk(path, DISK_LEN, &SLOTS, &images))?;
    }
    if wants(Part::Random) {
        manifest.provide("random.bin", |path| bytes::incompressible(path, RANDOM_LEN))?;
    }
    // Trees are only steps on the way: the packages they came from are kept.
    for release in [Release::Stable, Release::Updated] {
        remove_tree(&tree_path(folder, release))?;
    }
    print!("{manifest}");
    Ok(())
}

fn root_image(folder: &Path, release: Release, path: &Path) -> anyhow::Result<()> {
    let tree = unpacked(folder, release)?;
    image::ext4(&tree, path)
}

fn tree_path(folder: &Path, release: Release) -> PathBuf {
    folder.join(format!("tree-{}", release.name()))
}

/// The packages of a release, fetched and unpacked.
fn unpacked(folder: &Path, release: Release) -> anyhow::Result<PathBuf> {
    let tree = tree_path(folder, release);
    let whole = folder.join(format!("tree-{}.whole", release.name()));
    if whole.exists() && tree.exists() {
        return Ok(tree);
    }
    remove_tree(&tree)?;
    let archives = packages::fetch(&folder.join("packages"), release)?;
    packages::unpack(&archives, &tree)?;
    fs::write(&whole, "")?;
    Ok(tree)
}

fn remove_tree(tree: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_file(tree.with_extension("whole"));
    match fs::remove_dir_all(tree) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", tree.display()))
        }
        _ => Ok(()),
    }
}
