//! What can go wrong with a store, told so that composition can act on it.

use std::time::Duration;
use std::{fmt, io};

use desync_core::ChunkId;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opening the store.
    Open,
    /// Fetching a chunk or index.
    Get,
    /// Asking whether it is there.
    Has,
    /// Storing it.
    Put,
    /// Deleting it.
    Remove,
    /// Listing the store.
    List,
    /// Making what was stored durable.
    Flush,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Get => "get",
            Self::Has => "look up",
            Self::Put => "store",
            Self::Remove => "remove",
            Self::List => "list",
            Self::Flush => "sync",
        })
    }
}

/// The kinds of failure that composition and callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The store works and does not have it: the next store may.
    Missing,
    /// It was there but is not what its name says: damaged, undecodable, wrong digest or length.
    Invalid,
    /// The same request may succeed later: timeout, connection, server overload.
    Transient,
    /// The store is full.
    NoSpace,
    /// The operation was cancelled by the user.
    Interrupted,
    /// More would have had to be downloaded than the user allowed.
    OverBudget,
    /// It will not succeed by trying again: denied, misconfigured, unsupported.
    Permanent,
}

/// A failed store operation: which, where, on what, why.
#[derive(Debug, Clone)]
pub struct StoreError {
    /// What composition acts on.
    pub kind: ErrorKind,
    /// What was being done.
    pub operation: Operation,
    /// The store as the user named it, secrets left out.
    pub store: String,
    /// The chunk concerned, if one.
    pub chunk: Option<ChunkId>,
    /// What went wrong, in words, because one answer may go to several callers. Of a chunk that is missing or
    /// invalid it names the chunk, too.
    pub cause: String,
    /// How long the store asked to wait before the same request is made again, if it did (HTTP's
    /// `Retry-After`).
    pub retry_after: Option<Duration>,
}

impl StoreError {
    /// A failure of `operation` at `store`, for a cause in words.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: Operation, store: &str, cause: impl fmt::Display) -> Self {
        let (store, cause) = (store.to_owned(), cause.to_string());
        Self { kind, operation, store, chunk: None, cause, retry_after: None }
    }

    /// The same failure, about one chunk.
    #[must_use]
    pub fn on(mut self, id: &ChunkId) -> Self {
        self.chunk = Some(*id);
        self
    }

    /// The same failure, of a store that asked to wait.
    #[must_use]
    pub fn after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Whether no other request to any store would fare better: the run is to end.
    #[must_use]
    pub const fn ends_the_run(&self) -> bool {
        matches!(self.kind, ErrorKind::Interrupted | ErrorKind::OverBudget)
    }

    /// The store works and does not have this chunk.
    #[must_use]
    pub fn missing(operation: Operation, store: &str, id: &ChunkId) -> Self {
        let cause = format_args!("chunk {id} missing from store").to_string();
        Self::new(ErrorKind::Missing, operation, store, cause).on(id)
    }

    /// What the store has under this name is not the chunk. The cause may be anything.
    #[must_use]
    pub fn invalid(store: &str, id: &ChunkId, cause: impl fmt::Display) -> Self {
        let cause = format_args!("invalid chunk {id}: {cause}").to_string();
        Self::new(ErrorKind::Invalid, Operation::Get, store, cause).on(id)
    }

    /// The store, or composition of stores, cannot be written.
    #[must_use]
    pub fn read_only(store: &str) -> Self {
        let cause = format!("store '{store}' does not support writing");
        Self::new(ErrorKind::Permanent, Operation::Put, store, cause)
    }

    /// A failure that the operating system reported.
    #[must_use]
    pub fn io(operation: Operation, store: &str, error: &io::Error) -> Self {
        Self::new(kind_of(error), operation, store, error)
    }
}

/// What composition should make of a failure that the operating system reported. That a file is not there
/// is not told here: what it means depends on the file.
fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        io::ErrorKind::TimedOut
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => ErrorKind::Transient,
        _ => ErrorKind::Permanent,
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.store)?;
        // What is missing or invalid, those causes say themselves.
        if !matches!(self.kind, ErrorKind::Missing | ErrorKind::Invalid) {
            write!(f, "{}", self.operation)?;
            if let Some(id) = &self.chunk {
                write!(f, " chunk {id}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.cause)
    }
}

impl std::error::Error for StoreError {}

#[cfg(test)]
mod tests {
    use super::*;
    use desync_core::DigestKind;

    #[test]
    fn messages_name_store_operation_and_chunk_once() {
        let id = DigestKind::Sha512_256.id_of(b"x");
        let missing = StoreError::missing(Operation::Get, "/store", &id);
        assert_eq!(missing.to_string(), format!("/store: chunk {id} missing from store"));
        let invalid = StoreError::invalid("/store", &id, "no data in chunk");
        assert_eq!(invalid.to_string(), format!("/store: invalid chunk {id}: no data in chunk"));
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let full = StoreError::io(Operation::Put, "/store", &full).on(&id);
        assert_eq!(full.kind, ErrorKind::NoSpace);
        assert!(full.to_string().starts_with(&format!("/store: store chunk {id}: ")));
    }
}
