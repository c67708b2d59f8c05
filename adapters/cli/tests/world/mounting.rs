//! `mount-index` beside readers, signals and `umount`: every byte right or an error, and a clean end.
//!
//! Each test has a mount namespace of its own, so nothing stays mounted whatever happens.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use desync_test_kit::mounts::{in_mount_namespace, run};
use rustix::process::Signal;

use crate::material::{SMALL_CHUNKS, old_version, soak_rounds};
use crate::mounts::{Mount, Readers, make_spoilt_stores, read_if_reader, write_store_file};
use crate::room::Room;

/// The one user that is on every machine and is not root.
const NOBODY: u32 = 65534;

/// Ends a mount.
type End = fn(&Mount<'_>);

/// A room with a blob of 22 MB, its index and a store that has it.
fn scene() -> (Room, Vec<u8>) {
    let (room, blob) = (Room::new(), old_version());
    room.write("blob", &blob);
    room.create_dir("mnt");
    room.ok(&["make", "--no-sync", "-m", SMALL_CHUNKS, "-s", "store", "blob.raw.caibx", "blob"]);
    (room, blob)
}

#[test]
fn sixteen_processes_read_right_or_fail_while_the_store_fails_and_is_exchanged() {
    if read_if_reader("blob", "mnt/blob.raw") {
        return;
    }
    let test = "mounting::sixteen_processes_read_right_or_fail_while_the_store_fails_and_is_exchanged";
    in_mount_namespace(test, &[], |_| {
        let (room, blob) = scene();
        make_spoilt_stores(&room);
        write_store_file(&room, "gaps");
        let args = ["mount-index", "-e", "0", "--store-file", "stores.json", "blob.raw.caibx", "mnt"];
        let mount = Mount::start(&room, "blob.raw", &args);
        let readers = Readers::start(&room, test);
        for round in 0..12 * soak_rounds() as usize {
            // One is not there: the mount says so and stays with what it has. The one with everything comes late,
            // since the mount remembers what it had.
            let store = if round % 12 > 8 { "store" } else { ["damaged", "nowhere", "gaps"][round % 3] };
            write_store_file(&room, store);
            mount.signal(Signal::HUP);
            std::thread::sleep(Duration::from_millis(250));
        }
        write_store_file(&room, "store");
        mount.signal(Signal::HUP);
        let (right, failed) = readers.end();
        assert!(right > 100 && failed > 10, "{right} right, {failed} failed");
        // The next read tries again, and the process is as good as new.
        assert!(std::fs::read(room.path("mnt/blob.raw")).unwrap() == blob);
        mount.signal(Signal::INT);
        let (code, said) = mount.ended();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("failed to reload configuration: ") && said.contains("nowhere"), "{said}");
        assert!(said.contains("invalid chunk") && said.contains("missing from store"), "{said}");
    });
}

#[test]
fn defect_86_a_mount_ends_at_every_wish_and_saves_its_state() {
    let test = "mounting::defect_86_a_mount_ends_at_every_wish_and_saves_its_state";
    in_mount_namespace(test, &[], |_| {
        let (room, blob) = scene();
        room.create_dir("empty");
        let cor = ["--cor-file", "cor", "--cor-state-save", "state", "blob.raw.caibx", "mnt"];
        let args = |store| [&["mount-index", "-s", store][..], &cor].concat();
        let umount: End = |mount| drop(run("umount", &[&mount.room.path("mnt")]));
        let ends: [(&str, End); 3] = [
            ("INT", |mount| mount.signal(Signal::INT)),
            ("TERM", |mount| mount.signal(Signal::TERM)),
            ("umount", umount),
        ];
        for (name, end) in ends {
            for file in ["cor", "state"] {
                let _ = std::fs::remove_file(room.path(file));
            }
            let mount = Mount::start(&room, "blob.raw", &args("store"));
            assert!(std::fs::read(room.path("mnt/blob.raw")).unwrap() == blob, "{name}");
            end(&mount);
            assert_eq!(mount.ended(), (Some(0), String::new()), "{name}");
            // Everything is in the file now: a store that has nothing is as good.
            let mount = Mount::start(&room, "blob.raw", &args("empty"));
            assert!(std::fs::read(room.path("mnt/blob.raw")).unwrap() == blob, "{name}");
            mount.signal(Signal::INT);
            assert_eq!(mount.ended(), (Some(0), String::new()), "{name}");
            assert!(room.read("cor") == blob, "{name}");
        }
        // Where a hang-up asks for nothing it ends the mount (defect_28).
        let mount = Mount::start(&room, "blob.raw", &["mount-index", "-s", "store", "blob.raw.caibx", "mnt"]);
        mount.signal(Signal::HUP);
        assert_eq!(mount.ended(), (Some(0), String::new()));
        // Killed, after a hang-up had the state saved.
        std::fs::remove_file(room.path("state")).unwrap();
        let mut mount = Mount::start(&room, "blob.raw", &args("store"));
        assert!(std::fs::read(room.path("mnt/blob.raw")).unwrap() == blob);
        mount.signal(Signal::HUP);
        while !room.path("state").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        mount.signal(Signal::KILL);
        mount.child.wait().unwrap();
        run("umount", &[&room.path("mnt")]);
        let mount = Mount::start(&room, "blob.raw", &args("empty"));
        assert!(std::fs::read(room.path("mnt/blob.raw")).unwrap() == blob);
        // In use: it ends all the same.
        let in_use = File::open(room.path("mnt/blob.raw")).unwrap();
        mount.signal(Signal::INT);
        assert_eq!(mount.ended(), (Some(0), String::new()));
        assert!(in_use.read_at(&mut [0], 0).is_err() || in_use.metadata().is_ok());
    });
}

#[test]
fn defect_48_a_hang_up_has_the_config_read_again_too() {
    in_mount_namespace("mounting::defect_48_a_hang_up_has_the_config_read_again_too", &[], |_| {
        let (room, blob) = scene();
        room.write("plain.json", br#"{"store-options": {"plain": {"uncompressed": true}}}"#);
        room.create_dir("plain");
        let plain = ["--config", "plain.json", "make", "--no-sync", "-m", SMALL_CHUNKS, "-s", "plain"];
        room.ok(&[&plain[..], &["again.caibx", "blob"]].concat());
        room.write("c.json", b"{}");
        write_store_file(&room, "plain");
        let args =
            ["--config", "c.json", "mount-index", "--store-file", "stores.json", "blob.raw.caibx", "mnt"];
        let mount = Mount::start(&room, "blob.raw", &args);
        // Nobody said that chunks are plain there.
        assert!(std::fs::read(room.path("mnt/blob.raw")).is_err());
        std::fs::copy(room.path("plain.json"), room.path("c.json")).unwrap();
        mount.signal(Signal::HUP);
        let start = std::time::Instant::now();
        while !std::fs::read(room.path("mnt/blob.raw")).is_ok_and(|bytes| bytes == blob) {
            assert!(start.elapsed() < Duration::from_secs(30), "the config is not read again");
            std::thread::sleep(Duration::from_millis(20));
        }
        mount.signal(Signal::TERM);
        assert_eq!(mount.ended().0, Some(0));
    });
}

#[test]
fn an_ordinary_user_mounts_and_unmounts() {
    let test = "mounting::an_ordinary_user_mounts_and_unmounts";
    in_mount_namespace(test, &["fusermount3"], |scratch| {
        // Only in this namespace may everybody use FUSE.
        let device = scratch.join("fuse");
        run("mknod", &[&device, &"c", &"10", &"229"]);
        run("chmod", &[&"666", &device]);
        run("mount", &[&"--bind", &device, &"/dev/fuse"]);
        let (room, blob) = scene();
        run("chown", &[&"-R", &NOBODY.to_string(), &room.path(".")]);
        let program = room.path("desync");
        std::fs::copy(env!("CARGO_BIN_EXE_desync"), &program).unwrap();
        let as_nobody = |command: &mut Command| {
            command.uid(NOBODY).gid(NOBODY).current_dir(room.path(".")).env("HOME", room.path("."));
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        };
        for unmounts in [true, false] {
            let mut command = Command::new(&program);
            as_nobody(command.args(["mount-index", "-s", "store", "blob.raw.caibx", "mnt"]));
            let mount = Mount::spawn(&room, "blob.raw", &mut command);
            let mut reader = Command::new("cat");
            as_nobody(reader.arg("mnt/blob.raw"));
            assert!(reader.output().unwrap().stdout == blob);
            // Nobody else sees it, not even root.
            let denied = File::open(room.path("mnt/blob.raw")).unwrap_err();
            assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
            if unmounts {
                let mut helper = Command::new("fusermount3");
                as_nobody(helper.args(["-u", "mnt"]));
                let output = helper.output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            } else {
                mount.signal(Signal::TERM);
            }
            assert_eq!(mount.ended(), (Some(0), String::new()));
        }
    });
}

#[test]
fn what_cannot_be_mounted_is_said() {
    let room = Room::with_blob();
    room.create_dir("mnt");
    let both = ["mount-index", "-s", "store", "--store-file", "f", "blob.caibx", "mnt"];
    assert!(room.fails(2, &both).contains("--store and --store-file can't be used together"));
    assert!(room.fails(2, &["mount-index", "blob.caibx", "mnt"]).contains("no store provided"));
    assert!(room.fails(1, &["mount-index", "-s", "nowhere", "blob.caibx", "mnt"]).contains("nowhere"));
    assert!(room.fails(1, &["mount-index", "-s", "store", "no.caibx", "mnt"]).contains("no.caibx"));
    let no_file = ["mount-index", "--store-file", "f.json", "blob.caibx", "mnt"];
    assert!(room.fails(1, &no_file).contains("f.json"));
    assert!(
        room.fails(1, &["mount-index", "-s", "store", "blob.caibx", "nowhere"]).contains("mount nowhere")
    );
    room.write("init", &[0; 99]);
    let init =
        ["mount-index", "-s", "store", "--cor-file", "c", "--cor-state-init", "init", "blob.caibx", "mnt"];
    let said = room.fails(1, &init);
    assert!(
        said.contains("sparse state file does not match the index") || said.contains("read init"),
        "{said}"
    );
}
