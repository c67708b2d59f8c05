//! Input made to do harm: the program says what is wrong with what, exits 1 in bounded time, never panics and
//! never takes more than a gigabyte of address space.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use desync_core::format::{IndexItem, StorageForm};
use desync_core::{DigestKind, VerifiedChunk};
use desync_files::{Durability, HostDisk};
use desync_store::{Chunk, ChunkStore as _, FormatOptions, FormattedStore};
use desync_store_directory::DirectoryStore;
use desync_test_kit::prng;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::material::{id_of, index};
use crate::room::{Room, Run};

/// Most address space the program may use, its threads' stacks included.
const ADDRESS_SPACE: u64 = 1 << 30;

/// Longest the program may run: what takes longer hangs.
const SECONDS: u32 = 30;

/// The program with bounds, in a room.
fn bounded(room: &Room, args: &[&str]) -> Command {
    let program = room.command(args);
    let mut command = Command::new("timeout");
    command.arg(SECONDS.to_string()).args(["prlimit", &format!("--as={ADDRESS_SPACE}")]);
    command.arg(program.get_program()).args(program.get_args());
    command.current_dir(program.get_current_dir().unwrap()).env("HOME", room.path(""));
    command.stdin(std::process::Stdio::null());
    command
}

fn run(room: &Room, args: &[&str]) -> Run {
    let run = Run::from(bounded(room, args).output().unwrap());
    assert!(!run.stderr.contains("panicked"), "{args:?}: {run:?}");
    run
}

/// Runs what must fail, naming `named`.
#[track_caller]
fn refused(room: &Room, args: &[&str], named: &[&str]) {
    let run = run(room, args);
    assert_eq!(run.code, Some(1), "{args:?}: {run:?}");
    assert!(run.stderr.starts_with("Error: "), "{args:?}: {run:?}");
    for name in named {
        assert!(run.stderr.contains(name), "{args:?} does not name {name}: {run:?}");
    }
}

/// A blob of a few chunks as an index in bytes, to be damaged.
fn index_bytes(room: &Room) -> Vec<u8> {
    room.read("blob.caibx")
}

const HEADER_LEN: usize = 64;
const ITEM_LEN: usize = 40;

fn put(bytes: &mut [u8], offset: usize, word: u64) {
    bytes[offset..offset + 8].copy_from_slice(&word.to_le_bytes());
}

/// Every command that reads an index.
fn readers(index: &'static str) -> Vec<Vec<&'static str>> {
    vec![
        vec!["extract", "-s", "store", index, "out"],
        vec!["extract", "-k", "-s", "store", index, "out"],
        vec!["extract", "-s", "store", "--seed", "bad.caibx:blob", "blob.caibx", "out"],
        vec!["cat", "-s", "store", index],
        vec!["verify-index", index, "blob"],
        vec!["list-chunks", index],
        vec!["info", "-s", "store", index],
        vec!["inspect-chunks", "-s", "store", index],
        vec!["cache", "-s", "store", "-c", "elsewhere", index],
        vec!["chop", "-s", "elsewhere", index, "blob"],
        vec!["prune", "-y", "-s", "store", index],
    ]
}

#[test]
fn an_index_that_lies_is_refused_by_every_command() {
    let room = Room::with_blob();
    room.create_dir("elsewhere");
    let good = index_bytes(&room);
    let second = HEADER_LEN + ITEM_LEN;
    let damaged: Vec<(&str, Vec<u8>)> = [
        ("decreasing offsets", second, 1),
        (
            "overlapping offsets",
            second,
            u64::from_le_bytes(good[HEADER_LEN..HEADER_LEN + 8].try_into().unwrap()),
        ),
        ("an offset of 2^63", second, 1 << 63),
        ("an offset of 2^64 - 1", second, u64::MAX),
        ("a first chunk of 2^63", HEADER_LEN, 1 << 63),
        ("absurd maximum", 40, u64::MAX),
        ("maximum of 2^63", 40, 1 << 63),
        ("minimum above maximum", 24, 1 << 40),
        ("no minimum", 24, 0),
        ("no average", 32, 0),
        ("a header of another size", 0, 1 << 63),
        ("another type", 8, 7),
        ("a table of a lying size", 48, 40),
        ("a lying size in the tail", good.len() - 16, u64::MAX),
        ("a tail without its marker", good.len() - 8, 0),
    ]
    .into_iter()
    .map(|(what, offset, word)| {
        let mut bytes = good.clone();
        put(&mut bytes, offset, word);
        (what, bytes)
    })
    .chain([1, 8, 40, 41, 300].map(|cut| ("truncated", good[..good.len() - cut].to_vec())))
    .chain([0, 1, 47, 63].map(|len| ("truncated", good[..len].to_vec())))
    .chain([("trailing bytes", [&good[..], &[0; 40]].concat()), ("noise", prng(5000, 3))])
    .collect();
    let store = room.files("store");
    for (what, bytes) in damaged {
        room.write("bad.caibx", &bytes);
        for args in readers("bad.caibx") {
            let found = run(&room, &args);
            assert_eq!(found.code, Some(1), "{what}: {args:?}: {found:?}");
            assert!(found.stderr.starts_with("Error: bad.caibx: "), "{what}: {args:?}: {found:?}");
        }
        assert!(!room.path("out").exists() && room.files("elsewhere").is_empty(), "{what}");
        assert_eq!(room.files("store"), store, "{what}: prune removed by an index it refused");
    }
}

#[test]
fn an_index_that_is_no_file_is_named() {
    let room = Room::with_blob();
    room.create_dir("elsewhere");
    room.create_dir("directory.caibx");
    symlink("nowhere", room.path("dangling.caibx")).unwrap();
    symlink("loop.caibx", room.path("loop.caibx")).unwrap();
    for index in ["directory.caibx", "dangling.caibx", "loop.caibx", "/dev/null", "missing.caibx"] {
        for args in readers(index).iter().filter(|args| args.contains(&index)) {
            refused(&room, args, &[index]);
        }
    }
    // What never ends is not an index either.
    refused(&room, &["list-chunks", "/dev/zero"], &["/dev/zero"]);
    refused(&room, &["make", "directory.caibx", "blob"], &["directory.caibx"]);
    mkfifo(&room, "fifo.caibx");
    let path = room.path("fifo.caibx");
    let writer = std::thread::spawn(move || std::fs::write(path, [7; 1000]));
    refused(&room, &["extract", "-s", "store", "fifo.caibx", "out"], &["fifo.caibx"]);
    // The reader may be gone before everything is written.
    let _ = writer.join().unwrap();
}

fn mkfifo(room: &Room, name: &str) {
    mknodat(CWD, room.path(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// The chunk files of a room's store, the first two with different content.
fn chunk_files(room: &Room) -> Vec<String> {
    room.files("store").into_iter().filter(|name| name.ends_with(".cacnk")).collect()
}

fn id_in(name: &str) -> &str {
    name.rsplit('/').next().unwrap().strip_suffix(".cacnk").unwrap()
}

/// Every command that reads chunks, and what must hold of each: it fails and names the chunk.
fn assert_chunk_refused(room: &Room, id: &str, what: &str) {
    for args in [
        &["extract", "-s", "store", "blob.caibx", "out"][..],
        &["extract", "-s", "store", "blob.caibx", "-"],
        &["cat", "-s", "store", "blob.caibx", "out"],
        &["cache", "-s", "store", "-c", "elsewhere", "blob.caibx"],
    ] {
        let found = run(room, args);
        assert_eq!(found.code, Some(1), "{what}: {args:?}: {:?}", found.stderr);
        assert!(found.stderr.contains(id), "{what}: {args:?}: {:?}", found.stderr);
        let _ = std::fs::remove_file(room.path("out"));
    }
    let wrong = room.files("elsewhere").iter().any(|file| file.contains(id));
    assert!(!wrong, "{what}: a bad chunk was copied");
}

#[test]
fn bad_bytes_under_a_chunks_name_are_refused() {
    let room = Room::with_blob();
    room.create_dir("elsewhere");
    let files = chunk_files(&room);
    let (name, id) = (&files[0], id_in(&files[0]));
    let good = room.read(name);
    // One frame that declares a gigabyte, one block that claims 98047 sequences in eleven bytes.
    let bomb = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 0x5d, 0, 0][..],
        &[0, 0xff, 0xff, 0xff, 0x54, 0, 0, 0, 0, 0, 1],
    ]
    .concat();
    assert_eq!(bomb.len(), 23);
    let long = stored_bytes_of(vec![7; 40 << 20]);
    for (what, bytes) in [
        ("another chunk", room.read(&files[1])),
        ("a small bomb that declares a gigabyte", bomb),
        ("more than its size", long),
        ("empty", Vec::new()),
        ("truncated", good[..good.len() - 3].to_vec()),
        ("noise", prng(10_000, 1)),
        ("a bit turned", turned(&good)),
        ("twice", [&good[..], &good].concat()),
        ("huge", vec![0; 20 << 20]),
    ] {
        room.write(name, &bytes);
        assert_chunk_refused(&room, id, what);
        let verified = run(&room, &["verify", "-s", "store"]);
        assert_eq!(verified.code, Some(1), "{what}: {verified:?}");
        assert!(verified.stderr.contains(id), "{what}: {verified:?}");
    }
    // Repair removes what is bad, and making again brings it back.
    assert!(run(&room, &["verify", "-r", "-s", "store"]).stderr.contains(": removed"));
    assert!(!room.path(name).exists());
    room.ok(&["make", "-s", "store", "blob.caibx", "blob"]);
    room.ok(&["verify", "-s", "store"]);
}

/// What a store keeps of a chunk with these bytes, whatever its length.
fn stored_bytes_of(plain: Vec<u8>) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let backend = DirectoryStore::open(Arc::new(HostDisk), directory.path(), Durability::NoSync).unwrap();
    let chunk = VerifiedChunk::name(DigestKind::Sha512_256, plain[..].into());
    let id = chunk.id();
    let store = FormattedStore::new(backend, FormatOptions::default());
    store.put(&Chunk::from_plain(chunk)).unwrap();
    std::fs::read(directory.path().join(StorageForm::Compressed.path_of(&id).as_str())).unwrap()
}

fn turned(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

#[test]
fn what_is_no_file_in_the_place_of_a_chunk_is_no_chunk() {
    let room = Room::with_blob();
    room.create_dir("elsewhere");
    let name = chunk_files(&room)[0].clone();
    let (id, good) = (id_in(&name).to_owned(), room.read(&name));
    room.write("aside", &good);
    let path = room.path(&name);
    let replace: [(&str, &dyn Fn()); 4] = [
        ("a FIFO", &|| mkfifo(&room, &name)),
        ("a symbolic link to the right bytes", &|| symlink(room.path("aside"), &path).unwrap()),
        ("a dangling link", &|| symlink("nowhere", &path).unwrap()),
        ("a directory", &|| std::fs::create_dir(&path).unwrap()),
    ];
    for (what, put) in replace {
        std::fs::remove_file(&path).unwrap();
        put();
        assert_chunk_refused(&room, &id, what);
        // It holds no chunk, so there is none to be bad.
        assert_eq!(run(&room, &["verify", "-s", "store"]).code, Some(0), "{what}");
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
        room.write(&name, &good);
    }
    // A directory cannot be replaced by the chunk: told, and nothing else is harmed.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    refused(&room, &["make", "-s", "store", "new.caibx", "blob"], &[&id]);
    assert!(!room.path("new.caibx").exists());
}

#[test]
fn foreign_files_in_a_store_are_left_alone() {
    let room = Room::with_blob();
    room.write("empty", b"");
    room.ok(&["make", "empty.caibx", "empty"]);
    let name = chunk_files(&room)[0].clone();
    let upper = name.replace(id_in(&name), &id_in(&name).to_uppercase());
    let prefix = &name[..name.rfind('/').unwrap()];
    let foreign = [
        upper.clone(),
        "store/README".into(),
        format!("{prefix}/notes.txt"),
        format!("{prefix}/short.cacnk"),
        "store/abcd.cacnk".into(),
    ];
    for path in &foreign {
        room.write(path, b"foreign");
    }
    room.create_dir("store/lost+found");
    room.create_dir("store/zzzz");
    mkfifo(&room, "store/zzzz/fifo");
    room.ok(&["extract", "-s", "store", "blob.caibx", "out"]);
    room.ok(&["verify", "-s", "store"]);
    assert_eq!(run(&room, &["prune", "-y", "--grace-period=0", "-s", "store", "empty.caibx"]).code, Some(0));
    let left = room.files("store");
    for path in &foreign {
        assert!(left.contains(path), "{path} is gone");
    }
    assert_eq!(left.len(), foreign.len() + 1, "{left:?}");
    // An upper-case name is no chunk.
    assert_eq!(run(&room, &["cat", "-s", "store", "blob.caibx"]).code, Some(1));
}

#[test]
fn a_seed_that_changes_while_it_is_read_never_gives_a_wrong_result() {
    let room = Room::new();
    let blob = prng(8 << 20, 0);
    for name in ["blob", "seed"] {
        room.write(name, &blob);
    }
    room.ok(&["make", "-s", "store", "blob.caibx", "blob"]);
    let (path, stop) = (room.path("seed"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::os::unix::fs::FileExt as _;
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            for round in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let place = (round * 77_777) % (blob.len() as u64 - 5000);
                file.write_all_at(&prng(5000, round), place).unwrap();
                file.write_all_at(&blob[place as usize..place as usize + 5000], place).unwrap();
                let len = if round % 50 == 0 { blob.len() as u64 / 2 } else { blob.len() as u64 };
                file.set_len(len).unwrap();
            }
        });
        for round in 0..12 {
            let extras = [&[][..], &["--skip-invalid-seeds"], &["--regenerate-invalid-seeds"]][round % 3];
            let seed = if round % 2 == 0 { "blob.caibx:seed" } else { "seed" };
            let place: &[&str] = if round % 4 < 2 { &[] } else { &["-k"] };
            let args =
                [&["extract", "-s", "store", "--seed", seed, "blob.caibx", "out"], extras, place].concat();
            let found = run(&room, &args);
            match found.code {
                Some(0) => assert!(room.read("out") == blob, "{args:?} gave a wrong result"),
                _ => assert!(found.code == Some(1) && found.stderr.contains("seed"), "{args:?}: {found:?}"),
            }
            let _ = std::fs::remove_file(room.path("out"));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_target_that_can_hold_no_blob_is_refused_and_stays() {
    use std::os::unix::fs::FileTypeExt as _;
    let room = Room::with_blob();
    room.create_dir("directory");
    let _listener = std::os::unix::net::UnixListener::bind(room.path("socket")).unwrap();
    for target in ["directory", "/dev/null", "/dev/zero", "/dev/full", "socket", "missing/out", "blob/out"] {
        for place in [&[][..], &["-k"]] {
            let args = [&["extract", "-s", "store"], place, &["blob.caibx", target]].concat();
            refused(&room, &args, &[target]);
        }
        if target != "directory" {
            refused(&room, &["make", &format!("{target}/x.caibx"), "blob"], &[target]);
        }
    }
    assert!(room.path("directory").is_dir());
    assert!(room.path("socket").symlink_metadata().unwrap().file_type().is_socket());
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn a_file_that_is_none_is_named_and_nobody_waits_for_it() {
    let room = Room::with_blob();
    room.create_dir("directory");
    mkfifo(&room, "fifo");
    for file in ["directory", "fifo", "/dev/zero", "missing"] {
        refused(&room, &["verify-index", "blob.caibx", file], &[file]);
        refused(&room, &["chop", "-s", "store", "blob.caibx", file], &[file]);
        let seed = format!("blob.caibx:{file}");
        refused(&room, &["extract", "-s", "store", "--seed", &seed, "blob.caibx", "out"], &[file]);
        if file != "directory" {
            refused(&room, &["extract", "-s", "store", "--seed-dir", file, "blob.caibx", "out"], &[file]);
        }
    }
    for file in ["directory", "/dev/zero", "missing"] {
        refused(&room, &["make", "new.caibx", file], &[file]);
        refused(&room, &["chunk", file], &[file]);
        refused(&room, &["--config", file, "list-chunks", "blob.caibx"], &[file]);
        refused(&room, &["info", "--chunks-info", file, "blob.caibx"], &[file]);
        refused(
            &room,
            &["cache", "--ignore-chunks", file, "-s", "store", "-c", "store", "blob.caibx"],
            &[file],
        );
    }
    for file in ["directory", "/dev/full"] {
        refused(&room, &["cat", "-s", "store", "blob.caibx", file], &[file]);
        refused(&room, &["inspect-chunks", "blob.caibx", file], &[file]);
    }
    assert!(!room.path("new.caibx").exists() && !room.path("out").exists());
}

#[test]
fn a_store_that_is_none_is_named() {
    let room = Room::with_blob();
    mkfifo(&room, "fifo");
    for store in ["missing", "blob", "fifo", "/dev/null"] {
        refused(&room, &["extract", "-s", store, "blob.caibx", "out"], &[store]);
        refused(&room, &["make", "-s", store, "new.caibx", "blob"], &[store]);
        refused(&room, &["verify", "-s", store], &[store]);
    }
    assert!(!room.path("new.caibx").exists());
}

#[test]
fn many_chunks_that_nobody_has_take_no_memory() {
    let room = Room::new();
    let items = (1..=1_000_000_u64).map(|n| IndexItem { end: n << 18, id: id_of(&n.to_le_bytes()) });
    room.write("big.caibx", &index(items.collect()).encode_to_vec().unwrap());
    refused(&room, &["extract", "-s", "store", "big.caibx", "out"], &["missing from store"]);
    refused(&room, &["cat", "-s", "store", "big.caibx"], &["missing from store"]);
    assert_eq!(run(&room, &["info", "-s", "store", "big.caibx"]).code, Some(0));
    assert!(!room.path("out").exists());
}
