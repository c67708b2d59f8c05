//! A web server that does everything wrong: the right chunk or a clear error, never a wrong byte, never more
//! than asked for.
#![allow(missing_docs, reason = "a test program has no users")]

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::format::StorageForm;
use desync_core::{DigestKind, VerifiedChunk};
use desync_http::{ClientOptions, Endpoint, HeaderValue};
use desync_store::{
    Budget, Chunk, ChunkStore, ErrorKind, FormatOptions, FormattedStore, IndexStore, RemoteIndexStore,
    RetryPolicy, StoreError, Timeouts,
};
use desync_store_http::{Credentials, HttpIndexes, HttpStore};
use desync_test_kit::prng;
use desync_test_kit::servers::{Fault, WebServer};

const DIGEST: DigestKind = DigestKind::Sha512_256;

/// Far more than all tries together take, on any machine.
const SILENCE: Duration = Duration::from_millis(300);

fn options() -> ClientOptions {
    let timeouts = Timeouts { connect: None, silence: Some(SILENCE), total: Some(Duration::from_secs(20)) };
    ClientOptions { connections: 4, timeouts, ..ClientOptions::default() }
}

fn endpoint(server: &WebServer) -> Endpoint {
    Endpoint::parse(&server.url("store?sig=hunter2")).unwrap()
}

fn open(server: &WebServer, options: &ClientOptions, retries: u32) -> FormattedStore<HttpStore> {
    let backend = HttpStore::open(endpoint(server), "http://shown", Credentials::default(), options).unwrap();
    let retry = RetryPolicy::new(retries, Duration::from_millis(1));
    FormattedStore::new(backend, FormatOptions { compressed: false, retry, ..FormatOptions::default() })
}

fn chunk() -> Vec<u8> {
    prng(3000, 7)
}

fn wanted(bytes: &[u8]) -> Wanted {
    Wanted { id: DIGEST.id_of(bytes), digest: DIGEST, len: WantedLen::Exactly(bytes.len() as u64) }
}

/// A server that has [`chunk`].
fn server() -> WebServer {
    let server = WebServer::start();
    server.put(&format!("store/{}", StorageForm::Plain.path_of(&wanted(&chunk()).id)), &chunk());
    server
}

/// Gets the chunk; whatever comes must be it.
fn get(store: &impl ChunkStore) -> Result<(), StoreError> {
    let got = store.get(&wanted(&chunk()))?;
    assert_eq!(got.plain().unwrap().bytes(), chunk(), "wrong bytes");
    Ok(())
}

#[test]
fn connections_cut_at_every_byte_give_the_chunk_or_an_error() {
    let server = server();
    let (mut good, mut bad) = (0, 0);
    let first = (0..400).chain((400..3200).step_by(97));
    for bytes in first {
        let store = open(&server, &options(), 1);
        server.set_fault(Fault::CutAfter(bytes));
        match get(&store) {
            Ok(()) => good += 1,
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Transient, "{error}");
                bad += 1;
            }
        }
        server.set_fault(Fault::None);
        get(&store).unwrap();
    }
    assert!(good > 0 && bad > 400, "{good} {bad}");
}

#[test]
fn what_may_pass_is_tried_again() {
    let server = server();
    let store = open(&server, &options(), 1);
    for fault in [Fault::Every(7, 503), Fault::Every(2, 500), Fault::EveryWithRetryAfter(3, 429, 0)] {
        server.set_fault(fault);
        (0..20).for_each(|_| get(&store).unwrap_or_else(|error| panic!("{fault:?}: {error}")));
    }
    server.set_fault(Fault::Every(1, 503));
    let error = get(&store).unwrap_err().to_string();
    assert!(error.contains("http://shown: get chunk ") && error.contains("status code 503"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn bodies_that_lie_never_pass_for_the_chunk() {
    let server = server();
    for (fault, kind) in [
        (Fault::Truncate, ErrorKind::Invalid),
        (Fault::Flip, ErrorKind::Invalid),
        (Fault::Endless, ErrorKind::Invalid),
        (Fault::WrongLength(-1), ErrorKind::Invalid),
        (Fault::WrongLength(10), ErrorKind::Invalid),
        (Fault::Stall(Duration::from_secs(1)), ErrorKind::Transient),
        (Fault::RedirectLoop, ErrorKind::Permanent),
        (Fault::Garbage, ErrorKind::Transient),
        (Fault::EndlessHeader, ErrorKind::Transient),
        (Fault::Every(1, 403), ErrorKind::Permanent),
    ] {
        let store = open(&server, &options(), 1);
        server.set_fault(fault);
        let error = get(&store).unwrap_err();
        assert_eq!(error.kind, kind, "{fault:?}: {error}");
        assert!(error.to_string().starts_with("http://shown: "), "{error}");
        server.set_fault(Fault::None);
        get(&store).unwrap();
    }
    server.set_fault(Fault::Stall(SILENCE / 10));
    get(&open(&server, &options(), 0)).unwrap();
}

#[test]
fn a_length_that_lies_about_what_comes_is_an_ended_connection() {
    let server = server();
    // Unlike above, the length would be a chunk's: only waiting for the rest tells.
    server.set_fault(Fault::WrongLength(10));
    let store = open(&server, &options(), 0);
    let roomy = Wanted { len: WantedLen::AtMost(1 << 20), ..wanted(&chunk()) };
    assert_eq!(store.get(&roomy).unwrap_err().kind, ErrorKind::Transient);
}

#[test]
fn an_endless_body_is_read_no_further_than_a_chunk_can_be() {
    let server = server();
    server.set_fault(Fault::Endless);
    let budget = Arc::new(Budget::new(100_000));
    let store = open(&server, &ClientOptions { budget: Arc::clone(&budget), ..options() }, 3);
    assert_eq!(get(&store).unwrap_err().kind, ErrorKind::Invalid);
    // Two reads of one byte more than a chunk: the rest of the budget is still there.
    assert!(budget.reserve(100_000 - 2 * 3001, "s").is_ok());
}

#[test]
fn the_budget_is_never_exceeded() {
    let server = server();
    let budget = Arc::new(Budget::new(10_000));
    let store = open(&server, &ClientOptions { budget, ..options() }, 3);
    (0..3).for_each(|_| get(&store).unwrap());
    for _ in 0..2 {
        let error = get(&store).unwrap_err();
        assert_eq!(error.kind, ErrorKind::OverBudget);
        assert!(error.to_string().contains("10000 bytes (--max-download)"), "{error}");
    }
    // Asking whether a chunk is there costs nothing.
    assert!(store.has(&wanted(&chunk()).id).unwrap());
}

#[test]
fn objects_have_the_names_and_the_query_of_the_location() {
    let server = WebServer::start();
    let credentials = Credentials { authorization: None, cookie: Some(HeaderValue::from_static("a=b")) };
    let location = server.url("store?sig=hunter2").replace("http://", "http://me:word@");
    let backend =
        HttpStore::open(Endpoint::parse(&location).unwrap(), "shown", credentials, &options()).unwrap();
    let store = FormattedStore::new(backend, FormatOptions::default());
    store.put(&Chunk::from_plain(VerifiedChunk::name(DIGEST, chunk()[..].into()))).unwrap();
    get(&store).unwrap();
    assert!(store.has(&wanted(&chunk()).id).unwrap());
    assert!(!store.has(&wanted(b"other").id).unwrap());
    assert_eq!(store.get(&wanted(b"other")).unwrap_err().kind, ErrorKind::Missing);
    let path = StorageForm::Compressed.path_of(&wanted(&chunk()).id);
    let seen = server.take_seen();
    assert_eq!(
        seen.iter().map(|seen| &seen.method[..]).collect::<Vec<_>>(),
        ["PUT", "GET", "HEAD", "HEAD", "GET"]
    );
    for request in &seen[..3] {
        assert_eq!(request.target, format!("/store/{path}?sig=hunter2"));
        assert_eq!(request.headers["authorization"], "Basic bWU6d29yZA==");
        assert_eq!(request.headers["cookie"], "a=b");
        assert!(!request.headers.contains_key("accept-encoding"));
    }
}

#[test]
fn redirects_take_no_secrets_along() {
    let (first, second) = (WebServer::start(), server());
    let credentials = Credentials { authorization: Some(HeaderValue::from_static("secret")), cookie: None };
    let backend = HttpStore::open(endpoint(&first), "shown", credentials, &options()).unwrap();
    let options = FormatOptions { compressed: false, ..FormatOptions::default() };
    let store = FormattedStore::new(backend, options);
    for status in [301, 302, 303, 307, 308] {
        first.set_fault(Fault::RedirectTo(status, second.address()));
        get(&store).unwrap();
    }
    assert!(first.take_seen().iter().all(|seen| seen.headers["authorization"] == "secret"));
    assert!(second.take_seen().iter().all(|seen| !seen.headers.contains_key("authorization")));
    let new = Chunk::from_plain(VerifiedChunk::name(DIGEST, b"new"[..].into()));
    first.set_fault(Fault::RedirectTo(308, second.address()));
    store.put(&new).unwrap();
    assert!(store.has(&new.id()).unwrap());
    first.set_fault(Fault::RedirectTo(302, second.address()));
    assert_eq!(store.put(&new).unwrap_err().kind, ErrorKind::Permanent);
}

#[test]
fn an_index_comes_whole_through_a_link_that_breaks() {
    let server = WebServer::start();
    let index = prng(40_000, 1);
    let open = || {
        let indexes =
            HttpIndexes::open(endpoint(&server), "http://shown", Credentials::default(), &options());
        RemoteIndexStore::new(Arc::new(indexes.unwrap()), RetryPolicy::new(2, Duration::from_millis(1)))
    };
    let indexes = open();
    assert_eq!(indexes.read("a b.caibx").err().unwrap().kind, ErrorKind::Missing);
    let mut writer = indexes.write("a b.caibx").unwrap();
    writer.write_all(&index).unwrap();
    assert!(server.get("store/a%20b.caibx").is_none(), "nothing shows before the index is whole");
    writer.publish().unwrap();
    // From now on for each new connection.
    server.set_fault(Fault::CutAfter(9000));
    let mut read = Vec::new();
    open().read("a b.caibx").unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, index);
    assert!(server.take_seen().iter().any(|seen| seen.headers.contains_key("range")));
}
