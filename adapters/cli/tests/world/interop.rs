//! The same stores and indexes in the hands of other programs: casync, and any other desync on the PATH.

use std::path::Path;
use std::process::{Command, Stdio};

use desync_test_kit::prng;

use crate::room::Room;

/// Bytes of real data.
const DATA_LEN: usize = 48 << 20;

/// What of an index must be equal: all but the feature flags, where programs differ on purpose.
fn without_flags(index: &[u8]) -> (&[u8], &[u8]) {
    (&index[..16], &index[24..])
}

/// Whether a program is there; if not, this is said, and fails where `CI` is set.
#[allow(clippy::print_stderr, reason = "whoever runs the tests should know what did not run")]
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
    eprintln!("SKIPPED: {program} is not installed");
    false
}

/// Real data: programs and libraries of this machine in a tar, then zeros, noise and the beginning again.
fn real_data(room: &Room) -> Vec<u8> {
    let mut list = Vec::new();
    for directory in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/bin"] {
        list.extend(files_of(Path::new(directory)));
    }
    let mut data = Vec::new();
    for file in list {
        if data.len() > DATA_LEN {
            break;
        }
        // What cannot be read is left out.
        data.extend(std::fs::read(file).unwrap_or_default());
    }
    data.truncate(DATA_LEN);
    assert!(data.len() > 1 << 20, "this machine has no programs");
    let beginning = data[..1_234_567].to_vec();
    data.extend([&vec![0; 5 << 20][..], &prng(2 << 20, 0), &beginning].concat());
    room.write("data", &data);
    data
}

fn files_of(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

pub(crate) fn casync(room: &Room, args: &[&str]) {
    for attempt in 0..3 {
        let output = Command::new("casync").args(args).current_dir(room.path("")).output().unwrap();
        if output.status.success() {
            return;
        }
        // casync itself has races here, on any input: a chunk of its own is gone, or a file handle stale.
        let text = String::from_utf8_lossy(&output.stderr);
        let its_own = ["No such file or directory", "Stale file handle"]
            .iter()
            .any(|race| text.contains(&format!("Failed to run synchronizer: {race}")));
        assert!(its_own && attempt < 2, "casync {args:?}: {text}");
    }
}

fn stored_bytes(room: &Room, store: &str) -> u64 {
    let chunks = room.files(store).into_iter().filter(|name| name.ends_with(".cacnk"));
    chunks.map(|name| room.path(&name).metadata().unwrap().len()).sum()
}

#[test]
fn casync_and_we_make_and_extract_the_same() {
    if !has("casync") {
        return;
    }
    let room = Room::new();
    let data = real_data(&room);
    for digest in ["sha512-256", "sha256"] {
        for (number, (ours, theirs)) in
            [("16:64:256", "16384:65536:262144"), ("2:8:32", "2048:8192:32768")].into_iter().enumerate()
        {
            let what = format!("{digest} {ours}");
            let name = |who: &str| format!("{who}-{digest}-{number}");
            let (our_store, our_index) = (name("our-store"), name("our") + ".caibx");
            let (their_store, their_index) = (name("their-store"), name("their") + ".caibx");
            room.create_dir(&our_store);
            let digest_flag = format!("--digest={digest}");
            let size_flag = format!("--chunk-size={theirs}");
            room.ok(&["make", "--no-sync", &digest_flag, "-m", ours, "-s", &our_store, &our_index, "data"]);
            let store_flag = format!("--store={their_store}");
            casync(&room, &["make", &digest_flag, &size_flag, &store_flag, &their_index, "data"]);
            let (our_bytes, their_bytes) = (room.read(&our_index), room.read(&their_index));
            assert!(without_flags(&our_bytes) == without_flags(&their_bytes), "{what}: the indexes differ");
            let (our_size, their_size) = (stored_bytes(&room, &our_store), stored_bytes(&room, &their_store));
            assert!(our_size <= their_size, "{what}: {our_size} stored bytes, casync {their_size}");

            let _ = std::fs::remove_file(room.path("out"));
            let store_flag = format!("--store={our_store}");
            casync(&room, &["extract", &digest_flag, &store_flag, "--seed-output=no", &our_index, "out"]);
            assert!(room.read("out") == data, "{what}: casync extracted something else");
            room.ok(&["extract", "--no-sync", "-s", &their_store, &their_index, "out"]);
            assert!(room.read("out") == data, "{what}: we extracted something else");
            room.ok(&["verify", "-s", &their_store]);
            room.ok(&["verify-index", &their_index, "data"]);
        }
    }
}

#[test]
fn another_desync_and_we_make_and_extract_the_same() {
    let Some(other) = other_desync() else { return };
    let room = Room::new();
    let data = real_data(&room);
    let run = |args: &[&str]| {
        let mut command = Command::new(&other);
        let output =
            command.args(args).current_dir(room.path("")).env("HOME", room.path("")).output().unwrap();
        assert!(output.status.success(), "{other:?} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for digest in ["sha512-256", "sha256"] {
        let flag = format!("--digest={digest}");
        let (ours, theirs) = (format!("ours-{digest}"), format!("theirs-{digest}"));
        let (our_index, their_index) = (format!("{ours}.caibx"), format!("{theirs}.caibx"));
        room.create_dir(&ours);
        room.create_dir(&theirs);
        room.ok(&["make", &flag, "--no-sync", "-s", &ours, &our_index, "data"]);
        run(&["make", &flag, "-s", &theirs, &their_index, "data"]);
        let (our_bytes, their_bytes) = (room.read(&our_index), room.read(&their_index));
        assert!(without_flags(&our_bytes) == without_flags(&their_bytes), "{digest}: the indexes differ");
        run(&["extract", &flag, "-s", &ours, &our_index, "out"]);
        assert!(room.read("out") == data, "{digest}");
        room.ok(&["extract", "--no-sync", "-s", &theirs, &their_index, "out"]);
        assert!(room.read("out") == data, "{digest}");
        let (our_size, their_size) = (stored_bytes(&room, &ours), stored_bytes(&room, &theirs));
        assert!(our_size <= their_size, "{digest}: {our_size} stored bytes, theirs {their_size}");
    }
}

/// A `desync` or `desync-go` on the PATH that is not ours. Optional even in CI.
#[allow(clippy::print_stderr, reason = "whoever runs the tests should know what did not run")]
fn other_desync() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .flat_map(|directory| [directory.join("desync-go"), directory.join("desync")])
        .find(|candidate| is_another(candidate));
    if found.is_none() {
        eprintln!("SKIPPED: no other desync on the PATH");
    }
    found
}

/// Whether this runs, and has no `--no-sync`, as only ours does.
fn is_another(program: &Path) -> bool {
    let Ok(output) = Command::new(program).args(["make", "--help"]).output() else { return false };
    output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("--no-sync")
}
