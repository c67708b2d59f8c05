//! Why bytes are not the protocol.

use super::message::Kind;
use super::services::ServicesError;

/// A stream that is refused. Offsets are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ProtocolError {
    /// A message says it is shorter than its own head.
    #[error("message of {len} bytes at byte {offset}: none is shorter than 16")]
    TooShort {
        /// Where the message begins.
        offset: u64,
        /// What its size word says.
        len: u64,
    },
    /// A message says it is longer than allowed.
    #[error("message of {len} bytes at byte {offset}: the limit is {limit}")]
    TooLong {
        /// Where the message begins, or 0 for one that we were to send.
        offset: u64,
        /// Its length.
        len: u64,
        /// The limit.
        limit: u64,
    },
    /// The type word is none that is known.
    #[error("message of unknown type {word:#018x} at byte {offset}")]
    UnknownType {
        /// Where the message begins.
        offset: u64,
        /// The type word.
        word: u64,
    },
    /// A message has a length that its type cannot have.
    #[error("{kind} message of {len} bytes at byte {offset}")]
    WrongLength {
        /// Where the message begins.
        offset: u64,
        /// Its type.
        kind: Kind,
        /// Its length.
        len: u64,
    },
    /// A REQUEST or CHUNK has flags nobody knows.
    #[error("{kind} message with unknown flags {flags:#x} at byte {offset}")]
    Flags {
        /// Where the message begins.
        offset: u64,
        /// Its type.
        kind: Kind,
        /// Its flags.
        flags: u64,
    },
    /// A HELLO makes no sense.
    #[error(transparent)]
    Services(ServicesError),
    /// The first message is neither HELLO nor ABORT.
    #[error("{kind} message before hello")]
    BeforeHello {
        /// Its type.
        kind: Kind,
    },
    /// HELLO was said before.
    #[error("second hello at byte {offset}")]
    SecondHello {
        /// Where it begins.
        offset: u64,
    },
    /// The code of an ABORT is no error number.
    #[error("abort with code {code:#x} at byte {offset}")]
    AbortCode {
        /// Where the message begins.
        offset: u64,
        /// The code.
        code: u64,
    },
    /// The reason of an ABORT has a control character, or no NUL at its end.
    #[error("abort with a damaged reason, at byte {offset}")]
    AbortReason {
        /// Where the wrong byte lies.
        offset: u64,
    },
    /// The stream ends within a message.
    #[error("stream ends after {offset} bytes, within a message")]
    Truncated {
        /// Length of the stream.
        offset: u64,
    },
    /// No memory for a message.
    #[error("no memory for a message of {len} bytes")]
    OutOfMemory {
        /// Its length.
        len: u64,
    },
}
