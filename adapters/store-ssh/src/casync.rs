//! `ssh://`: chunks from a program over there that speaks the casync protocol (`casync pull`, `desync pull`).
//!
//! The protocol has no question for whether a chunk is there: to look one up is to fetch it.
//!
//! Invariant: no session is asked for a chunk twice. casync's server (version 2) leaves that unanswered (recorded in
//! golden session `proto/2`; test: `a_chunk_that_repeats_is_asked_of_another_session`).

use std::collections::HashSet;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use desync_codec::{Compression, Encoder};
use desync_core::format::StorageForm;
use desync_core::protocol::{Agreement, Message, MessageCollector, Priority, Services};
use desync_core::{ChunkId, Limits};
use desync_store::{Backend, Budget, Bytes, ErrorKind, Operation, StoreError};

use crate::process::Peer;
use crate::sessions::{Failure, Sessions};
use crate::{Programs, SshTarget};

/// How long logging in may take: people type passwords.
const LOGIN: Duration = Duration::from_secs(180);

/// Bytes that are read at once.
const READ_LEN: usize = 64 << 10;

/// Bytes of a peer's last words that are shown.
const REASON_MAX: usize = 200;

/// Requests of a session: what was asked for is remembered, in a few megabytes.
const ASKED_MAX: usize = 1 << 16;

/// Chunks in a store behind ssh. Read-only, always compressed.
pub struct SshStore {
    sessions: Sessions<Session>,
    location: String,
    budget: Arc<Budget>,
}

impl SshStore {
    /// The store at `target`, called `location` in messages. Nobody logs in yet.
    #[must_use]
    pub fn new(
        target: SshTarget,
        programs: Programs,
        location: &str,
        silence: Option<Duration>,
        budget: Arc<Budget>,
    ) -> Self {
        let sessions = Sessions::new(move || Session::open(&target, &programs, silence));
        Self { sessions, location: location.to_owned(), budget }
    }

    /// The stored bytes of a chunk; `None` if it is not there.
    fn fetch(&self, operation: Operation, id: &ChunkId, len_max: u64) -> Result<Option<Vec<u8>>, StoreError> {
        // Once asked for, it comes whole: the longest it can be is set aside. A look-up does not know that; it
        // counts when it is done.
        let ahead = if operation == Operation::Get { len_max } else { 0 };
        let mut reservation = self.budget.reserve(ahead, &self.location)?;
        let fetched =
            self.sessions.request_where(|session| session.may_ask(id), |session| session.fetch(id, len_max));
        let fetched = fetched.map_err(|failure| failure.of(operation, &self.location).on(id))?;
        if let Some(stored) = &fetched {
            let len = stored.len() as u64;
            reservation.add(len.saturating_sub(ahead), &self.location)?;
            reservation.used(len);
        }
        Ok(fetched)
    }
}

impl Backend for SshStore {
    fn location(&self) -> &str {
        &self.location
    }

    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError> {
        debug_assert_eq!(form, StorageForm::Compressed, "the only form of the protocol");
        let fetched = self.fetch(Operation::Get, id, len_max)?;
        fetched.map(Bytes::from).ok_or_else(|| StoreError::missing(Operation::Get, &self.location, id))
    }

    fn exists(&self, id: &ChunkId, _form: StorageForm) -> Result<bool, StoreError> {
        Ok(self.fetch(Operation::Has, id, u64::MAX)?.is_some())
    }

    fn write(&self, id: &ChunkId, _form: StorageForm, _stored: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::read_only(&self.location).on(id))
    }

    fn is_writable(&self) -> bool {
        false
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// One session: one request at a time.
struct Session {
    peer: Peer,
    /// What was asked for: casync does not answer who asks for a chunk again.
    asked: HashSet<ChunkId>,
    messages: MessageCollector,
    buffer: Vec<u8>,
    /// What of the buffer is not taken yet.
    unread: std::ops::Range<usize>,
}

/// What answers a request.
enum Answer {
    Chunk(StorageForm, ChunkId, Vec<u8>),
    Missing(ChunkId),
    Other(Failure),
}

impl Session {
    fn open(target: &SshTarget, programs: &Programs, silence: Option<Duration>) -> Result<Self, Failure> {
        let peer = Peer::start(target.pull_command(programs), silence.map(|_| LOGIN));
        // A program that is not there will not be there the next time.
        let peer = peer.map_err(|error| Failure::Refused(ErrorKind::Permanent, error.to_string()))?;
        let messages = MessageCollector::new(&Limits::HOST);
        let mut session =
            Self { peer, asked: HashSet::new(), messages, buffer: vec![0; READ_LEN], unread: 0..0 };
        session.send(&Message::Hello(Services::PULL_CHUNKS))?;
        let theirs = session.next(|message| match message {
            Message::Hello(services) => Ok(*services),
            other => Err(unexpected(other)),
        })??;
        if let Err(error) = Agreement::new(Services::PULL_CHUNKS, theirs) {
            return Err(Failure::Refused(
                ErrorKind::Permanent,
                format!("server not offering chunks: {error}"),
            ));
        }
        session.peer.set_silence(silence);
        Ok(session)
    }

    /// Whether this session will answer a request.
    fn may_ask(&self, id: &ChunkId) -> bool {
        self.asked.len() < ASKED_MAX && !self.asked.contains(id)
    }

    fn fetch(&mut self, id: &ChunkId, len_max: u64) -> Result<Option<Vec<u8>>, Failure> {
        self.asked.insert(*id);
        self.send(&Message::Request { priority: Priority::High, ids: &[*id] })?;
        let answer = self.next(|message| match message {
            Message::Chunk { form, id, data } => Answer::Chunk(*form, *id, data.to_vec()),
            Message::Missing(id) => Answer::Missing(*id),
            other => Answer::Other(unexpected(other)),
        })?;
        match answer {
            Answer::Missing(about) if about == *id => Ok(None),
            Answer::Chunk(form, about, data) if about == *id => {
                let stored = if form.is_compressed() { data } else { compressed(&data)? };
                if stored.len() as u64 > len_max {
                    let cause =
                        format!("the chunk has {} bytes, {len_max} at most are possible", stored.len());
                    return Err(Failure::Refused(ErrorKind::Invalid, cause));
                }
                Ok(Some(stored))
            }
            Answer::Other(failure) => Err(failure),
            Answer::Missing(other) | Answer::Chunk(_, other, _) => {
                Err(Failure::Broken(format!("asked for chunk {id}, the server answers about {other}")))
            }
        }
    }

    fn send(&mut self, message: &Message<'_>) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let encoded = message.encode(&Limits::HOST, &mut bytes);
        encoded.map_err(|error| Failure::Broken(error.to_string()))?;
        self.peer.write_all(&bytes).map_err(|error| self.broken(&error))
    }

    /// What `take` makes of the next message.
    fn next<T>(&mut self, mut take: impl FnMut(&Message<'_>) -> T) -> Result<T, Failure> {
        loop {
            let mut input = &self.buffer[self.unread.clone()];
            let before = input.len();
            match self.messages.next(&mut input) {
                Ok(Some(message)) => {
                    let taken = take(&message);
                    self.unread.start += before - input.len();
                    return Ok(taken);
                }
                Ok(None) => {}
                Err(error) => return Err(Failure::Broken(error.to_string())),
            }
            match self.peer.read(&mut self.buffer) {
                Ok(0) => return Err(Failure::Broken(self.peer.last_words())),
                Ok(count) => self.unread = 0..count,
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    fn broken(&mut self, error: &std::io::Error) -> Failure {
        Failure::Broken(match error.kind() {
            std::io::ErrorKind::BrokenPipe => self.peer.last_words(),
            _ => error.to_string(),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Whoever is not there any more needs no farewell.
        let _ = self.send(&Message::Goodbye);
    }
}

/// What a message means that is no answer.
fn unexpected(message: &Message<'_>) -> Failure {
    match message {
        Message::Abort { code, reason } => {
            let reason = String::from_utf8_lossy(&reason[..reason.len().min(REASON_MAX)]);
            let shown: String = reason.chars().filter(|c| !c.is_control()).collect();
            Failure::Broken(format!("the server ended the session (code {code}): {shown}"))
        }
        other => Failure::Broken(format!("unexpected message from server: {}", other.kind())),
    }
}

fn compressed(plain: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut stored = Vec::new();
    let encoded =
        Encoder::with(Compression::DEFAULT).and_then(|mut encoder| encoder.encode(plain, &mut stored));
    encoded.map_err(|error| Failure::Refused(ErrorKind::Permanent, error.to_string()))?;
    Ok(stored)
}
