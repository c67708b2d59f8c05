//! Publication on the host. Power cuts are in `tests/power_cut.rs`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::HostDisk;

fn create(target: &Path, durability: Durability) -> io::Result<Publication> {
    Publication::create(Arc::new(HostDisk), target, OsStr::new(".tmp-"), durability)
}

fn publish(target: &Path, content: &[u8]) -> io::Result<()> {
    let mut writer = create(target, Durability::Sync)?.into_writer();
    writer.write_all(content)?;
    writer.publish()
}

fn names(directory: &Path) -> Vec<String> {
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn the_content_appears_whole_and_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("a");
    let content: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    for durability in [Durability::Sync, Durability::NoSync] {
        let mut writer = create(&target, durability).unwrap().into_writer();
        for piece in content.chunks(70_001) {
            writer.write_all(piece).unwrap();
        }
        assert!(!target.exists());
        writer.publish().unwrap();
        assert!(fs::read(&target).unwrap() == content);
        assert_eq!(names(directory.path()), ["a"]);
        fs::remove_file(&target).unwrap();
    }
}

#[test]
fn positioned_writing_from_threads() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("a");
    let publication = create(&target, Durability::Sync).unwrap();
    std::thread::scope(|scope| {
        for n in 0..8_u8 {
            let file = Arc::clone(publication.file());
            scope.spawn(move || file.write_all_at(&[n; 1000], u64::from(n) * 1000).unwrap());
        }
    });
    publication.publish().unwrap();
    assert!(fs::read(&target).unwrap().chunks(1000).enumerate().all(|(n, part)| part == [n as u8; 1000]));
}

#[test]
fn dropped_without_publishing() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("a");
    fs::write(&target, "old").unwrap();
    let mut writer = create(&target, Durability::Sync).unwrap().into_writer();
    writer.write_all(b"new").unwrap();
    drop(writer);
    assert_eq!(names(directory.path()), ["a"]);
    assert_eq!(fs::read(&target).unwrap(), b"old");
}

#[test]
fn defect_60_mode_and_owner_stay() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("a");
    fs::write(&target, "old").unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(&target, Some(12345), Some(54321)).unwrap();
    }
    fs::set_permissions(&target, fs::Permissions::from_mode(0o4751)).unwrap();
    let before = fs::metadata(&target).unwrap();
    publish(&target, b"new").unwrap();
    let after = fs::metadata(&target).unwrap();
    assert_ne!(before.ino(), after.ino(), "the file was replaced");
    assert_eq!(after.mode() & 0o7777, 0o4751);
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
}

#[test]
fn defect_60_the_file_behind_a_link_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("d")).unwrap();
    fs::write(at("d/file"), "old").unwrap();
    symlink("d/file", at("relative")).unwrap();
    symlink(at("relative"), at("absolute")).unwrap();
    symlink("d/not-yet", at("dangling")).unwrap();
    publish(&at("absolute"), b"new").unwrap();
    publish(&at("dangling"), b"first").unwrap();
    assert!(at("absolute").is_symlink() && at("relative").is_symlink() && at("dangling").is_symlink());
    assert_eq!(fs::read(at("d/file")).unwrap(), b"new");
    assert_eq!(fs::read(at("d/not-yet")).unwrap(), b"first");
    symlink(at("loop"), at("loop")).unwrap();
    assert!(publish(&at("loop"), b"x").unwrap_err().to_string().contains("symbolic links"));
}

#[test]
fn only_regular_files_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for path in [fifo.as_path(), directory.path(), Path::new("/dev/null")] {
        let error = publish(path, b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}", path.display());
    }
    assert_eq!(names(directory.path()), ["fifo"]);
}

#[test]
fn bare_names_lie_in_the_current_directory() {
    assert_eq!(directory_of(Path::new("a")), Path::new("."));
    assert_eq!(directory_of(Path::new("/a")), Path::new("/"));
    let path = temporary_path(Path::new("d/a"), OsStr::new(".x.")).unwrap();
    assert!(path.to_str().unwrap().strip_prefix("d/.x.").unwrap().parse::<u32>().is_ok());
}
