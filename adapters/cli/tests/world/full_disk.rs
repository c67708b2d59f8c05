//! A file system of a few megabytes, filled to many levels: a clear error that names what could not be
//! written, and everything that was there before is there still.

use std::path::{Path, PathBuf};

use desync_test_kit::mounts::{in_mount_namespace, run};
use desync_test_kit::prng;

use crate::room::{Room, Run};

/// Size of the file system.
const SIZE: u64 = 8 << 20;

/// How much space is left at each try.
fn levels() -> impl Iterator<Item = u64> {
    [0, 4096, 20_000].into_iter().chain((1..=18).map(|n| n * 190_000))
}

/// A small file system, and a room elsewhere with two versions and the newer one's chunks.
struct Scene {
    room: Room,
    disk: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Scene {
    fn new(directory: &Path) -> Self {
        let disk = directory.join("small");
        std::fs::create_dir(&disk).unwrap();
        run("mount", &[&"-t", &"tmpfs", &"-o", &format!("size={SIZE},nr_inodes=10000"), &"none", &disk]);
        let room = Room::new();
        let old = prng(2_000_000, 0);
        let new = [&old[..500_000], &prng(2_500_000, 1_000_000)].concat();
        room.write("old", &old);
        room.write("new", &new);
        room.ok(&["make", "-s", "store", "new.caibx", "new"]);
        Self { room, disk, old, new }
    }

    fn path(&self, name: &str) -> String {
        self.disk.join(name).to_str().unwrap().to_owned()
    }

    /// Empties the disk, lets `prepare` put something there, and leaves `free` bytes.
    fn fill(&self, free: u64, prepare: impl Fn()) {
        for entry in std::fs::read_dir(&self.disk).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap()
            } else {
                std::fs::remove_file(path).unwrap()
            }
        }
        prepare();
        let now = free_bytes(&self.disk);
        assert!(now > free, "the disk is too small for what is on it: {now} bytes free");
        std::fs::write(self.path("ballast"), vec![1; (now - free) as usize]).unwrap();
    }

    /// Runs a command at every level of free space: it must fail at the first and succeed at the last.
    /// `prepare` puts things there, `check` looks at them afterwards; it is told whether the command succeeded.
    fn sweep(&self, args: &[&str], prepare: impl Fn(), check: impl Fn(bool, &str)) {
        let mut succeeded = Vec::new();
        for free in levels() {
            self.fill(free, &prepare);
            let run = self.room.run(args);
            let what = format!("{} with {free} bytes free: {run:?}", args[0]);
            let success = run.code == Some(0);
            if !success {
                self.assert_clear(&run, &what);
            }
            check(success, &what);
            succeeded.push(success);
        }
        assert_eq!(
            (succeeded.first(), succeeded.last()),
            (Some(&false), Some(&true)),
            "{args:?}: {succeeded:?}"
        );
        assert!(succeeded.iter().filter(|success| !**success).count() > 3, "{args:?}: {succeeded:?}");
    }

    fn assert_clear(&self, run: &Run, what: &str) {
        assert_eq!(run.code, Some(1), "{what}");
        assert!(run.stderr.contains("No space left on device"), "{what}");
        assert!(run.stderr.contains(self.disk.to_str().unwrap()), "nobody knows where: {what}");
        assert_eq!(run.stderr.lines().count(), 1, "{what}");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.disk.join(name)).unwrap()
    }

    fn assert_no_leftovers(&self, what: &str) {
        let names = std::fs::read_dir(&self.disk).unwrap().map(|entry| entry.unwrap().file_name());
        let leftovers: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with('.')).collect();
        assert!(leftovers.is_empty(), "{leftovers:?} left: {what}");
    }

    /// The store on the small disk holds no bad chunk and still gives the old version.
    fn assert_store_sound(&self, store: &str, index: &str, what: &str) {
        let verified = self.room.run(&["verify", "-s", &self.path(store)]);
        assert!(verified.code == Some(0) && verified.stderr.is_empty(), "{what}: {verified:?}");
        let given = self.room.run(&["cat", "-s", &self.path(store), index]);
        assert!(given.code == Some(0) && given.stdout == self.old, "{what}: {}", given.stderr);
    }

    /// Puts a store with the old version, and its index, on the small disk.
    fn put_old_store(&self) {
        std::fs::create_dir(self.path("store")).unwrap();
        let (store, index) = (self.path("store"), self.path("blob.caibx"));
        self.room.ok(&["make", "-s", &store, &index, "old"]);
    }
}

fn free_bytes(path: &Path) -> u64 {
    let found = rustix::fs::statvfs(path).unwrap();
    found.f_bavail * found.f_frsize
}

#[test]
fn make() {
    in_mount_namespace("full_disk::make", &[], |directory| {
        let scene = Scene::new(directory);
        let (store, index) = (scene.path("store"), scene.path("blob.caibx"));
        scene.room.ok(&["make", "old.caibx", "old"]);
        let (old, new) = (scene.room.read("old.caibx"), scene.room.read("new.caibx"));
        scene.sweep(
            &["make", "-s", &store, &index, "new"],
            || scene.put_old_store(),
            |success, what| {
                assert!(scene.read("blob.caibx") == if success { &new[..] } else { &old[..] }, "{what}");
                scene.assert_store_sound("store", "old.caibx", what);
                scene.assert_no_leftovers(what);
            },
        );
    });
}

#[test]
fn extract() {
    in_mount_namespace("full_disk::extract", &[], |directory| {
        let scene = Scene::new(directory);
        let out = scene.path("out");
        scene.sweep(
            &["extract", "-s", "store", "new.caibx", &out],
            || std::fs::write(&out, &scene.old).unwrap(),
            |success, what| {
                assert!(scene.read("out") == *if success { &scene.new } else { &scene.old }, "{what}");
                scene.assert_no_leftovers(what);
            },
        );
    });
}

#[test]
fn extract_in_place() {
    in_mount_namespace("full_disk::extract_in_place", &[], |directory| {
        let scene = Scene::new(directory);
        let out = scene.path("out");
        let args = ["extract", "-k", "-s", "store", "new.caibx", &out];
        scene.sweep(
            &args,
            || (),
            |success, what| {
                if !success {
                    // What could be written is kept, and with more space the rest follows.
                    std::fs::remove_file(scene.path("ballast")).unwrap();
                    scene.room.ok(&args);
                }
                assert!(scene.read("out") == scene.new, "{what}");
            },
        );
    });
}

#[test]
fn cache() {
    in_mount_namespace("full_disk::cache", &[], |directory| {
        let scene = Scene::new(directory);
        let cache = scene.path("store");
        scene.room.ok(&["make", "old.caibx", "old"]);
        scene.sweep(
            &["cache", "-s", "store", "-c", &cache, "new.caibx"],
            || scene.put_old_store(),
            |_, what| scene.assert_store_sound("store", "old.caibx", what),
        );
    });
}

#[test]
fn a_full_cache_costs_no_result() {
    in_mount_namespace("full_disk::a_full_cache_costs_no_result", &[], |directory| {
        let scene = Scene::new(directory);
        let cache = scene.path("cache");
        scene.fill(100_000, || std::fs::create_dir(&cache).unwrap());
        let run = scene.room.run(&["extract", "-s", "store", "-c", &cache, "new.caibx", "out"]);
        assert!(
            run.code == Some(0) && run.stderr.contains("going on without writing to the cache"),
            "{run:?}"
        );
        assert!(scene.room.read("out") == scene.new);
        scene.room.ok(&["verify", "-s", &cache]);
    });
}
