//! Recorded sessions of casync's server, replayed to our client byte for byte.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use desync_core::format::StorageForm;
use desync_core::protocol::{Message, MessageCollector, Priority, Services};
use desync_core::{ChunkId, Limits};
use desync_store::{Backend as _, Budget, ErrorKind};
use desync_store_ssh::{Programs, SshStore, SshTarget};
use desync_test_kit::golden;

/// Answers in order: the bytes of a chunk, or that the server has none.
type Answers = Vec<(ChunkId, Option<Vec<u8>>)>;

/// What a recorded server said to one that wants chunks only, and what of it are answers.
fn recorded(name: &str) -> (Vec<u8>, Answers) {
    let bytes = golden::read(name);
    let (mut input, mut collector) = (&bytes[..], MessageCollector::new(&Limits::HOST));
    let (mut said, mut answers) = (Vec::new(), Vec::new());
    while let Some(message) = collector.next(&mut input).unwrap() {
        match message {
            Message::Chunk { id, data, .. } => answers.push((id, Some(data.to_vec()))),
            Message::Missing(id) => answers.push((id, None)),
            Message::Hello(_) => {}
            // Sent to a client that asked for it.
            Message::Index(_) | Message::IndexEof => continue,
            other => panic!("unexpected in {name}: {}", other.kind()),
        }
        message.encode(&Limits::HOST, &mut said).unwrap();
    }
    (said, answers)
}

/// The tests take turns: where one starts its program while another writes its own, that one is busy, for what is being
/// started holds the file open until it is another program.
static TURN: Mutex<()> = Mutex::new(());

/// In the place of ssh: says what is in a file and notes what it hears.
fn stand_in(room: &Path, said: &Path) -> Programs {
    let (ssh, heard) = (room.join("ssh"), room.join("heard"));
    fs::write(&ssh, format!("#!/bin/sh\ncat '{}'\ncat > '{}'\n", said.display(), heard.display())).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    Programs { ssh: ssh.into(), remote: "casync".into() }
}

fn store(programs: Programs) -> SshStore {
    let target = SshTarget::parse("ssh://host/srv/store").unwrap();
    SshStore::new(target, programs, "ssh://host", None, Arc::new(Budget::unlimited()))
}

/// Servers of chunks were recorded three times; of 0 and 3 what is about the index is left out, which no client of
/// ours asks for. 1 serves an archive, 4 and 5 are sent to: `pull`'s tests have them.
#[test]
fn recorded_servers_are_understood_and_asked_as_casync_asks() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for number in [0, 2, 3] {
        let (room, name) = (tempfile::tempdir().unwrap(), format!("proto/{number}.s2c"));
        let (said, answers) = recorded(&name);
        assert!(answers.len() > 4 && (number != 2 || said == golden::read(&name)), "{name}");
        let file = room.path().join("said");
        fs::write(&file, said).unwrap();
        let store = store(stand_in(room.path(), &file));
        for (id, answer) in &answers {
            match (store.read(id, StorageForm::Compressed, 1 << 20), answer) {
                (Ok(stored), Some(recorded)) => assert!(stored == *recorded, "{id}"),
                (Err(error), None) => assert_eq!(error.kind, ErrorKind::Missing, "{error}"),
                (other, _) => panic!("{id}: {other:?}"),
            }
        }
        drop(store);
        let mut asked = Vec::new();
        let mut say = |message: &Message<'_>| message.encode(&Limits::HOST, &mut asked).unwrap();
        say(&Message::Hello(Services::PULL_CHUNKS));
        for (id, _) in &answers {
            say(&Message::Request { priority: Priority::High, ids: &[*id] });
        }
        say(&Message::Goodbye);
        assert!(fs::read(room.path().join("heard")).unwrap() == asked, "{name}");
        // Another client of the same wishes begins with the same words.
        assert!(number != 2 || golden::read("proto/2.c2s").starts_with(&asked[..24]));
    }
}

#[test]
fn defect_57_an_abort_is_told_in_the_servers_words() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (room, mut bytes) = (tempfile::tempdir().unwrap(), Vec::new());
    for message in [Message::Hello(Services::READABLE_STORE), Message::Abort { code: 5, reason: b"no disk" }]
    {
        message.encode(&Limits::HOST, &mut bytes).unwrap();
    }
    let said = room.path().join("said");
    fs::write(&said, bytes).unwrap();
    let store = store(stand_in(room.path(), &said));
    let error = store.read(&ChunkId([1; 32]), StorageForm::Compressed, 1 << 20).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.cause.contains("ended the session (code 5): no disk"), "{error}");
}
