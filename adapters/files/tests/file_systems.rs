//! Reflinks, holes and block devices on real file systems: XFS, Btrfs and ext4 in loop-mounted images.
//!
//! Needs root, `unshare`, `mount` and the file systems' tools. Where they are missing the tests say so and
//! pass, unless `CI` is set: there they fail. Each test runs in a mount namespace of its own, so that nothing
//! stays mounted however it ends.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr)] // a test that is skipped says so

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use desync_core::block_io::{BlockRead as _, BlockShare as _, BlockWrite as _};
use desync_core::{DigestKind, VerifiedChunk};
use desync_files::{
    Disk as _, DiskFile, Durability, FileKind, HostDisk, Seed, Target, TargetError, TargetOptions,
};

/// Set for the process that runs inside the mount namespace.
const INSIDE: &str = "DESYNC_TEST_MOUNT_NAMESPACE";

/// Runs `body` in a mount namespace, by starting this test once more inside.
fn in_mount_namespace(test: &str, tools: &[&str], body: impl FnOnce(&Path)) {
    if std::env::var_os(INSIDE).is_some() {
        body(tempfile::tempdir().unwrap().path());
        return;
    }
    if let Some(reason) = cannot_mount(tools) {
        assert!(std::env::var_os("CI").is_none(), "{test} cannot run: {reason}");
        eprintln!("SKIPPED {test}: {reason}");
        return;
    }
    let mut command = Command::new("unshare");
    command.arg("-m").arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    let status = command.env(INSIDE, "1").status().unwrap();
    assert!(status.success(), "{test} failed inside its mount namespace");
}

fn cannot_mount(tools: &[&str]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("not root".into());
    }
    let found = |tool: &&&str| Command::new(tool).arg("-V").output().is_ok();
    if let Some(tool) =
        ["unshare", "mount", "losetup", "filefrag"].iter().chain(tools).find(|tool| !found(tool))
    {
        return Some(format!("no {tool}"));
    }
    let try_loop = Command::new("unshare").args(["-m", "losetup", "-f"]).output().ok()?;
    (!try_loop.status.success()).then(|| "no loop devices".into())
}

fn run(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command} {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Makes a file system in an image and mounts it; returns where.
fn mounted(directory: &Path, mkfs: &[&str], megabytes: u64) -> PathBuf {
    let (image, mount) = (directory.join("image"), directory.join("mount"));
    fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
    fs::create_dir(&mount).unwrap();
    let image = image.to_str().unwrap();
    run(mkfs[0], &[&mkfs[1..], &[image]].concat());
    run("mount", &["-o", "loop", image, mount.to_str().unwrap()]);
    mount
}

fn noise(len: usize, mut state: u64) -> Vec<u8> {
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn create(path: &Path, content: &[u8]) -> Box<dyn DiskFile> {
    let file = HostDisk.create_new(path, 0o644).unwrap();
    file.write_all_at(content, 0).unwrap();
    file.sync().unwrap();
    file
}

fn is_shared(path: &Path) -> bool {
    run("filefrag", &["-v", path.to_str().unwrap()]).contains("shared")
}

/// What must hold on a file system with reflinks.
fn check_reflinks(mount: &Path, elsewhere: &Path) {
    let content = noise(1 << 20, 1);
    let (source_path, target_path) = (mount.join("source"), mount.join("target"));
    let source = create(&source_path, &content);
    let target = create(&target_path, &[7; 100_000]);
    let clone = |from: u64, to: u64, len: u64| target.clone_range(&*source, from, to, len).unwrap();

    for (from, to, len) in [(1, 0, 4096), (0, 1, 4096), (0, 0, 4095), (1 << 21, 0, 4096)] {
        assert!(!clone(from, to, len), "{from} to {to}, {len} bytes");
    }
    assert!(clone(0, 0, 0), "nothing to do");
    assert_eq!(fs::read(&target_path).unwrap(), [7; 100_000], "nothing has changed");
    assert!(!is_shared(&target_path));

    assert!(clone(8192, 0, 65_536));
    target.sync().unwrap();
    let mut expected = vec![7; 100_000];
    expected[..65_536].copy_from_slice(&content[8192..][..65_536]);
    assert!(fs::read(&target_path).unwrap() == expected);
    assert!(is_shared(&target_path));

    let other = create(&elsewhere.join("other"), &content);
    assert!(!target.clone_range(&*other, 0, 0, 65_536).unwrap(), "another file system");
}

/// An extraction's way to share: what lies in whole blocks.
fn check_target(mount: &Path) {
    let content = noise(300_000, 2);
    create(&mount.join("seed"), &content);
    let mut seed = Seed::open(&HostDisk, &mount.join("seed")).unwrap();
    let path = mount.join("extracted");
    let target = Target::open(Arc::new(HostDisk), &path, 300_000, TargetOptions::default()).unwrap();
    let mut handle = target.handle();
    assert_eq!(handle.share(&mut seed, 1, 0, 100_000).unwrap(), None, "shifted within a block");
    let shared = handle.share(&mut seed, 1000, 1000, 200_000).unwrap().unwrap();
    assert!(shared.start < 1000 + target.block_size() && shared.end > 201_000 - target.block_size());
    let mut found = vec![0; (shared.end - shared.start) as usize];
    handle.read(shared.start, &mut found).unwrap();
    assert!(found == content[shared.start as usize..shared.end as usize]);

    // zeros_replace_what_was_shared: had they been left out as in a blank file, the seed would show.
    let zeros = VerifiedChunk::name(DigestKind::Sha512_256, vec![0; 20_000]);
    handle.write(30_000, zeros.all()).unwrap();
    handle.zero(60_000, 20_000).unwrap();
    target.file().sync().unwrap();
    let mut expected = vec![0; 300_000];
    let middle = shared.start as usize..shared.end as usize;
    expected[middle.clone()].copy_from_slice(&content[middle]);
    expected[30_000..50_000].fill(0);
    expected[60_000..80_000].fill(0);
    target.finish().unwrap();
    assert!(fs::read(&path).unwrap() == expected);
    assert!(is_shared(&path));
    assert!(fs::read(mount.join("seed")).unwrap() == content, "the seed is as it was");
}

fn check_holes(mount: &Path) {
    let path = mount.join("holes");
    let file = create(&path, &noise(1 << 20, 3));
    let before = fs::metadata(&path).unwrap().blocks();
    file.zero_range(100_000, 800_000).unwrap();
    file.sync().unwrap();
    let after = fs::metadata(&path).unwrap().blocks();
    assert!(after * 512 < before * 512 - 700_000, "{before} blocks became {after}");
    let content = fs::read(&path).unwrap();
    assert_eq!(content.len(), 1 << 20);
    assert!(content[100_000..900_000].iter().all(|byte| *byte == 0));
    assert!(content[..100_000] == noise(1 << 20, 3)[..100_000]);
    let data = file.next_data(200_000).unwrap().unwrap();
    assert!(data.start > 800_000 && data.start <= 900_000 && data.end == 1 << 20, "{data:?}");
}

#[test]
fn xfs() {
    in_mount_namespace("xfs", &["mkfs.xfs"], |directory| {
        let mount = mounted(directory, &["mkfs.xfs", "-q", "-m", "reflink=1"], 320);
        check_reflinks(&mount, directory);
        check_target(&mount);
        check_holes(&mount);
    });
}

#[test]
fn btrfs() {
    in_mount_namespace("btrfs", &["mkfs.btrfs"], |directory| {
        let mount = mounted(directory, &["mkfs.btrfs", "-q"], 200);
        check_reflinks(&mount, directory);
        check_target(&mount);
        check_holes(&mount);
    });
}

#[test]
fn ext4_without_reflinks() {
    in_mount_namespace("ext4_without_reflinks", &["mkfs.ext4"], |directory| {
        let mount = mounted(directory, &["mkfs.ext4", "-q"], 64);
        check_holes(&mount);
        let (source, target) = (create(&mount.join("a"), &[1; 8192]), create(&mount.join("b"), &[2; 8192]));
        assert!(!target.clone_range(&*source, 0, 0, 8192).unwrap());
        assert_eq!(fs::read(mount.join("b")).unwrap(), [2; 8192]);
    });
}

/// A loop device that goes away with its value.
struct LoopDevice(PathBuf);

impl LoopDevice {
    fn new(directory: &Path, len: u64) -> Self {
        let image = directory.join("device-image");
        fs::write(&image, noise(len as usize, 4)).unwrap();
        Self(run("losetup", &["-f", "--show", image.to_str().unwrap()]).trim().into())
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        run("losetup", &["-d", self.0.to_str().unwrap()]);
    }
}

const DEVICE_LEN: u64 = 1 << 20;

#[test]
fn defect_59_a_block_device_is_written_in_place() {
    in_mount_namespace("defect_59_a_block_device_is_written_in_place", &[], |directory| {
        let device = LoopDevice::new(directory, DEVICE_LEN);
        let link = directory.join("slot");
        std::os::unix::fs::symlink(&device.0, &link).unwrap();
        let found = HostDisk.metadata(&link).unwrap().unwrap();
        assert_eq!((found.kind, found.len), (FileKind::BlockDevice, DEVICE_LEN));
        for in_place in [false, true] {
            let options = TargetOptions { in_place, durability: Durability::Sync };
            let target = Target::open(Arc::new(HostDisk), &link, 900_001, options).unwrap();
            assert!(target.is_device() && !target.is_blank());
            let chunk = VerifiedChunk::name(DigestKind::Sha512_256, vec![0; 9000]);
            target.handle().write(123, chunk.all()).unwrap();
            target.handle().zero(100_001, 500_000).unwrap();
            target.finish().unwrap();
            assert!(fs::metadata(&device.0).unwrap().file_type().is_block_device());
            let mut expected = noise(DEVICE_LEN as usize, 4);
            expected[123..9123].fill(0);
            expected[100_001..600_001].fill(0);
            assert!(fs::read(&device.0).unwrap() == expected);
            assert!(fs::read(directory.join("device-image")).unwrap() == expected, "durable in the image");
        }
    });
}

#[test]
fn defect_71_a_device_that_is_too_small_is_left_alone() {
    in_mount_namespace("defect_71_a_device_that_is_too_small_is_left_alone", &[], |directory| {
        let device = LoopDevice::new(directory, DEVICE_LEN);
        let options = TargetOptions::default();
        let error = Target::open(Arc::new(HostDisk), &device.0, DEVICE_LEN + 1, options).err().unwrap();
        assert!(matches!(error, TargetError::DeviceTooSmall { device_len: DEVICE_LEN, .. }), "{error}");
        assert!(fs::read(&device.0).unwrap() == noise(DEVICE_LEN as usize, 4));
        Target::open(Arc::new(HostDisk), &device.0, DEVICE_LEN, options).unwrap();
    });
}

#[test]
fn a_block_device_is_a_seed_and_an_input() {
    in_mount_namespace("a_block_device_is_a_seed_and_an_input", &[], |directory| {
        let device = LoopDevice::new(directory, DEVICE_LEN);
        let mut seed = Seed::open(&HostDisk, &device.0).unwrap();
        assert_eq!(seed.len(), DEVICE_LEN);
        let mut found = vec![0; 5000];
        seed.read(777, &mut found).unwrap();
        assert!(found == noise(DEVICE_LEN as usize, 4)[777..5777]);
        let mut input = desync_files::Input::open(&HostDisk, &device.0).unwrap();
        let mut blob = Vec::new();
        while input.next(&mut blob, usize::MAX).unwrap().is_some() {}
        assert!(blob == noise(DEVICE_LEN as usize, 4));
    });
}
