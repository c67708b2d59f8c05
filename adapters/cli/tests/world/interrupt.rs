//! SIGINT and SIGTERM to every command while it works, or waits in the middle of its work: it fails soon, and
//! under a final name is what was there before.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use desync_core::ChunkId;
use desync_core::format::IndexItem;
use desync_test_kit::prng;
use rustix::process::{Pid, Signal, kill_process};

use crate::material::{id_of, index};
use crate::room::Room;

/// How long a command may take to end: a second, and more where the machine has other things to do.
const PROMPTLY: Duration = Duration::from_secs(3);

/// When the signal is sent, tried in this order: a command that is done by then is tried anew.
const MOMENTS_MS: [u64; 5] = [400, 200, 100, 50, 25];

/// Bytes of the chunk that fills `endless.caibx`.
const CHUNK_LEN: u64 = 200_000;

/// A room with inputs that keep every command busy for seconds, or hold it up.
fn busy_room() -> Room {
    let room = Room::new();
    // A sparse file of 8 TiB, and an index of many equal chunks that are no holes: 40 GB.
    std::fs::File::create(room.path("sparse")).unwrap().set_len(8 << 40).unwrap();
    let chunk = prng(CHUNK_LEN as usize, 0);
    let chunk_id = put_whole(&room, &chunk);
    write_index_of_equal(&room, "endless.caibx", chunk_id);
    // Zeros that are no null chunks: each must be hashed.
    write_index_of_equal(&room, "zeros.caibx", id_of(&[0; CHUNK_LEN as usize]));
    std::fs::File::create(room.path("zeros")).unwrap().set_len(200_000 * CHUNK_LEN).unwrap();
    // Many chunks that nobody has.
    let unknown: Vec<IndexItem> = prng(32 * 400_000, 1)
        .chunks(32)
        .zip(1..)
        .map(|(bytes, n)| IndexItem { end: n * 1000, id: id_of(bytes) })
        .collect();
    room.write("unknown.caibx", &index(unknown).encode_to_vec().unwrap());
    // Many small files.
    room.write("many", &prng(24 << 20, 7));
    room.create_dir("many-chunks");
    room.create_dir("elsewhere");
    room.ok(&["make", "--no-sync", "-m", "1:2:4", "-s", "many-chunks", "many.caibx", "many"]);
    room
}

/// Stores a chunk under an index that names it whole.
fn put_whole(room: &Room, chunk: &[u8]) -> ChunkId {
    let id = id_of(chunk);
    room.write("chunk", chunk);
    room.write("whole.caibx", &index(vec![IndexItem { end: CHUNK_LEN, id }]).encode_to_vec().unwrap());
    room.ok(&["chop", "--no-sync", "-s", "store", "whole.caibx", "chunk"]);
    id
}

fn write_index_of_equal(room: &Room, name: &str, id: ChunkId) {
    let items = (1..=200_000).map(|n| IndexItem { end: n * CHUNK_LEN, id });
    room.write(name, &index(items.collect()).encode_to_vec().unwrap());
}

/// Starts a command whose stdin never ends and whose stdout nobody reads.
fn start(room: &Room, args: &[&str]) -> Child {
    room.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Sends a signal while the command runs, and checks how it ends.
fn interrupt(room: &Room, args: &[&str], with: Signal, reset: &dyn Fn()) {
    for moment in MOMENTS_MS {
        reset();
        let mut child = start(room, args);
        // Waiting for a child closes its stdin, and that would be the end it waits for.
        let stdin = child.stdin.take();
        std::thread::sleep(Duration::from_millis(moment));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{args:?} ended with {status} after {moment} ms: {}", stderr(child));
            continue;
        }
        signal(&child, with);
        let sent = Instant::now();
        let status = child.wait().unwrap();
        let took = sent.elapsed();
        drop(stdin);
        if status.success() || status.signal().is_some() {
            // Done in the moment before, or not yet listening in the moment after its start.
            continue;
        }
        let told = stderr(child);
        assert_eq!(status.code(), Some(1), "{args:?}: {told}");
        assert!(took < PROMPTLY, "{args:?} took {took:?} to end");
        assert!(told.contains("interrupted") && !told.contains("panicked"), "{args:?}: {told}");
        return;
    }
    panic!("{args:?} could not be met at work");
}

fn stderr(mut child: Child) -> String {
    use std::io::Read as _;
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn defect_27_every_working_command_ends_promptly_and_leaves_nothing_half_done() {
    let room = busy_room();
    let commands = [
        &["make", "new", "sparse"][..],
        &["make", "-s", "elsewhere", "-m", "1:2:4", "-n", "1", "new", "many"],
        &["make", "new", "-"],
        &["extract", "-s", "store", "endless.caibx", "new"],
        &["extract", "-s", "store", "endless.caibx", "old"],
        &["extract", "-s", "store", "--seed", "zeros.caibx", "endless.caibx", "old"],
        &["extract", "-s", "store", "--seed", "sparse", "endless.caibx", "old"],
        &["extract", "-k", "-s", "store", "endless.caibx", "in-place"],
        &["extract", "-s", "store", "endless.caibx", "-"],
        &["verify-index", "zeros.caibx", "zeros"],
        &["chunk", "sparse"],
        &["list-chunks", "endless.caibx"],
        &["info", "-n", "1", "-s", "many-chunks", "unknown.caibx"],
        &["inspect-chunks", "-s", "many-chunks", "unknown.caibx"],
        &["inspect-chunks", "-s", "many-chunks", "unknown.caibx", "new"],
        &["cat", "-s", "store", "endless.caibx"],
        &["cat", "-s", "store", "endless.caibx", "new"],
        &["chop", "-n", "1", "-s", "elsewhere", "many.caibx", "many"],
        &["cache", "-n", "1", "-s", "many-chunks", "-c", "elsewhere", "many.caibx"],
        &["verify", "-n", "1", "-s", "many-chunks"],
        &["prune", "--grace-period=0", "-s", "many-chunks", "many.caibx"],
        &["prune", "-y", "--grace-period=0", "-s", "many-chunks", "-"],
    ];
    room.write("old", b"the old file");
    let reset = || {
        std::fs::remove_dir_all(room.path("elsewhere")).unwrap();
        room.create_dir("elsewhere");
    };
    for (number, args) in commands.into_iter().enumerate() {
        let with = if number % 2 == 0 { Signal::INT } else { Signal::TERM };
        interrupt(&room, args, with, &reset);
        assert!(!room.path("new").exists(), "{args:?} left something half-done under its final name");
        assert_eq!(room.read("old"), b"the old file", "{args:?}");
        let _ = std::fs::remove_file(room.path("in-place"));
    }
    let leftovers: Vec<_> = room.files(".").into_iter().filter(|name| name.starts_with("./.")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    room.ok(&["verify", "-s", "many-chunks"]);
    room.ok(&["extract", "--no-sync", "-s", "many-chunks", "many.caibx", "out"]);
}

#[test]
fn a_working_prune_ends_too() {
    // Removing is fast: a store is filled until there is enough to remove.
    let room = Room::new();
    room.write("empty", b"");
    room.ok(&["make", "empty.caibx", "empty"]);
    let fill = || {
        for directory in 0..200 {
            let directory = room.path(&format!("store/{directory:04x}"));
            let _ = std::fs::create_dir(&directory);
            let prefix = directory.file_name().unwrap().to_str().unwrap();
            for chunk in 0..150 {
                let name = format!("{prefix}{:060x}.cacnk", chunk);
                std::fs::File::create(directory.join(name)).unwrap().write_all(b"x").unwrap();
            }
        }
    };
    interrupt(&room, &["prune", "-y", "--grace-period=0", "-s", "store", "empty.caibx"], Signal::INT, &fill);
    room.ok(&["prune", "-y", "--grace-period=0", "-s", "store", "empty.caibx"]);
    assert!(room.files("store").is_empty());
}

#[test]
fn a_second_signal_ends_a_stalled_extract_at_once() {
    let room = busy_room();
    let mut child = start(&room, &["extract", "-s", "store", "endless.caibx", "-"]);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(50));
    signal(&child, Signal::TERM);
    let sent = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(sent.elapsed() < PROMPTLY, "took {:?}", sent.elapsed());
}
