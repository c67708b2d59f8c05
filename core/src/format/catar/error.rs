//! Why bytes are not an archive, or a node cannot become part of one.

use super::record::Record;
use crate::format::flags::FlagsError;

/// An archive that is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("invalid archive format: {problem} (byte {offset} of the archive)")]
pub struct CatarError {
    /// Where the offending record starts, in bytes from the start of the archive.
    pub offset: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a record, or with a node that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Problem {
    /// The archive ends within a node or directory.
    #[error("it ends within a record or directory")]
    Truncated,
    /// Bytes follow the end of the root directory.
    #[error("bytes follow its end")]
    TrailingBytes,
    /// A record reaches beyond the end of the archive, or of the range of offsets.
    #[error("a record of {len} bytes reaches beyond the end")]
    BeyondEnd {
        /// Length of the record as it says.
        len: u64,
    },
    /// A type that no record has.
    #[error("unknown record type {word:016x}")]
    UnknownRecord {
        /// The type word.
        word: u64,
    },
    /// A length that this type of record cannot have.
    #[error("{record} of {len} bytes")]
    RecordLength {
        /// The type.
        record: Record,
        /// Its length as it says, head included.
        len: u64,
    },
    /// A record where its type may not stand.
    #[error("{record} is out of place")]
    OutOfPlace {
        /// The type.
        record: Record,
    },
    /// The root is no directory.
    #[error("the root is not a directory")]
    RootKind,
    /// A record that the kind of its node does not have.
    #[error("{record} does not belong to this kind of node")]
    WrongKind {
        /// The type.
        record: Record,
    },
    /// A node lacks the record that its kind demands.
    #[error("{record} is missing")]
    Missing {
        /// The type.
        record: Record,
    },
    /// A node or record of a sort that the feature flags switch off.
    #[error("the archive's feature flags do not allow {0}")]
    NotFeatured(&'static str),
    /// Feature flags that no writer makes.
    #[error(transparent)]
    Flags(FlagsError),
    /// Feature flags that differ from those of the root or the index.
    #[error("feature flags {found:016x} differ from {expected:016x}")]
    FeaturesDiffer {
        /// Those of the node.
        found: u64,
        /// Those of the root or the index.
        expected: u64,
    },
    /// A mode that no node has.
    #[error("mode {mode:o}")]
    Mode {
        /// It.
        mode: u64,
    },
    /// Attribute flags that this node cannot have.
    #[error("attribute flags {flags:x}")]
    NodeFlags {
        /// They.
        flags: u64,
    },
    /// An id of a user, group or project that cannot be stored.
    #[error("id {id}")]
    Id {
        /// It.
        id: u64,
    },
    /// A time that is reserved, or finer than the feature flags say.
    #[error("time {mtime}")]
    Time {
        /// Nanoseconds since 1970, as stored.
        mtime: u64,
    },
    /// A name that no file may have.
    #[error("a name that no file may have")]
    Name,
    /// A name that does not come after the one before it.
    #[error("a name out of order or twice")]
    NameOrder,
    /// Text that is empty, too long, or has no NUL at its end or one before.
    #[error("{record} with malformed text")]
    Text {
        /// The type of its record.
        record: Record,
    },
    /// An extended attribute or list entry that does not come after the one before it.
    #[error("{record} out of order or twice")]
    RecordOrder {
        /// Its type.
        record: Record,
    },
    /// Permissions of an access list beyond read, write and execute.
    #[error("permissions {bits:#x}")]
    Permissions {
        /// They.
        bits: u64,
    },
    /// Numbers of a device beyond the range.
    #[error("device {major}:{minor}")]
    DeviceNumber {
        /// Major number.
        major: u64,
        /// Minor number.
        minor: u64,
    },
    /// More nodes on a path than allowed.
    #[error("more than {max} nodes on a path")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// More metadata in a node than allowed.
    #[error("more than {max} bytes of metadata in a node")]
    TooMuchMetadata {
        /// The limit.
        max: usize,
    },
    /// A table of names that differs from the names.
    #[error("the table of names is wrong: {0}")]
    Goodbye(&'static str),
    /// A table that gives so many names the same hash that looking one up would take forever.
    #[error("too many names with the same hash")]
    HashCollisions,
    /// The content of a file is shorter or longer than was announced.
    #[error("content of another length than was announced")]
    ContentLength,
}

impl Problem {
    /// The same problem, found at `offset`.
    #[must_use]
    pub const fn at(self, offset: u64) -> CatarError {
        CatarError { offset, problem: self }
    }
}
