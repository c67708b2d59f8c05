//! Reading the protocol from bytes in any split, in constant memory.
//!
//! The parts of a message come as separate events: its head, then each requested ID, or its body in whatever
//! pieces the input has. So a device streams a chunk of any size into its flash, and a hostile size makes
//! nobody allocate.
//!
//! Invariants
//! - However the input is split, the same events come out, pieces of bodies aside (test:
//!   `any_messages_come_back_in_any_split`).
//! - The first event is a HELLO or an ABORT, and no HELLO comes later.
//! - Whoever stops between two bytes of a message learns it (test: `truncation_anywhere_is_an_error`).

use super::error::ProtocolError;
use super::message::{ABORT_CODE_MAX, CHUNK_COMPRESSED, HEAD_LEN, Kind, Priority, REQUEST_HIGH_PRIORITY};
use super::services::Services;
use crate::digest::{CHUNK_ID_LEN, ChunkId};
use crate::format::StorageForm;
use crate::limits::Limits;

/// Most bytes that are gathered before they mean something: flags and ID of a chunk.
const PENDING_LEN: usize = 8 + CHUNK_ID_LEN;

/// The beginning of a message, or its next part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event<'a> {
    /// A message begins.
    Head(Head),
    /// The next name of a request.
    Requested(ChunkId),
    /// The next bytes of the message's body; none only at the end of a reason, once its NUL has come.
    Body {
        /// The bytes. A reason's may be no UTF-8, but hold no control characters below 0x20.
        bytes: &'a [u8],
        /// Whether the body ends with them.
        last: bool,
    },
}

/// How a message begins; all of it, if it has no parts of any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Head {
    /// What the peer offers and wants.
    Hello(Services),
    /// A piece of an index; its bytes follow as [`Event::Body`].
    Index {
        /// How many bytes, at least 1.
        len: u64,
    },
    /// The index is complete.
    IndexEof,
    /// A piece of an archive; its bytes follow as [`Event::Body`].
    Archive {
        /// How many bytes, at least 1.
        len: u64,
    },
    /// The archive is complete.
    ArchiveEof,
    /// Chunks are wanted; their names follow as [`Event::Requested`].
    Request {
        /// How urgently.
        priority: Priority,
        /// How many, at least 1.
        count: u64,
    },
    /// A chunk; its stored bytes follow as [`Event::Body`].
    Chunk {
        /// The form of its bytes.
        form: StorageForm,
        /// Its name, not verified.
        id: ChunkId,
        /// How many bytes, at least 1.
        len: u64,
    },
    /// A wanted chunk is not there.
    Missing(ChunkId),
    /// The end, in peace.
    Goodbye,
    /// The end, with an error; the reason follows as [`Event::Body`] unless it is empty.
    Abort {
        /// An error number of the sender's system; 0 if it has none.
        code: u32,
        /// Bytes of the reason, its NUL left out.
        reason_len: u64,
    },
}

impl Head {
    /// The kind of message that begins.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Index { .. } => Kind::Index,
            Self::IndexEof => Kind::IndexEof,
            Self::Archive { .. } => Kind::Archive,
            Self::ArchiveEof => Kind::ArchiveEof,
            Self::Request { .. } => Kind::Request,
            Self::Chunk { .. } => Kind::Chunk,
            Self::Missing(_) => Kind::Missing,
            Self::Goodbye => Kind::Goodbye,
            Self::Abort { .. } => Kind::Abort,
        }
    }
}

/// Reads one direction of a session.
#[derive(Clone, Debug)]
pub struct MessageReader {
    len_max: u64,
    state: State,
    greeted: bool,
    /// Bytes taken so far.
    offset: u64,
    /// Where the present message began.
    start: u64,
    /// The start of something whose rest has not come yet.
    pending: [u8; PENDING_LEN],
    pending_len: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between messages.
    Head,
    /// In the fields after the head; `rest` bytes come after them.
    Fields {
        kind: Kind,
        rest: u64,
    },
    /// In the names of a request; how many are left.
    Ids {
        left: u64,
    },
    /// In a body; how many bytes are left.
    Body {
        left: u64,
    },
    /// In the reason of an abort; how many bytes are left, the NUL left out.
    Reason {
        left: u64,
    },
    /// Before the NUL that ends a reason.
    ReasonEnd,
    Failed(ProtocolError),
}

impl State {
    /// How many bytes must be pending before they mean something.
    const fn gathered_len(self) -> usize {
        match self {
            Self::Head => HEAD_LEN,
            Self::Fields { kind, .. } => kind.fixed_len(),
            Self::Ids { .. } => CHUNK_ID_LEN,
            Self::ReasonEnd => 1,
            Self::Body { .. } | Self::Reason { .. } | Self::Failed(_) => 0,
        }
    }
}

impl MessageReader {
    /// A reader at the start of a stream.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            len_max: limits.message_len_max,
            state: State::Head,
            greeted: false,
            offset: 0,
            start: 0,
            pending: [0; PENDING_LEN],
            pending_len: 0,
        }
    }

    /// Takes bytes from the front of `input` up to and including the next event; `None` once `input` is used
    /// up and more is needed.
    ///
    /// # Errors
    /// [`ProtocolError`] at the first byte that is against the protocol. The reader gives the same error from
    /// then on.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, ProtocolError> {
        loop {
            match self.state {
                State::Failed(error) => return Err(error),
                State::Body { .. } | State::Reason { .. } if input.is_empty() => return Ok(None),
                State::Body { left } => return Ok(Some(self.body(input, left))),
                State::Reason { left } => return self.reason(input, left).map(Some),
                State::Head | State::Fields { .. } | State::Ids { .. } | State::ReasonEnd => {}
            }
            let state = self.state;
            if !self.gather(input, state.gathered_len()) {
                return Ok(None);
            }
            if let Some(event) = self.gathered(state)? {
                return Ok(Some(event));
            }
        }
    }

    /// Declares the end of the stream. That no GOODBYE came is no error here: casync just closes.
    ///
    /// # Errors
    /// [`ProtocolError::Truncated`] within a message, or the error met before.
    pub const fn finish(&self) -> Result<(), ProtocolError> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Head if self.pending_len == 0 => Ok(()),
            _ => Err(ProtocolError::Truncated { offset: self.offset }),
        }
    }

    /// Moves bytes from `input` until `wanted` are pending; whether they are. If so they count as used.
    fn gather(&mut self, input: &mut &[u8], wanted: usize) -> bool {
        let (front, rest) = input.split_at((wanted - self.pending_len).min(input.len()));
        self.pending[self.pending_len..self.pending_len + front.len()].copy_from_slice(front);
        self.pending_len += front.len();
        self.offset += front.len() as u64;
        *input = rest;
        let complete = self.pending_len == wanted;
        if complete {
            self.pending_len = 0;
        }
        complete
    }

    /// Judges what is pending as a whole; not every part is an event.
    fn gathered<'a>(&mut self, state: State) -> Result<Option<Event<'a>>, ProtocolError> {
        match state {
            State::Head => Ok(self.head()?.map(Event::Head)),
            State::Fields { kind, rest } => Ok(Some(Event::Head(self.fields(kind, rest)?))),
            State::Ids { left } => {
                self.state = if left == 1 { State::Head } else { State::Ids { left: left - 1 } };
                Ok(Some(Event::Requested(self.pending_id(0))))
            }
            State::ReasonEnd if self.pending[0] != 0 => {
                Err(self.fail(ProtocolError::AbortReason { offset: self.offset - 1 }))
            }
            State::ReasonEnd => {
                self.state = State::Head;
                Ok(Some(Event::Body { bytes: &[], last: true }))
            }
            State::Body { .. } | State::Reason { .. } | State::Failed(_) => {
                self.state = State::Head;
                Ok(None)
            }
        }
    }

    /// Judges size and type; a message that has nothing else is an event.
    fn head(&mut self) -> Result<Option<Head>, ProtocolError> {
        self.start = self.offset - HEAD_LEN as u64;
        let (offset, len, limit) = (self.start, self.pending_word(0), self.len_max);
        if len < HEAD_LEN as u64 {
            return Err(self.fail(ProtocolError::TooShort { offset, len }));
        }
        if len > limit {
            return Err(self.fail(ProtocolError::TooLong { offset, len, limit }));
        }
        let word = self.pending_word(8);
        let Some(kind) = Kind::from_word(word) else {
            return Err(self.fail(ProtocolError::UnknownType { offset, word }));
        };
        let rest = len.checked_sub((HEAD_LEN + kind.fixed_len()) as u64);
        let Some(rest) = rest.filter(|rest| kind.admits_rest(*rest)) else {
            return Err(self.fail(ProtocolError::WrongLength { offset, kind, len }));
        };
        self.check_order(kind)?;
        if kind.fixed_len() > 0 {
            self.state = State::Fields { kind, rest };
            return Ok(None);
        }
        if rest > 0 {
            self.state = State::Body { left: rest };
        }
        Ok(Some(match kind {
            Kind::Index => Head::Index { len: rest },
            Kind::Archive => Head::Archive { len: rest },
            Kind::IndexEof => Head::IndexEof,
            Kind::ArchiveEof => Head::ArchiveEof,
            _ => Head::Goodbye,
        }))
    }

    fn check_order(&mut self, kind: Kind) -> Result<(), ProtocolError> {
        match (kind, self.greeted) {
            (Kind::Hello, true) => Err(self.fail(ProtocolError::SecondHello { offset: self.start })),
            (Kind::Hello, false) => {
                self.greeted = true;
                Ok(())
            }
            (Kind::Abort, _) | (_, true) => Ok(()),
            (_, false) => Err(self.fail(ProtocolError::BeforeHello { kind })),
        }
    }

    /// Judges the fields after the head, which every kind that gets here has.
    fn fields(&mut self, kind: Kind, rest: u64) -> Result<Head, ProtocolError> {
        self.state = State::Head;
        if kind == Kind::Missing {
            return Ok(Head::Missing(self.pending_id(0)));
        }
        let (offset, flags) = (self.start, self.pending_word(0));
        match kind {
            Kind::Hello => {
                let services = Services::from_bits_retain(flags);
                services.check().map_err(|error| self.fail(ProtocolError::Services(error)))?;
                Ok(Head::Hello(services))
            }
            Kind::Abort if flags > ABORT_CODE_MAX => {
                Err(self.fail(ProtocolError::AbortCode { offset, code: flags }))
            }
            Kind::Abort => {
                self.state = if rest > 1 { State::Reason { left: rest - 1 } } else { State::ReasonEnd };
                // At most ABORT_CODE_MAX, so nothing is cut off.
                Ok(Head::Abort { code: flags as u32, reason_len: rest - 1 })
            }
            // Both kinds that remain know one flag, in bit 0.
            _ if flags > 1 => Err(self.fail(ProtocolError::Flags { offset, kind, flags })),
            Kind::Request => {
                let count = rest / CHUNK_ID_LEN as u64;
                self.state = State::Ids { left: count };
                let priority =
                    if flags & REQUEST_HIGH_PRIORITY != 0 { Priority::High } else { Priority::Low };
                Ok(Head::Request { priority, count })
            }
            _ => {
                self.state = State::Body { left: rest };
                let compressed = flags & CHUNK_COMPRESSED != 0;
                let form = if compressed { StorageForm::Compressed } else { StorageForm::Plain };
                Ok(Head::Chunk { form, id: self.pending_id(8), len: rest })
            }
        }
    }

    fn body<'a>(&mut self, input: &mut &'a [u8], left: u64) -> Event<'a> {
        let bytes = self.take(input, left);
        let left = left - bytes.len() as u64;
        self.state = if left == 0 { State::Head } else { State::Body { left } };
        Event::Body { bytes, last: left == 0 }
    }

    fn reason<'a>(&mut self, input: &mut &'a [u8], left: u64) -> Result<Event<'a>, ProtocolError> {
        let bytes = self.take(input, left);
        if let Some(wrong) = bytes.iter().position(|byte| *byte < 0x20) {
            let offset = self.offset - (bytes.len() - wrong) as u64;
            return Err(self.fail(ProtocolError::AbortReason { offset }));
        }
        let left = left - bytes.len() as u64;
        self.state = if left == 0 { State::ReasonEnd } else { State::Reason { left } };
        // The last part is an empty one, once the NUL behind the reason has been seen.
        Ok(Event::Body { bytes, last: false })
    }

    fn take<'a>(&mut self, input: &mut &'a [u8], left: u64) -> &'a [u8] {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(len);
        *input = rest;
        self.offset += len as u64;
        bytes
    }

    fn pending_word(&self, at: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.pending[at..at + 8]);
        u64::from_le_bytes(word)
    }

    fn pending_id(&self, at: usize) -> ChunkId {
        let mut id = [0; CHUNK_ID_LEN];
        id.copy_from_slice(&self.pending[at..at + CHUNK_ID_LEN]);
        ChunkId(id)
    }

    #[cold]
    const fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.state = State::Failed(error);
        error
    }
}
