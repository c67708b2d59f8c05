//! Sessions with scripted peers.

use std::os::unix::net::UnixStream;

use desync_codec::HostDecoder;
use desync_core::codec::Decoder as _;
use desync_core::protocol::MessageCollector;
use desync_test_kit::{golden, prng};

use super::*;
use crate::testing::MemoryStore;

/// What the server sent, shortened to what matters.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Hello(u64),
    Chunk(ChunkId, Vec<u8>),
    Missing(ChunkId),
    Abort(u32, String),
}

fn answers(bytes: &[u8]) -> Vec<Answer> {
    let mut collector = MessageCollector::new(&Limits::HOST);
    let (mut input, mut answers) = (bytes, Vec::new());
    while let Some(message) = collector.next(&mut input).unwrap() {
        answers.push(match message {
            Message::Hello(services) => Answer::Hello(services.bits()),
            Message::Chunk { form, id, data } => {
                assert_eq!(form, StorageForm::Compressed);
                let mut plain = Vec::new();
                HostDecoder::new(&Limits::HOST).decode(data, 1 << 20, &mut plain).unwrap();
                Answer::Chunk(id, plain)
            }
            Message::Missing(id) => Answer::Missing(id),
            Message::Abort { code, reason } => {
                Answer::Abort(code, String::from_utf8(reason.to_vec()).unwrap())
            }
            other => panic!("{other:?}"),
        });
    }
    collector.finish().unwrap();
    answers
}

fn stream(messages: &[Message<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| message.encode(&Limits::HOST, &mut bytes).unwrap());
    bytes
}

fn session(messages: &[Message<'_>], store: &MemoryStore) -> (Result<(), SessionError>, Vec<Answer>) {
    let mut output = Vec::new();
    let result = serve_chunks(io::Cursor::new(stream(messages)), &mut output, store);
    (result, answers(&output))
}

const HELLO: Message<'static> = Message::Hello(Services::PULL_CHUNKS);

#[test]
fn every_id_of_every_request_is_answered_repeats_too() {
    for form in [StorageForm::Compressed, StorageForm::Plain] {
        let (store, ids) = MemoryStore::of(&[b"one", b"two", &prng(70_000, 1)], form);
        let unknown = ChunkId([7; 32]);
        let asked = [ids[0], unknown, ids[2], ids[1], ids[0]];
        let request = Message::Request { priority: Priority::Low, ids: &asked };
        for end in [&[Message::Goodbye][..], &[]] {
            let (result, answers) = session(&[&[HELLO, request], end].concat(), &store);
            result.unwrap();
            let expected = [
                Answer::Hello(1),
                Answer::Chunk(ids[0], b"one".to_vec()),
                Answer::Missing(unknown),
                Answer::Chunk(ids[2], prng(70_000, 1)),
                Answer::Chunk(ids[1], b"two".to_vec()),
                Answer::Chunk(ids[0], b"one".to_vec()),
            ];
            assert_eq!(answers, expected);
        }
    }
}

#[test]
fn a_recorded_casync_client_is_answered() {
    let (store, _) = MemoryStore::of(&[b"one"], StorageForm::Compressed);
    let mut output = Vec::new();
    serve_chunks(io::Cursor::new(golden::read("proto/2.c2s")), &mut output, &store).unwrap();
    let requested = (golden::read("proto/2.c2s").len() - 24 - 24) / 32;
    assert!(answers(&output).len() > requested / 2 && requested > 8);
}

#[test]
fn peers_that_want_something_else_are_refused() {
    let (store, ids) = MemoryStore::of(&[b"one"], StorageForm::Compressed);
    let hello = |services| session(&[Message::Hello(services)], &store).0.unwrap_err().to_string();
    assert_eq!(hello(Services::PULL_ARCHIVE), "client is not requesting chunks, provided flags 100");
    assert!(hello(Services::PULL_CHUNKS | Services::PULL_INDEX).contains("not offered"));
    let (result, _) = session(&[HELLO, Message::Missing(ids[0])], &store);
    assert!(matches!(result, Err(SessionError::Unexpected { kind: Kind::Missing })));
    let mut output = Vec::new();
    let truncated = golden::read("proto/2.c2s")[..60].to_vec();
    let result = serve_chunks(io::Cursor::new(truncated), &mut output, &store);
    assert!(matches!(result, Err(SessionError::Protocol(ProtocolError::Truncated { .. }))));
}

#[test]
fn defect_57_an_abort_is_an_error_and_its_words_are_made_printable() {
    let (store, _) = MemoryStore::of(&[], StorageForm::Compressed);
    let abort = |reason| session(&[HELLO, Message::Abort { code: 2, reason }], &store).0.unwrap_err();
    assert_eq!(abort(b"gone \x9b2J").to_string(), "client aborted connection (code 2): gone \\x9b2J");
    assert_eq!(abort(b"").to_string(), "client aborted connection (code 2): ");
    assert!(abort(&[b'x'; 5000]).to_string().len() < 300);
}

#[test]
fn a_store_that_fails_ends_the_session_with_an_abort() {
    let (mut store, ids) = MemoryStore::of(&[b"one", b"two"], StorageForm::Compressed);
    store.failing = Some(ids[1]);
    let request = Message::Request { priority: Priority::High, ids: &ids };
    let (result, answers) = session(&[HELLO, request], &store);
    assert!(matches!(result, Err(SessionError::Store(_))), "{result:?}");
    assert!(matches!(&answers[2], Answer::Abort(5, reason) if reason.contains("noluck")), "{answers:?}");
}

#[test]
fn a_peer_that_asks_for_everything_first_is_served() {
    let data = prng(60_000, 3);
    let chunks: Vec<&[u8]> = data.chunks(3000).collect();
    let (store, ids) = MemoryStore::of(&chunks, StorageForm::Compressed);
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let input = theirs.try_clone().unwrap();
        serve_chunks(input, theirs, &store)
    });
    // Far more than fits any buffer between the two, in both directions.
    let request = stream(&[Message::Request { priority: Priority::Low, ids: &ids }]);
    ours.write_all(&stream(&[HELLO])).unwrap();
    for _ in 0..600 {
        ours.write_all(&request).unwrap();
    }
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    ours.read_to_end(&mut bytes).unwrap();
    server.join().unwrap().unwrap();
    assert_eq!(answers(&bytes).len(), 1 + 600 * ids.len());
}

#[test]
fn a_peer_that_closes_early_is_no_error() {
    let data = prng(900_000, 3);
    let (store, ids) = MemoryStore::of(&[&data], StorageForm::Compressed);
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(&stream(&[HELLO, Message::Request { priority: Priority::Low, ids: &ids.repeat(20) }]))
        .unwrap();
    let server = thread::spawn(move || serve_chunks(theirs.try_clone().unwrap(), theirs, &store));
    ours.read_exact(&mut [0; 1000]).unwrap();
    drop(ours);
    let result = server.join().unwrap();
    // A socket that is closed with bytes unread may also say that it was reset.
    assert!(matches!(&result, Ok(()) | Err(SessionError::Io(_))), "{result:?}");
}
