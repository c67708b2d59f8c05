//! `verify` and `prune`.

use crate::room::{Room, blob};

#[test]
fn verify_reports_and_repairs() {
    let room = Room::with_blob();
    assert!(room.ok(&["verify", "-s", "store"]).is_empty());
    let files = room.files("store");
    room.write(&files[0], b"");
    std::fs::copy(room.path(&files[2]), room.path(&files[1])).unwrap();
    let id = |file: &str| file.split('/').nth(2).unwrap().trim_end_matches(".cacnk").to_owned();
    let run = room.run(&["verify", "-s", "store"]);
    assert_eq!((run.code, run.stdout.len()), (Some(1), 0));
    let mismatch = format!("chunk id {} does not match its hash {}\n", id(&files[1]), id(&files[2]));
    assert!(run.stderr.contains(&mismatch), "{run:?}");
    assert!(run.stderr.contains(&format!("invalid chunk {}: no data in chunk\n", id(&files[0]))), "{run:?}");
    let summary = format!("Error: 2 of {} chunks in 'store' are bad\n", files.len());
    assert!(run.stderr.ends_with(&summary), "{run:?}");
    let run = room.run(&["verify", "-s", "store", "-r"]);
    assert_eq!((run.code, run.stderr.matches(": removed\n").count()), (Some(0), 2), "{run:?}");
    assert_eq!(room.files("store").len(), files.len() - 2);
    room.ok(&["verify", "-n1", "-s", "store"]);
}

#[test]
fn defect_16_verify_checks_even_where_the_config_says_skip() {
    let room = Room::with_blob();
    room.write("config.json", br#"{"store-options": {"*": {"skip-verify": true}}}"#);
    room.write(&room.files("store")[0], b"damaged");
    let run = room.run(&["--config", "config.json", "verify", "-s", "store"]);
    assert!(run.code == Some(1) && run.stderr.contains("invalid chunk"), "{run:?}");
}

#[test]
fn verify_knows_chunks_by_either_digest_unless_one_is_insisted_upon() {
    let room = Room::with_blob();
    room.ok(&["--digest", "sha256", "make", "-s", "store", "sha256.caibx", "blob"]);
    room.ok(&["verify", "-s", "store"]);
    let run = room.run(&["--digest", "sha256", "verify", "-s", "store"]);
    assert!(run.code == Some(1) && run.stderr.contains("does not match its hash"), "{run:?}");
}

#[test]
fn only_local_stores_are_verified() {
    let room = Room::new();
    assert_eq!(room.fails(2, &["verify"]), "Error: no store provided\n");
    assert_eq!(room.fails(1, &["verify", "-s", "sftp://h/s"]), "Error: 'sftp://h/s' is not a local store\n");
    assert!(room.fails(1, &["verify", "-s", "no-dir"]).contains("no-dir is not a directory"));
}

/// Two versions in one store; only the second's chunks are kept by pruning with `v2.caibx`.
fn room_with_two_versions() -> Room {
    let room = Room::with_blob();
    let mut bytes = blob();
    bytes[550_000..].fill(9);
    room.write("v2", &bytes);
    room.ok(&["make", "-s", "store", "v2.caibx", "v2"]);
    room
}

#[test]
fn prune_asks_and_keeps_what_is_named() {
    let room = room_with_two_versions();
    let all = room.files("store");
    let ids = room.ok_text(&["list-chunks", "v2.caibx"]);
    let unique = ids.lines().collect::<std::collections::BTreeSet<_>>().len();
    let question = format!(
        "Warning: The provided index files reference {unique} unique chunks. Are you sure\n\
         you want to delete all other chunks from 'store'?\n[y/N]: "
    );
    for answer in ["", "\n", "n\n"] {
        let run =
            room.run_with_stdin(&["prune", "--grace-period=0", "-s", "store", "v2.caibx"], answer.as_bytes());
        assert_eq!((run.code, run.stdout, run.stderr.as_str()), (Some(0), question.clone().into_bytes(), ""));
        assert_eq!(room.files("store"), all);
    }
    let dry = room.ok_text(&["prune", "--grace-period=0", "--dry-run", "-s", "store", "v2.caibx"]);
    assert_eq!(dry.lines().count(), all.len() - unique);
    assert!(dry.lines().all(|id| !ids.contains(id) && all.iter().any(|file| file.contains(id))));
    let young = room.run_with_stdin(&["prune", "-s", "store", "v2.caibx"], b"y\n");
    assert!(young.code == Some(0) && room.files("store") == all, "chunks stay for a day");
    let run = room.run_with_stdin(&["prune", "--grace-period=0", "-s", "store", "v2.caibx"], b"y\n");
    assert_eq!((run.code, run.stdout), (Some(0), question.into_bytes()));
    assert_eq!(room.files("store").len(), unique);
    room.ok(&["extract", "-s", "store", "v2.caibx", "out"]);
    room.fails(1, &["extract", "-s", "store", "blob.caibx", "out2"]);
}

#[test]
fn prune_with_all_indexes_removes_nothing() {
    let room = room_with_two_versions();
    let all = room.files("store");
    assert!(
        room.ok(&["prune", "--yes", "--grace-period=0", "-s", "store", "v2.caibx", "blob.caibx"]).is_empty()
    );
    assert_eq!(room.files("store"), all);
    room.write("broken.caibx", b"x");
    room.fails(1, &["prune", "-y", "-s", "store", "v2.caibx", "broken.caibx"]);
    assert_eq!(room.files("store"), all, "nothing is removed before all indexes are read");
    assert_eq!(room.fails(2, &["prune", "-y", "v2.caibx"]), "Error: no store provided\n");
}
