//! Content-addressed distribution of binaries, without an operating system.
//!
//! Bytes are *cut* ([`chunking`]) and *named* ([`digest`]); the names in order are an *index* ([`format`]).
//! An index, seeds and a target make a *plan* ([`plan`]), and [`extract`] carries a plan out over the
//! abstract devices of [`block_io`] and the stores of [`chunk_source`]. Stored chunks are read by [`codec`].
//! With a peer, [`protocol`] is spoken.
//!
//! What is deliberately absent: files, sockets, clocks, threads, randomness and printing. They come in as
//! arguments or traits. See `ARCHITECTURE.md` for the map and the arrows.
#![no_std]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;

pub mod block_io;
pub mod chunk_source;
pub mod chunking;
pub mod codec;
pub mod digest;
pub mod extract;
pub mod format;
pub mod limits;
pub mod plan;
pub mod protocol;
pub mod update;
mod verified;

pub use digest::{ChunkId, DigestKind, HashKernel};
pub use limits::Limits;
pub use verified::{Mismatch, VerifiedBytes, VerifiedChunk};
