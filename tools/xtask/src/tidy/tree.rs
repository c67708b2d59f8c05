//! The files that rules look at: all text of the workspace, read once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Folders that are made, not written.
const NOT_OURS: [&str; 4] = ["target", "targets/target", ".git", ".corpus"];

/// Every text file of the workspace, in order of its path.
pub(crate) struct Tree {
    /// Where the workspace lies.
    pub(crate) root: PathBuf,
    /// The files.
    pub(crate) files: Vec<TextFile>,
}

/// One file.
pub(crate) struct TextFile {
    /// Path below the workspace, with `/` between names.
    pub(crate) path: String,
    /// Content.
    pub(crate) text: String,
}

impl Tree {
    /// Reads the workspace.
    ///
    /// # Errors
    /// The first file or folder that cannot be read.
    pub(crate) fn load(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self { root: root.to_path_buf(), files: Vec::new() };
        tree.add(root)?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn add(&mut self, folder: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            let is_ours = !NOT_OURS.iter().any(|name| path == self.root.join(name));
            if kind.is_dir() && is_ours {
                self.add(&path)?;
            } else if kind.is_file() && is_text(&path) {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let path = path.strip_prefix(&self.root)?.to_string_lossy().replace('\\', "/");
                self.files.push(TextFile { path, text });
            }
        }
        Ok(())
    }

    /// The text of one file, if it is there.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

impl TextFile {
    /// Its lines with their numbers, up to the tests that end it; none for a file of tests.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_tests = self.is_tests();
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.take_while(move |(_, line)| !is_tests && !line.starts_with("#[cfg(test)]"))
    }

    /// Whether the whole file is tests.
    pub(crate) fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|name| name == "tests")
    }
}

fn is_text(path: &Path) -> bool {
    let is_script = path.parent().and_then(Path::file_name).is_some_and(|folder| folder == ".ci");
    is_script
        || path
            .extension()
            .is_some_and(|kind| ["rs", "toml", "md", "x", "sh", "yml"].iter().any(|text| kind == *text))
}
