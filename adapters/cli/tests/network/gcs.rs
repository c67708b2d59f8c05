//! Google Cloud Storage: its JSON interface as fake-gcs-server speaks it, and who asks, with a server of tokens
//! that is ours.

use desync_test_kit::servers::{GcsServer, have};

use crate::bucket::{every_command_works, what_is_used_again_stays};
use crate::room::{Room, blob};

/// A room with a blob and its chunks, and a server with the bucket `chunks`; nothing without the program.
fn place() -> Option<(Room, GcsServer)> {
    if !have(&[&GcsServer::program()]) {
        return None;
    }
    let room = Room::with_blob();
    room.create_dir("gcs");
    let server = GcsServer::start(&room.path("gcs"));
    server.make_bucket("chunks");
    Some((room, server))
}

#[test]
fn every_command_works_on_a_bucket() {
    let Some((room, server)) = place() else { return };
    let run = |args: &[&str]| {
        room.command(args).env("STORAGE_EMULATOR_HOST", server.host()).output().unwrap().into()
    };
    let url = |path: &str| format!("gs://{path}");
    every_command_works(&room, &run, &url, "gs://chunks/v1.caibx", false);
    let nowhere = run(&["cache", "-e", "0", "-s", "store", "-c", "gs://no-bucket/x", "blob.caibx"]);
    assert!(nowhere.code == Some(1) && nowhere.stderr.contains("no-bucket"), "{nowhere:?}");
}

#[test]
fn what_a_build_finds_stays() {
    let Some((room, server)) = place() else { return };
    let run = |args: &[&str]| {
        room.command(args).env("STORAGE_EMULATOR_HOST", server.host()).output().unwrap().into()
    };
    what_is_used_again_stays(&room, &run, &|path| format!("gs://{path}"), "gcs");
}

#[test]
fn a_server_that_was_killed_is_waited_for() {
    let Some((room, mut server)) = place() else { return };
    let emulator = ("STORAGE_EMULATOR_HOST", format!("http://{}", server.host()));
    let command = |args: &[&str]| {
        let mut command = room.command(args);
        command.env(emulator.0, &emulator.1);
        command
    };
    assert!(
        command(&["cache", "-s", "store", "-c", "gs://chunks", "blob.caibx"]).status().unwrap().success()
    );
    server.server.kill();
    let mut child =
        command(&["extract", "-e", "6", "-s", "gs://chunks", "blob.caibx", "out"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.server.restart();
    assert!(child.wait().unwrap().success());
    assert!(room.read("out") == blob());
}
