//! Every bound on what an input may claim, in one value that is passed in.
//!
//! Decoders check a claim against these before they allocate or loop by it.

/// Bounds on untrusted input. [`Limits::HOST`] suits a host; a device hands in smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Largest chunk in bytes, also as declared by an index.
    ///
    /// Source: casync `cachunker.h`, `CA_CHUNK_SIZE_LIMIT_MAX` (128 MiB).
    pub chunk_len_max: u64,
    /// Largest number of chunks in an index that is held in memory.
    pub index_chunks_max: u64,
    /// Largest zstd window a frame may ask for, in bytes.
    pub zstd_window_max: u64,
    /// Longest message of the wire protocol in bytes, head included.
    ///
    /// Source: casync `caprotocol.h`, `CA_PROTOCOL_SIZE_MAX` (16 MiB).
    pub message_len_max: u64,
    /// Most nodes of an archive on one path, root and leaf included.
    ///
    /// Source: casync stops at the same depth, reading and writing.
    pub archive_depth_max: usize,
    /// Most bytes that the metadata records of one node of an archive may have together.
    pub archive_metadata_max: usize,
    /// Most names of open directories that are remembered to check their tables of names, 24 bytes each.
    /// Of a directory beyond that, number and frame of the table are checked, not its items.
    pub archive_names_max: usize,
}

impl Limits {
    /// What casync accepts, with indexes of up to 2³²−2 chunks (positions are kept in 32 bits).
    pub const HOST: Self = Self {
        chunk_len_max: 128 << 20,
        index_chunks_max: u32::MAX as u64 - 1,
        zstd_window_max: 128 << 20,
        message_len_max: 16 << 20,
        archive_depth_max: 64,
        archive_metadata_max: 1 << 20,
        archive_names_max: 4 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::HOST
    }
}
