//! The directory store on a real file system and on a disk that forgets.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use desync_core::DigestKind;
use desync_files::HostDisk;
use desync_test_kit::model_disk::{Cut, ModelDisk};

use super::*;

mod power_cut;

const PLAIN: StorageForm = StorageForm::Plain;
const SMALL_BATCH: BatchLimits = BatchLimits { files: 3, bytes: 1 << 20 };

/// Chunk number `n` and its name.
fn chunk(n: usize) -> (ChunkId, Vec<u8>) {
    let bytes = format!("chunk number {n}, ").repeat(n % 5 + 1).into_bytes();
    (DigestKind::Sha512_256.id_of(&bytes), bytes)
}

fn write(store: &DirectoryStore, n: usize) -> Result<(), StoreError> {
    let (id, bytes) = chunk(n);
    store.write(&id, PLAIN, &bytes)
}

fn read(store: &DirectoryStore, n: usize) -> Result<Bytes, StoreError> {
    store.read(&chunk(n).0, PLAIN, 1000)
}

fn on_host(durability: Durability, limits: BatchLimits) -> (tempfile::TempDir, DirectoryStore) {
    let directory = tempfile::tempdir().unwrap();
    let store =
        DirectoryStore::with_limits(Arc::new(HostDisk), directory.path(), durability, limits).unwrap();
    (directory, store)
}

fn host() -> (tempfile::TempDir, DirectoryStore) {
    on_host(Durability::Sync, BatchLimits::DEFAULT)
}

/// Paths of all regular files below a directory, relative to it, sorted.
fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

#[test]
fn chunks_lie_where_casync_looks_for_them() {
    let (directory, store) = host();
    let (id, bytes) = chunk(1);
    for (form, extension) in [(PLAIN, ""), (StorageForm::Compressed, ".cacnk")] {
        assert!(!store.exists(&id, form).unwrap());
        store.write(&id, form, &bytes).unwrap();
        store.flush().unwrap();
        let hex = id.to_hex();
        let path = directory.path().join(&hex[..4]).join(format!("{hex}{extension}"));
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7133, 0);
        assert!(store.exists(&id, form).unwrap());
        assert_eq!(store.read(&id, form, bytes.len() as u64).unwrap(), bytes);
    }
    assert_eq!(files(directory.path()).len(), 2, "nothing but the chunks");
}

#[test]
fn a_batch_becomes_visible_when_full_and_at_a_flush() {
    let (directory, store) = on_host(Durability::Sync, SMALL_BATCH);
    let visible = || files(directory.path()).iter().filter(|name| !name.contains(".tmp-")).count();
    for (n, expected) in [(0, 0), (1, 0), (2, 3), (3, 3)] {
        write(&store, n).unwrap();
        assert_eq!(visible(), expected);
        assert_eq!(read(&store, n).unwrap(), chunk(n).1, "this store finds its own at once");
        assert!(store.exists(&chunk(n).0, PLAIN).unwrap());
    }
    store.flush().unwrap();
    assert_eq!(visible(), 4);
    write(&store, 4).unwrap();
    drop(store);
    assert_eq!(files(directory.path()).len(), 4, "what was not flushed is gone, temporary files too");
}

#[test]
fn a_directory_that_is_exchanged() {
    for durability in [Durability::Sync, Durability::NoSync] {
        let root = tempfile::tempdir().unwrap();
        let [path, aside] = ["store", "aside"].map(|name| root.path().join(name));
        fs::create_dir(&path).unwrap();
        let store = DirectoryStore::open(Arc::new(HostDisk), &path, durability).unwrap();
        write(&store, 0).unwrap();
        store.flush().unwrap();
        write(&store, 1).unwrap();
        fs::rename(&path, &aside).unwrap();
        let error = store.flush().unwrap_err();
        assert!(error.to_string().contains("is not the directory any more"), "{error}");
        fs::create_dir(&path).unwrap();
        assert!(store.flush().is_err(), "another of the same name");
        assert!(store.rely_on(&chunk(0).0, PLAIN).unwrap(), "what was opened");
        assert!(!store.exists(&chunk(0).0, PLAIN).unwrap(), "what the path means now");
        assert_eq!(read(&store, 0).unwrap_err().kind, ErrorKind::Missing);
    }
}

#[test]
fn two_who_fill_a_store_find_each_others_chunks() {
    let (directory, first) = host();
    let second = DirectoryStore::open(Arc::new(HostDisk), directory.path(), Durability::Sync).unwrap();
    assert!(!second.rely_on(&chunk(0).0, PLAIN).unwrap());
    (0..10).for_each(|n| write(&first, n).unwrap());
    first.flush().unwrap();
    assert!(!second.rely_on(&chunk(1).0, PLAIN).unwrap(), "presumed: the store was empty");
    write(&second, 1).unwrap();
    (2..10).for_each(|n| assert!(second.rely_on(&chunk(n).0, PLAIN).unwrap(), "somebody fills it, too"));
    assert!(!second.rely_on(&chunk(10).0, PLAIN).unwrap());
    second.flush().unwrap();
    assert_eq!(files(directory.path()).len(), 10);
}

#[test]
fn what_a_new_store_holds_is_known_without_asking() {
    let disk = ModelDisk::new();
    let store = DirectoryStore::open(Arc::new(disk.clone()), Path::new("/"), Durability::Sync).unwrap();
    (0..300).for_each(|n| assert!(!store.rely_on(&chunk(n).0, PLAIN).unwrap()));
    (0..300).for_each(|n| write(&store, n).unwrap());
    store.flush().unwrap();
    for n in 0..300 {
        assert!(store.rely_on(&chunk(n).0, PLAIN).unwrap());
        disk.remove_file(&chunk_path(Path::new("/"), &chunk(n).0, PLAIN)).unwrap();
        assert!(!store.rely_on(&chunk(n).0, PLAIN).unwrap(), "pruned meanwhile");
    }
}

#[test]
fn a_large_batch_is_one_sync() {
    let disk = ModelDisk::new();
    let store = DirectoryStore::open(Arc::new(disk.clone()), Path::new("/"), Durability::Sync).unwrap();
    (0..500).for_each(|n| write(&store, n).unwrap());
    let before = disk.operations();
    store.flush().unwrap();
    let names = 500;
    assert_eq!(
        disk.operations() - before,
        1 + names + 1,
        "one sync for bytes, the renames, one sync for names"
    );
}

#[test]
fn without_durability_nothing_waits() {
    let disk = ModelDisk::new();
    let store = DirectoryStore::open(Arc::new(disk.clone()), Path::new("/"), Durability::NoSync).unwrap();
    write(&store, 1).unwrap();
    assert_eq!(disk.operations(), 4, "directory, file, bytes, name");
    assert!(disk.files().iter().any(|(path, _)| path.ends_with(chunk(1).0.to_hex().as_str())));
    store.flush().unwrap();
    assert_eq!(disk.operations(), 4);
}

#[test]
fn many_threads_write() {
    let (directory, store) = on_host(Durability::Sync, SMALL_BATCH);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..40 {
                    // Half of the chunks are written by two threads.
                    let n = thread / 2 * 40 + n + (thread % 2) * 20;
                    write(store, n).unwrap();
                    assert_eq!(read(store, n).unwrap(), chunk(n).1);
                    if n % 16 == 0 {
                        store.flush().unwrap();
                    }
                }
            });
        }
    });
    store.flush().unwrap();
    let expected = 180;
    assert_eq!(files(directory.path()).len(), expected);
    (0..expected).for_each(|n| assert_eq!(read(&store, n).unwrap(), chunk(n).1));
}

#[test]
fn the_directory_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file, directory.path().join("nothing")] {
        let error = DirectoryStore::open(Arc::new(HostDisk), &path, Durability::Sync).err().unwrap();
        assert!(error.to_string().ends_with(&format!("{} is not a directory", path.display())), "{error}");
    }
}

#[test]
fn defect_49_any_path_is_a_path() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["100%", "a:b", "%zz", "x|y,z", "a?lookup=b#c"] {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        let store = DirectoryStore::open(Arc::new(HostDisk), &path, Durability::Sync).unwrap();
        write(&store, 1).unwrap();
        store.flush().unwrap();
        assert_eq!(read(&store, 1).unwrap(), chunk(1).1);
    }
}

/// Puts something in the place of chunk 1.
fn in_the_place_of_a_chunk(directory: &Path, put: impl FnOnce(&Path)) {
    let path = chunk_path(directory, &chunk(1).0, PLAIN);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    put(&path);
}

#[test]
fn only_regular_files_are_chunks() {
    let puts: [fn(&Path); 5] = [
        |path| fs::create_dir(path).unwrap(),
        |path| {
            fs::write(path.with_extension("elsewhere"), chunk(1).1).unwrap();
            symlink(path.with_extension("elsewhere"), path).unwrap();
        },
        |path| symlink("/dev/zero", path).unwrap(),
        |path| {
            let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(status.success());
        },
        |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
    ];
    for put in puts {
        let (directory, store) = host();
        in_the_place_of_a_chunk(directory.path(), put);
        assert_eq!(read(&store, 1).unwrap_err().kind, ErrorKind::Missing);
        assert!(!store.exists(&chunk(1).0, PLAIN).unwrap());
    }
}

#[test]
fn defect_52_an_empty_file_is_no_chunk() {
    let (directory, store) = host();
    in_the_place_of_a_chunk(directory.path(), |path| fs::write(path, "").unwrap());
    assert!(!store.exists(&chunk(1).0, PLAIN).unwrap());
    write(&store, 1).unwrap();
    store.flush().unwrap();
    assert_eq!(read(&store, 1).unwrap(), chunk(1).1);
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let (directory, store) = host();
    in_the_place_of_a_chunk(directory.path(), |path| {
        fs::File::create(path).unwrap().set_len(1 << 40).unwrap()
    });
    assert_eq!(read(&store, 1).unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn failures_are_not_absence() {
    let (directory, store) = host();
    let (id, _) = chunk(1);
    fs::write(directory.path().join(&id.to_hex()[..4]), "a file in the place of a directory").unwrap();
    assert_eq!(store.exists(&id, PLAIN).unwrap_err().kind, ErrorKind::Permanent);
    assert_eq!(read(&store, 1).unwrap_err().kind, ErrorKind::Permanent);
    assert!(write(&store, 1).is_err());
}

#[test]
fn a_full_disk_is_told() {
    let disk = ModelDisk::new();
    let store = DirectoryStore::open(Arc::new(disk.clone()), Path::new("/"), Durability::Sync).unwrap();
    write(&store, 0).unwrap();
    disk.limit_space(30);
    let error = (1..10).find_map(|n| write(&store, n).err()).unwrap();
    assert_eq!(error.kind, ErrorKind::NoSpace);
    store.flush().unwrap();
    let names: Vec<_> = disk.files().into_iter().map(|(path, _)| path).collect();
    assert_eq!(names, [chunk_path(Path::new("/"), &chunk(0).0, PLAIN)], "what did not fit is cleaned up");
}

#[test]
fn every_failed_operation_is_told() {
    let run = |disk: &ModelDisk| -> Result<(), StoreError> {
        let store = DirectoryStore::with_limits(
            Arc::new(disk.clone()),
            Path::new("/"),
            Durability::Sync,
            SMALL_BATCH,
        )?;
        (0..20).try_for_each(|n| write(&store, n))?;
        store.flush()
    };
    let clean = ModelDisk::new();
    run(&clean).unwrap();
    for number in 0..clean.operations() {
        let disk = ModelDisk::new();
        disk.fail_at(number);
        assert!(run(&disk).is_err(), "operation {number} failed and nobody was told");
    }
}

#[test]
fn a_failed_sync_is_told_for_ever() {
    let disk = ModelDisk::new();
    let store = DirectoryStore::open(Arc::new(disk.clone()), Path::new("/"), Durability::Sync).unwrap();
    write(&store, 1).unwrap();
    disk.fail_at(disk.operations());
    assert!(store.flush().is_err());
    assert!(store.flush().is_err(), "a chunk that was accepted is lost");
    assert!(disk.files().is_empty(), "{:?}", disk.files());
}

#[test]
fn defect_50_a_listing_passes_over_strays_and_foreign_files() {
    let (directory, store) = host();
    (0..3).for_each(|n| write(&store, n).unwrap());
    store.flush().unwrap();
    let hex = chunk(9).0.to_hex();
    let elsewhere = if hex.starts_with("0000") { "0001" } else { "0000" };
    for stray in [
        hex.to_string(),
        format!("{elsewhere}/{hex}"),
        format!("{}/{}", &hex[..4], hex.to_uppercase()),
        format!("{}/{hex}.cacnk", &hex[..4]),
        "README".to_owned(),
        format!("backup/{hex}"),
    ] {
        let path = directory.path().join(stray);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let mut listed = Vec::new();
    let list = |found: &mut dyn FnMut(desync_store::Listed) -> Result<bool, StoreError>| {
        store.as_prunable().unwrap().list(PLAIN, found).unwrap();
    };
    list(&mut |found| {
        assert!(found.modified.unwrap().elapsed().unwrap() < Duration::from_secs(60));
        listed.push((found.id, found.stored_len));
        Ok(true)
    });
    listed.sort();
    let mut expected = [0, 1, 2].map(|n| (chunk(n).0, chunk(n).1.len() as u64));
    expected.sort();
    assert_eq!(listed, expected);
    assert_eq!(store.strays(PLAIN).unwrap().len(), 3, "{:?}", store.strays(PLAIN));
    let mut calls = 0;
    list(&mut |_| {
        calls += 1;
        Ok(false)
    });
    assert_eq!(calls, 1, "a caller who has enough is asked no more");
}

#[test]
fn chunks_are_removed_once() {
    let (directory, store) = host();
    write(&store, 1).unwrap();
    store.flush().unwrap();
    let (id, _) = chunk(1);
    store.remove(&id, PLAIN).unwrap();
    assert!(files(directory.path()).is_empty());
    assert_eq!(store.remove(&id, PLAIN).unwrap_err().kind, ErrorKind::Missing);
}

#[test]
fn defect_50_only_old_leftovers_are_removed() {
    let disk = ModelDisk::new();
    let open = || DirectoryStore::open(Arc::new(disk.clone()), Path::new("/"), Durability::Sync).unwrap();
    let dead = open();
    write(&dead, 1).unwrap();
    std::mem::forget(dead);
    disk.advance_clock(Duration::from_secs(7200));
    let living = open();
    write(&living, 2).unwrap();
    let hour_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 3600);
    assert_eq!(open().remove_leftovers(hour_ago).unwrap(), 1);
    living.flush().unwrap();
    assert_eq!(disk.files().len(), 1, "the living writer's file is a chunk now");
    assert_eq!(open().remove_leftovers(hour_ago).unwrap(), 0);
}

#[test]
fn defect_33_use_is_noted() {
    let (directory, store) = host();
    write(&store, 1).unwrap();
    store.flush().unwrap();
    let (id, _) = chunk(1);
    let path = chunk_path(directory.path(), &id, PLAIN);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    store.touch(&id, PLAIN);
    assert!(fs::metadata(&path).unwrap().modified().unwrap() > long_ago);
    store.touch(&chunk(2).0, PLAIN);
}

#[test]
fn that_somebody_relies_on_a_chunk_is_noted_again_after_a_while() {
    let (directory, store) = host();
    write(&store, 1).unwrap();
    store.flush().unwrap();
    let (id, _) = chunk(1);
    let path = chunk_path(directory.path(), &id, PLAIN);
    let now = SystemTime::now();
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    for (modified, is_noted) in [
        (now - minute, false),
        (now - USE_IS_NOTED_FOR - minute, true),
        (SystemTime::UNIX_EPOCH, true),
        (now + hour, true),
    ] {
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert!(store.rely_on(&id, PLAIN).unwrap());
        let after = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(after.duration_since(now).unwrap_or_default() < minute && after != modified, is_noted);
    }
    assert!(!store.rely_on(&chunk(2).0, PLAIN).unwrap());
}
