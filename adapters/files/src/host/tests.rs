//! The host's disk where the tests happen to run. What needs a particular file system or a device is in
//! `tests/file_systems.rs`.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use rustix::fs::CWD;

use super::*;
use crate::directory::ByPath;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn files_are_read_and_written_at_offsets() {
    let directory = directory();
    let path = directory.path().join("a");
    let file = HostDisk.create_new(&path, 0o640).unwrap();
    assert_eq!(HostDisk.create_new(&path, 0o640).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
    file.write_all_at(b"xyz", 5).unwrap();
    assert_eq!((file.kind(), file.len().unwrap(), file.is_empty().unwrap()), (FileKind::File, 8, false));
    assert!(file.block_size() >= 512);
    let mut buffer = [1; 8];
    file.read_exact_at(&mut buffer, 0).unwrap();
    assert_eq!(&buffer, b"\0\0\0\0\0xyz");
    let error = file.read_exact_at(&mut buffer, 1).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    file.set_len(6).unwrap();
    file.sync().unwrap();
    let mut content = Vec::new();
    HostDisk.open(&path).unwrap().into_reader().read_to_end(&mut content).unwrap();
    assert_eq!(content, b"\0\0\0\0\0x");
    assert!(HostDisk.open(&path).unwrap().write_all_at(b"x", 0).is_err(), "opened for reading");
    assert_eq!(HostDisk.open_or_create(&path).unwrap().len().unwrap(), 6, "what is there stays");
}

#[test]
fn ranges_become_zeros_and_the_length_stays() {
    let directory = directory();
    let file = HostDisk.create_new(&directory.path().join("a"), 0o600).unwrap();
    let mut expected = vec![7; 300_000];
    for (offset, len) in [(0, 1), (5000, 9000), (100_000, 131_072), (299_990, 10), (17, 0)] {
        file.write_all_at(&vec![7; 300_000], 0).unwrap();
        file.zero_range(offset, len).unwrap();
        expected.fill(7);
        expected[offset as usize..][..len as usize].fill(0);
        let mut found = vec![1; 300_000];
        file.read_exact_at(&mut found, 0).unwrap();
        assert!(found == expected, "{offset}+{len}");
        assert_eq!(file.len().unwrap(), 300_000);
    }
    assert!(file.zero_range(u64::MAX, 2).is_err());
}

#[test]
fn data_covers_everything_that_is_not_zero() {
    let directory = directory();
    let file = HostDisk.create_new(&directory.path().join("a"), 0o600).unwrap();
    assert_eq!(file.next_data(0).unwrap(), None);
    file.set_len(10 << 20).unwrap();
    for offset in [1 << 20, 5 << 20] {
        file.write_all_at(&[1; 100], offset).unwrap();
    }
    let (mut at, mut ranges) = (0, Vec::new());
    while let Some(range) = file.next_data(at).unwrap() {
        assert!(range.start >= at && range.start < range.end && range.end <= 10 << 20);
        at = range.end;
        ranges.push(range);
    }
    for offset in [1_u64 << 20, 5 << 20] {
        assert!(ranges.iter().any(|range| range.start <= offset && range.end >= offset + 100), "{ranges:?}");
    }
    assert_eq!(file.next_data(10 << 20).unwrap(), None);
}

#[test]
fn kinds_are_told_apart_and_links_followed_where_asked() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("file"), "x").unwrap();
    symlink(at("file"), at("link")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    rustix::fs::mknodat(CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let kinds = |name: &str| {
        let kind = |found: io::Result<Option<Metadata>>| found.unwrap().map(|found| found.kind);
        (kind(HostDisk.metadata(&at(name))), kind(HostDisk.symlink_metadata(&at(name))))
    };
    assert_eq!(kinds("file"), (Some(FileKind::File), Some(FileKind::File)));
    assert_eq!(kinds("link"), (Some(FileKind::File), Some(FileKind::Symlink)));
    assert_eq!(kinds("dangling"), (None, Some(FileKind::Symlink)));
    assert_eq!(kinds("fifo"), (Some(FileKind::Fifo), Some(FileKind::Fifo)));
    assert_eq!(kinds("socket").0, Some(FileKind::Other));
    assert_eq!(kinds(".").0, Some(FileKind::Directory));
    assert_eq!(kinds("nothing"), (None, None));
    assert!(HostDisk.metadata(&at("file/below")).is_err(), "a file is not a directory: no mere absence");
    assert_eq!(HostDisk.read_link(&at("link")).unwrap(), at("file"));
    assert!(HostDisk.open_nofollow(&at("link")).is_err());
    assert_eq!(HostDisk.open_nofollow(&at("fifo")).unwrap().kind(), FileKind::Fifo, "without waiting");
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_in_memory_is_read_without_waiting() {
    for directory in [directory(), tempfile::tempdir_in("/dev/shm").unwrap()] {
        read_cached_in(&directory);
    }
}

#[cfg(target_os = "linux")]
fn read_cached_in(directory: &tempfile::TempDir) {
    let at = |name: &str| directory.path().join(name);
    for len in [0_usize, 1, 4096, 100_000] {
        let bytes = desync_test_kit::prng(len, 7);
        fs::write(at("file"), &bytes).unwrap();
        let Some(read) = HostDisk.read_cached(&at("file"), len as u64) else {
            let here = directory.path().display();
            assert!(std::env::var_os("CI").is_none(), "{here} cannot tell what is in memory");
            return;
        };
        assert!(read == bytes, "{len}");
        assert!(len == 0 || HostDisk.read_cached(&at("file"), len as u64 - 1).is_none(), "too long");
    }
    symlink(at("file"), at("link")).unwrap();
    rustix::fs::mknodat(CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for other in ["link", "fifo", ".", "nothing", "file/below"] {
        assert!(HostDisk.read_cached(&at(other), 1 << 20).is_none(), "{other}");
    }
}

#[test]
fn names_are_made_moved_listed_and_removed() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    assert!(HostDisk.create_dir(&at("d")).unwrap());
    assert!(!HostDisk.create_dir(&at("d")).unwrap(), "it is there");
    fs::write(at("d/a"), "x").unwrap();
    assert!(HostDisk.create_dir(&at("d/a")).is_err(), "there is a file");
    HostDisk.rename(&at("d/a"), &at("d/b")).unwrap();
    HostDisk.sync_dir(&at("d")).unwrap();
    HostDisk.open(&at("d")).unwrap().sync_fs().unwrap();
    assert_eq!(HostDisk.read_dir(&at("d"), 2).unwrap(), [(at("d/b"), FileKind::File)]);
    HostDisk.remove_file(&at("d/b")).unwrap();
    assert_eq!(HostDisk.remove_file(&at("d/b")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn defect_33_touching_refreshes_the_time() {
    let directory = directory();
    let path = directory.path().join("a");
    let file = File::create(&path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    HostDisk.touch(&path).unwrap();
    let modified = HostDisk.metadata(&path).unwrap().unwrap().modified;
    assert!(modified.elapsed().unwrap_or_default() < Duration::from_secs(60));
}

#[test]
fn descriptors_do_not_leak_into_children() {
    let directory = directory();
    let file = HostDisk.create_new(&directory.path().join("a"), 0o600).unwrap();
    let flags = rustix::io::fcntl_getfd(file.as_file().unwrap()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[test]
fn a_held_directory_does_what_paths_do() {
    let root = directory();
    let held = HostDisk.open_dir(root.path()).unwrap();
    let by_path = ByPath::new(HostDisk, root.path());
    for directory in [&*held, &by_path] {
        assert!(directory.symlink_metadata(Path::new("a/b")).unwrap().is_none());
        let missing = directory.create_new(Path::new("a/b"), 0o644).err().unwrap();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(directory.create_dir(Path::new("a")).unwrap());
        assert!(!directory.create_dir(Path::new("a")).unwrap());
        directory.create_new(Path::new("a/b"), 0o640).unwrap().write_all_at(b"xyz", 0).unwrap();
        let there = directory.create_new(Path::new("a/b"), 0o644).err().unwrap();
        assert_eq!(there.kind(), io::ErrorKind::AlreadyExists);
        symlink("nowhere", root.path().join("a/link")).unwrap();
        for name in ["a/b", "a/link"] {
            let error = directory.create_dir(Path::new(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name} is no directory");
        }
        directory.remove_file(Path::new("a/link")).unwrap();
        directory.rename(Path::new("a/b"), Path::new("a/c")).unwrap();
        directory.remove_file(Path::new("a/c")).unwrap();
        assert_eq!(directory.remove_file(Path::new("a/c")).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::remove_dir(root.path().join("a")).unwrap();
    }
}

#[test]
fn a_held_directory_tells_the_same_of_each_name() {
    let root = directory();
    let at = |name: &str| root.path().join(name);
    fs::write(at("file"), b"xyz").unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink("directory", at("link")).unwrap();
    rustix::fs::mknodat(CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
    let file = File::open(at("file")).unwrap();
    for modified in [
        SystemTime::now(),
        SystemTime::UNIX_EPOCH - Duration::from_millis(1500),
        SystemTime::UNIX_EPOCH + Duration::from_nanos(1_999_999_999),
    ] {
        file.set_modified(modified).unwrap();
        let held = HostDisk.open_dir(root.path()).unwrap();
        for name in ["file", "directory", "link", "fifo", "socket", "nothing", "directory/nothing"] {
            let [found, expected] =
                [held.symlink_metadata(Path::new(name)), HostDisk.symlink_metadata(&at(name))];
            assert_eq!(found.unwrap(), expected.unwrap(), "{name}");
        }
    }
    assert!(!HostDisk.open_dir(root.path()).unwrap().create_dir(Path::new("link")).unwrap());
    assert!(HostDisk.open_dir(root.path()).unwrap().symlink_metadata(Path::new("file/x")).is_err());
    HostDisk.open_dir(root.path()).unwrap().touch(Path::new("file")).unwrap();
    assert!(
        HostDisk.metadata(&at("file")).unwrap().unwrap().modified.elapsed().unwrap()
            < Duration::from_secs(60)
    );
}

#[test]
fn a_held_directory_is_where_it_was_opened_until_it_is_moved() {
    let root = directory();
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    fs::create_dir(&first).unwrap();
    let held = HostDisk.open_dir(&first).unwrap();
    symlink("first", root.path().join("link")).unwrap();
    assert!(held.is_at(&first).unwrap() && held.is_at(&root.path().join("link")).unwrap());
    fs::rename(&first, &second).unwrap();
    assert!(!held.is_at(&first).unwrap() && held.is_at(&second).unwrap());
    fs::create_dir(&first).unwrap();
    assert!(!held.is_at(&first).unwrap(), "another of the same name");
    held.create_new(Path::new("a"), 0o644).unwrap();
    assert!(second.join("a").exists());
    assert!(HostDisk.open_dir(&second.join("a")).is_err(), "a file cannot be held");
}
