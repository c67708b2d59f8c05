//! What the tests of mounts share: a program that has something mounted, and processes that read from it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use desync_test_kit::mounts::run;
use desync_test_kit::prng;
use rustix::process::{Pid, Signal, kill_process};

use crate::room::Room;

/// How long anything may take that is not waited for on purpose.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Processes that read at the same time.
const READERS: u64 = 16;

/// Set for a process that reads: which one it is.
const READER: &str = "DESYNC_TEST_READER";

/// Writes the store file of a room.
pub(crate) fn write_store_file(room: &Room, store: &str) {
    room.write("stores.json", format!("{{\"stores\": [\"{store}\"]}}").as_bytes());
}

/// Copies of the store in which every second chunk is missing (`gaps`), or something else (`damaged`).
pub(crate) fn make_spoilt_stores(room: &Room) {
    let spoil = |name: &str, change: fn(&Path)| {
        run("cp", &[&"-r", &room.path("store"), &room.path(name)]);
        room.files(name).iter().step_by(2).for_each(|file| change(&room.path(file)));
    };
    spoil("gaps", |chunk| std::fs::remove_file(chunk).unwrap());
    spoil("damaged", |chunk| std::fs::write(chunk, b"not a chunk").unwrap());
}

/// A program that has something mounted at `mnt` in its room.
pub(crate) struct Mount<'a> {
    pub(crate) room: &'a Room,
    pub(crate) child: Child,
}

impl<'a> Mount<'a> {
    /// Starts the program and waits until `file` is there.
    pub(crate) fn start(room: &'a Room, file: &str, args: &[&str]) -> Self {
        Self::spawn(room, file, &mut room.command(args))
    }

    pub(crate) fn spawn(room: &'a Room, file: &str, command: &mut Command) -> Self {
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

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the program's end: its exit code and what it said.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
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

impl Drop for Mount<'_> {
    /// After a failed check: what is still mounted would keep whoever cleans up, and who waits for our output. Not
    /// waited for, as even a killed program does not end while a file system owes it an answer.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = Command::new("umount").arg("-l").arg(self.room.path("mnt")).stderr(Stdio::null()).status();
    }
}

/// Processes that read here and there in one file of a mount.
pub(crate) struct Readers<'a> {
    room: &'a Room,
    readers: Vec<Child>,
}

impl<'a> Readers<'a> {
    /// Starts them: `test`, the test that calls this, is run once more in each and must begin with
    /// [`read_if_reader`].
    pub(crate) fn start(room: &'a Room, test: &str) -> Self {
        let start = |reader: u64| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", test, "--nocapture"]).env(READER, reader.to_string());
            command.current_dir(room.path(".")).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        Self { room, readers: (0..READERS).map(start).collect() }
    }

    /// Ends them: how many reads were right and how many failed. None was wrong.
    pub(crate) fn end(self) -> (u64, u64) {
        self.room.write("enough", b"");
        let (mut right, mut failed) = (0, 0);
        for reader in self.readers {
            let output = reader.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
            let counts = text.lines().find_map(|line| line.strip_prefix("counts ")).unwrap().to_owned();
            let (r, f) = counts.split_once(' ').unwrap();
            right += r.parse::<u64>().unwrap();
            failed += f.parse::<u64>().unwrap();
        }
        (right, failed)
    }
}

/// In a process that [`Readers::start`] started: reads `mounted`, which must be as `original`, and answers `true`.
pub(crate) fn read_if_reader(original: &str, mounted: &str) -> bool {
    let reader = std::env::var(READER).ok().map(|reader| reader.parse().unwrap());
    reader.inspect(|reader| read_at_random(*reader, original, mounted)).is_some()
}

/// Reads here and there until there is a file `enough`, half of the readers past the page cache.
#[allow(clippy::print_stdout, reason = "its parent counts")]
fn read_at_random(reader: u64, original: &str, mounted: &str) {
    let blob = std::fs::read(original).unwrap();
    let direct = if reader.is_multiple_of(2) { rustix::fs::OFlags::DIRECT.bits().cast_signed() } else { 0 };
    let file = OpenOptions::new().read(true).custom_flags(direct).open(mounted).unwrap();
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
