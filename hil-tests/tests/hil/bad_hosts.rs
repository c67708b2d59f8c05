//! Hosts that lie to a board: each is refused, the old image boots, and an honest host then finishes.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

use desync_core::format::StorageForm;
use desync_core::protocol::link::{Answer, Ask, LINK_VERSION, LinkServer, Question};
use desync_core::{ChunkId, DigestKind};
use desync_hil_tests::{Emulator, Host, Line};
use desync_test_kit::prng;

use crate::device::{Device, Release};

/// What a host says to a question: an answer, or bytes that are none.
type Lie = fn(&Question, &[u8], &mut Vec<u8>);

/// Says which index is served.
fn open(question: &Question, index: &[u8], line: &mut Vec<u8>) {
    let (index_len, index_id) = (index.len() as u64, DigestKind::Sha512_256.id_of(index));
    LinkServer::answer(question, &Answer::Opened { version: LINK_VERSION, index_len, index_id }, line);
}

fn piece(question: &Question, form: StorageForm, whole: &[u8], line: &mut Vec<u8>) {
    let (offset, len) = match question.ask {
        Ask::Index { offset, len } => (offset, len),
        Ask::Chunk { offset, len, .. } => (offset.into(), len),
        Ask::Open | Ask::Close { .. } => (0, 0),
    };
    let rest = &whole[(offset as usize).min(whole.len())..];
    let data = &rest[..rest.len().min(len.into())];
    let total = whole.len() as u64;
    LinkServer::answer(question, &Answer::Piece { form, offset, total, data }, line);
}

/// Honest but for chunks, which are `chunk` in this form.
fn with_chunk(question: &Question, index: &[u8], form: StorageForm, chunk: &[u8], line: &mut Vec<u8>) {
    match question.ask {
        Ask::Open => open(question, index, line),
        Ask::Index { .. } => piece(question, StorageForm::Plain, index, line),
        Ask::Chunk { .. } => piece(question, form, chunk, line),
        Ask::Close { .. } => LinkServer::answer(question, &Answer::Closed, line),
    }
}

const LIES: [(&str, Lie); 7] = [
    ("an index of noise", |question, _, line| {
        with_chunk(question, &prng(584, 1), StorageForm::Plain, &[], line);
    }),
    ("an index of four gigabytes", |question, _, line| {
        let (index_len, index_id) = (104 + 40 * (100 << 20), ChunkId([7; 32]));
        LinkServer::answer(question, &Answer::Opened { version: LINK_VERSION, index_len, index_id }, line);
    }),
    ("another version", |question, index, line| {
        let opened = Answer::Opened { version: 9, index_len: index.len() as u64, index_id: ChunkId([7; 32]) };
        LinkServer::answer(question, &opened, line);
    }),
    ("chunks of noise", |question, index, line| {
        with_chunk(question, index, StorageForm::Plain, &prng(9000, 3), line);
    }),
    ("frames of noise", |question, index, line| {
        with_chunk(question, index, StorageForm::Compressed, &prng(9000, 4), line);
    }),
    ("a frame with a window of 8 MiB", |question, index, line| {
        // Magic, no single segment and no length, window descriptor of exponent 13, then a raw block.
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3, 0x81, 0, 0][..], &[7; 16]].concat();
        with_chunk(question, index, StorageForm::Compressed, &frame, line);
    }),
    ("noise and nothing else", |question, _, line| *line = prng(300, question.number.into())),
];

#[test]
fn hosts_that_lie_are_refused_and_the_old_image_boots() {
    let Some(emulator) = Emulator::find_or_skip() else { return };
    let device = Device::new("mps2-an386", emulator);
    let first = Release::built(device.board, 1);
    let second = first.patched(2, true);
    let host = Host::new(device.path()).unwrap();
    let index = host.make("image", &second.image, "").unwrap();
    let index_bytes = std::fs::read(&index).unwrap();
    device.make(&first);
    for (what, lie) in LIES {
        let running = device.start(&Line::Socket, &["update", "answer=100", "silence=500"]);
        let line = UnixStream::connect(device.path().join("line")).unwrap();
        let liar = thread::spawn({
            let index = index_bytes.clone();
            move || answer_all(line, &index, lie)
        });
        let outcome = running.end().unwrap();
        liar.join().unwrap();
        assert_eq!(outcome.code, Some(2), "{what}: {outcome:?}");
        eprintln!("{what}: {}", outcome.errors.lines().last().unwrap_or_default());
        device.assert_boots(&first, &what);
        assert!(device.flash.holds(device.slots()[0], &first.image).unwrap(), "{what}");
    }
    let running = device.start(&Line::Socket, &["update"]);
    let serving = host.serve(&index, device.path().join("line").to_str().unwrap(), false).unwrap();
    let outcome = running.end().unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(serving.end().unwrap(), Some(0));
    device.assert_boots(&second, &"an honest host in the end");
}

/// Answers until the board has gone.
fn answer_all(mut line: UnixStream, index: &[u8], lie: Lie) {
    let mut buffer = [0; LinkServer::BUFFER_LEN];
    let mut server = LinkServer::new(&mut buffer);
    let (mut bytes, mut frame) = ([0; 256], Vec::new());
    while let Ok(len @ 1..) = line.read(&mut bytes) {
        let mut input = &bytes[..len];
        while let Some(question) = server.next(&mut input) {
            lie(&question, index, &mut frame);
            // The board may go at any time.
            let _ = line.write_all(&frame);
        }
    }
}
