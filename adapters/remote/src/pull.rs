//! One session of the casync protocol in which the peer pulls chunks.
//!
//! Every ID of every request is answered, repeats too, urgent ones first. The peer ends it by GOODBYE or by
//! closing its stream; both are success once what it asked for is answered.
//!
//! Invariants
//! - Both directions are served at once: a peer that asks for all it wants before it reads does not hang the
//!   session (test: `a_peer_that_asks_for_everything_first_is_served`).
//! - Chunks are sent compressed, as one zstd frame, whatever the form of the store.

use std::io::{self, BufWriter, Read, Write};
use std::sync::Arc;
use std::thread;

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::format::StorageForm;
use desync_core::protocol::{
    Agreement, Event, Head, HelloError, Kind, Message, MessageReader, Priority, ProtocolError, Services,
};
use desync_core::{ChunkId, DigestKind, Limits};
use desync_store::{ChunkStore, ErrorKind, StoreError};

use crate::form::{Form, Former};
use crate::queue::{Next, RequestQueue};

/// Bytes that are read at once.
const READ_LEN: usize = 64 << 10;
/// Bytes of a peer's last words that are shown.
const REASON_MAX: usize = 200;
/// Code of the ABORT that a failing store ends a session with: EIO of Linux.
const ABORT_CODE: u32 = 5;

/// Why a session failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The peer does not speak the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The peer wants other things than chunks.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The peer does not want chunks.
    #[error("client is not requesting chunks, provided flags {flags:x}")]
    NotRequestingChunks {
        /// What it said.
        flags: u64,
    },
    /// The peer sent what only a server sends.
    #[error("unexpected message from client: {kind}")]
    Unexpected {
        /// Which.
        kind: Kind,
    },
    /// The peer ended the session with an error.
    #[error("client aborted connection (code {code}): {reason}")]
    Aborted {
        /// An error number of its system, or 0.
        code: u32,
        /// Why, made printable.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stream failed.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
}

/// Serves the chunks of a store until the peer ends the session.
///
/// `input` is read by a thread of its own, which may outlive an error until `input` gives something.
///
/// # Errors
/// [`SessionError`]. That a chunk is missing or damaged in the store is not one: the peer is told so.
pub fn serve_chunks<R, W>(input: R, output: W, store: &dyn ChunkStore) -> Result<(), SessionError>
where
    R: Read + Send + 'static,
    W: Write,
{
    let queue = Arc::new(RequestQueue::new());
    let mut server =
        Server { out: BufWriter::new(output), store, former: Former::new(), message: Vec::new() };
    let requests = Arc::clone(&queue);
    thread::Builder::new().name("requests".into()).spawn(move || {
        let end = read_requests(input, &requests);
        requests.end(end);
    })?;
    let served = server.serve(&queue);
    queue.abandon();
    match served {
        // casync closes as soon as it has all it needs, whatever is still on the way.
        Err(SessionError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The side that answers.
struct Server<'a, W: Write> {
    out: BufWriter<W>,
    store: &'a dyn ChunkStore,
    former: Former,
    message: Vec<u8>,
}

impl<W: Write> Server<'_, W> {
    fn serve(&mut self, queue: &RequestQueue<SessionError>) -> Result<(), SessionError> {
        self.send(&Message::Hello(Services::READABLE_STORE))?;
        loop {
            let next = match queue.try_next() {
                Next::Nothing => {
                    self.out.flush()?;
                    queue.wait_next()
                }
                next => next,
            };
            match next {
                Next::Answer(id) => self.answer(id)?,
                Next::End(end) => {
                    self.out.flush()?;
                    return end;
                }
                Next::Nothing => {}
            }
        }
    }

    fn answer(&mut self, id: ChunkId) -> Result<(), SessionError> {
        let len = WantedLen::AtMost(Limits::HOST.chunk_len_max);
        let wanted = Wanted { id, digest: DigestKind::Sha512_256, len };
        let frame = match self.store.get(&wanted) {
            Ok(chunk) => self.former.bring(&chunk, Form::Zstd).map_err(|error| error.to_string()),
            Err(error) if matches!(error.kind, ErrorKind::Missing | ErrorKind::Invalid) => {
                Err(error.to_string())
            }
            Err(error) => {
                let reason: String = error.to_string().chars().filter(|c| !c.is_control()).collect();
                self.send(&Message::Abort { code: ABORT_CODE, reason: reason.as_bytes() })?;
                self.out.flush()?;
                return Err(error.into());
            }
        };
        let sent = frame.and_then(|frame| {
            let chunk = Message::Chunk { form: StorageForm::Compressed, id, data: &frame };
            self.encode(&chunk).map_err(|error| error.to_string())
        });
        if let Err(cause) = sent {
            log::info!("chunk {id} is answered as missing: {cause}");
            self.encode(&Message::Missing(id))?;
        }
        self.out.write_all(&self.message)?;
        Ok(())
    }

    fn send(&mut self, message: &Message<'_>) -> Result<(), SessionError> {
        self.encode(message)?;
        self.out.write_all(&self.message)?;
        Ok(())
    }

    fn encode(&mut self, message: &Message<'_>) -> Result<(), ProtocolError> {
        self.message.clear();
        message.encode(&Limits::HOST, &mut self.message)
    }
}

/// Reads requests into the queue up to the end of the session.
fn read_requests(mut input: impl Read, queue: &RequestQueue<SessionError>) -> Result<(), SessionError> {
    let mut reader = MessageReader::new(&Limits::HOST);
    let mut peer = Peer::default();
    let mut buffer = vec![0; READ_LEN];
    loop {
        let len = match input.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if len == 0 {
            return Ok(reader.finish()?);
        }
        let mut bytes = &buffer[..len];
        while let Some(event) = reader.next(&mut bytes)? {
            match peer.take(event)? {
                Said::Request(id, priority) if queue.push(id, priority) => {}
                Said::Nothing => {}
                Said::Goodbye | Said::Request(..) => return Ok(()),
            }
        }
    }
}

/// What is known of the peer.
#[derive(Default)]
struct Peer {
    agreement: Option<Agreement>,
    priority: Priority,
    /// The code and the words so far of an ABORT.
    abort: Option<(u32, Vec<u8>)>,
}

/// What an event means.
enum Said {
    Nothing,
    Request(ChunkId, Priority),
    Goodbye,
}

impl Peer {
    fn take(&mut self, event: Event<'_>) -> Result<Said, SessionError> {
        match event {
            Event::Head(Head::Hello(services)) => {
                if !services.contains(Services::PULL_CHUNKS) {
                    return Err(SessionError::NotRequestingChunks { flags: services.bits() });
                }
                self.agreement = Some(Agreement::new(Services::READABLE_STORE, services)?);
            }
            Event::Head(Head::Abort { code, reason_len: 0 }) => return Err(aborted(code, &[])),
            Event::Head(Head::Abort { code, .. }) => self.abort = Some((code, Vec::new())),
            Event::Head(head) => {
                let kind = head.kind();
                if !self.agreement.is_some_and(|agreement| agreement.allows_from_peer(kind)) {
                    return Err(SessionError::Unexpected { kind });
                }
                match head {
                    Head::Request { priority, .. } => self.priority = priority,
                    Head::Goodbye => return Ok(Said::Goodbye),
                    _ => {}
                }
            }
            Event::Requested(id) => return Ok(Said::Request(id, self.priority)),
            Event::Body { bytes, last } => {
                if let Some((code, reason)) = &mut self.abort {
                    reason.extend(bytes.iter().take(REASON_MAX - reason.len()));
                    if last {
                        return Err(aborted(*code, reason));
                    }
                }
            }
        }
        Ok(Said::Nothing)
    }
}

fn aborted(code: u32, reason: &[u8]) -> SessionError {
    SessionError::Aborted { code, reason: reason.escape_ascii().to_string() }
}

#[cfg(test)]
mod tests;
