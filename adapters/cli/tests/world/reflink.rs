//! The second extract, with the first version as seed, on file systems that can share and on one that can't.

use std::path::{Path, PathBuf};
use std::process::Command;

use desync_test_kit::mounts::{in_mount_namespace, mounted, run};
use desync_test_kit::prng;

use crate::room::{self, Room};

/// Bytes that the versions share.
const SHARED: usize = 32 << 20;

/// Bytes that only the second version has.
const CHANGED: u64 = 2 << 20;

/// Two versions with their chunks in a store elsewhere, and the first extracted on the file system tried.
struct Scene {
    room: Room,
    mount: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Scene {
    fn new(mount: PathBuf) -> Self {
        let room = Room::new();
        let old = prng(SHARED, 0);
        let mut new = old.clone();
        // Block-aligned changes, as in an image of a file system.
        for (number, place) in [4_usize << 20, 20 << 20].into_iter().enumerate() {
            let changed = prng(CHANGED as usize / 2, 5_000_000 + 100_000 * number as u64);
            new[place..place + changed.len()].copy_from_slice(&changed);
        }
        room.write("old", &old);
        room.write("new", &new);
        for name in ["old", "new"] {
            room.ok(&["make", "--no-sync", "-s", "store", &format!("{name}.caibx"), name]);
        }
        let scene = Self { room, mount, old, new };
        let first = scene.path("first");
        scene.room.ok(&["extract", "-s", "store", "old.caibx", &first]);
        scene
    }

    fn path(&self, name: &str) -> String {
        self.mount.join(name).to_str().unwrap().to_owned()
    }

    /// Extracts the second version with the first as seed; returns the statistics and how much less space
    /// there is.
    fn extract(&self, args: &[&str], target: &str) -> (serde_json::Value, u64) {
        let seed = format!("old.caibx:{}", self.path("first"));
        let base = ["extract", "--print-stats", "-s", "store", "--seed", &seed];
        let before = free(&self.mount);
        let out = self.room.ok(&[&base[..], args, &["new.caibx", target]].concat());
        let used = before.saturating_sub(free(&self.mount));
        assert!(std::fs::read(target).unwrap() == self.new, "{target} is wrong");
        assert!(std::fs::read(self.path("first")).unwrap() == self.old, "the seed was changed");
        (serde_json::from_slice(&out).unwrap(), used)
    }

    /// A file system that can share.
    fn assert_shares(&self) {
        let second = self.path("second");
        let (stats, used) = self.extract(&[], &second);
        assert_mostly_cloned(&stats, used);
        assert!(shared_bytes(&second) > SHARED as u64 / 2, "{}", run("filefrag", &[&"-v", &second]));

        // In place, over something else of another length.
        let third = self.path("third");
        std::fs::write(&third, prng(3_000_000, 9_000_000)).unwrap();
        let (stats, used) = self.extract(&["-k"], &third);
        assert_mostly_cloned(&stats, used);
        assert!(shared_bytes(&third) > SHARED as u64 / 2, "{}", run("filefrag", &[&"-v", &third]));

        self.assert_reads_once_and_clones_in_stretches();

        // Writing to a copy leaves the one it shares with as it is.
        std::fs::write(&third, b"gone").unwrap();
        assert!(
            std::fs::read(&second).unwrap() == self.new
                && std::fs::read(self.path("first")).unwrap() == self.old
        );
    }
}

/// What an extraction asked of the file system under test.
#[derive(Debug, Default)]
struct Calls {
    clones: u64,
    bytes_read: u64,
}

impl Scene {
    /// Each byte that is shared is read once to be hashed, and many chunks are shared by one call.
    fn assert_reads_once_and_clones_in_stretches(&self) {
        let seed = format!("old.caibx:{}", self.path("first"));
        let traced = self.path("traced");
        let trace = ["-ff", "-y", "-s", "0", "-o", "trace", "-e", "trace=ioctl,read,readv,pread64,preadv"];
        let status = Command::new("strace")
            .args(trace)
            .arg(room::program())
            .args(["extract", "-s", "store", "--seed", &seed, "new.caibx", &traced])
            .current_dir(self.room.path("."))
            .status();
        assert!(status.unwrap().success());
        assert!(std::fs::read(&traced).unwrap() == self.new);
        let calls = self.calls();
        let info = self.room.ok(&["info", "-s", "store", "new.caibx"]);
        let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
        let chunks = info["total"].as_u64().unwrap();
        assert!(calls.clones > 0 && calls.clones < chunks / 4, "{calls:?} for {chunks} chunks");
        // The edges of stretches are copied, and not in whole blocks.
        let once = SHARED as u64 + SHARED as u64 / 20;
        assert!(calls.bytes_read > SHARED as u64 * 3 / 4 && calls.bytes_read < once, "{calls:?}");
    }

    /// What the files of the trace, one for each thread, say.
    fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        let mount = self.mount.to_str().unwrap();
        for name in self.room.files(".").iter().filter(|name| name.contains("/trace.")) {
            let text = String::from_utf8_lossy(&self.room.read(name)).into_owned();
            for line in text.lines().filter(|line| line.contains(mount)) {
                let result = line.rsplit(" = ").next().unwrap_or_default();
                match line.split('(').next() {
                    Some("ioctl") if line.contains("FICLONERANGE") => calls.clones += 1,
                    Some("ioctl") | None => {}
                    Some(_) => calls.bytes_read += result.trim().parse::<u64>().unwrap_or(0),
                }
            }
        }
        calls
    }
}

fn assert_mostly_cloned(stats: &serde_json::Value, used: u64) {
    let cloned = stats["bytes-cloned-from-seeds"].as_u64().unwrap();
    assert!(cloned > SHARED as u64 * 3 / 4, "{stats}");
    // Chunks that hold a change hold other bytes too, and their edges are copied.
    assert!(used < CHANGED * 3, "the disk grew by {used} bytes: {stats}");
}

/// Bytes that can be written, once everything is on the disk.
fn free(mount: &Path) -> u64 {
    run("sync", &[&"-f", &mount]);
    let found = rustix::fs::statvfs(mount).unwrap();
    found.f_bfree * found.f_frsize
}

/// Bytes of a file that `filefrag` says are shared. Lengths are in blocks of 4096, in the fourth column:
/// `ext: logical: physical: length: expected: flags`.
fn shared_bytes(path: &str) -> u64 {
    let report = run("filefrag", &[&"-v", &"-b4096", &path]);
    let shared = report.lines().filter(|line| line.contains("shared"));
    let lengths = shared.filter_map(|line| line.split(':').nth(3)?.trim().parse::<u64>().ok());
    lengths.sum::<u64>() * 4096
}

#[test]
fn xfs() {
    in_mount_namespace("reflink::xfs", &["mkfs.xfs", "filefrag", "strace"], |directory| {
        Scene::new(mounted(directory, "xfs", 512)).assert_shares();
    });
}

#[test]
fn btrfs() {
    in_mount_namespace("reflink::btrfs", &["mkfs.btrfs", "filefrag", "strace"], |directory| {
        Scene::new(mounted(directory, "btrfs", 512)).assert_shares();
    });
}

#[test]
fn ext4_copies_with_the_same_result() {
    in_mount_namespace("reflink::ext4_copies_with_the_same_result", &["mkfs.ext4"], |directory| {
        let scene = Scene::new(mounted(directory, "ext4", 256));
        for args in [&[][..], &["-k"]] {
            let (stats, _) = scene.extract(args, &scene.path("second"));
            assert_eq!(stats["bytes-cloned-from-seeds"], 0, "{stats}");
        }
        let third = scene.path("third");
        let (stats, _) = scene.extract(&["-k"], &third);
        assert!(stats["bytes-copied-from-seeds"].as_u64().unwrap() > SHARED as u64 * 3 / 4, "{stats}");
    });
}

#[test]
fn a_seed_on_another_file_system_is_copied() {
    in_mount_namespace("reflink::a_seed_on_another_file_system_is_copied", &["mkfs.xfs"], |directory| {
        let scene = Scene::new(mounted(directory, "xfs", 512));
        let (stats, _) = scene.extract(&[], scene.room.path("elsewhere").to_str().unwrap());
        assert_eq!(stats["bytes-cloned-from-seeds"], 0, "{stats}");
        assert!(stats["chunks-from-seeds"].as_u64().unwrap() > 0, "{stats}");
    });
}
