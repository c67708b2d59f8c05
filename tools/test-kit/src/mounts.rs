//! Real file systems and block devices for tests: images mounted by loop, in a mount namespace that dies with
//! the test.
//!
//! Needs root on Linux, `unshare`, `mount` and the file systems' tools. Where something is missing a test
//! says so and passes, unless `CI` is set: there it fails.
#![allow(clippy::print_stderr)] // a test that is skipped says so

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set for the process that runs inside the mount namespace.
const INSIDE: &str = "DESYNC_TEST_MOUNT_NAMESPACE";

/// Runs `body` in a mount namespace by starting this test, whose full name is `test`, once more inside.
/// `tools` are the programs it needs besides those for mounting. It gets an empty directory that goes away
/// afterwards.
///
/// # Panics
/// If the test fails inside, or cannot run while `CI` is set.
pub fn in_mount_namespace(test: &str, tools: &[&str], body: impl FnOnce(&Path)) {
    if std::env::var_os(INSIDE).is_some() {
        let directory = std::env::temp_dir().join(format!("desync-mounts-{}", std::process::id()));
        fs::create_dir(&directory).expect("a directory for this process");
        let scratch = Scratch(directory);
        return body(&scratch.0);
    }
    if let Some(reason) = cannot_mount(tools) {
        assert!(std::env::var_os("CI").is_none(), "{test} cannot run: {reason}");
        eprintln!("SKIPPED {test}: {reason}");
        return;
    }
    let mut command = Command::new("unshare");
    command.arg("-m").arg(std::env::current_exe().expect("a path")).args(["--exact", test, "--nocapture"]);
    let output = command.env(INSIDE, "1").output().expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout);
    // A wrong name runs no test, and succeeds at that.
    let has_run = output.status.success() && text.contains("1 passed");
    assert!(
        has_run,
        "{test} failed in its mount namespace:\n{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A directory that is unmounted, as far as something is mounted below, and removed.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Only this namespace sees these mounts; what stays mounted ends with it.
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = Command::new("umount").arg("-l").arg(entry.path()).output();
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cannot_mount(tools: &[&str]) -> Option<String> {
    let output = |program: &str, arguments: &[&str]| Command::new(program).args(arguments).output().ok();
    let is_root = output("id", &["-u"]).is_some_and(|id| id.stdout == b"0\n");
    if !is_root {
        return Some("not root".into());
    }
    let needed = ["unshare", "mount", "umount", "losetup"];
    if let Some(tool) = needed.iter().chain(tools).find(|tool| output(tool, &["-V"]).is_none()) {
        return Some(format!("no {tool}"));
    }
    let free_device = output("unshare", &["-m", "losetup", "-f"]);
    (!free_device.is_some_and(|found| found.status.success())).then(|| "no loop devices".into())
}

/// Runs a program and returns what it printed.
///
/// # Panics
/// If it fails.
pub fn run(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> String {
    let output = Command::new(program).args(arguments.iter().map(|argument| argument.as_ref())).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes a file system in an image below `directory` and mounts it; returns where. `name` is that of its
/// `mkfs`: XFS takes at least 300 MB, Btrfs 200. Images are sparse.
///
/// # Panics
/// If that does not work.
#[must_use]
pub fn mounted(directory: &Path, name: &str, megabytes: u64) -> PathBuf {
    let (image, mount) = (directory.join(format!("{name}.image")), directory.join(name));
    fs::File::create(&image).and_then(|file| file.set_len(megabytes << 20)).expect("an image");
    fs::create_dir(&mount).expect("a directory to mount at");
    run(&format!("mkfs.{name}"), &[&"-q", &image]);
    mount_again(&mount);
    mount
}

/// Mounts what [`mounted`] made once more, after it was unmounted.
///
/// # Panics
/// If that does not work.
pub fn mount_again(mount: &Path) {
    run("mount", &[&"-o", &"loop", &mount.with_extension("image"), &mount]);
}

/// A block device backed by a file; it goes away with its value.
#[derive(Debug)]
pub struct LoopDevice(PathBuf);

impl LoopDevice {
    /// A device with the content of `image`, and writing to it.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn new(image: &Path) -> Self {
        Self(run("losetup", &[&"-f", &"--show", &image]).trim().into())
    }

    /// Its path below `/dev`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        run("losetup", &[&"-d", &self.0]);
    }
}
