//! Running the programs of Debian that the corpus is made with.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Runs a command without input; what it prints is shown only when it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("output of {name} is not UTF-8"))
}

/// A program of the administrator: those need not be on an ordinary user's PATH.
pub(crate) fn admin(name: &str) -> Command {
    let places = ["/usr/sbin", "/sbin"].map(|folder| format!("{folder}/{name}"));
    let found = places.into_iter().find(|path| std::path::Path::new(path).is_file());
    Command::new(found.unwrap_or_else(|| name.to_owned()))
}
