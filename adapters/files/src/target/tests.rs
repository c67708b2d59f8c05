//! Targets on the host and on the model. Devices and reflinks are in `tests/file_systems.rs`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use desync_core::block_io::{BlockRead as _, BlockWrite as _};
use desync_core::{DigestKind, VerifiedChunk};

use super::*;
use crate::HostDisk;

fn open(path: &Path, len: u64, in_place: bool) -> Result<Target, TargetError> {
    Target::open(Arc::new(HostDisk), path, len, TargetOptions { in_place, durability: Durability::Sync })
}

fn write(target: &Target, offset: u64, bytes: &[u8]) {
    let chunk = VerifiedChunk::name(DigestKind::Sha512_256, bytes);
    target.handle().write(offset, chunk.all()).unwrap();
}

/// Data with long zero runs, shifted against blocks.
fn holey(len: usize) -> Vec<u8> {
    (0..len).map(|n| if n / 50_001 % 2 == 0 { 0 } else { (n % 250) as u8 + 1 }).collect()
}

#[test]
fn a_new_file_appears_at_the_end_and_is_sparse() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let content = holey(1 << 20);
    let target = open(&path, 1 << 20, false).unwrap();
    assert!(target.is_blank() && !target.is_device());
    std::thread::scope(|scope| {
        for (number, piece) in content.chunks(70_000).enumerate() {
            let target = &target;
            scope.spawn(move || write(target, number as u64 * 70_000, piece));
        }
    });
    target.handle().zero(0, 10_000).unwrap();
    assert!(!path.exists());
    target.finish().unwrap();
    assert!(fs::read(&path).unwrap() == content);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let stored = fs::metadata(&path).unwrap().blocks() * 512;
    assert!(stored < 800_000, "{stored} bytes for half a MiB of data");
}

#[test]
fn defect_1_an_unfinished_target_leaves_the_old_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    fs::write(&path, "old").unwrap();
    let target = open(&path, 100, false).unwrap();
    write(&target, 0, b"new");
    drop(target);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn in_place_keeps_what_is_there_and_cuts_what_is_beyond() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    fs::write(&path, [7; 20_000]).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let target = open(&path, 16_384, true).unwrap();
    assert!(!target.is_blank());
    write(&target, 0, &[0; 4096]);
    target.handle().zero(8192, 4096).unwrap();
    let mut expected = vec![7; 16_384];
    expected[..4096].fill(0);
    expected[8192..12_288].fill(0);
    let mut found = vec![1; 16_384];
    target.handle().read(0, &mut found).unwrap();
    assert!(found == expected);
    target.finish().unwrap();
    assert!(fs::read(&path).unwrap() == expected);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
}

#[test]
fn defect_63_zeros_in_place_become_holes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    fs::write(&path, vec![7; 1 << 20]).unwrap();
    let target = open(&path, 1 << 20, true).unwrap();
    target.handle().zero(0, 1 << 20).unwrap();
    target.finish().unwrap();
    assert!(fs::metadata(&path).unwrap().blocks() < 64, "zeros were written");
}

#[test]
fn defect_58_a_directory_that_cannot_be_written_does_for_in_place() {
    // Nothing is created beside the target: seen by the names that ever were in its directory.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    fs::write(&path, "x").unwrap();
    let before = fs::metadata(directory.path()).unwrap().modified().unwrap();
    let target = open(&path, 10, true).unwrap();
    write(&target, 0, b"y");
    target.finish().unwrap();
    assert_eq!(fs::metadata(directory.path()).unwrap().modified().unwrap(), before);
}

#[test]
fn zeros_replace_what_was_written_before() {
    let directory = tempfile::tempdir().unwrap();
    let target = open(&directory.path().join("a"), 16_384, false).unwrap();
    let read = || {
        let mut found = vec![1; 16_384];
        target.handle().read(0, &mut found).unwrap();
        found
    };
    write(&target, 0, &[7; 16_384]);
    write(&target, 0, &[0; 8192]);
    target.handle().zero(8192, 8192).unwrap();
    assert!(read() == [0; 16_384]);
}

#[test]
fn unsuitable_targets_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    symlink(directory.path(), at("link")).unwrap();
    for (path, kind) in [
        (at("."), "a directory"),
        (at("link"), "a directory"),
        (at("socket"), "a character device or socket"),
        ("/dev/null".into(), "a character device or socket"),
        (at("fifo"), "a FIFO"),
    ] {
        for in_place in [false, true] {
            let error = open(&path, 10, in_place).err().unwrap();
            assert_eq!(error.to_string(), format!("{kind} cannot be a target"));
        }
    }
    assert_eq!(TargetKind::of(&HostDisk, &at("fifo")).unwrap(), TargetKind::Fifo);
    assert_eq!(TargetKind::of(&HostDisk, &at("nothing")).unwrap(), TargetKind::Missing);
    assert!(open(&at("no/directory"), 10, false).is_err());
}

#[test]
fn an_empty_blob_is_an_empty_file() {
    let directory = tempfile::tempdir().unwrap();
    for in_place in [false, true] {
        let path = directory.path().join("a");
        fs::write(&path, "something").unwrap();
        open(&path, 0, in_place).unwrap().finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
