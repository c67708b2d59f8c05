//! `pull` behind a stand-in for ssh, for casync and any other desync on PATH; `serve-link` for a device on a
//! socket; chunks for devices.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use desync_core::Limits;
use desync_core::codec::{Decoder as _, ZstdDecoder, zstd::Frame};
use desync_core::format::Index;
use desync_core::format::index::Strictness;
use desync_core::protocol::link::{LinkClient, LinkEvent, LinkTurn, Timing, Want};

use crate::room::{Room, blob};

/// A stand-in for ssh that runs the remote command here: options and host are dropped, the rest goes to a
/// shell, as sshd would have it.
fn stand_in(room: &Room) -> std::path::PathBuf {
    let script = "#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do shift; done\nshift\nexec sh -c \"$*\"\n";
    room.write("ssh", script.as_bytes());
    let path = room.path("ssh");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Whether a program is installed. Says so if there is nothing to compare with.
#[allow(clippy::print_stderr, reason = "whoever runs the tests should know what did not run")]
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found.is_ok()
}

/// Extracts with another program through `pull`; gives its standard error.
fn extract_remotely(room: &Room, program: &str, store: &str) -> std::process::Output {
    let (index, store) =
        (room.path("blob.caibx"), store.replace("STORE", room.path("store").to_str().unwrap()));
    let mut command = Command::new(program);
    match program {
        "casync" => command.args(["extract", &format!("--store={store}")]),
        _ => command.args(["extract", "-s", &store]),
    };
    command.arg(index).arg(room.path("out")).current_dir(room.path("."));
    command.env("HOME", room.path(".")).env("CASYNC_SSH_PATH", stand_in(room));
    command.env("CASYNC_REMOTE_PATH", env!("CARGO_BIN_EXE_desync")).output().unwrap()
}

#[test]
fn pull_serves_casync() {
    if !has("casync") {
        return;
    }
    for args in [&["make"][..], &["make", "--profile", "device"]] {
        let room = Room::new();
        room.write("blob", &blob());
        room.ok(&[args, &["-s", "store", "blob.caibx", "blob"]].concat());
        let output = extract_remotely(&room, "casync", "host:STORE");
        assert!(output.status.success(), "{output:?}");
        assert!(room.read("out") == blob());
    }
}

#[test]
fn pull_serves_go_desync() {
    if !has("desync-go") {
        return;
    }
    for args in [&["make"][..], &["make", "--profile", "device"]] {
        let room = Room::new();
        room.write("blob", &blob());
        room.ok(&[args, &["-s", "store", "blob.caibx", "blob"]].concat());
        let output = extract_remotely(&room, "desync-go", "ssh://host/STORE");
        assert!(output.status.success(), "{output:?}");
        assert!(room.read("out") == blob());
    }
}

#[test]
fn pull_serves_stores_of_plain_chunks_compressed() {
    if !has("casync") {
        return;
    }
    let room = Room::new();
    room.write("blob", &blob());
    let config =
        format!(r#"{{"store-options": {{"{}": {{"uncompressed": true}}}}}}"#, room.path("store").display());
    room.create_dir(".config");
    room.create_dir(".config/desync");
    room.write(".config/desync/config.json", config.as_bytes());
    room.ok(&["make", "-s", "store", "blob.caibx", "blob"]);
    assert!(room.files("store").iter().all(|name| !name.ends_with(".cacnk")));
    let output = extract_remotely(&room, "casync", "host:STORE");
    assert!(output.status.success(), "{output:?}");
    assert!(room.read("out") == blob());
}

#[test]
fn pull_takes_exactly_three_dashes_and_a_local_store() {
    let room = Room::with_blob();
    room.fails(2, &["pull", "-", "-", "x", "store"]);
    room.fails(1, &["pull", "-", "-", "-", "http://host/store"]);
    assert_eq!(room.run(&["pull", "-", "-", "store"]).code, Some(2));
    // The end of the stream is a success, and hello is said before anything is read.
    let run = room.run_with_stdin(&["pull", "-", "-", "-", "store"], &[]);
    assert_eq!((run.code, run.stdout.len()), (Some(0), 24), "{run:?}");
    let run = room.run_with_stdin(&["pull", "-", "-", "-", "store"], b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("message of"), "{run:?}");
}

/// Fetches index and chunks as a device does, decodes within 4 KiB windows, and builds the blob.
fn update(line: &mut (impl Read + Write)) -> Vec<u8> {
    let mut buffer = [0; LinkClient::buffer_len(1024)];
    let mut client = LinkClient::new(&mut buffer, Timing { answer: 60_000, silence: 60_000 }, 7).unwrap();
    let mut fetch = |want| {
        client.want(want);
        let (mut whole, mut bytes) = (Vec::new(), [0; 4096]);
        loop {
            if let LinkTurn::Send(question) = client.turn(0) {
                line.write_all(question).unwrap();
            }
            let len = line.read(&mut bytes).unwrap();
            assert!(len > 0, "the host hung up");
            match client.receive(&mut &bytes[..len]) {
                Some(LinkEvent::Piece { data, last, .. }) => {
                    whole.extend(data);
                    if last {
                        return whole;
                    }
                }
                Some(LinkEvent::Opened { index_len, .. }) => return index_len.to_le_bytes().to_vec(),
                Some(LinkEvent::Closed) => return whole,
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
    };
    let index_len = u64::from_le_bytes(fetch(Want::Open).try_into().unwrap());
    let index = fetch(Want::Index { start: 0, end: index_len });
    let index = Index::parse(&index, &Limits::HOST, Strictness::Strict).unwrap();
    let limits = Limits { zstd_window_max: 4096, ..Limits::HOST };
    let mut blob = Vec::new();
    for entry in index.entries() {
        let stored = fetch(Want::Chunk { id: entry.id, start: 0, window_log: 12 });
        let mut plain = Vec::new();
        ZstdDecoder::new(&limits).decode(&stored, entry.len(), &mut plain).unwrap();
        assert_eq!(index.header.digest().id_of(&plain), entry.id);
        blob.extend(plain);
    }
    fetch(Want::Close { status: 0 });
    blob
}

#[test]
fn serve_link_updates_a_device_on_a_socket_that_hangs_up_once() {
    let room = Room::with_blob();
    let listener = UnixListener::bind(room.path("device")).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = format!("tcp:{}", tcp.local_addr().unwrap());
    let serve =
        |device: &str| room.command(&["serve-link", "-s", "store", "blob.caibx", device]).spawn().unwrap();
    let mut host = serve("device");
    drop(listener.accept().unwrap());
    assert!(update(&mut listener.accept().unwrap().0) == blob());
    assert!(host.wait().unwrap().success());
    let mut host = serve(&peer);
    assert!(update(&mut tcp.accept().unwrap().0) == blob());
    assert!(host.wait().unwrap().success());
}

#[test]
fn serve_link_says_what_is_wrong_with_a_device() {
    let room = Room::with_blob();
    let serve = |device: &str| room.run(&["serve-link", "-s", "store", "blob.caibx", device]);
    assert_eq!(serve("tcp:nowhere").code, Some(2));
    let run = serve("absent");
    assert!(run.code == Some(1) && run.stderr.contains("absent"), "{run:?}");
    let run = serve("blob");
    assert!(run.code == Some(1) && run.stderr.contains("blob"), "{run:?}");
    assert_eq!(room.run(&["serve-link", "blob.caibx", "device"]).code, Some(2));
}

#[test]
fn chunks_for_devices_have_small_windows_in_make_chop_and_cache() {
    let room = Room::new();
    // Text repeats itself over more than a window.
    let text: Vec<u8> =
        (0..60_000_u32).flat_map(|n| format!("line {} of {}\n", n % 977, n / 31).into_bytes()).collect();
    room.write("blob", &text);
    for store in ["made", "chopped", "copied"] {
        room.create_dir(store);
    }
    room.ok(&["make", "-s", "store", "-m", "16:64:256", "blob.caibx", "blob"]);
    room.ok(&["make", "--profile", "device", "-m", "16:64:256", "-s", "made", "same.caibx", "blob"]);
    room.ok(&["chop", "--profile", "device", "-s", "chopped", "blob.caibx", "blob"]);
    room.ok(&["cache", "--profile", "device", "-s", "store", "-c", "copied", "blob.caibx"]);
    assert!(room.read("same.caibx") == room.read("blob.caibx"));
    let windows = |store: &str| -> Vec<u64> {
        let frames = room.files(store).into_iter().map(|name| room.read(&name));
        frames.map(|frame| Frame::parse(&frame, 1 << 20, 1 << 30).unwrap().window_len()).collect()
    };
    assert!(windows("store").iter().any(|window| *window > 4096));
    for store in ["made", "chopped", "copied"] {
        let windows = windows(store);
        assert!(windows.len() > 5 && windows.iter().all(|window| *window <= 4096), "{store}: {windows:?}");
        room.ok(&["extract", "-s", store, "blob.caibx", "out"]);
        assert!(room.read("out") == text);
    }
    room.ok(&["make", "--profile", "device", "-s", "made", "small.caibx", "blob"]);
    let info = room.ok_text(&["info", "small.caibx"]);
    assert!(info.contains("\"chunk-size-max\": 32768"), "{info}");
    assert_eq!(room.run(&["make", "--profile", "toaster", "x", "blob"]).code, Some(2));
}
