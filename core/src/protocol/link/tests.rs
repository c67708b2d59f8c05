//! Both ends on one simulated line that drops, doubles and flips bytes, falls silent and is opened again.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use desync_test_kit::prng;
use proptest::prelude::*;

use super::noise::{Noise, Wire};
use super::*;
use crate::format::StorageForm;
use crate::{ChunkId, DigestKind};

const TIMING: Timing = Timing { answer: 40, silence: 4_000 };

/// What the host has, and what it has sent.
struct Host {
    index: Vec<u8>,
    chunks: Vec<(ChunkId, Vec<u8>)>,
    sent: u64,
}

impl Host {
    fn new() -> Self {
        let chunks = (0..6).map(|n| {
            let stored = prng(700 + 2100 * n, 50 + n as u64);
            (DigestKind::Sha512_256.id_of(&stored), stored)
        });
        Self { index: prng(1048, 1), chunks: chunks.collect(), sent: 0 }
    }

    fn answer(&mut self, question: &Question, line: &mut Vec<u8>) {
        let piece = |whole: &[u8], form, offset: u64, len: u16| {
            let start = usize::try_from(offset).unwrap().min(whole.len());
            let data = whole[start..(start + usize::from(len)).min(whole.len())].to_vec();
            (form, offset, whole.len() as u64, data)
        };
        let found = match question.ask {
            Ask::Open => {
                let (index_len, index_id) = (1048, DigestKind::Sha512_256.id_of(&self.index));
                let opened = Answer::Opened { version: LINK_VERSION, index_len, index_id };
                return LinkServer::answer(question, &opened, line);
            }
            Ask::Close { .. } => return LinkServer::answer(question, &Answer::Closed, line),
            Ask::Index { offset, len } => Some(piece(&self.index, StorageForm::Plain, offset, len)),
            Ask::Chunk { id, offset, len, .. } => self
                .chunks
                .iter()
                .find(|(known, _)| *known == id)
                .map(|(_, stored)| piece(stored, StorageForm::Compressed, offset.into(), len)),
        };
        match found {
            None => LinkServer::answer(question, &Answer::Missing, line),
            Some((form, offset, total, data)) => {
                self.sent += data.len() as u64;
                LinkServer::answer(question, &Answer::Piece { form, offset, total, data: &data }, line);
            }
        }
    }
}

/// What the device got, and at what cost.
struct Outcome {
    opened: u64,
    index: Vec<u8>,
    chunks: Vec<Vec<u8>>,
    sent: u64,
    needed: u64,
    silences: u64,
    ms: u64,
}

/// A whole update over a line: open, index, all chunks, close.
fn update(noise: Noise, seed: u64, piece_len: u16) -> Outcome {
    let mut host = Host::new();
    let (mut to_host, mut to_device) = (Wire::new(noise, seed * 2 + 1), Wire::new(noise, seed * 7 + 3));
    let mut device_buffer = vec![0; LinkClient::buffer_len(piece_len)];
    let mut client = LinkClient::new(&mut device_buffer, TIMING, seed as u16).unwrap();
    let mut host_buffer = [0; LinkServer::BUFFER_LEN];
    let mut server = LinkServer::new(&mut host_buffer);
    let ids: Vec<ChunkId> = host.chunks.iter().map(|(id, _)| *id).collect();
    let mut wants: VecDeque<Want> = [Want::Open, Want::Index { start: 0, end: 1048 }].into();
    wants.extend(ids.iter().map(|id| Want::Chunk { id: *id, start: 0, window_log: 12 }));
    wants.push_back(Want::Close { status: 0 });
    let needed = 1048 + host.chunks.iter().map(|(_, stored)| stored.len() as u64).sum::<u64>();
    let mut out = Outcome { opened: 0, index: vec![], chunks: vec![], sent: 0, needed, silences: 0, ms: 0 };
    let mut line = Vec::new();
    let mut events = 0;
    while out.ms < 40_000_000 {
        match client.turn(out.ms) {
            LinkTurn::Send(bytes) => to_host.send(bytes),
            LinkTurn::WaitUntil(_) => out.ms += 1,
            LinkTurn::Silent => out.silences += 1,
            LinkTurn::Idle => match wants.pop_front() {
                Some(want) => {
                    if matches!(want, Want::Chunk { .. }) {
                        out.chunks.push(vec![]);
                    }
                    client.want(want);
                }
                None => break,
            },
        }
        if to_host.dice.roll(noise.reconnect) {
            (to_host.bytes, to_device.bytes) = Default::default();
            client.line_opened();
            host_buffer = [0; LinkServer::BUFFER_LEN];
            server = LinkServer::new(&mut host_buffer);
        }
        let arrived = to_host.take();
        let mut input = &arrived[..];
        while let Some(question) = server.next(&mut input) {
            host.answer(&question, &mut line);
            to_device.send(&line);
        }
        let arrived = to_device.take();
        let mut input = &arrived[..];
        while let Some(event) = client.receive(&mut input) {
            events += 1;
            match event {
                LinkEvent::Opened { index_len, .. } => out.opened = index_len,
                LinkEvent::Piece { offset, data, form, .. } => {
                    let whole = match form {
                        StorageForm::Plain => &mut out.index,
                        _ => out.chunks.last_mut().unwrap(),
                    };
                    assert_eq!(offset, whole.len() as u64, "pieces come in order, each once");
                    whole.extend(data);
                }
                LinkEvent::Closed => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(events > 0);
    out.sent = host.sent;
    out
}

fn assert_complete(out: &Outcome, what: &dyn core::fmt::Debug) {
    let host = Host::new();
    assert_eq!(out.opened, 1048, "{what:?}");
    assert!(out.index == host.index, "{what:?}");
    assert_eq!(out.chunks.len(), host.chunks.len(), "{what:?}: not complete after {} ms", out.ms);
    for (got, (id, _)) in out.chunks.iter().zip(&host.chunks) {
        assert_eq!(DigestKind::Sha512_256.id_of(got), *id, "{what:?}");
    }
}

#[test]
fn a_clean_line_carries_each_byte_once() {
    for piece_len in [1, 16, 100, 512, 4096] {
        let out = update(Noise::default(), 1, piece_len);
        assert_complete(&out, &piece_len);
        assert_eq!((out.sent, out.silences), (out.needed, 0));
    }
}

#[test]
fn noise_never_corrupts_and_at_most_doubles_what_is_sent() {
    let quiet = Noise::default();
    let lines = [
        Noise { drop: 1000, ..quiet },
        Noise { double: 1000, ..quiet },
        Noise { flip: 1000, ..quiet },
        Noise { drop: 300, double: 700, flip: 900, ..quiet },
        Noise { silence: 5000, ..quiet },
        Noise { doubled_frame: 3, ..quiet },
        Noise { reconnect: 50, flip: 2000, ..quiet },
        Noise { drop: 800, double: 800, flip: 800, silence: 9000, reconnect: 300, doubled_frame: 20 },
    ];
    for noise in lines {
        for seed in 1..25 {
            for piece_len in [64, 256, 1024] {
                let out = update(noise, seed, piece_len);
                let what = (noise, seed, piece_len, out.sent);
                assert_complete(&out, &what);
                assert!(out.sent <= 2 * out.needed, "{what:?}: {} of {} bytes", out.sent, out.needed);
            }
        }
    }
}

#[test]
fn doubled_questions_are_answered_once() {
    let out = update(Noise { doubled_frame: 1, ..Noise::default() }, 5, 256);
    assert_complete(&out, &"all frames doubled");
    assert_eq!(out.sent, out.needed);
}

#[test]
fn silence_is_reported_and_asking_goes_on() {
    let mut buffer = [0; LinkClient::buffer_len(64)];
    let mut client = LinkClient::new(&mut buffer, TIMING, 9).unwrap();
    assert_eq!(client.turn(0), LinkTurn::Idle);
    client.want(Want::Open);
    let (mut now, mut sent, mut silent_at) = (0, 0, Vec::new());
    while silent_at.len() < 3 {
        match client.turn(now) {
            LinkTurn::Send(_) => sent += 1,
            LinkTurn::WaitUntil(time) => {
                assert!(time > now && time <= now + 40 * 32);
                now = time;
            }
            LinkTurn::Silent => silent_at.push(now),
            LinkTurn::Idle => panic!("the want is forgotten"),
        }
    }
    assert!(silent_at[0] >= 4_000 && silent_at[0] < 4_000 + 40 * 32, "{silent_at:?}");
    assert!(sent >= 12, "{sent} questions in three silences");
}

/// Frames of answers that a client must not believe, each with the right checksum.
#[test]
fn answers_that_do_not_fit_are_passed_over() {
    let mut buffer = [0; LinkClient::buffer_len(64)];
    let mut client = LinkClient::new(&mut buffer, TIMING, 9).unwrap();
    client.want(Want::Index { start: 100, end: 164 });
    let LinkTurn::Send(line) = client.turn(0) else { panic!() };
    let line = line.to_vec();
    let mut host_buffer = [0; LinkServer::BUFFER_LEN];
    let mut server = LinkServer::new(&mut host_buffer);
    let question = server.next(&mut &line[..]).unwrap();
    assert_eq!(question.ask, Ask::Index { offset: 100, len: 64 });
    let form = StorageForm::Plain;
    let piece = |offset, total, data| Answer::Piece { form, offset, total, data };
    let mut frame = Vec::new();
    for wrong in [
        piece(99, 500, &[1; 64][..]),
        piece(100, 500, &[]),
        piece(100, 120, &[1; 64]),
        piece(u64::MAX, 500, &[1; 64]),
        Answer::Closed,
        Answer::Opened { version: 1, index_len: 1, index_id: ChunkId([0; 32]) },
    ] {
        LinkServer::answer(&question, &wrong, &mut frame);
        assert_eq!(client.receive(&mut &frame[..]), None, "{wrong:?}");
    }
    let other = Question { number: question.number.wrapping_add(1), ..question };
    LinkServer::answer(&other, &piece(100, 500, &[1; 64]), &mut frame);
    assert_eq!(client.receive(&mut &frame[..]), None);
    LinkServer::answer(&question, &piece(100, 500, &[1; 64]), &mut frame);
    assert!(matches!(client.receive(&mut &frame[..]), Some(LinkEvent::Piece { last: true, .. })));
    assert_eq!(client.receive(&mut &frame[..]), None, "it was answered already");
}

#[test]
fn a_chunk_that_changes_between_pieces_is_told() {
    let mut buffer = [0; LinkClient::buffer_len(64)];
    let mut client = LinkClient::new(&mut buffer, TIMING, 9).unwrap();
    let id = ChunkId([3; 32]);
    client.want(Want::Chunk { id, start: 0, window_log: 0 });
    let mut frame = Vec::new();
    let mut events = Vec::new();
    for (total, number) in [(200, 10), (201, 11)] {
        let LinkTurn::Send(_) = client.turn(0) else { panic!() };
        let offset = 64 * (u32::from(number) - 10);
        let ask = Ask::Chunk { id, offset, len: 64, window_log: 0 };
        let question = Question { ask, number, attempt: 0 };
        let data = &[0; 64];
        let answer = Answer::Piece { form: StorageForm::Plain, offset: offset.into(), total, data };
        LinkServer::answer(&question, &answer, &mut frame);
        events.push(matches!(client.receive(&mut &frame[..]), Some(LinkEvent::Changed)));
    }
    assert_eq!(events, [false, true]);
    assert_eq!(client.turn(0), LinkTurn::Idle);
}

#[test]
fn a_buffer_without_room_for_a_piece_is_refused() {
    for len in 0..LinkClient::buffer_len(1) {
        assert!(LinkClient::new(&mut vec![0; len], TIMING, 0).is_none(), "{len}");
    }
    assert!(LinkClient::new(&mut vec![0; LinkClient::buffer_len(1)], TIMING, 0).is_some());
}

proptest! {
    #[test]
    fn any_question_and_any_bytes_are_parsed_without_harm(
        number in any::<u16>(), attempt in any::<u8>(), offset in any::<u32>(), len in any::<u16>(),
        window_log in any::<u8>(), bytes in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let id = DigestKind::Sha256.id_of(&bytes);
        for ask in [
            Ask::Open,
            Ask::Index { offset: offset.into(), len },
            Ask::Chunk { id, offset, len, window_log },
            Ask::Close { status: window_log },
        ] {
            let question = Question { ask, number, attempt };
            let (content, len) = question.encode();
            prop_assert_eq!(Question::parse(&content[..len]), Some(question));
            prop_assert_eq!(Question::parse(&content[..len - 1]), None);
        }
        let _ = Question::parse(&bytes);
        let _ = words::parse_answer(&bytes);
    }
}
