//! `verify-index`, `list-chunks`, `info`, `inspect-chunks`, and how indexes are read.

use crate::room::{Room, blob};

#[test]
fn verify_index_is_silent_or_names_the_difference() {
    let room = Room::with_blob();
    assert!(room.ok(&["verify-index", "blob.caibx", "blob"]).is_empty());
    let mut other = blob();
    other[300_000] = 1;
    room.write("other", &other);
    let text = room.fails(1, &["verify-index", "blob.caibx", "other"]);
    assert!(text.starts_with("Error: seed index for other doesn't match its data"), "{text}");
    room.write("short", &other[1..]);
    assert_eq!(
        room.fails(1, &["verify-index", "blob.caibx", "short"]),
        "Error: index size (600000) does not match file size (599999)\n"
    );
}

#[test]
fn list_chunks_reads_files_and_stdin() {
    let room = Room::with_blob();
    let text = room.ok_text(&["list-chunks", "blob.caibx"]);
    assert!(text.lines().count() > 2 && text.lines().all(|line| line.len() == 64), "{text}");
    let run = room.run_with_stdin(&["list-chunks", "-"], &room.read("blob.caibx"));
    assert_eq!((run.code, run.stdout), (Some(0), text.into_bytes()));
}

#[test]
fn info_counts_in_both_formats() {
    let room = Room::with_blob();
    let json = room.ok_text(&["info", "-s", "store", "--seed", "blob.caibx", "blob.caibx"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "total",
            "unique",
            "in-store",
            "in-seed",
            "in-cache",
            "not-in-seed-nor-cache",
            "size",
            "dedup-size-not-in-seed",
            "dedup-size-not-in-seed-nor-cache",
            "dedup-size-not-in-seed-nor-cache-compressed",
            "chunk-size-min",
            "chunk-size-avg",
            "chunk-size-max"
        ]
    );
    assert_eq!(value["in-store"], value["unique"]);
    assert_eq!(value["in-seed"], value["unique"]);
    assert_eq!((&value["size"], &value["dedup-size-not-in-seed"]), (&600_000.into(), &0.into()));
    let plain = room.ok_text(&["info", "--format=plain", "blob.caibx"]);
    let labels: Vec<&str> = plain.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        labels,
        [
            "Blob size",
            "Size of deduplicated chunks not in seed",
            "Size of deduplicated chunks not in seed nor cache",
            "Total chunks",
            "Unique chunks",
            "Chunks in store",
            "Chunks in seed",
            "Chunks in cache",
            "Chunks not in seed nor cache",
            "Compressed chunks not in seed nor cache",
            "Chunk size min",
            "Chunk size avg",
            "Chunk size max"
        ]
    );
    assert!(plain.starts_with("Blob size: 600000\n"), "{plain}");
    assert!(
        room.fails(2, &["info", "-f", "xml", "blob.caibx"]).contains("unsupported output format \"xml\"")
    );
}

#[test]
fn info_uses_what_inspect_chunks_wrote() {
    let room = Room::with_blob();
    room.ok(&["inspect-chunks", "-s", "store", "blob.caibx", "chunks.json"]);
    let json = room.ok(&["info", "--chunks-info", "chunks.json", "blob.caibx"]);
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let stored: u64 = room.files("store").iter().map(|file| room.read(file).len() as u64).sum();
    assert_eq!(value["dedup-size-not-in-seed-nor-cache-compressed"], stored);
    let text = String::from_utf8(room.read("chunks.json")).unwrap();
    let wrong = text.replacen("\"uncompressed_size\": ", "\"uncompressed_size\": 1", 1);
    room.write("chunks.json", wrong.as_bytes());
    let text = room.fails(1, &["info", "--chunks-info", "chunks.json", "blob.caibx"]);
    assert!(text.contains("the chunks info file has an unexpected size for the chunk"), "{text}");
}

#[test]
fn inspect_chunks_lists_every_chunk_and_stored_sizes_where_there_are_any() {
    let room = Room::with_blob();
    let plain: serde_json::Value =
        serde_json::from_slice(&room.ok(&["inspect-chunks", "blob.caibx"])).unwrap();
    let ids = room.ok_text(&["list-chunks", "blob.caibx"]);
    for (chunk, id) in plain.as_array().unwrap().iter().zip(ids.lines()) {
        assert_eq!(chunk["id"], id);
        assert_eq!(chunk.as_object().unwrap().len(), 2, "{chunk}");
    }
    let total: u64 = plain.as_array().unwrap().iter().map(|c| c["uncompressed_size"].as_u64().unwrap()).sum();
    assert_eq!(total, 600_000);
    std::fs::remove_file(room.path(&room.files("store")[0])).unwrap();
    let stored = room.ok_text(&["inspect-chunks", "-s", "store", "blob.caibx"]);
    assert!(stored.contains("\"compressed_size\": "), "{stored}");
    assert!(stored.matches("compressed_size").count() < 2 * ids.lines().count(), "{stored}");
    let text = room.fails(1, &["inspect-chunks", "-s", "http://host/", "blob.caibx"]);
    assert_eq!(text, "Error: 'http://host/' is not a local store\n");
}

#[test]
fn an_index_without_chunks_is_an_empty_array() {
    let room = Room::new();
    room.write("empty", b"");
    room.ok(&["make", "empty.caibx", "empty"]);
    assert_eq!(room.ok(&["inspect-chunks", "empty.caibx"]), b"[]\n");
    room.write("null.json", b"null\n");
    room.ok(&["info", "--chunks-info", "null.json", "empty.caibx"]);
    room.ok(&["verify-index", "empty.caibx", "empty"]);
    room.ok(&["extract", "-s", "store", "empty.caibx", "out"]);
    assert!(room.read("out").is_empty());
}

#[test]
fn index_errors_begin_with_the_location_as_given() {
    let room = Room::with_blob();
    room.write("text", b"this is not an index, but longer than one header of 64 bytes is to be");
    room.write("cut", &room.read("blob.caibx")[..200]);
    for (name, cause) in [
        ("no-such", "No such file"),
        ("./text", "not an index file"),
        ("cut", "truncated"),
        (".", "directory"),
    ] {
        for command in [&["list-chunks"][..], &["info"], &["cat", "-s", "store"], &["inspect-chunks"]] {
            let text = room.fails(1, &[command, &[name]].concat());
            assert!(text.starts_with(&format!("Error: {name}: ")) && text.contains(cause), "{text}");
        }
    }
}

#[test]
fn defect_49_a_name_need_not_be_a_url() {
    let room = Room::with_blob();
    for name in ["12:30.caibx", "100%.caibx", "x\\y.caibx", "a b.caibx"] {
        std::fs::copy(room.path("blob.caibx"), room.path(name)).unwrap();
        room.ok(&["verify-index", name, "blob"]);
        room.ok(&["make", name, "blob"]);
    }
}

#[test]
fn another_digest_than_insisted_upon_is_refused_and_otherwise_followed() {
    let room = Room::with_blob();
    room.ok(&["--digest=sha256", "make", "-s", "store", "sha256.caibx", "blob"]);
    let text = room.fails(1, &["--digest=sha512-256", "list-chunks", "sha256.caibx"]);
    assert_eq!(text, "Error: sha256.caibx: index file uses SHA256\n");
    let text = room.fails(1, &["verify-index", "--digest=sha256", "blob.caibx", "blob"]);
    assert_eq!(text, "Error: blob.caibx: index file uses SHA512-256\n");
    room.ok(&["verify-index", "sha256.caibx", "blob"]);
    room.ok(&["extract", "-s", "store", "sha256.caibx", "out"]);
    assert!(room.read("out") == blob());
}

#[test]
fn stdin_can_be_read_once() {
    let room = Room::with_blob();
    let text = room.fails(2, &["prune", "-y", "-s", "store", "-", "-"]);
    assert!(text.contains("only one index can be read from stdin"), "{text}");
}

#[test]
fn places_that_hold_no_indexes_are_refused_by_name() {
    let room = Room::new();
    assert!(
        room.fails(1, &["list-chunks", "ssh://h/x.caibx"]).contains("not supported by ssh remote stores")
    );
    assert!(
        room.fails(1, &["list-chunks", "oci+https://h/x"]).contains("not supported by oci registry stores")
    );
    assert!(room.fails(1, &["list-chunks", "http://h/x.caibx"]).contains("http"));
}
