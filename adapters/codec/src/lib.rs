//! Chunk encoders and decoders of a host: libzstd, xz, gzip; and encryption.
//!
//! Chunks are written as zstd and read in any of the formats that casync writes. Both directions keep their
//! libzstd context between chunks: one [`Encoder`] and one [`HostDecoder`] for each worker thread.
//!
//! What must not be here: files, stores, and the decision which form a store keeps.

mod cipher;
mod decoder;
mod encoder;

pub use cipher::{ChunkCipher, CipherError, KeyError, sealing_adds};
pub use decoder::{Format, HostDecoder};
pub use encoder::{Compression, EncodeError, Encoder};
