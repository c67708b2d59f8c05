//! `mount-index` beside readers, signals and `umount`: every byte right or an error, and a clean end.
//!
//! Each test has a mount namespace of its own, so nothing stays mounted whatever happens.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use desync_test_kit::mounts::{in_mount_namespace, run};
use desync_test_kit::prng;
use rustix::process::{Pid, Signal, kill_process};

use crate::material::{SMALL_CHUNKS, old_version, soak_rounds};
use crate::room::Room;

/// How long anything may take that is not waited for on purpose.
const LONG: Duration = Duration::from_secs(30);

/// Processes that read at the same time.
const READERS: u64 = 16;

/// Set for a process that reads: which one it is.
const READER: &str = "DESYNC_TEST_READER";

/// The one user that is on every machine and is not root.
const NOBODY: u32 = 65534;

/// A program that has something mounted at `mnt` in its room.
struct Mount<'a> {
    room: &'a Room,
    child: Child,
}

impl<'a> Mount<'a> {
    /// Starts the program and waits until `file` is there.
    fn start(room: &'a Room, file: &str, args: &[&str]) -> Self {
        Self::spawn(room, file, &mut room.command(args))
    }

    fn spawn(room: &'a Room, file: &str, command: &mut Command) -> Self {
        // A pipe that nobody reads would fill up and hold the program.
        command.stderr(File::create(room.path("said")).unwrap());
        let mut child = command.spawn().unwrap();
        let start = Instant::now();
        // For an ordinary user's mount that is all root may know.
        let is_there = || {
            let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
            let at = room.path("mnt");
            mounts.lines().any(|line| line.split(' ').nth(1) == at.to_str()) || at.join(file).exists()
        };
        while !is_there() {
            if child.try_wait().unwrap().is_some() || start.elapsed() > LONG {
                panic!("not mounted: {}", String::from_utf8_lossy(&room.read("said")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { room, child }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the program's end: its exit code and what it said.
    fn ended(mut self) -> (Option<i32>, String) {
        let (child, start) = (&mut self.child, Instant::now());
        while child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < LONG, "the program does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let code = child.wait().unwrap().code();
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(self.room.path("mnt").to_str().unwrap()), "still mounted");
        (code, String::from_utf8_lossy(&self.room.read("said")).into_owned())
    }
}

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

/// A copy of the store in which `change` may spoil every second chunk.
fn spoilt_store(room: &Room, name: &str, change: impl Fn(&Path)) {
    run("cp", &[&"-r", &room.path("store"), &room.path(name)]);
    for file in room.files(name).iter().step_by(2) {
        change(&room.path(file));
    }
}

#[test]
fn sixteen_processes_read_right_or_fail_while_the_store_fails_and_is_exchanged() {
    if let Ok(reader) = std::env::var(READER) {
        return read_at_random(reader.parse().unwrap());
    }
    let test = "mounting::sixteen_processes_read_right_or_fail_while_the_store_fails_and_is_exchanged";
    in_mount_namespace(test, &[], |_| {
        let (room, blob) = scene();
        spoilt_store(&room, "gaps", |chunk| std::fs::remove_file(chunk).unwrap());
        spoilt_store(&room, "damaged", |chunk| std::fs::write(chunk, b"not a chunk").unwrap());
        let stores =
            |name: &str| room.write("stores.json", format!("{{\"stores\": [\"{name}\"]}}").as_bytes());
        stores("gaps");
        let args = ["mount-index", "-e", "0", "--store-file", "stores.json", "blob.raw.caibx", "mnt"];
        let mount = Mount::start(&room, "blob.raw", &args);
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", test, "--nocapture"]).env(READER, reader.to_string());
                command.current_dir(room.path(".")).stdout(Stdio::piped()).stderr(Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        for round in 0..12 * soak_rounds() as usize {
            // One is not there: the mount says so and stays with what it has. The one with everything comes late,
            // since the mount remembers what it had.
            stores(if round % 12 > 8 { "store" } else { ["damaged", "nowhere", "gaps"][round % 3] });
            mount.signal(Signal::HUP);
            std::thread::sleep(Duration::from_millis(250));
        }
        stores("store");
        mount.signal(Signal::HUP);
        room.write("enough", b"");
        let (mut right, mut failed) = (0, 0);
        for reader in readers {
            let output = reader.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
            let counts = text.lines().find_map(|line| line.strip_prefix("counts ")).unwrap().to_owned();
            let (r, f) = counts.split_once(' ').unwrap();
            right += r.parse::<u64>().unwrap();
            failed += f.parse::<u64>().unwrap();
        }
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

/// Reads here and there until there is a file `enough`, half of the readers past the page cache.
#[allow(clippy::print_stdout, reason = "its parent counts")]
fn read_at_random(reader: u64) {
    let blob = std::fs::read("blob").unwrap();
    let direct = if reader.is_multiple_of(2) { rustix::fs::OFlags::DIRECT.bits().cast_signed() } else { 0 };
    let file = OpenOptions::new().read(true).custom_flags(direct).open("mnt/blob.raw").unwrap();
    let (mut right, mut failed) = (0, 0);
    for round in 0.. {
        if round % 16 == 0 && Path::new("enough").exists() {
            break;
        }
        let dice = prng(8, 1000 * reader + round);
        let number = u64::from_le_bytes(dice.try_into().unwrap());
        let offset = (number >> 24) % blob.len() as u64;
        let mut bytes = vec![0xee; (number % 300_000) as usize];
        let expected = &blob[offset as usize..blob.len().min(offset as usize + bytes.len())];
        match file.read_at(&mut bytes, offset) {
            // Less than asked for may come where the rest failed.
            Ok(len) => {
                assert!(bytes[..len] == expected[..len], "wrong bytes at {offset}+{len}");
                right += 1;
            }
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()), "{error}");
                failed += 1;
            }
        }
    }
    println!("\ncounts {right} {failed}");
}

#[test]
fn defect_86_state_is_saved_however_a_mount_ends() {
    let test = "mounting::defect_86_state_is_saved_however_a_mount_ends";
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
        // Killed, after a hang-up had the state saved.
        std::fs::remove_file(room.path("state")).unwrap();
        let mount = Mount::start(&room, "blob.raw", &args("store"));
        assert!(std::fs::read(room.path("mnt/blob.raw")).unwrap() == blob);
        mount.signal(Signal::HUP);
        while !room.path("state").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        mount.signal(Signal::KILL);
        drop(mount.child.wait_with_output());
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
