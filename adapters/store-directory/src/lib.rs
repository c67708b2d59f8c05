//! Chunks and indexes in a local directory.
