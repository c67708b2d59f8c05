//! Bytes to values and back, without I/O: what casync and desync keep on disk.
//!
//! Each format gives `parse`, `encoded_len` and `encode`, in that order. Nothing here reads or writes a
//! device; [`index::stream`] pumps bytes for those who have an `embedded_io` reader or writer.

pub mod catar;
pub mod chunk_name;
pub mod flags;
pub mod index;
pub mod storage_form;

pub use chunk_name::ChunkName;
pub use flags::{FeatureFlags, FlagsError};
pub use index::{ChunkEntry, Index, IndexError, IndexHeader, IndexItem, Strictness};
pub use storage_form::{CipherKind, KeyLabel, StorageForm};
