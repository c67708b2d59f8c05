//! The recorded sessions, any messages in any split, truncation, hostile sizes.

use alloc::vec;
use alloc::vec::Vec;

use desync_test_kit::golden;
use proptest::collection::vec as vec_of;
use proptest::prelude::*;

use super::*;
use crate::format::{Index, StorageForm, Strictness};
use crate::{ChunkId, DigestKind, Limits};

const LIMITS: Limits = Limits::HOST;

/// A message that owns its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owned {
    Hello(u64),
    Index(Vec<u8>),
    IndexEof,
    Archive(Vec<u8>),
    ArchiveEof,
    Request(Priority, Vec<ChunkId>),
    Chunk(StorageForm, ChunkId, Vec<u8>),
    Missing(ChunkId),
    Goodbye,
    Abort(u32, Vec<u8>),
}

impl Owned {
    fn of(message: &Message<'_>) -> Self {
        match *message {
            Message::Hello(services) => Self::Hello(services.bits()),
            Message::Index(data) => Self::Index(data.to_vec()),
            Message::IndexEof => Self::IndexEof,
            Message::Archive(data) => Self::Archive(data.to_vec()),
            Message::ArchiveEof => Self::ArchiveEof,
            Message::Request { priority, ids } => Self::Request(priority, ids.to_vec()),
            Message::Chunk { form, id, data } => Self::Chunk(form, id, data.to_vec()),
            Message::Missing(id) => Self::Missing(id),
            Message::Goodbye => Self::Goodbye,
            Message::Abort { code, reason } => Self::Abort(code, reason.to_vec()),
        }
    }

    fn message(&self) -> Message<'_> {
        match self {
            Self::Hello(bits) => Message::Hello(Services::from_bits_retain(*bits)),
            Self::Index(data) => Message::Index(data),
            Self::IndexEof => Message::IndexEof,
            Self::Archive(data) => Message::Archive(data),
            Self::ArchiveEof => Message::ArchiveEof,
            Self::Request(priority, ids) => Message::Request { priority: *priority, ids },
            Self::Chunk(form, id, data) => Message::Chunk { form: *form, id: *id, data },
            Self::Missing(id) => Message::Missing(*id),
            Self::Goodbye => Message::Goodbye,
            Self::Abort(code, reason) => Message::Abort { code: *code, reason },
        }
    }
}

fn encode_all(messages: &[Owned]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        message.message().encode(&LIMITS, &mut bytes).unwrap();
    }
    bytes
}

fn collect(pieces: &[&[u8]]) -> Result<Vec<Owned>, ProtocolError> {
    let mut collector = MessageCollector::new(&LIMITS);
    let mut messages = Vec::new();
    for mut piece in pieces.iter().copied() {
        while let Some(message) = collector.next(&mut piece)? {
            messages.push(Owned::of(&message));
        }
        assert!(piece.is_empty());
    }
    collector.finish()?;
    Ok(messages)
}

fn session(name: &str) -> Vec<Owned> {
    let bytes = golden::read(&alloc::format!("proto/{name}"));
    let messages = collect(&[&bytes]).unwrap();
    assert!(encode_all(&messages) == bytes, "{name} is encoded otherwise");
    messages
}

#[test]
fn recorded_sessions_replay_byte_for_byte() {
    for (number, client, server) in
        [(0, 0xc0, 0x5), (1, 0x100, 0x10), (2, 0x40, 0x1), (4, 0xe00, 0xa), (5, 0x1000, 0x20)]
    {
        let [c2s, s2c] = ["c2s", "s2c"].map(|way| session(&alloc::format!("{number}.{way}")));
        assert_eq!(c2s[0], Owned::Hello(client));
        assert_eq!(s2c[0], Owned::Hello(server));
        let [client, server] = [client, server].map(Services::from_bits_retain);
        let allowed = |ours, theirs, messages: &[Owned]| {
            let agreement = Agreement::new(ours, theirs).unwrap();
            messages[1..].iter().all(|message| agreement.allows_from_peer(message.message().kind()))
        };
        assert!(allowed(server, client, &c2s) && allowed(client, server, &s2c), "session {number}");
    }
}

#[test]
fn a_recorded_pull_carries_an_index_and_the_chunks_it_names() {
    let pieces = session("0.s2c").into_iter().filter_map(|message| match message {
        Owned::Index(data) => Some(data),
        _ => None,
    });
    let index = Index::parse(&pieces.flatten().collect::<Vec<_>>(), &LIMITS, Strictness::Lenient).unwrap();
    let requested: Vec<ChunkId> = session("0.c2s")
        .into_iter()
        .flat_map(|message| if let Owned::Request(_, ids) = message { ids } else { Vec::new() })
        .collect();
    assert!(index.items.iter().all(|item| requested.contains(&item.id)));
    assert!(session("3.s2c").iter().any(|message| matches!(message, Owned::Missing(_))));
}

#[test]
fn truncation_anywhere_is_an_error() {
    let bytes = golden::read("proto/0.c2s");
    let ends: Vec<usize> = (0..=bytes.len()).filter(|end| collect(&[&bytes[..*end]]).is_ok()).collect();
    let mut whole = vec![0];
    for message in session("0.c2s") {
        let len = usize::try_from(message.message().encoded_len()).unwrap();
        whole.push(whole.last().unwrap() + len);
    }
    assert_eq!(ends, whole, "a stream may end between messages and nowhere else");
    assert_eq!(collect(&[&bytes[..17]]), Err(ProtocolError::Truncated { offset: 17 }));
}

fn raw(len: u64, word: u64, rest: &[u8]) -> Vec<u8> {
    [&len.to_le_bytes(), &word.to_le_bytes(), rest].concat()
}

/// The error of these bytes after a HELLO; its length is 24.
fn refusal(bytes: &[u8]) -> ProtocolError {
    let mut stream = encode_all(&[Owned::Hello(0x40)]);
    stream.extend(bytes);
    collect(&[&stream]).unwrap_err()
}

#[test]
fn hostile_sizes_are_refused_before_their_bytes_come() {
    let chunk = Kind::Chunk as u64;
    for len in [0, 8, 15] {
        assert_eq!(refusal(&raw(len, chunk, &[])), ProtocolError::TooShort { offset: 24, len });
    }
    for len in [(16 << 20) + 1, u64::MAX] {
        let limit = 16 << 20;
        assert_eq!(refusal(&raw(len, chunk, &[])), ProtocolError::TooLong { offset: 24, len, limit });
    }
    assert_eq!(refusal(&raw(16, 1, &[])), ProtocolError::UnknownType { offset: 24, word: 1 });
    for (kind, len) in [
        (Kind::Hello, 16),
        (Kind::Hello, 32),
        (Kind::Index, 16),
        (Kind::IndexEof, 17),
        (Kind::Archive, 16),
        (Kind::ArchiveEof, 24),
        (Kind::Request, 24),
        (Kind::Request, 57),
        (Kind::Chunk, 56),
        (Kind::Missing, 47),
        (Kind::Missing, 49),
        (Kind::Goodbye, 17),
        (Kind::Abort, 24),
    ] {
        assert_eq!(
            refusal(&raw(len, kind as u64, &[])),
            ProtocolError::WrongLength { offset: 24, kind, len }
        );
    }
}

#[test]
fn a_claimed_size_costs_no_memory() {
    let mut stream = encode_all(&[Owned::Hello(0x40)]);
    stream.extend(raw(16 << 20, Kind::Chunk as u64, &[0; 50]));
    let mut collector = MessageCollector::new(&LIMITS);
    let mut input = &stream[..];
    while collector.next(&mut input).unwrap().is_some() {}
    assert!(collector.held() < 100, "{} bytes held", collector.held());
}

#[test]
fn unknown_flags_and_damaged_aborts_are_refused() {
    let flags = |kind: Kind, len, flags: u64| {
        refusal(&raw(len, kind as u64, &[&flags.to_le_bytes()[..], &[0; 99]].concat()))
    };
    assert!(matches!(
        flags(Kind::Request, 56, 2),
        ProtocolError::Flags { kind: Kind::Request, flags: 2, .. }
    ));
    assert!(matches!(flags(Kind::Chunk, 57, 3), ProtocolError::Flags { kind: Kind::Chunk, flags: 3, .. }));
    assert!(matches!(flags(Kind::Abort, 25, 0x7fff_ffff), ProtocolError::AbortCode { .. }));
    let abort = |reason: &[u8]| {
        let len = 24 + reason.len() as u64;
        refusal(&raw(len, Kind::Abort as u64, &[&[0; 8], reason].concat()))
    };
    assert_eq!(abort(b"ab\n\0"), ProtocolError::AbortReason { offset: 24 + 24 + 2 });
    assert_eq!(abort(b"ab"), ProtocolError::AbortReason { offset: 24 + 24 + 1 });
}

#[test]
fn hello_comes_first_and_once() {
    let goodbye = encode_all(&[Owned::Goodbye]);
    assert_eq!(collect(&[&goodbye]), Err(ProtocolError::BeforeHello { kind: Kind::Goodbye }));
    let abort = [Owned::Abort(2, b"no".to_vec())];
    assert_eq!(collect(&[&encode_all(&abort)]).unwrap(), abort);
    let hello = encode_all(&[Owned::Hello(0x1)]);
    assert_eq!(refusal(&hello), ProtocolError::SecondHello { offset: 24 });
}

#[test]
fn senseless_hellos_are_refused() {
    let hello = |bits: u64| collect(&[&raw(24, Kind::Hello as u64, &bits.to_le_bytes())]).unwrap_err();
    assert_eq!(hello(0), ProtocolError::Services(ServicesError::Empty));
    assert!(matches!(hello(u64::MAX), ProtocolError::Services(ServicesError::Unknown { .. })));
    assert_eq!(hello(0x2001), ProtocolError::Services(ServicesError::Unknown { unknown: 0x2000 }));
    assert_eq!(hello(0x800), ProtocolError::Services(ServicesError::IndexChunksAlone));
    let agree =
        |ours, theirs| Agreement::new(Services::from_bits_retain(ours), Services::from_bits_retain(theirs));
    assert!(agree(0x1, 0x40).is_ok() && agree(0x40, 0x1).is_ok());
    assert!(matches!(agree(0x40, 0x2), Err(HelloError::NotOffered { .. })));
    assert!(matches!(agree(0x1, 0x80), Err(HelloError::NotServed { .. })));
    assert!(matches!(agree(0x1, 0x1), Err(HelloError::Idle { .. })));
    let server = agree(0x1, 0x40).unwrap();
    assert!(server.allows_from_peer(Kind::Request) && !server.allows_from_peer(Kind::Chunk));
    assert!(!server.allows_from_peer(Kind::Index) && !server.allows_from_peer(Kind::Hello));
}

#[test]
fn what_a_reader_would_refuse_is_not_sent() {
    let send = |message: Message<'_>| message.encode(&LIMITS, &mut Vec::new());
    assert!(matches!(send(Message::Index(&[])), Err(ProtocolError::WrongLength { .. })));
    assert!(matches!(
        send(Message::Request { priority: Priority::Low, ids: &[] }),
        Err(ProtocolError::WrongLength { .. })
    ));
    assert!(send(Message::Abort { code: u32::MAX, reason: b"" }).is_err());
    assert!(send(Message::Abort { code: 1, reason: b"two\nlines" }).is_err());
    let small = Limits { message_len_max: 60, ..LIMITS };
    let message = Message::Index(&[7; 45]);
    assert!(matches!(message.encode(&small, &mut Vec::new()), Err(ProtocolError::TooLong { len: 61, .. })));
}

fn ids() -> impl Strategy<Value = ChunkId> {
    any::<[u8; 4]>().prop_map(|seed| DigestKind::Sha256.id_of(&seed))
}

fn any_message() -> impl Strategy<Value = Owned> {
    let data = || vec_of(any::<u8>(), 1..200);
    let priority = any::<bool>().prop_map(|high| if high { Priority::High } else { Priority::Low });
    let form =
        any::<bool>().prop_map(|plain| if plain { StorageForm::Plain } else { StorageForm::Compressed });
    prop_oneof![
        data().prop_map(Owned::Index),
        Just(Owned::IndexEof),
        data().prop_map(Owned::Archive),
        Just(Owned::ArchiveEof),
        (priority, vec_of(ids(), 1..5)).prop_map(|(priority, ids)| Owned::Request(priority, ids)),
        (form, ids(), data()).prop_map(|(form, id, data)| Owned::Chunk(form, id, data)),
        ids().prop_map(Owned::Missing),
        Just(Owned::Goodbye),
        (0..0x7fff_ffff_u32, vec_of(0x20..=0xff_u8, 0..40))
            .prop_map(|(code, reason)| Owned::Abort(code, reason)),
    ]
}

proptest! {
    #[test]
    fn any_messages_come_back_in_any_split(
        messages in vec_of(any_message(), 0..12),
        piece in 1..90_usize,
    ) {
        let messages: Vec<Owned> = core::iter::once(Owned::Hello(0xc0)).chain(messages).collect();
        let bytes = encode_all(&messages);
        prop_assert_eq!(collect(&[&bytes]), Ok(messages.clone()));
        let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        prop_assert_eq!(collect(&pieces), Ok(messages));
    }

    #[test]
    fn damage_never_panics_and_gives_one_error_in_any_split(
        mut bytes in Just(golden::read("proto/2.s2c")),
        place in 0..3591_usize,
        value in any::<u8>(),
        piece in 1..90_usize,
    ) {
        bytes[place] = value;
        let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        prop_assert_eq!(collect(&pieces), collect(&[&bytes]));
    }
}

#[test]
fn an_abort_counts_only_with_the_nul_behind_its_reason() {
    let mut bytes = Vec::new();
    Message::Abort { code: 5, reason: b"why" }.encode(&Limits::HOST, &mut bytes).unwrap();
    let mut collector = MessageCollector::new(&Limits::HOST);
    let (but_nul, nul) = bytes.split_at(bytes.len() - 1);
    assert!(collector.next(&mut &*but_nul).unwrap().is_none());
    let message = collector.next(&mut &*nul).unwrap();
    assert!(matches!(message, Some(Message::Abort { code: 5, reason: b"why" })), "{message:?}");

    *bytes.last_mut().unwrap() = b'!';
    let refused = MessageCollector::new(&Limits::HOST).next(&mut &*bytes).map(|_| ());
    assert!(matches!(refused, Err(ProtocolError::AbortReason { .. })), "{refused:?}");
}
