//! What clients put.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;

use super::{Server, ask_on, chunk_paths, until};
use crate::room::{Room, blob};

fn put(server: &Server, path: &str, body: &[u8]) -> super::Answer {
    server.ask(&format!("PUT {path} HTTP/1.1\r\nContent-Length: {}", body.len()), body)
}

#[test]
fn chunks_are_put_in_any_form_and_checked_if_that_is_asked_for() {
    let room = Room::with_blob();
    room.create_dir("target");
    let paths = chunk_paths(&room, "store");
    let server = Server::chunks(&room, &["-s", "target", "-w", "--skip-verify-write=false"]);
    for path in &paths {
        let answer = put(&server, path, &room.read(&format!("store{path}")));
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
    }
    let wrong = put(&server, &paths[0], &room.read(&format!("store{}", paths[1])));
    assert!(wrong.status == 400 && wrong.text().contains("does not match its hash"), "{wrong:?}");
    assert_eq!(put(&server, &paths[0], b"no chunk").status, 400);
    server.stop();
    room.ok(&["verify", "-s", "target"]);
    room.ok(&["extract", "-s", "target", "blob.caibx", "out"]);
    assert!(room.read("out") == blob());

    let server = Server::chunks(&room, &["-s", "store"]);
    let answer = put(&server, &paths[0], b"x");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (400, "writing to upstream chunk store is not enabled\n")
    );
    drop(server);
    let text = room.fails(2, &["chunk-server", "-w", "-s", "store", "-c", "target", "-l", "127.0.0.1:0"]);
    assert_eq!(text, "Error: Only one upstream store supported for writing and no cache\n");
    room.fails(2, &["chunk-server", "-w", "-s", "store", "-s", "target", "-l", "127.0.0.1:0"]);
}

#[test]
fn only_indexes_are_taken_whole_and_durably() {
    let room = Room::with_blob();
    room.create_dir("indexes");
    let index = room.read("blob.caibx");
    let server = Server::indexes(&room, &["-s", "indexes", "-w"]);
    assert_eq!(put(&server, "/new.caibx", &index).status, 200);
    assert!(room.read("indexes/new.caibx") == index);
    for body in [&b"no index"[..], b"", &index[..index.len() - 1], &[&index[..], b"x"].concat()] {
        let answer = put(&server, "/new.caibx", body);
        assert!(answer.status == 415 && answer.text().starts_with("invalid index: "), "{answer:?}");
    }
    assert!(room.read("indexes/new.caibx") == index);
    assert_eq!(put(&server, "/..", &index).status, 301);
    assert_eq!(put(&server, "/%2e%2e", &index).status, 400);
    assert_eq!(room.files("indexes"), ["indexes/new.caibx"]);
    drop(server);
    let answer = put(&Server::indexes(&room, &["-s", "indexes"]), "/new.caibx", &index);
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (400, "writing to upstream index store is not enabled\n")
    );
}

#[test]
fn a_server_killed_under_load_holds_whole_chunks_and_every_one_it_confirmed() {
    let room = Room::with_blob();
    room.create_dir("target");
    let chunks: Vec<(String, Vec<u8>)> = chunk_paths(&room, "store")
        .into_iter()
        .map(|path| (path.clone(), room.read(&format!("store{path}"))))
        .collect();
    for round in 1..=3 {
        let server = Server::chunks(&room, &["-s", "target", "-w"]);
        let (address, confirmed, next) = (server.address(), Mutex::new(Vec::new()), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let (path, body) = &chunks[next.fetch_add(1, Ordering::Relaxed) % chunks.len()];
                        let Ok(stream) = std::net::TcpStream::connect(address) else { return };
                        let head = format!("PUT {path} HTTP/1.1\r\nContent-Length: {}", body.len());
                        match ask_on(stream, &head, body) {
                            Ok(answer) if answer.status == 200 => confirmed.lock().unwrap().push(path),
                            _ => return,
                        }
                    }
                });
            }
            until("chunks are confirmed", || confirmed.lock().unwrap().len() >= round * 5);
            server.signal(Signal::KILL);
        });
        drop(server);
        room.ok(&["verify", "-s", "target"]);
        for path in confirmed.into_inner().unwrap() {
            assert!(room.path(&format!("target{path}")).exists(), "{path} was confirmed");
        }
    }
}
