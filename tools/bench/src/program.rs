//! How each program is asked for a job.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::jobs::{Job, Seed, Task};
use crate::place::{Images, Place};

/// Mounts by a command, reads the file from its start to its end, and unmounts.
const READ_THROUGH_MOUNT: &str = r#"
mkdir -p mnt
"$@" mnt &
until [ -e mnt/second ]; do kill -0 $!; sleep 0.005; done
cat mnt/second > /dev/null
umount mnt || fusermount3 -u mnt
wait $!
"#;

/// A program that is compared.
pub(crate) struct Program {
    /// Its name in the table.
    pub(crate) name: String,
    /// What it says of its version.
    pub(crate) version: String,
    kind: Kind,
    path: PathBuf,
    /// Whether its commands on trees have --no-sync.
    can_leave_out_syncs: bool,
    /// Whether a seed may come without an index.
    can_take_bare_seeds: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Casync,
    Desync,
}

impl Program {
    /// None if there is no such file.
    pub(crate) fn find(kind: Kind, name: &str, path: &Path) -> Option<Self> {
        let path = path.canonicalize().ok()?;
        let version = Command::new(&path).arg("--version").output().ok();
        let version =
            version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let version = version.lines().next().unwrap_or("no version given").to_owned();
        let help_says = |verb: &str, said: &str| {
            let help = Command::new(&path).args([verb, "--help"]).output().ok();
            help.is_some_and(|output| String::from_utf8_lossy(&output.stdout).contains(said))
        };
        let can_leave_out_syncs = help_says("untar", "--no-sync");
        let can_take_bare_seeds = help_says("extract", "--seed-pair");
        Some(Self { name: name.to_owned(), version, kind, path, can_leave_out_syncs, can_take_bare_seeds })
    }

    /// None if the program has no such command.
    pub(crate) fn command(&self, job: &Job, place: &Place, images: &Images) -> Option<Command> {
        match self.kind {
            Kind::Casync => self.casync(job, place, images),
            Kind::Desync if job.task.is_unsynced() && !self.can_leave_out_syncs => None,
            Kind::Desync if job.task.has_bare_seed() && !self.can_take_bare_seeds => None,
            Kind::Desync => Some(self.desync(job, place, images)),
        }
    }

    fn desync(&self, job: &Job, place: &Place, images: &Images) -> Command {
        let mut command = if job.task == Task::Mount {
            let mut shell = Command::new("sh");
            shell.args(["-euc", READ_THROUGH_MOUNT, "sh"]).arg(&self.path).current_dir(&place.folder);
            shell
        } else {
            Command::new(&self.path)
        };
        let verb = match job.task {
            Task::Make { .. } => "make",
            Task::Extract { .. } => "extract",
            Task::Mount => "mount-index",
            Task::Tar { .. } => "tar",
            Task::Untar { .. } => "untar",
            Task::Mtree => "mtree",
            Task::Verify => "verify",
            Task::VerifyIndex => "verify-index",
            Task::Chunk => "chunk",
        };
        command.arg(verb);
        if let Some(count) = job.concurrency {
            command.args(["-n", &count.to_string()]);
        }
        if job.task.is_unsynced() {
            command.arg("--no-sync");
        }
        match job.task {
            Task::Make { .. } => command.arg("-s").arg(&place.store).arg(&place.made).arg(&images.first),
            Task::Extract { seed } => {
                command.arg("-s").arg(&place.store);
                match seed {
                    Seed::None => {}
                    Seed::First => drop(command.arg("--seed").arg(&place.seed_index)),
                    Seed::Bare => drop(command.arg("--seed").arg(&images.first)),
                    Seed::Random => drop(command.arg("--seed").arg(&images.random)),
                }
                command.arg(&place.second_index).arg(&place.output)
            }
            Task::Mount => command.arg("-s").arg(&place.store).arg(&place.second_index),
            Task::Tar { index, .. } => {
                if index {
                    command.args(["-i", "-s"]).arg(&place.tree.fresh_store);
                }
                command.arg(place.tree.made(index)).arg(&place.tree.folder)
            }
            Task::Untar { index, .. } => {
                if index {
                    command.args(["-i", "-s"]).arg(&place.tree.store);
                }
                command.arg(place.tree.archive(index)).arg(&place.output)
            }
            Task::Mtree => command.arg(&place.tree.folder),
            Task::Verify => command.arg("-s").arg(&place.store),
            Task::VerifyIndex => command.arg(&place.seed_index).arg(&images.first),
            Task::Chunk => command.arg(&images.first),
        };
        command
    }

    fn casync(&self, job: &Job, place: &Place, images: &Images) -> Option<Command> {
        let mut command = Command::new(&self.path);
        match job.task {
            Task::Make { .. } => {
                command.arg("make").arg(store(place)).arg(&place.made).arg(&images.first);
            }
            Task::Extract { seed } => {
                command.arg("extract").arg(store(place));
                match seed {
                    Seed::None => {}
                    Seed::First => drop(command.arg(format!("--seed={}", place.seed.display()))),
                    // It takes no index: the row before is this one.
                    Seed::Bare => return None,
                    Seed::Random => drop(command.arg(format!("--seed={}", images.random.display()))),
                }
                command.arg(&place.second_index).arg(&place.output);
            }
            Task::Tar { index, .. } => {
                command.arg("make");
                if index {
                    command.arg(format!("--store={}", place.tree.fresh_store.display()));
                }
                command.arg(place.tree.made(index)).arg(&place.tree.folder);
            }
            Task::Untar { index, .. } => {
                command.arg("extract");
                if index {
                    command.arg(format!("--store={}", place.tree.store.display()));
                }
                command.arg(place.tree.archive(index)).arg(&place.output);
            }
            Task::Mtree => {
                command.arg("mtree").arg(&place.tree.folder);
            }
            Task::Mount | Task::Verify | Task::VerifyIndex | Task::Chunk => return None,
        }
        let is_synced = matches!(job.task, Task::Tar { sync: true, .. } | Task::Untar { sync: true, .. });
        Some(if is_synced { synced(&command, place) } else { command })
    }

    /// Archives the tree, as a file or keeping its chunks.
    pub(crate) fn archive(&self, place: &Place, index: bool) -> Command {
        let mut command = Command::new(&self.path);
        match (self.kind, index) {
            (Kind::Casync, false) => command.arg("make"),
            (Kind::Casync, true) => {
                command.arg("make").arg(format!("--store={}", place.tree.store.display()))
            }
            (Kind::Desync, false) => command.arg("tar"),
            (Kind::Desync, true) => command.args(["tar", "-i", "-s"]).arg(&place.tree.store),
        };
        command.arg(place.tree.archive(index)).arg(&place.tree.folder);
        command
    }

    /// Makes an index of an image, keeping its chunks.
    pub(crate) fn make(&self, place: &Place, index: &Path, image: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("make");
        match self.kind {
            Kind::Casync => command.arg(store(place)),
            Kind::Desync => command.arg("-s").arg(&place.store),
        };
        command.arg(index).arg(image);
        command
    }
}

/// The same and then a sync, which ours does itself.
fn synced(command: &Command, place: &Place) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-euc", r#"at=$1; shift; "$@"; sync -f "$at""#, "sh"]).arg(&place.folder);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

fn store(place: &Place) -> String {
    format!("--store={}", place.store.display())
}
