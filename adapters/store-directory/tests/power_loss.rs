//! A real loss of power, as far as a file system can be made to believe in one: XFS and ext4 are shut down
//! without writing anything more, and mounted again. The model that stands in for disks elsewhere in the tests
//! is thereby compared with two of those it stands for.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use desync_core::format::StorageForm;
use desync_core::{ChunkId, DigestKind};
use desync_files::{Durability, HostDisk};
use desync_store::{Backend as _, ErrorKind};
use desync_store_directory::DirectoryStore;
use desync_test_kit::mounts::{in_mount_namespace, mount_again, mounted, run};

const FORM: StorageForm = StorageForm::Plain;
const CHUNKS: usize = 2000;

fn chunk(n: usize) -> (ChunkId, Vec<u8>) {
    let bytes = format!("chunk {n} ").repeat(n % 900 + 1).into_bytes();
    (DigestKind::Sha512_256.id_of(&bytes), bytes)
}

fn write_all(directory: &Path, durability: Durability, chunks: std::ops::Range<usize>) -> DirectoryStore {
    let store = DirectoryStore::open(Arc::new(HostDisk), directory, durability).unwrap();
    for (id, bytes) in chunks.map(chunk) {
        store.write(&id, FORM, &bytes).unwrap();
    }
    store
}

/// Loses the power while `store` is open; dropping it afterwards changes nothing any more.
fn lose_power(mount: &Path, store: DirectoryStore) {
    run("xfs_io", &[&"-x", &"-c", &"shutdown", &mount]);
    drop(store);
    run("umount", &[&mount]);
    mount_again(mount);
}

/// How many chunks are there, whole; and how many files under chunk names are not that chunk.
fn count(directory: &Path) -> (usize, usize) {
    let store = DirectoryStore::open(Arc::new(HostDisk), directory, Durability::Sync).unwrap();
    let (mut whole, mut broken) = (0, 0);
    for (id, bytes) in (0..CHUNKS).map(chunk) {
        match store.read(&id, FORM, 1 << 20) {
            Ok(found) if found == bytes => whole += 1,
            Ok(_) => broken += 1,
            Err(error) => assert_eq!(error.kind, ErrorKind::Missing),
        }
    }
    (whole, broken)
}

fn check(mount: &Path) {
    let directory = mount.join("store");
    fs::create_dir(&directory).unwrap();
    run("sync", &[&"-f", &mount]);

    // Flushed chunks are all there; of those written after, some may be, whole.
    let store = write_all(&directory, Durability::Sync, 0..CHUNKS / 2);
    store.flush().unwrap();
    drop(store);
    let unflushed = write_all(&directory, Durability::Sync, CHUNKS / 2..CHUNKS);
    lose_power(mount, unflushed);
    let (whole, broken) = count(&directory);
    assert!(whole >= CHUNKS / 2, "{whole} chunks are left");
    assert_eq!(broken, 0);

    // The same command again makes it complete.
    let again = write_all(&directory, Durability::Sync, 0..CHUNKS);
    again.flush().unwrap();
    lose_power(mount, again);
    assert_eq!(count(&directory), (CHUNKS, 0));

    // Without durability chunks get lost here, or this test would prove nothing.
    let scratch = mount.join("scratch");
    fs::create_dir(&scratch).unwrap();
    run("sync", &[&"-f", &mount]);
    let careless = write_all(&scratch, Durability::NoSync, 0..CHUNKS);
    careless.flush().unwrap();
    lose_power(mount, careless);
    assert!(count(&scratch).0 < CHUNKS, "the power was not really lost");
}

#[test]
fn defect_52_flushed_chunks_survive_on_xfs() {
    in_mount_namespace("defect_52_flushed_chunks_survive_on_xfs", &["mkfs.xfs", "xfs_io"], |directory| {
        check(&mounted(directory, "xfs", 320));
    });
}

#[test]
fn defect_52_flushed_chunks_survive_on_ext4() {
    in_mount_namespace("defect_52_flushed_chunks_survive_on_ext4", &["mkfs.ext4", "xfs_io"], |directory| {
        check(&mounted(directory, "ext4", 128));
    });
}
