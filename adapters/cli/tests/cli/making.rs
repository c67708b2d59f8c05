//! `make` and `chunk`.

use desync_core::DigestKind;

use crate::extracting::make_fifo;
use crate::room::{Room, blob};

/// The blob of the specification's test vector: 4 MiB of SHA-256 in counter mode.
fn vector() -> Vec<u8> {
    (0..131_072_u64)
        .flat_map(|i| {
            let block = [b"desync-vector".as_slice(), &i.to_le_bytes()].concat();
            DigestKind::Sha256.id_of(&block).0
        })
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    DigestKind::Sha256.id_of(bytes).to_string()
}

#[test]
fn indexes_equal_the_known_ones_for_any_number_of_workers() {
    let room = Room::new();
    room.write("v", &vector());
    assert_eq!(sha256(&room.read("v")), "8908fe1faf2ce22e4fae75895e92960dc73140521d7f31443701b1ec77ac97c2");
    for (sizes, sum) in [
        ("16:64:256", "d7ec52760ac0e44bbbd354533c4dbde938ffd761b0c8b93596ce5195d1785f84"),
        ("2:8:32", "0459ad1cf08e69cd0f52ad999a13656d3705041f9f265e70418f968613fb3681"),
    ] {
        for workers in ["1", "2", "3", "10"] {
            assert!(room.ok(&["make", "-n", workers, "-m", sizes, "v.caibx", "v"]).is_empty());
            assert_eq!(sha256(&room.read("v.caibx")), sum, "{sizes} with {workers} workers");
        }
    }
}

#[test]
fn stdin_and_stdout_can_stand_for_file_and_index() {
    let room = Room::with_blob();
    let index = room.read("blob.caibx");
    assert_eq!(room.ok(&["make", "-", "blob"]), index);
    room.create_dir("other");
    let run = room.run_with_stdin(&["make", "-s", "other", "-", "-"], &blob());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout == index, "another index");
    let names = |files: Vec<String>| -> Vec<String> {
        files.iter().map(|file| file.split('/').skip(1).collect::<Vec<_>>().join("/")).collect()
    };
    assert_eq!(names(room.files("other")), names(room.files("store")));
}

#[test]
fn an_empty_file_has_an_index_without_chunks() {
    let room = Room::new();
    room.write("empty", b"");
    assert_eq!(room.ok(&["make", "-", "empty"]).len(), 104);
    assert!(room.ok(&["chunk", "empty"]).is_empty());
}

#[test]
fn statistics_go_to_stderr() {
    let room = Room::with_blob();
    let run = room.run(&["make", "--print-stats", "-", "blob"]);
    let chunks = (run.stdout.len() - 104) / 40;
    let expected = format!("{{\n  \"ChunksAccepted\": {chunks},\n  \"ChunksProduced\": {chunks}\n}}\n");
    assert_eq!((run.code, run.stderr), (Some(0), expected));
}

#[test]
fn a_sha256_index_has_its_own_ids_and_flag() {
    let room = Room::with_blob();
    let index = room.ok(&["--digest", "sha256", "make", "-", "blob"]);
    assert_eq!(index[16..24], 0x8000_0000_0000_0000_u64.to_le_bytes());
    assert_eq!(room.read("blob.caibx")[16..24], 0xa000_0000_0000_0000_u64.to_le_bytes());
}

#[test]
fn a_failed_make_leaves_the_old_index_and_no_leftovers() {
    let room = Room::with_blob();
    let old = room.read("blob.caibx");
    room.fails(1, &["make", "-s", "nowhere", "blob.caibx", "blob"]);
    room.fails(1, &["make", "-s", "store", "blob.caibx", "no-such-file"]);
    assert!(room.read("blob.caibx") == old);
    assert_eq!(room.files(".").iter().filter(|file| file.contains(".tmp")).count(), 0);
    assert!(room.fails(1, &["make", "no-dir/blob.caibx", "blob"]).contains("no-dir/blob.caibx"));
}

#[test]
fn chunk_prints_what_make_records() {
    let room = Room::with_blob();
    let text = room.ok_text(&["chunk", "blob"]);
    let ids: Vec<&str> = text.lines().map(|line| line.split('\t').nth(2).unwrap()).collect();
    assert_eq!(ids.join("\n") + "\n", room.ok_text(&["list-chunks", "blob.caibx"]));
    let mut end = 0;
    for line in text.lines() {
        let fields: Vec<u64> = line.split('\t').take(2).map(|field| field.parse().unwrap()).collect();
        assert_eq!(fields[0], end);
        end += fields[1];
    }
    assert_eq!(end, blob().len() as u64);
}

#[test]
fn chunk_starts_where_it_is_told_and_counts_from_the_beginning() {
    let room = Room::with_blob();
    let all = room.ok_text(&["chunk", "blob"]);
    let second = all.lines().nth(1).unwrap().split('\t').next().unwrap();
    let rest: String = all.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert_eq!(room.ok_text(&["chunk", "-S", second, "blob"]), rest);
    assert!(room.ok(&["chunk", "--start=600000", "blob"]).is_empty());
    assert!(room.fails(1, &["chunk", "--start=600001", "blob"]).contains("600001"));
    let run = room.run_with_stdin(&["chunk", "-"], &blob());
    assert_eq!((run.code, run.stdout), (Some(0), all.into_bytes()));
    assert!(room.fails(2, &["chunk", "-S", "1", "-"]).contains("stdin"));
}

#[test]
fn defect_18_an_index_replaces_files_whole_and_is_written_to_anything_else() {
    let room = Room::with_blob();
    let index = room.read("blob.caibx");
    std::os::unix::fs::symlink("blob.caibx", room.path("link")).unwrap();
    room.write("blob.caibx", b"old");
    room.ok(&["make", "link", "blob"]);
    assert!(room.read("blob.caibx") == index && room.path("link").is_symlink());
    make_fifo(&room, "fifo");
    let reader = {
        let path = room.path("fifo");
        std::thread::spawn(move || std::fs::read(path).unwrap())
    };
    room.ok(&["make", "fifo", "blob"]);
    assert!(reader.join().unwrap() == index, "another index");
    assert!(room.fails(1, &["make", "store", "blob"]).starts_with("Error: store: "));
    assert_eq!(room.files(".").iter().filter(|file| file.contains(".tmp")).count(), 0);
}

#[test]
fn no_sync_and_sync_give_the_same() {
    let room = Room::with_blob();
    room.create_dir("other");
    room.ok(&["make", "--no-sync", "-s", "other", "other.caibx", "blob"]);
    assert!(room.read("other.caibx") == room.read("blob.caibx"));
    assert_eq!(room.files("other").len(), room.files("store").len());
}

#[test]
fn the_cut_rule_can_be_go_desyncs() {
    let room = Room::with_blob();
    for rule in ["casync", "desync"] {
        assert!(!room.ok(&["chunk", "--cut-rule", rule, "blob"]).is_empty());
    }
    assert!(room.fails(2, &["chunk", "--cut-rule=other", "blob"]).contains("'other'"));
}
