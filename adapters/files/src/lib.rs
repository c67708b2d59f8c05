//! Files and block devices: positioned I/O, holes, reflinks, and publication that survives a power cut.
//!
//! Everything that must be durable goes through [`Disk`], so that tests can put a disk under it that loses
//! what was not synced.

pub mod disk;

pub use disk::{Disk, DiskFile, FileKind, Metadata};
