//! The tree in the first image as files, and one program's archives of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Images, Place, remove};
use crate::process;
use crate::program::Program;

/// Where the tree and its archives are.
pub(crate) struct TreePlace {
    /// The tree itself.
    pub(crate) folder: PathBuf,
    /// Chunks of the archive to unpack.
    pub(crate) store: PathBuf,
    /// A store that is empty before each run.
    pub(crate) fresh_store: PathBuf,
    archives: [PathBuf; 2],
    made: [PathBuf; 2],
}

impl TreePlace {
    pub(crate) fn within(folder: &Path) -> Self {
        let both = |name: &str| ["catar", "caidx"].map(|ending| folder.join(name).with_extension(ending));
        Self {
            folder: folder.join("tree"),
            store: folder.join("tree-store"),
            fresh_store: folder.join("tree-fresh-store"),
            archives: both("tree-archive"),
            made: both("tree-made"),
        }
    }

    /// The archive to unpack, or its index.
    pub(crate) fn archive(&self, index: bool) -> &Path {
        &self.archives[usize::from(index)]
    }

    /// The archive that is made, or its index.
    pub(crate) fn made(&self, index: bool) -> &Path {
        &self.made[usize::from(index)]
    }

    /// Removes what the last run made.
    pub(crate) fn prepare(&self) -> anyhow::Result<()> {
        self.made.iter().chain([&self.fresh_store]).try_for_each(|path| remove(path))?;
        Ok(fs::create_dir(&self.fresh_store)?)
    }
}

/// Takes the tree out of the image and archives it both ways, unless that was done.
pub(crate) fn plant(program: &Program, place: &Place, images: &Images) -> anyhow::Result<()> {
    if place.tree.folder.exists() {
        return Ok(());
    }
    fs::create_dir(&place.tree.folder)?;
    fs::create_dir(&place.tree.store)?;
    let request = format!("rdump / {}", place.tree.folder.display());
    process::run(Command::new("debugfs").args(["-R", &request]).arg(&images.first), &place.folder)?;
    remove(&place.tree.folder.join("lost+found"))?;
    for index in [false, true] {
        process::run(&mut program.archive(place, index), &place.folder)?;
    }
    Ok(())
}

/// # Errors
/// If the output is not the tree.
pub(crate) fn check_output(place: &Place) -> anyhow::Result<()> {
    let mut diff = Command::new("diff");
    diff.args(["-r", "--no-dereference"]).arg(&place.tree.folder).arg(&place.output);
    process::run(&mut diff, &place.folder)
}
