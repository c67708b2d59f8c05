//! `extract` and `cat`.

use std::os::unix::fs::FileTypeExt;

use crate::room::{Room, blob};

/// A changed version of the blob in the room, as `v2` with index `v2.caibx`, its chunks in the store.
fn add_second_version(room: &Room) -> Vec<u8> {
    let mut bytes = blob();
    bytes[100_000..100_100].fill(7);
    room.write("v2", &bytes);
    room.ok(&["make", "-s", "store", "v2.caibx", "v2"]);
    bytes
}

fn stats(room: &Room, args: &[&str]) -> serde_json::Value {
    let line = [&["extract", "--print-stats", "-s", "store"], args].concat();
    serde_json::from_slice(&room.ok_with_warnings(&line).0).unwrap()
}

#[test]
fn what_was_made_comes_back() {
    let room = Room::with_blob();
    for workers in ["1", "2", "10"] {
        assert!(room.ok(&["extract", "-n", workers, "-s", "store", "blob.caibx", "out"]).is_empty());
        assert!(room.read("out") == blob());
    }
    let index = room.read("blob.caibx");
    let run = room.run_with_stdin(&["extract", "-s", "store", "-", "-"], &index);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout == blob());
}

#[test]
fn statistics_have_exactly_the_known_keys_in_order() {
    let room = Room::with_blob();
    let text = room.ok_text(&["extract", "--print-stats", "-s", "store", "blob.caibx", "out"]);
    let keys: Vec<&str> = text.lines().filter_map(|line| line.split('"').nth(1)).collect();
    assert_eq!(
        keys,
        [
            "chunks-from-seeds",
            "chunks-from-store",
            "chunks-in-place",
            "bytes-copied-from-seeds",
            "bytes-cloned-from-seeds",
            "blocksize",
            "bytes-total",
            "chunks-total",
            "seeds"
        ]
    );
    assert!(text.starts_with("{\n  \"chunks-from-seeds\": "), "{text}");
    let text = room.fails(2, &["extract", "--print-stats", "-s", "store", "blob.caibx", "-"]);
    assert!(text.contains("--print-stats"), "{text}");
}

#[test]
fn seeds_in_every_form_save_fetching() {
    let room = Room::with_blob();
    let second = add_second_version(&room);
    let plain = stats(&room, &["v2.caibx", "out"]);
    let from_store = |stats: &serde_json::Value| stats["chunks-from-store"].as_u64().unwrap();
    for seed in [
        &["--seed", "blob.caibx"][..],
        &["--seed", "blob.caibx:blob"],
        &["--seed", "blob"],
        &["--seed-pair", "blob.caibx", "blob"],
        &["--seed-dir", "."],
    ] {
        std::fs::remove_file(room.path("v2")).ok();
        let found = stats(&room, &[seed, &["v2.caibx", "out"]].concat());
        assert!(room.read("out") == second, "{seed:?}");
        assert!(from_store(&found) < from_store(&plain), "{seed:?}: {found}");
        assert_eq!(found["seeds"], 2, "{seed:?}");
    }
}

#[test]
fn an_invalid_seed_fails_or_is_skipped_or_regenerated() {
    let room = Room::with_blob();
    let second = add_second_version(&room);
    let mut lying = blob();
    lying[10..20].fill(1);
    lying[550_000..550_010].fill(1);
    room.write("blob", &lying);
    let base = ["extract", "-s", "store", "--seed", "blob.caibx", "v2.caibx", "out"];
    let text = room.fails(1, &base);
    assert!(text.contains("seed index for blob doesn't match its data"), "{text}");
    assert!(!room.path("out").exists());
    for flag in ["--skip-invalid-seeds", "--regenerate-invalid-seeds"] {
        let (_, warnings) = room.ok_with_warnings(&[&base[..], &[flag]].concat());
        assert!(room.read("out") == second, "{flag}");
        // What is cut anew is right; what is skipped is told, once.
        assert_eq!(warnings.lines().count(), usize::from(flag == "--skip-invalid-seeds"), "{warnings}");
    }
    let both = [&base[..], &["--skip-invalid-seeds", "--regenerate-invalid-seeds"]].concat();
    assert!(room.fails(2, &both).contains("is not possible to use at the same time"));
}

#[test]
fn defect_70_unreadable_seed_indexes_are_skipped_or_done_without() {
    let room = Room::with_blob();
    let second = add_second_version(&room);
    room.write("blob.caibx", b"no index");
    let base = ["--seed", "blob.caibx", "v2.caibx", "out"];
    let skipped = stats(&room, &[&base[..], &["--skip-invalid-seeds"]].concat());
    assert!(room.read("out") == second && skipped["seeds"] == 1, "{skipped}");
    let recut = stats(&room, &[&base[..], &["--regenerate-invalid-seeds"]].concat());
    assert!(room.read("out") == second && recut["seeds"] == 2, "{recut}");
    assert!(recut["chunks-from-store"].as_u64() < skipped["chunks-from-store"].as_u64(), "{recut}");
}

#[test]
fn in_place_keeps_what_is_right_and_what_was_done() {
    let room = Room::with_blob();
    let second = add_second_version(&room);
    room.write("out", &blob());
    let found = stats(&room, &["-k", "v2.caibx", "out"]);
    assert!(room.read("out") == second);
    assert!(found["chunks-in-place"].as_u64().unwrap() > 0, "{found}");
    let again = stats(&room, &["-k", "v2.caibx", "out"]);
    assert_eq!(again["chunks-from-store"], 0, "{again}");
}

#[test]
fn defect_1_a_failed_extract_leaves_the_old_file() {
    let room = Room::with_blob();
    room.create_dir("empty");
    room.write("out", b"old");
    let text = room.fails(1, &["extract", "-s", "empty", "blob.caibx", "out"]);
    assert!(text.contains("missing from store"), "{text}");
    assert_eq!(room.read("out"), b"old");
    assert!(room.files(".").iter().all(|file| !file.starts_with("./.out")), "{:?}", room.files("."));
}

#[test]
fn a_fifo_is_written_in_order_and_stays_one() {
    let room = Room::with_blob();
    make_fifo(&room, "fifo");
    let reader = {
        let path = room.path("fifo");
        std::thread::spawn(move || std::fs::read(path).unwrap())
    };
    room.ok(&["extract", "-s", "store", "blob.caibx", "fifo"]);
    assert!(reader.join().unwrap() == blob());
    assert!(room.path("fifo").metadata().unwrap().file_type().is_fifo());
}

pub(crate) fn make_fifo(room: &Room, name: &str) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, room.path(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn wrong_arguments_are_told_in_this_order() {
    let room = Room::with_blob();
    let cert = ["extract", "--client-cert", "c", "same", "same"];
    assert!(room.fails(2, &cert).contains("--client-key and --client-cert"));
    assert!(room.fails(2, &["extract", "same", "same"]).contains("input and output filenames match"));
    assert!(room.fails(2, &["extract", "blob.caibx", "out"]).contains("no store provided"));
    let seed = ["extract", "-s", "store", "--seed", "nothing", "blob.caibx", "out"];
    assert!(room.fails(2, &seed).contains("the provided seed argument \"nothing\" seems to be malformed"));
    let text = room.fails(1, &["extract", "-s", "store", "--seed", "no.caibx", "blob.caibx", "out"]);
    assert!(text.starts_with("Error: no.caibx: "), "{text}");
}

#[test]
fn a_cache_is_filled_and_repaired() {
    let room = Room::with_blob();
    room.create_dir("cache");
    let line = ["extract", "-s", "store", "-c", "cache", "blob.caibx", "out"];
    room.ok(&line);
    let kept = room.files("cache");
    assert!(!kept.is_empty());
    room.write(&kept[0], b"damaged");
    let text = room.fails(1, &[&line[..], &["--cache-repair=false"]].concat());
    assert!(text.contains("invalid chunk"), "{text}");
    room.ok(&line);
    assert!(room.read(&kept[0]) != b"damaged");
    room.ok(&["extract", "-s", "cache", "blob.caibx", "out"]);
}

#[test]
fn stores_are_asked_in_order_and_groups_fail_over() {
    let room = Room::with_blob();
    room.create_dir("empty");
    room.ok(&["extract", "-s", "empty", "-s", "store", "blob.caibx", "out"]);
    room.ok(&["extract", "-s", "empty,store", "blob.caibx", "out"]);
    let text = room.fails(1, &["extract", "-s", "empty|store", "blob.caibx", "out"]);
    assert!(text.contains("missing from store"), "a group has one content: {text}");
}

#[test]
fn defect_49_stores_can_have_any_names() {
    let room = Room::with_blob();
    for name in ["a|b", "a,b", "100%", "c:d"] {
        std::fs::rename(room.path("store"), room.path(name)).unwrap();
        room.ok(&["extract", "-s", &format!("\"{name}\""), "blob.caibx", "out"]);
        room.ok(&["verify", "-s", name]);
        std::fs::rename(room.path(name), room.path("store")).unwrap();
    }
}

#[test]
fn cat_writes_ranges() {
    let room = Room::with_blob();
    let bytes = blob();
    let cat = |args: &[&str]| room.ok(&[&["cat", "-s", "store", "blob.caibx"], args].concat());
    assert!(cat(&[]) == bytes);
    assert!(cat(&["-o", "199990", "-l", "20"]) == bytes[199_990..200_010]);
    assert!(cat(&["--offset=0x10"]) == bytes[16..]);
    assert!(cat(&["-o", "600000"]).is_empty());
    assert!(cat(&["--length=-1"]) == bytes);
    assert!(cat(&["-l", "5", "-"]) == bytes[..5]);
    assert!(cat(&["part", "-l", "5"]).is_empty());
    assert_eq!(room.read("part"), bytes[..5]);
}

#[test]
fn cat_tells_what_it_could_not_give() {
    let room = Room::with_blob();
    let run = room.run(&["cat", "-s", "store", "-o", "599990", "-l", "20", "blob.caibx"]);
    assert!(
        run.code == Some(1) && run.stdout == blob()[599_990..] && run.stderr.starts_with("Error: EOF"),
        "{run:?}"
    );
    assert!(room.fails(1, &["cat", "-s", "store", "-o", "600001", "blob.caibx"]).contains("600001"));
    let text = room.fails(2, &["cat", "-s", "store", "-o", "-5", "blob.caibx"]);
    assert!(text.contains("unable to seek before start of file"), "{text}");
}

#[test]
fn defect_85_an_output_file_is_not_touched_before_the_rest_is_right() {
    let room = Room::with_blob();
    room.write("out", b"old");
    room.fails(1, &["cat", "-s", "store", "no.caibx", "out"]);
    room.fails(1, &["cat", "-s", "nowhere", "blob.caibx", "out"]);
    room.fails(1, &["inspect-chunks", "no.caibx", "out"]);
    assert_eq!(room.read("out"), b"old");
}
