//! A server's life: handed-over sockets, readiness, reload under load, the end.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;

use super::{Server, ask_on, chunk_paths, until};
use crate::room::Room;

#[test]
fn defect_48_hang_ups_under_load_lose_no_request() {
    let room = Room::with_blob();
    room.create_dir("both");
    room.ok(&["cache", "-s", "store", "-c", "both", "blob.caibx"]);
    let write = |store: &str| room.write("stores.json", format!(r#"{{"stores": ["{store}"]}}"#).as_bytes());
    write("store");
    let server = Server::chunks(&room, &["--store-file", "stores.json", "--log", "requests.log"]);
    let paths = chunk_paths(&room, "store");
    let (stop, answered, failed) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for first in 0..3 {
            let (server, paths, stop, answered, failed) = (&server, &paths, &stop, &answered, &failed);
            scope.spawn(move || {
                for number in first.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let head = format!("GET {} HTTP/1.1", paths[number % paths.len()]);
                    let answer = server.try_connect().and_then(|stream| ask_on(stream, &head, b""));
                    // Told after the load, so that nobody waits for a thread that gave up.
                    if !answer.as_ref().is_ok_and(|answer| answer.status == 200) {
                        failed.lock().unwrap().push(format!("{answer:?}"));
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..20_u64 {
            write(if round % 2 == 0 { "both" } else { "store" });
            // The log is moved away, as `logrotate` does.
            let _ = std::fs::rename(room.path("requests.log"), room.path("old.log"));
            server.signal(Signal::HUP);
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < before + 10 {
                std::thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(failed.into_inner().unwrap(), [""; 0]);
    // The last hang-up may be heard after the last answer.
    until("the log is opened anew", || room.path("requests.log").exists());
    // What cannot be opened changes nothing.
    room.write("stores.json", b"{");
    server.signal(Signal::HUP);
    write("no-such-store");
    server.signal(Signal::HUP);
    assert_eq!(server.get(&paths[0]).status, 200);
    let said = server.stop();
    assert!(said.contains("failed to reload configuration: "), "{said}");
}

#[test]
fn defect_48_a_hang_up_has_the_config_read_again_by_servers_too() {
    let room = Room::with_blob();
    room.create_dir("plain");
    let config = |uncompressed: bool| {
        let text = format!(r#"{{"store-options": {{"plain": {{"uncompressed": {uncompressed}}}}}}}"#);
        room.write("config.json", text.as_bytes());
    };
    config(true);
    room.ok(&["--config", "config.json", "cache", "-s", "store", "-c", "plain", "blob.caibx"]);
    config(false);
    room.write("stores.json", br#"{"stores": ["plain"]}"#);
    let args =
        ["--config", "config.json", "chunk-server", "-l", "127.0.0.1:0", "--store-file", "stores.json"];
    let server = Server::start(&room, &args, 1);
    let path = chunk_paths(&room, "store").remove(0);
    assert_eq!(server.get(&path).status, 404);
    config(true);
    server.signal(Signal::HUP);
    until("the config is in force", || server.get(&path).status == 200);
    server.stop();
}

#[test]
fn term_finishes_what_is_under_way_and_takes_nothing_new() {
    let room = Room::with_blob();
    room.create_dir("target");
    let path = chunk_paths(&room, "store").remove(0);
    let body = room.read(&format!("store{path}"));
    let server = Server::chunks(&room, &["-s", "target", "-w"]);
    let (mut under_way, mut idle) = (server.connect(), server.connect());
    write!(idle, "HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 12]).unwrap();
    let (head, tail) = body.split_at(body.len() / 2);
    write!(under_way, "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    under_way.write_all(head).unwrap();
    // Until the server has the request, it may turn the connection away: give it time to read.
    std::thread::sleep(std::time::Duration::from_millis(500));
    server.signal(Signal::TERM);
    let address = server.address();
    until("connections are refused", || std::net::TcpStream::connect(address).is_err());
    under_way.write_all(tail).unwrap();
    let mut answer = Vec::new();
    under_way.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
    let (status, said) = server.end();
    assert_eq!(status.code(), Some(0), "{said}");
    room.ok(&["verify", "-s", "target"]);
    assert_eq!(room.files("target").len(), 1);
}

#[test]
fn sockets_are_taken_over_and_readiness_is_told() {
    let room = Room::with_blob();
    let socket = UnixDatagram::bind(room.path("notify")).unwrap();
    socket.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    let script = format!("LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&{}", listener.as_raw_fd());
    let program = env!("CARGO_BIN_EXE_desync");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", program, "--verbose", "chunk-server", "-s", "store"]);
    command.current_dir(room.path(".")).env("HOME", room.path(".")).env("NOTIFY_SOCKET", room.path("notify"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let server = Server::spawn(&mut command, 1);
    assert_eq!(server.address(), listener.local_addr().unwrap());
    let mut word = [0; 32];
    let mut hear = || {
        let len = socket.recv(&mut word).unwrap();
        String::from_utf8(word[..len].to_vec()).unwrap()
    };
    assert_eq!(hear(), "READY=1");
    let path = chunk_paths(&room, "store").remove(0);
    assert_eq!(ask_on(server.connect(), &format!("GET {path} HTTP/1.1"), b"").unwrap().status, 200);
    server.signal(Signal::TERM);
    assert_eq!(hear(), "STOPPING=1");
    assert_eq!(server.end().0.code(), Some(0));
}

#[test]
fn what_cannot_be_served_is_told_at_once() {
    let room = Room::with_blob();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = room.fails(1, &["chunk-server", "-s", "store", "-l", &address]);
    assert!(text.starts_with(&format!("Error: listen on {address}: ")), "{text}");
    for (args, message) in [
        (&["chunk-server", "-l", ":0"][..], "no store provided"),
        (&["index-server", "-l", ":0"], "no store provided"),
        (&["chunk-server", "-s", "store", "-l", "nonsense"], "invalid address 'nonsense'"),
        (
            &["chunk-server", "-s", "a", "--store-file", "f"],
            "--store and --store-file can't be used together",
        ),
        (&["chunk-server", "-s", "store", "--mutual-tls"], "need --cert and --key"),
    ] {
        let text = room.fails(2, args);
        assert!(text.contains(message), "{args:?}: {text}");
    }
    let text = room.fails(1, &["chunk-server", "-s", "nowhere", "--encryption"]);
    assert_eq!(text, "Error: no encryption key configured\n");
    assert!(room.fails(1, &["chunk-server", "-s", "nowhere"]).contains("nowhere is not a directory"));
    assert!(room.fails(1, &["index-server", "-s", "nowhere"]).contains("nowhere is not a directory"));
}
