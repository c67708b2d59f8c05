//! `chop` and `cache`.

use crate::room::Room;

#[test]
fn chop_fills_a_store_from_a_blob() {
    let room = Room::with_blob();
    room.create_dir("other");
    assert!(room.ok(&["chop", "-s", "other", "blob.caibx", "blob"]).is_empty());
    assert_eq!(room.files("other").len(), room.files("store").len());
    room.ok(&["extract", "-s", "other", "blob.caibx", "out"]);
    assert!(room.fails(2, &["chop", "blob.caibx", "blob"]).contains("no target store provided"));
    room.write("wrong", &[0; 600_000]);
    let text = room.fails(1, &["chop", "-s", "other", "blob.caibx", "wrong"]);
    assert!(text.contains("wrong: bytes "), "{text}");
}

#[test]
fn cache_copies_what_the_target_lacks() {
    let room = Room::with_blob();
    room.create_dir("other");
    room.ok(&["cache", "-s", "store", "-c", "other", "blob.caibx", "blob.caibx"]);
    room.ok(&["extract", "-s", "other", "blob.caibx", "out"]);
    let run = room.run_with_stdin(&["cache", "-s", "store", "-c", "other", "-"], &room.read("blob.caibx"));
    assert_eq!(run.code, Some(0));
    assert!(room.fails(2, &["cache", "-c", "other", "blob.caibx"]).contains("no source store provided"));
    assert!(
        room.fails(2, &["cache", "-s", "store", "blob.caibx"]).contains("no target cache store provided")
    );
}

#[test]
fn ignored_chunks_are_left_out() {
    let room = Room::with_blob();
    let ids = room.ok_text(&["list-chunks", "blob.caibx"]);
    let first = ids.lines().next().unwrap();
    room.write("ids", format!("\n  {first}  \r\n\n").as_bytes());
    for command in [&["chop", "blob.caibx", "blob", "-s"][..], &["cache", "blob.caibx", "-s", "store", "-c"]]
    {
        let target = command[0];
        room.create_dir(target);
        room.ok(&[command, &[target, "--ignore-chunks", "ids"]].concat());
        let kept = room.files(target);
        assert!(!kept.is_empty() && kept.iter().all(|file| !file.contains(first)), "{kept:?}");
        let all = format!("{target}-none");
        room.create_dir(&all);
        room.ok(&[command, &[all.as_str(), "--ignore", "blob.caibx"]].concat());
        assert!(room.files(&all).is_empty());
    }
    room.write("ids", format!("{first}\n{first}0\n").as_bytes());
    let text = room.fails(1, &["chop", "-s", "store", "--ignore-chunks", "ids", "blob.caibx", "blob"]);
    assert!(text.contains("ids: line 2 is not a chunk ID"), "{text}");
}

#[test]
fn forms_are_converted_between_stores() {
    let room = Room::with_blob();
    room.create_dir("plain");
    room.write("config.json", br#"{"store-options": {"plain/": {"uncompressed": true}}}"#);
    room.ok(&["--config", "config.json", "cache", "-s", "store", "-c", "plain", "blob.caibx"]);
    assert!(room.files("plain").iter().all(|file| !file.ends_with(".cacnk")));
    room.ok(&["extract", "--config=config.json", "-s", "plain", "blob.caibx", "out"]);
    assert!(room.read("out") == room.read("blob"));
    room.fails(1, &["extract", "-s", "plain", "blob.caibx", "out"]);
}
