//! Stores, indexes, seeds and outputs of one program on one file system.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::jobs::{Job, Task};
use crate::process;
use crate::program::Program;
use crate::tree::TreePlace;

/// The two versions of the image, and bytes that have nothing in common with them.
pub(crate) struct Images {
    pub(crate) first: PathBuf,
    pub(crate) second: PathBuf,
    pub(crate) random: PathBuf,
}

/// Files of one program.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// Where `make` and `extract` keep and find chunks.
    pub(crate) store: PathBuf,
    /// The index that `make` makes.
    pub(crate) made: PathBuf,
    pub(crate) second_index: PathBuf,
    /// The first image, and its index beside it under the name that desync looks for.
    pub(crate) seed: PathBuf,
    pub(crate) seed_index: PathBuf,
    pub(crate) output: PathBuf,
    /// The tree in the first image, and its archives.
    pub(crate) tree: TreePlace,
    /// A store that is emptied for each run of a fresh `make`.
    full_store: PathBuf,
}

/// What a store takes, in bytes of its chunk files.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Stored {
    /// With the first image.
    pub(crate) first: u64,
    /// With both.
    pub(crate) both: u64,
}

impl Images {
    /// # Errors
    /// Says how to build them if they are missing.
    pub(crate) fn find(corpus: &Path) -> anyhow::Result<Self> {
        let image = |name: &str| {
            let path = corpus.join(name);
            path.canonicalize()
                .with_context(|| format!("{} is missing: `cargo xtask corpus`", path.display()))
        };
        Ok(Self {
            first: image("root-release.ext4")?,
            second: image("root-updated.ext4")?,
            random: image("random.bin")?,
        })
    }

    /// Brings all into the page cache as reading does it: pages that were left there by who wrote the files are
    /// smaller, and copying out of them takes longer.
    pub(crate) fn read_all(&self) -> anyhow::Result<()> {
        for path in [&self.first, &self.second, &self.random] {
            let mut file = File::open(path)?;
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
            std::io::copy(&mut file, &mut std::io::sink())?;
        }
        Ok(())
    }
}

impl Place {
    /// A folder with the first image as a seed, and an empty store.
    pub(crate) fn make(folder: &Path, images: &Images) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let place = Self::within(&folder, folder.join("store"));
        fs::create_dir(&place.full_store)?;
        place.put_seed(images)?;
        Ok(place)
    }

    fn within(folder: &Path, store: PathBuf) -> Self {
        Self {
            folder: folder.to_path_buf(),
            made: folder.join("made.caibx"),
            second_index: folder.join("second.caibx"),
            seed: folder.join("seed"),
            seed_index: folder.join("seed.caibx"),
            output: folder.join("output"),
            tree: TreePlace::within(folder),
            full_store: store.clone(),
            store,
        }
    }

    /// The same store and indexes with seed and output on another file system.
    pub(crate) fn moved(&self, folder: &Path, images: &Images) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let place = Self::within(folder, self.full_store.clone());
        for (from, to) in [(&self.seed_index, &place.seed_index), (&self.second_index, &place.second_index)] {
            fs::copy(from, to)?;
        }
        place.put_seed(images)?;
        Ok(place)
    }

    fn put_seed(&self, images: &Images) -> anyhow::Result<()> {
        // A second name costs nothing where it can be had; no program writes to a seed.
        if fs::hard_link(&images.first, &self.seed).is_err() {
            fs::copy(&images.first, &self.seed).context("cannot copy the seed")?;
        }
        Ok(())
    }

    /// Makes both indexes and fills the store with both images.
    pub(crate) fn fill(&self, program: &Program, images: &Images) -> anyhow::Result<Stored> {
        eprintln!("filling a store: {}", program.name);
        process::run(&mut program.make(self, &self.seed_index, &images.first), &self.folder)?;
        let first = chunk_bytes(&self.store)?;
        process::run(&mut program.make(self, &self.second_index, &images.second), &self.folder)?;
        Ok(Stored { first, both: chunk_bytes(&self.store)? })
    }

    /// Removes what the last run of a job left, and brings the store into the state that the job wants.
    pub(crate) fn prepare(&self, job: &Job) -> anyhow::Result<()> {
        let aside = self.folder.join("store-aside");
        let is_fresh = job.task == Task::Make { known: false };
        if aside.exists() {
            // Not removed before the end: ext4 makes new files slowly for a while after many were removed.
            let used = self.folder.join("used");
            fs::create_dir_all(&used)?;
            let number = fs::read_dir(&used)?.count();
            fs::rename(&self.store, used.join(number.to_string()))?;
            fs::rename(&aside, &self.store)?;
        }
        if is_fresh {
            fs::rename(&self.store, &aside)?;
            fs::create_dir(&self.store)?;
        }
        for path in [&self.output, &self.made] {
            remove(path)?;
        }
        if job.task.is_of_a_tree() {
            self.tree.prepare()?;
        }
        Ok(())
    }

    /// # Errors
    /// If the output is not the second image.
    pub(crate) fn check_output(&self, images: &Images) -> anyhow::Result<()> {
        if !same(&self.output, &images.second)? {
            bail!("{} is not the second image", self.output.display());
        }
        Ok(())
    }
}

fn same(a: &Path, b: &Path) -> anyhow::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        a.by_ref().take(1 << 20).read_to_end(&mut left)?;
        b.by_ref().take(1 << 20).read_to_end(&mut right)?;
        if left != right || left.is_empty() {
            return Ok(left == right);
        }
    }
}

/// Bytes of all files below a folder.
fn chunk_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() { chunk_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(total)
}

/// Removes a file or folder; nothing there is fine.
pub(crate) fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_compared_to_their_ends() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let mut content = vec![7; (1 << 20) + 5];
        let a = write("a", &content);
        assert!(same(&a, &write("b", &content)).unwrap());
        *content.last_mut().unwrap() = 8;
        assert!(!same(&a, &write("c", &content)).unwrap());
        assert!(!same(&a, &write("d", &content[1..])).unwrap());
        assert_eq!(chunk_bytes(folder.path()).unwrap(), 4 * (1 << 20) + 19);
    }
}
