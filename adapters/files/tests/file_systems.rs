//! Reflinks, holes and block devices on real file systems: XFS, Btrfs and ext4 in loop-mounted images.
//!
//! Skipped, aloud, where file systems cannot be mounted; see `desync_test_kit::mounts`.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;

use desync_core::block_io::{BlockRead as _, BlockShare as _, BlockWrite as _};
use desync_core::{DigestKind, VerifiedChunk};
use desync_files::{
    Disk as _, DiskFile, Durability, FileKind, HostDisk, Seed, Target, TargetError, TargetOptions,
};
use desync_test_kit::mounts::{LoopDevice, in_mount_namespace, mounted, run};

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
    run("filefrag", &[&"-v", &path]).contains("shared")
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
    in_mount_namespace("xfs", &["mkfs.xfs", "filefrag"], |directory| {
        let mount = mounted(directory, "xfs", 320);
        check_reflinks(&mount, directory);
        check_target(&mount);
        check_holes(&mount);
    });
}

#[test]
fn btrfs() {
    in_mount_namespace("btrfs", &["mkfs.btrfs", "filefrag"], |directory| {
        let mount = mounted(directory, "btrfs", 200);
        check_reflinks(&mount, directory);
        check_target(&mount);
        check_holes(&mount);
    });
}

#[test]
fn ext4_without_reflinks() {
    in_mount_namespace("ext4_without_reflinks", &["mkfs.ext4"], |directory| {
        let mount = mounted(directory, "ext4", 64);
        check_holes(&mount);
        let (source, target) = (create(&mount.join("a"), &[1; 8192]), create(&mount.join("b"), &[2; 8192]));
        assert!(!target.clone_range(&*source, 0, 0, 8192).unwrap());
        assert_eq!(fs::read(mount.join("b")).unwrap(), [2; 8192]);
        check_refusals(&mount);
    });
}

/// A seed that cannot be shared costs no more than none: what was refused is still blank, and nobody asks for ever.
fn check_refusals(mount: &Path) {
    let path = mount.join("refused");
    let options = TargetOptions { in_place: false, durability: Durability::NoSync };
    let target = Target::open(Arc::new(HostDisk), &path, 8192, options).unwrap();
    let (mut handle, mut seed) = (target.handle(), Seed::open(&HostDisk, &mount.join("a")).unwrap());
    for _ in 0..20 {
        assert_eq!(handle.share(&mut seed, 0, 0, 8192).unwrap(), None);
    }
    handle.write(0, VerifiedChunk::name(DigestKind::Sha256, &[0; 8192]).all()).unwrap();
    target.finish().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().blocks(), 0);
}

const DEVICE_LEN: u64 = 1 << 20;

fn device(directory: &Path) -> LoopDevice {
    let image = directory.join("device-image");
    fs::write(&image, noise(DEVICE_LEN as usize, 4)).unwrap();
    LoopDevice::new(&image)
}

#[test]
fn defect_59_a_block_device_is_written_in_place() {
    in_mount_namespace("defect_59_a_block_device_is_written_in_place", &[], |directory| {
        let device = device(directory);
        let link = directory.join("slot");
        std::os::unix::fs::symlink(device.path(), &link).unwrap();
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
            assert!(fs::metadata(device.path()).unwrap().file_type().is_block_device());
            let mut expected = noise(DEVICE_LEN as usize, 4);
            expected[123..9123].fill(0);
            expected[100_001..600_001].fill(0);
            assert!(fs::read(device.path()).unwrap() == expected);
            assert!(fs::read(directory.join("device-image")).unwrap() == expected, "durable in the image");
        }
    });
}

#[test]
fn defect_71_a_device_that_is_too_small_is_left_alone() {
    in_mount_namespace("defect_71_a_device_that_is_too_small_is_left_alone", &[], |directory| {
        let device = device(directory);
        let options = TargetOptions::default();
        let error = Target::open(Arc::new(HostDisk), device.path(), DEVICE_LEN + 1, options).err().unwrap();
        assert!(matches!(error, TargetError::DeviceTooSmall { device_len: DEVICE_LEN, .. }), "{error}");
        assert!(fs::read(device.path()).unwrap() == noise(DEVICE_LEN as usize, 4));
        Target::open(Arc::new(HostDisk), device.path(), DEVICE_LEN, options).unwrap();
    });
}

#[test]
fn a_block_device_is_a_seed_and_an_input() {
    in_mount_namespace("a_block_device_is_a_seed_and_an_input", &[], |directory| {
        let device = device(directory);
        let mut seed = Seed::open(&HostDisk, device.path()).unwrap();
        assert_eq!(seed.len(), DEVICE_LEN);
        let mut found = vec![0; 5000];
        seed.read(777, &mut found).unwrap();
        assert!(found == noise(DEVICE_LEN as usize, 4)[777..5777]);
        let mut input = desync_files::Input::open(&HostDisk, device.path()).unwrap();
        let mut blob = vec![0; DEVICE_LEN as usize + 1];
        let extent = input.next(&mut blob).unwrap();
        assert_eq!(extent, Some(desync_files::Extent::Data(DEVICE_LEN as usize)));
        assert!(blob[..DEVICE_LEN as usize] == noise(DEVICE_LEN as usize, 4));
        assert_eq!(input.next(&mut blob).unwrap(), None);
    });
}
