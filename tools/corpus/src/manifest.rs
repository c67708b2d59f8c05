//! What has been built: names, lengths, digests. Kept beside the files, so that a second run does nothing.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The files of a corpus, in the order they were first built.
pub(crate) struct Manifest {
    folder: PathBuf,
    files: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    /// Length in bytes.
    len: u64,
    /// SHA-256, in hex.
    sha256: String,
}

impl Manifest {
    /// Reads the manifest of a folder; an empty one if there is none.
    pub(crate) fn load(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("manifest.json");
        let files = match fs::read(&path) {
            Ok(json) => {
                serde_json::from_slice(&json).with_context(|| format!("{} is damaged", path.display()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self { folder: folder.to_path_buf(), files })
    }

    /// Builds a file, unless it is listed and there with the length that it had.
    pub(crate) fn provide(
        &mut self,
        name: &str,
        build: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        let len = fs::metadata(&path).map(|metadata| metadata.len()).ok();
        if self.files.iter().any(|entry| entry.name == name && Some(entry.len) == len) {
            return Ok(());
        }
        eprintln!("building {name}");
        let part = self.folder.join(format!("{name}.part"));
        build(&part).with_context(|| format!("cannot build {name}"))?;
        let entry = Entry { name: name.to_owned(), len: fs::metadata(&part)?.len(), sha256: sha256(&part)? };
        fs::rename(&part, &path)?;
        self.files.retain(|other| other.name != name);
        self.files.push(entry);
        fs::write(self.folder.join("manifest.json"), serde_json::to_vec_pretty(&self.files)?)?;
        Ok(())
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.files {
            // A block of `st_blocks` has 512 bytes whatever the file system.
            let on_disk = fs::metadata(self.folder.join(&entry.name)).map_or(0, |file| file.blocks() * 512);
            writeln!(
                f,
                "{}  {:18} {:>12} bytes, {:>10} on disk",
                entry.sha256, entry.name, entry.len, on_disk
            )?;
        }
        Ok(())
    }
}

fn sha256(path: &Path) -> anyhow::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut block)?;
        if len == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&block[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_not_built_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::load(folder.path()).unwrap();
        manifest.provide("a", |path| Ok(fs::write(path, "abc")?)).unwrap();
        let mut again = Manifest::load(folder.path()).unwrap();
        again.provide("a", |_| anyhow::bail!("built again")).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(again.to_string().starts_with(abc));
        fs::write(folder.path().join("a"), "shorter or longer").unwrap();
        assert!(again.provide("a", |_| anyhow::bail!("built again")).is_err());
    }
}
