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

/// The messages of a stream, each as its bytes.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut collector, mut input) = (MessageCollector::new(&Limits::HOST), bytes);
    let mut messages = Vec::new();
    while let Some(message) = collector.next(&mut input).unwrap() {
        messages.push(stream(&[message]));
    }
    messages
}

/// What a recorded server of casync said about chunks, and a store that has what it sent.
fn recorded_server(name: &str) -> (Vec<Vec<u8>>, MemoryStore) {
    let (bytes, mut collector) = (golden::read(name), MessageCollector::new(&Limits::HOST));
    let (mut input, mut said, mut chunks) = (&bytes[..], Vec::new(), Vec::new());
    while let Some(message) = collector.next(&mut input).unwrap() {
        match &message {
            Message::Chunk { form, id, data } => {
                chunks.push(desync_store::Chunk::from_stored(*id, *form, data.to_vec().into()))
            }
            Message::Missing(_) => {}
            _ => continue,
        }
        said.push(stream(&[message]));
    }
    (said, MemoryStore::holding(chunks))
}

/// Six clients were recorded. 2 pulls chunks; 0 and 3 pull an index with them, which `pull` does not serve (nor does
/// Go desync's): the rest of their session is replayed. 1 pulls an archive, 4 pushes an index and its chunks, 5 an
/// archive: all that can be done for them is to say so.
#[test]
fn recorded_clients_get_what_casync_gave_them_byte_for_byte_or_are_refused() {
    for number in [0, 2, 3] {
        let (mut said, store) = recorded_server(&format!("proto/{number}.s2c"));
        let mut asked = golden::read(&format!("proto/{number}.c2s"));
        if number != 2 {
            let refusal = serve_chunks(io::Cursor::new(asked.clone()), io::sink(), &store).unwrap_err();
            assert!(matches!(refusal, SessionError::Hello(_)), "{number}: {refusal}");
            asked.splice(..24, stream(&[HELLO]));
        }
        let mut output = Vec::new();
        serve_chunks(io::Cursor::new(asked), &mut output, &store).unwrap();
        let mut answers = messages(&output);
        assert_eq!(answers.remove(0), golden::read("proto/2.s2c")[..24], "{number}");
        // What is asked for again casync answers once; and urgent requests may overtake what waits.
        answers.sort();
        answers.dedup();
        said.sort();
        assert!(answers == said && said.len() > 4, "{number}");
    }
    let (_, store) = recorded_server("proto/2.s2c");
    for (number, flags) in [(1, "100"), (4, "e00"), (5, "1000")] {
        let asked = golden::read(&format!("proto/{number}.c2s"));
        let refusal = serve_chunks(io::Cursor::new(asked), io::sink(), &store).unwrap_err().to_string();
        assert_eq!(refusal, format!("client is not requesting chunks, provided flags {flags}"));
    }
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
