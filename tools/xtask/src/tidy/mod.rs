//! What no compiler checks: arrows between crates, opening comments, lengths, forgotten files, README.
//!
//! Runs as `cargo xtask tidy` and as a test. Each rule is a function from files to findings in one of the
//! modules below; a finding names the file, the line where there is one, and what to do.

mod arrows;
mod core_modules;
mod documents;
mod sources;
mod tree;

use std::fmt;

use anyhow::bail;

use crate::shell;
use tree::Tree;

/// Something untidy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path below the workspace.
    path: String,
    /// Line, counted from 1; 0 for the file as a whole.
    line: usize,
    /// What is wrong, and what to do.
    message: String,
    /// Shown, but does not fail.
    is_warning: bool,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), is_warning: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_warning { "warning: " } else { "" })?;
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Applies every rule and prints what it finds.
///
/// # Errors
/// Says how many findings there are, warnings aside.
pub(crate) fn run() -> anyhow::Result<()> {
    let findings = find()?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.iter().filter(|finding| !finding.is_warning).count() {
        0 => Ok(()),
        count => bail!("{count} untidy places"),
    }
}

fn find() -> anyhow::Result<Vec<Finding>> {
    let tree = Tree::load(&shell::workspace_root())?;
    let mut findings = arrows::check(&tree)?;
    findings.extend(core_modules::check(&tree)?);
    findings.extend(sources::check(&tree));
    findings.extend(documents::check(&tree));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        let wrong: Vec<_> = super::find()
            .expect("rules can be applied")
            .into_iter()
            .filter(|finding| !finding.is_warning)
            .map(|finding| finding.to_string())
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
