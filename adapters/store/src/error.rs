//! What can go wrong with a store, told so that composition can act on it.

use std::fmt;

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
    /// What went wrong, in words. Shared, because one answer may go to several callers.
    pub cause: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.store, self.operation)?;
        if let Some(id) = &self.chunk {
            write!(f, " chunk {id}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

impl std::error::Error for StoreError {}
