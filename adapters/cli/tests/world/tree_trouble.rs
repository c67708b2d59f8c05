//! `tar` and `untar` killed, interrupted, out of space, as an ordinary user, on trees that change.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use desync_test_kit::mounts::{in_mount_namespace, run};
use desync_test_kit::prng;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::material::Dice;
use crate::room::Room;

/// Many files of all lengths in some directories.
fn room_with_files() -> Room {
    let room = Room::new();
    let noise = prng(1 << 20, 3);
    for directory in 0..20 {
        let path = room.path(&format!("tree/{directory}"));
        std::fs::create_dir_all(&path).unwrap();
        for number in 0..40_usize {
            let len = (number * number * 37) % 40_000;
            std::fs::write(path.join(number.to_string()), &noise[number..number + len]).unwrap();
        }
    }
    std::fs::write(room.path("tree/large"), [&noise[..], &noise].concat()).unwrap();
    room.ok(&["tar", "--no-sync", "-i", "-s", "store", "tree.caidx", "tree"]);
    room.ok(&["tar", "--no-sync", "tree.catar", "tree"]);
    room
}

/// Every file below `found` is one of `expected`, whole. Returns how many there are.
fn count_whole(found: &Path, expected: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(found).unwrap() {
        let entry = entry.unwrap();
        let original = expected.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            count += count_whole(&entry.path(), &original);
        } else if !entry.file_name().to_string_lossy().starts_with(".tmp-untar.") {
            let same = std::fs::read(entry.path()).unwrap() == std::fs::read(&original).unwrap();
            assert!(same, "{} is not whole", entry.path().display());
            count += 1;
        }
    }
    count
}

#[test]
fn a_killed_untar_leaves_no_half_file_and_can_be_run_again() {
    let room = room_with_files();
    let args = ["untar", "-i", "--no-sync", "-s", "store", "tree.caidx", "out"];
    let start = Instant::now();
    room.ok(&args);
    let undisturbed = start.elapsed();
    let whole = count_whole(&room.path("out"), &room.path("tree"));
    assert_eq!(whole, 801);
    let mut dice = Dice::new(5);
    let mut kills = 0;
    for _ in 0..10 {
        if kills % 4 == 0 {
            let _ = std::fs::remove_dir_all(room.path("out"));
        }
        let mut child = room.command(&args).spawn().unwrap();
        std::thread::sleep(undisturbed.mul_f64(dice.roll()));
        child.kill().unwrap();
        kills += usize::from(!child.wait().unwrap().success());
        if room.path("out").exists() {
            count_whole(&room.path("out"), &room.path("tree"));
        }
    }
    assert!(kills > 2, "untar always ended before it was killed");
    room.ok(&args);
    assert_eq!(room.files("out").len(), 801, "leftovers stay");
    assert_eq!(count_whole(&room.path("out"), &room.path("tree")), 801);
}

/// What a run is doing, seen from outside: whether it has begun to write, and whether its last name is there.
type Seen = fn(&Room) -> bool;

/// Interrupted while it stands still in the middle, so that no machine is too fast or too slow for it.
#[test]
fn defect_04_interrupted_runs_fail_and_publish_nothing() {
    let room = room_with_files();
    let is_unpacking: Seen = |room| room.path("out/1").exists();
    let is_unpacked: Seen = |room| room.path("out/large").exists();
    let cases: [(&[&str], Seen, Seen); 4] = [
        (
            &["tar", "-i", "-s", "fresh", "new.caidx", "tree"],
            |room| room.path("fresh").read_dir().is_ok_and(|mut chunks| chunks.next().is_some()),
            |room| room.path("new.caidx").exists(),
        ),
        (
            &["tar", "new.catar", "tree"],
            |room| room.files(".").iter().any(|name| name.contains(".tmp-")),
            |room| room.path("new.catar").exists(),
        ),
        (&["untar", "-i", "-s", "store", "tree.caidx", "out"], is_unpacking, is_unpacked),
        (&["untar", "tree.catar", "out"], is_unpacking, is_unpacked),
    ];
    for (args, has_begun, is_done) in cases {
        let caught = (0..50).any(|_| {
            let _ = std::fs::remove_dir_all(room.path("out"));
            let _ = std::fs::remove_dir_all(room.path("fresh"));
            ["new.caidx", "new.catar"].iter().for_each(|name| drop(std::fs::remove_file(room.path(name))));
            room.create_dir("fresh");
            interrupted_in_the_middle(&room, args, has_begun, is_done)
        });
        assert!(caught, "{args:?} was never caught in the middle");
    }
}

/// Whether the run could be stopped in its middle; then it was interrupted there, and behaved.
#[allow(clippy::zombie_processes, reason = "where it returns early, what ended has been waited for")]
fn interrupted_in_the_middle(room: &Room, args: &[&str], has_begun: Seen, is_done: Seen) -> bool {
    let mut child = room.command(args).spawn().unwrap();
    let pid = Pid::from_child(&child);
    while !has_begun(room) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    kill_process(pid, Signal::STOP).unwrap();
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
    if !status.stopped() {
        return false;
    }
    if is_done(room) {
        child.kill().unwrap();
        child.wait().unwrap();
        return false;
    }
    kill_process(pid, Signal::INT).unwrap();
    kill_process(pid, Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*told), (Some(1), "Error: interrupted\n"), "{args:?}");
    assert!(!is_done(room), "{args:?} published");
    if args[0] == "untar" {
        count_whole(&room.path("out"), &room.path("tree"));
    }
    // A run that does not stop within a moment is ended as by a power cut, so something unfinished may lie there.
    true
}

#[test]
fn a_full_disk_is_an_error() {
    in_mount_namespace("tree_trouble::a_full_disk_is_an_error", &[], |directory| {
        let room = room_with_files();
        let disk = directory.join("small");
        std::fs::create_dir(&disk).unwrap();
        run("mount", &[&"-t", &"tmpfs", &"-o", &"size=2m", &"none", &disk]);
        let target = disk.join("out");
        let target = target.to_str().unwrap();
        let told = room.fails(1, &["untar", "tree.catar", target]);
        assert!(told.contains("No space left on device") && told.contains("out/"), "{told}");
        count_whole(Path::new(target), &room.path("tree"));
        let archive = disk.join("x.catar");
        let told = room.fails(1, &["tar", archive.to_str().unwrap(), "tree"]);
        assert!(told.contains("No space left on device"), "{told}");
        assert!(!archive.exists());
    });
}

/// Nobody's process runs the command; what it may not set is told once each, the rest is there.
#[test]
fn defect_83_ordinary_users_are_told_what_they_may_not() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let room = Room::new();
    std::fs::create_dir(room.path("tree")).unwrap();
    room.write("tree/file", b"content");
    let make = |program: &str, args: &[&str]| {
        assert!(Command::new(program).args(args).current_dir(room.path("")).status().unwrap().success());
    };
    make("mknod", &["tree/null", "c", "1", "3"]);
    make("chown", &["7:8", "tree/file"]);
    room.ok(&["tar", "tree.catar", "tree"]);
    make("chmod", &["-R", "a+rwX", "."]);
    let mut command = room.command(&["untar", "tree.catar", "out"]);
    let output = command.uid(65534).gid(65534).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for line in ["file: owner cannot be set", "null: cannot be made", "Error: done but for"] {
        assert!(told.contains(line), "{line:?} is not in {told}");
    }
    assert_eq!(room.read("out/file"), b"content");
    let wanted = ["untar", "--no-same-owner", "--without=device-nodes", "tree.catar", "out2"];
    let output = room.command(&wanted).uid(65534).gid(65534).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A file that grows and shrinks all the time: the archive is sound, whatever was read.
#[test]
fn defect_10_files_that_change_keep_the_archive_sound() {
    let room = Room::new();
    room.create_dir("tree");
    room.write("tree/a", &prng(1 << 20, 1));
    room.write("tree/z", b"after");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = std::fs::File::options().write(true).open(room.path("tree/a")).unwrap();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                [1 << 20, 10, 3 << 20, 200_000].iter().for_each(|len| file.set_len(*len).unwrap());
            }
        });
        let mut told = 0;
        for _ in 0..30 {
            let run = room.run(&["tar", "--no-sync", "x.catar", "tree"]);
            assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
            told += usize::from(run.code == Some(1) && run.stderr.starts_with("a: "));
            let listed = String::from_utf8(room.ok(&["mtree", "x.catar"])).unwrap();
            assert!(listed.contains("\nz type=file"), "{listed}");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(told > 0, "a file that changed was never noticed");
    });
}

/// Another file system in the tree stays an empty directory, and what comes behind it is archived.
#[test]
fn defect_07_other_file_systems_are_left_empty() {
    in_mount_namespace("tree_trouble::defect_07_other_file_systems_are_left_empty", &[], |_| {
        let room = Room::new();
        std::fs::create_dir_all(room.path("tree/mounted")).unwrap();
        room.write("tree/z", b"behind");
        run("mount", &[&"-t", &"tmpfs", &"none", &room.path("tree/mounted")]);
        room.write("tree/mounted/inside", b"x");
        room.ok(&["tar", "-x", "x.catar", "tree"]);
        let listed = String::from_utf8(room.ok(&["mtree", "x.catar"])).unwrap();
        assert!(listed.contains("\nmounted type=dir") && listed.contains("\nz type=file"), "{listed}");
        assert!(!listed.contains("inside"), "{listed}");
        room.ok(&["tar", "all.catar", "tree"]);
        assert!(
            String::from_utf8(room.ok(&["mtree", "all.catar"]))
                .unwrap()
                .contains("\nmounted/inside type=file")
        );
    });
}
