//! What clients get.

use super::{Server, chunk_paths, other_program};
use crate::room::{Room, blob};

const KEY: &str = "6368616e676520746869732070617373776f726420746f206120736563726574";

#[test]
fn casync_and_curl_read_chunks() {
    let room = Room::with_blob();
    let server = Server::chunks(&room, &["-s", "store"]);
    let store = format!("--store={}", server.url(""));
    if let Some(output) = other_program(&room, &["casync", "extract", &store, "blob.caibx", "out"]) {
        assert!(output.status.success(), "{output:?}");
        assert!(room.read("out") == blob());
    }
    for path in chunk_paths(&room, "store") {
        let url = server.url(&path[1..]);
        let Some(output) = other_program(&room, &["curl", "-sSf", &url]) else { return };
        assert!(output.status.success() && output.stdout == room.read(&format!("store{path}")), "{output:?}");
    }
    server.stop();
}

#[test]
fn chunks_in_memory_are_answered_at_once_and_no_differently() {
    let room = Room::with_blob();
    let (at_once, handed_over) = (
        Server::chunks(&room, &["-s", "store"]),
        Server::chunks(&room, &["-s", "store", "--skip-verify-read=false"]),
    );
    let before = [at_once.threads(), handed_over.threads()];
    for path in chunk_paths(&room, "store") {
        // Also brings it into memory.
        let stored = room.read(&format!("store{path}"));
        for more in ["", "\r\nRange: bytes=3-", "\r\nIf-None-Match: *"] {
            let head = format!("GET {path} HTTP/1.1{more}");
            let [fast, slow] = [&at_once, &handed_over].map(|server| server.ask(&head, b""));
            assert_eq!(fast.headers_but_date(), slow.headers_but_date(), "{head}");
            assert!(fast.body == slow.body && (!more.is_empty() || fast.body == stored), "{head}");
        }
    }
    // Whoever hands requests over has threads for that. Some file systems cannot tell what is in memory.
    assert!(handed_over.threads() > before[1]);
    let kept = at_once.threads() == before[0];
    assert!(kept || std::env::var_os("CI").is_none(), "chunks in memory were handed over");
}

#[test]
fn defect_47_answers_have_what_caches_and_resuming_clients_need() {
    let room = Room::with_blob();
    let server = Server::chunks(&room, &["-s", "store"]);
    let path = &chunk_paths(&room, "store")[0];
    let stored = room.read(&format!("store{path}"));
    let whole = server.get(path);
    assert_eq!((whole.status, whole.body == stored), (200, true));
    assert_eq!(whole.header("content-length"), stored.len().to_string());
    assert!(whole.header("cache-control").contains("immutable"), "{whole:?}");
    let etag = whole.header("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{whole:?}");

    let ask = |headers: &str| server.ask(&format!("GET {path} HTTP/1.1\r\n{headers}"), b"");
    let known = ask(&format!("If-None-Match: {etag}"));
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, etag));
    let part = ask("Range: bytes=10-19");
    assert_eq!((part.status, &part.body[..]), (206, &stored[10..20]));
    assert_eq!(part.header("content-range"), format!("bytes 10-19/{}", stored.len()));
    assert_eq!(ask(&format!("Range: bytes=10-\r\nIf-Range: {etag}")).body, stored[10..]);
    assert!(ask("Range: bytes=10-\r\nIf-Range: \"other\"").body == stored);
    assert_eq!(ask("Range: bytes=99999999-").status, 416);

    let head = server.ask(&format!("HEAD {path} HTTP/1.1"), b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let missing = format!("/0000/{}.cacnk", "0".repeat(64));
    let answer = server.get(&missing);
    assert_eq!((answer.status, answer.text()), (404, format!("chunk {} not found", "0".repeat(64))));
    assert_eq!(server.ask(&format!("HEAD {missing} HTTP/1.1"), b"").status, 404);
    let answer = server.ask(&format!("DELETE {path} HTTP/1.1"), b"");
    assert_eq!((answer.status, answer.text().as_str()), (405, "only GET, PUT and HEAD are supported"));
    assert_eq!(server.get(&format!("/{path}")).header("location"), path);
    // Upper case is as good.
    let (prefix, file) = path[1..].split_once('/').unwrap();
    let upper = format!("/{}/{}.cacnk", prefix.to_uppercase(), file[..64].to_uppercase());
    assert!(server.get(&upper).body == stored);
}

#[test]
fn chunks_are_served_in_the_form_asked_for_whatever_the_stores() {
    let room = Room::with_blob();
    room.create_dir("plain");
    room.write("plain.json", br#"{"store-options": {"plain": {"uncompressed": true}}}"#);
    room.ok(&["--config", "plain.json", "cache", "-s", "store", "-c", "plain", "blob.caibx"]);
    for store in ["store", "plain"] {
        for (flags, options) in [
            (&[][..], String::new()),
            (&["-u"], r#""uncompressed": true"#.into()),
            (&["--encryption-key", KEY], format!(r#""encryption": true, "encryption-key": "{KEY}""#)),
        ] {
            let args = [&["--config", "plain.json", "chunk-server", "-l", "127.0.0.1:0", "-s", store], flags]
                .concat();
            let server = Server::start(&room, &args, 1);
            // What comes over the wire is a store in that form, on disk.
            let got = tempfile::tempdir_in(room.path(".")).unwrap();
            let got = got.path().file_name().unwrap().to_str().unwrap();
            room.write("got.json", format!(r#"{{"store-options": {{"{got}": {{{options}}}}}}}"#).as_bytes());
            let extension = match flags {
                [] => ".cacnk",
                ["-u"] => "",
                _ => ".cacnk.xchacha20-poly1305-50d64035",
            };
            for path in chunk_paths(&room, "store") {
                let path = path.replace(".cacnk", extension);
                let answer = server.get(&path);
                assert_eq!(answer.status, 200, "{store} {flags:?}: {answer:?}");
                let prefix = path[1..].split_once('/').unwrap().0;
                let _ = std::fs::create_dir(room.path(&format!("{got}/{prefix}")));
                room.write(&format!("{got}{path}"), &answer.body);
            }
            let wrong = server.get("/0000/nothing");
            assert!(wrong.status == 400, "{wrong:?}");
            room.ok(&["--config", "got.json", "extract", "-s", got, "blob.caibx", "out"]);
            assert!(room.read("out") == blob(), "{store} {flags:?}");
        }
    }
}

#[test]
fn chunks_are_checked_before_they_are_served_if_that_is_asked_for() {
    let room = Room::with_blob();
    let path = &chunk_paths(&room, "store")[0];
    room.write(&format!("store{path}"), b"damaged");
    assert_eq!(Server::chunks(&room, &["-s", "store"]).get(path).body, b"damaged");
    let server = Server::chunks(&room, &["-s", "store", "--skip-verify-read=false"]);
    let answer = server.get(path);
    assert_eq!((answer.status, answer.text().as_str()), (500, "internal server error\n"));
    assert_eq!(server.get(&chunk_paths(&room, "store")[1]).status, 200);
    let said = server.stop();
    assert!(said.contains("invalid chunk"), "the log has the reason: {said}");
}

#[test]
fn several_listeners_and_pages_about_the_server() {
    let room = Room::with_blob();
    let args = ["chunk-server", "-s", "store", "-l", "127.0.0.1:0,127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let server = Server::start(&room, &args, 3);
    let path = &chunk_paths(&room, "store")[0];
    assert_eq!(server.get(path).status, 200);
    let page = |number: usize, path: &str| {
        let stream = std::net::TcpStream::connect(server.addresses[number]).unwrap();
        super::ask_on(stream, &format!("GET {path} HTTP/1.1"), b"").unwrap()
    };
    assert_eq!(page(1, path).status, 200);
    assert_eq!(page(2, "/healthz").text(), "ok\n");
    let metrics = page(2, "/metrics").text();
    assert!(metrics.contains("desync_requests_total{method=\"GET\",code=\"200\"} 2"), "{metrics}");
    assert_eq!((page(2, path).status, page(0, "/metrics").status), (404, 400));
}

#[test]
fn defect_46_indexes_are_served_and_nothing_else() {
    let room = Room::with_blob();
    room.create_dir("indexes");
    std::fs::copy(room.path("blob.caibx"), room.path("indexes/blob.caibx")).unwrap();
    room.write("indexes/secret", b"not an index");
    let server = Server::indexes(&room, &["-s", "indexes/"]);
    for path in ["/blob.caibx", "/a/b/blob.caibx", "/%62lob.caibx"] {
        let answer = server.get(path);
        assert!(answer.status == 200 && answer.body == room.read("blob.caibx"), "{path}: {answer:?}");
        assert_eq!(answer.header("cache-control"), "no-cache");
        let again =
            server.ask(&format!("GET {path} HTTP/1.1\r\nIf-None-Match: {}", answer.header("etag")), b"");
        assert_eq!(again.status, 304);
    }
    for (path, status) in
        [("/none", 404), ("/secret", 400), ("/", 400), ("/%2e%2e", 400), ("/a%00", 400), ("/a%5cb", 400)]
    {
        assert_eq!(server.get(path).status, status, "{path}");
    }
    let head = |path: &str| server.ask(&format!("HEAD {path} HTTP/1.1"), b"").status;
    assert_eq!((head("/blob.caibx"), head("/none")), (200, 404));
    let url = server.url("blob.caibx");
    if let Some(output) = other_program(&room, &["casync", "extract", "--store=store", &url, "out"]) {
        assert!(output.status.success() && room.read("out") == blob(), "{output:?}");
    }
    let answer = Server::start(
        &room,
        &["--digest", "sha256", "index-server", "-l", "127.0.0.1:0", "-s", "indexes"],
        1,
    )
    .get("/blob.caibx");
    assert_eq!((answer.status, answer.text().as_str()), (400, "failed to retrieve index\n"));
}
