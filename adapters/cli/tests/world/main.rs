//! The built program in a world that does not cooperate: killed, interrupted, out of space, lied to; and
//! beside other programs and on file systems that can share.
//!
//! What needs root, a tool or another program is skipped aloud where that is missing, and fails with `CI` set.
//! `DESYNC_SOAK=rounds` makes the random tests longer.
#![cfg(target_os = "linux")]
#![allow(missing_docs, reason = "a test program has no users")]

mod full_disk;
mod hostile;
mod interop;
mod interrupt;
mod kill;
mod material;
mod mounting;
mod mounting_trees;
mod mounts;
mod reflink;
#[path = "../cli/room.rs"]
#[allow(dead_code, reason = "shared with the tests of single commands")]
mod room;
mod tree_trouble;
mod trees;
