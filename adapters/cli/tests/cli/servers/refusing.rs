//! What is refused: told to the client, logged, in bounded memory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Server, ask_on, chunk_paths, until};
use crate::room::Room;

#[test]
fn hostile_requests_are_refused_and_logged() {
    let room = Room::with_blob();
    let server = Server::chunks(&room, &["-s", "store", "-w", "--log", "requests.log"]);
    let path = chunk_paths(&room, "store").remove(0);
    let status = |head: &str| server.ask(head, b"").status;
    for (target, expected) in [
        ("/", 400),
        ("/../../etc/passwd", 301),
        ("/%2e%2e/%2e%2e/etc/passwd", 400),
        ("/abcd/%00", 400),
        ("/abcd/%ff%fe", 400),
        (&path.replace(".cacnk", ""), 400),
        (&format!("/0000{}", &path[5..]), 400),
        (&format!("/{}", "a".repeat(60_000)), 400),
    ] {
        assert_eq!(status(&format!("GET {target} HTTP/1.1")), expected, "{target:.80}");
    }
    assert_eq!(status(&format!("PUT {path} HTTP/1.1\r\nContent-Length: 1000000000000")), 413);
    // The answer may be lost, since the connection is closed before all of the head was read.
    let long = format!("GET {path} HTTP/1.1\r\nX-Long: {}", "x".repeat(1 << 20));
    if let Ok(answer) = ask_on(server.connect(), &long, b"") {
        assert_eq!(answer.status, 431);
    }
    assert_eq!(status("GET nonsense"), 400);
    assert_eq!(status(&format!("GET {path} HTTP/1.1")), 200);
    // Bodies that never come and bodies that never end take no memory.
    let mut waiting = Vec::new();
    for _ in 0..40 {
        let mut stream = server.connect();
        write!(stream, "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\nx").unwrap();
        waiting.push(stream);
    }
    assert_eq!(status(&format!("GET {path} HTTP/1.1")), 200);
    assert!(server.peak_memory() < 64 << 10, "{} KiB", server.peak_memory());
    let log = String::from_utf8(room.read("requests.log")).unwrap();
    for line in [
        "Request: GET /, Response: 400",
        "Request: GET /../../etc/passwd, Response: 301",
        "Request: GET /abcd/%00, Response: 400",
        "Response: 413",
        "Refused: 431 Request Header Fields Too Large",
        "Refused: 400 Bad Request",
    ] {
        assert!(log.contains(line), "{line}: {log:.3000}");
    }
    assert!(log.contains(&format!("Request: GET {path}, Response: 200\n")));
    assert_eq!(log.as_bytes()[..20].iter().filter(|b| **b == b'/' || **b == b':').count(), 4, "{log:.200}");
}

#[test]
fn only_the_right_authorization_is_let_in() {
    let room = Room::with_blob();
    let path = chunk_paths(&room, "store").remove(0);
    let server = Server::chunks(&room, &["-s", "store", "--authorization", "Bearer right"]);
    for (header, expected) in [
        ("X: y", 401),
        ("Authorization: Bearer wrong", 401),
        ("Authorization: Bearer right ", 200),
        ("Authorization: bearer right", 401),
        ("Authorization: Bearer right", 200),
    ] {
        let answer = server.ask(&format!("GET {path} HTTP/1.1\r\n{header}"), b"");
        assert_eq!(answer.status, expected, "{header}");
        assert!(expected == 200 || answer.text() == "Unauthorized\n");
    }
    let shared = server.ask(&format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer right"), b"");
    assert!(shared.header("cache-control").starts_with("private"), "{shared:?}");
    drop(server);
    let output = room.run(&["chunk-server", "-s", "store", "--cert", "c"]);
    assert!(output.code == Some(2) && output.stderr.contains("provided together"), "{output:?}");
}

#[test]
fn no_secret_among_the_arguments_is_in_listings_of_processes() {
    let room = Room::with_blob();
    let key = "ab".repeat(32);
    let args = ["-s", "http://me:hunter2@127.0.0.1:1/s?hunter2", "--encryption-key", &key];
    let server = Server::chunks(&room, &[&args[..], &["--authorization=hunter2", "-n", "3"]].concat());
    let listed = std::fs::read_to_string(format!("/proc/{}/cmdline", server.id())).unwrap();
    let expected = [
        "-s\0http://me:xxxxxxx@127.0.0.1:1/s?xxxxxxx\0--encryption-key",
        &"xx".repeat(32),
        "--authorization=xxxxxxx\0-n\x003\0",
    ];
    assert!(listed.ends_with(&expected.join("\0")), "{listed:?}");
    // What it took is as it was given.
    let ask =
        |authorization: &str| server.ask(&format!("GET / HTTP/1.1\r\nAuthorization: {authorization}"), b"");
    assert_eq!((ask("xxxxxxx").status, ask("hunter2").status != 401), (401, true));
    let said = server.stop();
    assert!(!said.contains("hunter2") && !said.contains(&key) && !said.contains("listings"), "{said}");
}

#[test]
fn slow_clients_do_not_keep_a_fast_one_waiting() {
    let room = Room::with_blob();
    let path = chunk_paths(&room, "store").remove(0);
    let server = Server::chunks(&room, &["-s", "store"]);
    // Their ends here are open files of ours.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let mut slow: Vec<TcpStream> = (0..2000).map(|_| server.connect()).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        match number % 3 {
            // A head that never ends, an answer that is never read, nothing at all.
            0 => write!(stream, "GET {path} HTTP/1.1\r\n").unwrap(),
            1 => write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap(),
            _ => {}
        }
    }
    for _ in 0..50 {
        assert_eq!(server.get(&path).status, 200);
    }
    // They are served, too, once they wake up.
    write!(slow[0], "Host: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    slow[0].read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    assert!(server.peak_memory() < 64 << 10, "{} KiB", server.peak_memory());
}

#[test]
fn more_connections_than_allowed_are_turned_away() {
    let room = Room::with_blob();
    let path = chunk_paths(&room, "store").remove(0);
    let server = Server::chunks(&room, &["-s", "store", "--max-connections", "2", "--log", "requests.log"]);
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = server.connect();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 15]).unwrap();
            stream
        })
        .collect();
    let mut third = server.connect();
    assert_eq!(third.read(&mut [0]).unwrap_or(0), 0, "closed at once");
    // It is closed before it is logged.
    until("the refusal is logged", || {
        String::from_utf8(room.read("requests.log")).unwrap().contains("Refused: too many connections")
    });
    drop(held);
    // Their places are free once the server has noticed.
    while ask_on(server.connect(), "GET / HTTP/1.1", b"").is_err() {}
}
