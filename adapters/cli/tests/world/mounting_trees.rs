//! `mount`: an archive as a tree, by index or as a file, compared with the tree that casync made it of.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use desync_test_kit::mounts::{in_mount_namespace, run};
use desync_test_kit::prng;
use rustix::process::{Pid, Signal, kill_process};

use crate::mounts::{LONG, Mount, Readers, make_spoilt_stores, read_if_reader, write_store_file};
use crate::room::Room;

/// A room with a tree of everything a tree can have, its archive in `store` by the index `tree.caidx`, and a
/// directory to mount at.
fn scene() -> Room {
    let room = Room::new();
    for directory in ["tree", "tree/a", "tree/a/deep", "tree/empty", "mnt"] {
        room.create_dir(directory);
    }
    room.write("tree/big", &prng(3 << 20, 5));
    room.write("tree/a/one", b"one");
    room.write("tree/a/deep/zeros", &vec![0; 300_000]);
    room.write("tree/empty file", b"");
    for number in 0..200 {
        room.write(&format!("tree/a/{number:03}"), &prng(200 + number, number as u64));
    }
    let tree = |name: &str| room.path("tree").join(name);
    std::os::unix::fs::symlink("../nowhere", tree("a/link")).unwrap();
    run("mkfifo", &[&tree("fifo")]);
    run("mknod", &[&tree("null"), &"c", &"1", &"3"]);
    run("chmod", &[&"4751", &tree("a/one")]);
    run("chown", &[&"1234:4321", &tree("a/001"), &tree("a/deep")]);
    run("touch", &[&"-d", &"2001-02-03 04:05:06.789012345", &tree("a/002"), &tree("a")]);
    rustix::fs::lsetxattr(tree("a/one"), "user.note", b"value", rustix::fs::XattrFlags::CREATE).unwrap();
    casync(&room, "tree.caidx", "tree");
    room
}

fn casync(room: &Room, index: &str, tree: &str) {
    let store = format!("--store={}", room.path("store").display());
    run("casync", &[&"make", &"--chunk-size=16384", &store, &room.path(index), &room.path(tree)]);
}

/// Paths below a directory, itself included.
fn walk(root: &Path) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        if root.join(&path).symlink_metadata().unwrap().is_dir() {
            let entries = fs::read_dir(root.join(&path)).unwrap();
            paths.extend(entries.map(|entry| path.join(entry.unwrap().file_name())));
        }
        next += 1;
    }
    paths.sort();
    paths
}

/// What is to be the same of a path.
fn look(path: &Path) -> impl PartialEq + std::fmt::Debug + use<> {
    let found = path.symlink_metadata().unwrap();
    let content = if found.is_file() { fs::read(path).unwrap() } else { Vec::new() };
    let mut names = vec![0; 4096];
    let len = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    names.truncate(len);
    let len = if found.is_dir() { 0 } else { found.len() };
    (
        (found.mode(), found.uid(), found.gid(), found.mtime(), found.mtime_nsec(), found.rdev(), len),
        (found.is_symlink().then(|| fs::read_link(path).unwrap()), content, names),
    )
}

fn assert_same(room: &Room) {
    let (source, mount) = (room.path("tree"), room.path("mnt"));
    let paths = walk(&source);
    assert_eq!(walk(&mount), paths);
    for path in paths {
        assert!(look(&mount.join(&path)) == look(&source.join(&path)), "{}", path.display());
    }
    let mut value = [0; 16];
    let len = rustix::fs::lgetxattr(mount.join("a/one"), "user.note", &mut value[..]).unwrap();
    assert_eq!(&value[..len], b"value");
}

/// A mount at `slow` that shows the room's store once more, in `slow/store`, and can be stopped. The store itself is at
/// `packed/store` then.
struct SlowStore(Child);

impl SlowStore {
    fn start(room: &Room) -> Self {
        room.create_dir("packed");
        room.create_dir("slow");
        fs::rename(room.path("store"), room.path("packed/store")).unwrap();
        room.create_dir("store");
        casync(room, "packed.caidx", "packed");
        room.write("packed.catar", &room.ok(&["cat", "-s", "store", "packed.caidx"]));
        let mut command = room.command(&["mount", "packed.catar", "slow"]);
        let child = command.stderr(File::create(room.path("slow-said")).unwrap()).spawn().unwrap();
        while !room.path("slow/store").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self(child)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Stops it, and returns when it has: a thread still on its way would take one more request and never answer it,
    /// and the kernel lets nobody die who waits for that.
    fn stop(&self) {
        self.signal(Signal::STOP);
        let is_stopped = |thread: fs::DirEntry| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap();
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        };
        let (threads, start) = (format!("/proc/{}/task", self.0.id()), Instant::now());
        while !fs::read_dir(&threads).unwrap().all(|thread| is_stopped(thread.unwrap())) {
            assert!(start.elapsed() < LONG, "the slow store does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it as it wants to be ended.
    fn end(mut self) {
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for SlowStore {
    /// After a failed check: nobody who cleans up may wait for a store that is stopped.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_tree_is_shown_as_it_was_packed() {
    in_mount_namespace("mounting_trees::a_tree_is_shown_as_it_was_packed", &["casync"], |_| {
        let room = scene();
        room.write("tree.catar", &room.ok(&["cat", "-s", "store", "tree.caidx"]));
        for args in [&["mount", "-s", "store", "tree.caidx", "mnt"][..], &["mount", "tree.catar", "mnt"]] {
            let mount = Mount::start(&room, "a", args);
            assert_same(&room);
            mount.signal(Signal::INT);
            assert_eq!(mount.ended(), (Some(0), String::new()));
        }
    });
}

#[test]
fn only_what_is_touched_is_fetched_and_kept_for_later() {
    in_mount_namespace(
        "mounting_trees::only_what_is_touched_is_fetched_and_kept_for_later",
        &["casync"],
        |_| {
            let room = scene();
            for directory in ["cache", "nothing"] {
                room.create_dir(directory);
            }
            let all = room.files("store").len();
            let mount =
                Mount::start(&room, "a", &["mount", "-s", "store", "-c", "cache", "tree.caidx", "mnt"]);
            assert_eq!(fs::read(room.path("mnt/a/one")).unwrap(), b"one");
            run("umount", &[&room.path("mnt")]);
            assert_eq!(mount.ended(), (Some(0), String::new()));
            let fetched = room.files("cache").len();
            assert!(fetched > 0 && fetched < all / 4, "{fetched} of {all} chunks");
            // A file that keeps everything serves a tree, too.
            let cor = ["--cor-file", "cor", "--cor-state-save", "state", "tree.caidx", "mnt"];
            for store in ["store", "nothing"] {
                let mount = Mount::start(&room, "a", &[&["mount", "-s", store][..], &cor].concat());
                assert_same(&room);
                mount.signal(Signal::TERM);
                assert_eq!(mount.ended(), (Some(0), String::new()));
            }
        },
    );
}

#[test]
fn sixteen_processes_read_a_file_of_a_tree_while_the_store_hangs() {
    let test = "mounting_trees::sixteen_processes_read_a_file_of_a_tree_while_the_store_hangs";
    if read_if_reader("tree/big", "mnt/big") {
        return;
    }
    in_mount_namespace(test, &["casync"], |_| {
        let room = scene();
        let slow = SlowStore::start(&room);
        write_store_file(&room, "slow/store");
        let args = ["mount", "-e", "0", "--store-file", "stores.json", "tree.caidx", "mnt"];
        let mount = Mount::start(&room, "a", &args);
        let readers = Readers::start(&room, test);
        for _ in 0..3 {
            slow.stop();
            std::thread::sleep(Duration::from_millis(300));
            // Whoever asked the store that hangs waits for it; everybody else goes on.
            write_store_file(&room, "packed/store");
            mount.signal(Signal::HUP);
            std::thread::sleep(Duration::from_millis(200));
            assert!(room.path("mnt/a/deep/zeros").symlink_metadata().is_ok());
            slow.signal(Signal::CONT);
            write_store_file(&room, "slow/store");
            mount.signal(Signal::HUP);
            std::thread::sleep(Duration::from_millis(200));
        }
        let (right, failed) = readers.end();
        assert!(right > 100 && failed == 0, "{right} right, {failed} failed");
        assert_same(&room);
        mount.signal(Signal::INT);
        assert_eq!(mount.ended(), (Some(0), String::new()));
        slow.end();
    });
}

#[test]
fn a_file_of_a_tree_is_right_or_an_error_while_its_store_fails() {
    let test = "mounting_trees::a_file_of_a_tree_is_right_or_an_error_while_its_store_fails";
    if read_if_reader("tree/big", "mnt/big") {
        return;
    }
    in_mount_namespace(test, &["casync"], |_| {
        let room = scene();
        make_spoilt_stores(&room);
        write_store_file(&room, "store");
        let args = ["mount", "-e", "0", "--store-file", "stores.json", "tree.caidx", "mnt"];
        let mount = Mount::start(&room, "a", &args);
        // What opening the file takes is known, its bytes are not.
        drop(File::open(room.path("mnt/big")).unwrap());
        write_store_file(&room, "gaps");
        mount.signal(Signal::HUP);
        std::thread::sleep(Duration::from_millis(200));
        let readers = Readers::start(&room, test);
        for round in 0..6 {
            std::thread::sleep(Duration::from_millis(200));
            write_store_file(&room, ["damaged", "nowhere", "gaps"][round % 3]);
            mount.signal(Signal::HUP);
        }
        std::thread::sleep(Duration::from_millis(200));
        let (right, failed) = readers.end();
        assert!(right > 20 && failed > 10, "{right} right, {failed} failed");
        write_store_file(&room, "store");
        mount.signal(Signal::HUP);
        std::thread::sleep(Duration::from_millis(200));
        assert_same(&room);
        mount.signal(Signal::INT);
        let (code, said) = mount.ended();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("missing from store"), "{said}");
    });
}

#[test]
fn defect_86_a_mount_in_use_ends_while_its_store_hangs() {
    in_mount_namespace(
        "mounting_trees::defect_86_a_mount_in_use_ends_while_its_store_hangs",
        &["casync"],
        |_| {
            let room = scene();
            let slow = SlowStore::start(&room);
            let mount = Mount::start(&room, "a", &["mount", "-s", "slow/store", "tree.caidx", "mnt"]);
            slow.stop();
            let mut reader =
                Command::new("cat").arg(room.path("mnt/big")).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(300));
            assert!(reader.try_wait().unwrap().is_none(), "nothing hangs");
            mount.signal(Signal::INT);
            assert_eq!(mount.ended().0, Some(0));
            assert!(!reader.wait().unwrap().success());
            slow.end();
        },
    );
}

#[test]
fn what_is_no_archive_is_refused() {
    let room = Room::with_blob();
    room.create_dir("mnt");
    let said = room.fails(1, &["mount", "-s", "store", "blob.caibx", "mnt"]);
    assert!(said.contains("blob.caibx"), "{said}");
    assert!(room.fails(1, &["mount", "blob", "mnt", "-s", "store"]).contains("blob"));
    assert!(room.fails(2, &["mount", "blob.caibx", "mnt"]).contains("no store provided"));
    let archive = desync_test_kit::golden::read("mini/mini-default.catar");
    room.write("cut.catar", &archive[..archive.len() - 30]);
    assert!(room.fails(1, &["mount", "cut.catar", "mnt"]).contains("cut.catar"));
}
