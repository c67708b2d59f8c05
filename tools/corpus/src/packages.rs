//! Debian packages: which, in which version, fetched by apt and unpacked without running anything of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process::run;

/// What a small server or appliance has, a name a line. Names that a release lacks are left out, saying so.
const PACKAGES: &str = include_str!("packages.txt");

/// Names the kernel package of its release, whose own name has its version in it.
const KERNEL: &str = "linux-image-cloud-amd64";

/// Which versions of the packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Those of the stable release itself.
    Stable,
    /// The newest, updates and security updates included.
    Updated,
}

impl Release {
    /// Its name in file names.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stable => "release",
            Self::Updated => "updated",
        }
    }

    /// File name of its root file system.
    pub(crate) const fn image_name(self) -> &'static str {
        match self {
            Self::Stable => "root-release.ext4",
            Self::Updated => "root-updated.ext4",
        }
    }

    /// Picks a version of a package from `apt-cache madison`: `name | version | source`, newest first.
    fn pick<'a>(self, madison: &'a str, wanted: &str) -> Option<&'a str> {
        let mut offers = madison.lines().filter_map(|line| {
            let mut cells = line.split('|').map(str::trim);
            let (name, version, source) = (cells.next()?, cells.next()?, cells.next()?);
            (name == wanted && source.ends_with("Packages")).then_some((version, source))
        });
        let offer = match self {
            Self::Updated => offers.next(),
            // Suites of updates are called after their release: bookworm-updates, bookworm-security.
            Self::Stable => {
                offers.find(|(_, source)| source.split(' ').nth(1).is_some_and(|suite| !suite.contains('-')))
            }
        };
        offer.map(|(version, _)| version)
    }
}

/// Fetches the archives of a release into a folder, those that are there aside, and names them in order.
///
/// # Errors
/// When apt offers nothing, or a download fails twice, with fresh lists in between.
pub(crate) fn fetch(folder: &Path, release: Release) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    match try_fetch(folder, release) {
        Ok(archives) => Ok(archives),
        // Lists that are missing or older than the mirror name packages that are gone.
        Err(stale) => {
            eprintln!("refreshing the package lists ({stale:#})");
            refresh_lists().with_context(|| format!("{stale:#}; and package lists cannot be refreshed"))?;
            try_fetch(folder, release)
        }
    }
}

fn try_fetch(folder: &Path, release: Release) -> anyhow::Result<Vec<PathBuf>> {
    let kernel = kernel(release)?;
    let names: Vec<_> = PACKAGES.lines().chain(kernel.as_deref()).collect();
    let offers = run(Command::new("apt-cache").arg("madison").args(&names))?;
    let mut versions = Vec::new();
    for name in names {
        match release.pick(&offers, name) {
            Some(version) => versions.push((name, version)),
            None => eprintln!("left out: {name}, which this machine's package lists do not offer"),
        }
    }
    if versions.is_empty() {
        bail!("apt offers none of the packages");
    }
    download(folder, &versions)
}

fn refresh_lists() -> anyhow::Result<()> {
    let is_root = run(Command::new("id").arg("-u"))?.trim() == "0";
    let mut update = if is_root { Command::new("apt-get") } else { Command::new("sudo") };
    let words: &[&str] = if is_root { &["update", "-qq"] } else { &["-n", "apt-get", "update", "-qq"] };
    run(update.args(words)).map(drop)
}

/// The kernel that a release's `linux-image-cloud-amd64` depends on.
fn kernel(release: Release) -> anyhow::Result<Option<String>> {
    let offers = run(Command::new("apt-cache").args(["madison", KERNEL]))?;
    let Some(version) = release.pick(&offers, KERNEL) else { return Ok(None) };
    let record = run(Command::new("apt-cache").args(["show", &format!("{KERNEL}={version}")]))?;
    let depends = record.lines().find_map(|line| line.strip_prefix("Depends: "));
    let first = depends.and_then(|names| names.split([' ', ',']).next());
    Ok(first.map(str::to_owned))
}

/// Fetches archives of names and versions, those that are there aside.
fn download(folder: &Path, versions: &[(&str, &str)]) -> anyhow::Result<Vec<PathBuf>> {
    // apt writes colons of a version as %3a.
    let start = |name: &str, version: &str| format!("{name}_{}_", version.replace(':', "%3a"));
    let mut missing = Vec::new();
    for (name, version) in versions {
        if find(folder, &start(name, version))?.is_none() {
            missing.push(format!("{name}={version}"));
        }
    }
    if !missing.is_empty() {
        eprintln!("fetching {} packages", missing.len());
        fetch_into(folder, &missing)?;
    }
    let archive = |&(name, version): &(&str, &str)| {
        find(folder, &start(name, version))?.with_context(|| format!("apt did not fetch {name} {version}"))
    };
    versions.iter().map(archive).collect()
}

/// Has apt fetch packages; they appear in the folder only when whole.
fn fetch_into(folder: &Path, packages: &[String]) -> anyhow::Result<()> {
    let part = folder.join("part");
    let _ = fs::remove_dir_all(&part);
    fs::create_dir(&part)?;
    run(Command::new("apt-get").args(["download", "-qq"]).args(packages).current_dir(&part))?;
    for entry in fs::read_dir(&part)? {
        let entry = entry?;
        fs::rename(entry.path(), folder.join(entry.file_name()))?;
    }
    fs::remove_dir(&part)?;
    Ok(())
}

fn find(folder: &Path, start: &str) -> anyhow::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(start) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Unpacks archives into a new tree, in order.
pub(crate) fn unpack(archives: &[PathBuf], tree: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(tree)?;
    for archive in archives {
        run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(tree))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_and_its_updates_are_told_apart() {
        let madison = "  openssl | 3.0.22-1 | http://a/debian-security bookworm-security/main amd64 Packages\n   \
                       openssl | 3.0.20-1 | http://a/debian bookworm/main amd64 Packages\n   \
                       openssl | 3.0.17-1 | http://a/debian bookworm-updates/main amd64 Packages\n   \
                       openssl | 3.0.20-1 | http://a/debian bookworm/main Sources\n";
        assert_eq!(Release::Stable.pick(madison, "openssl"), Some("3.0.20-1"));
        assert_eq!(Release::Updated.pick(madison, "openssl"), Some("3.0.22-1"));
        assert_eq!(Release::Stable.pick(madison, "bash"), None);
    }
}
