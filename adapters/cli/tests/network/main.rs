//! The built program with stores and indexes across a network, against real servers on loopback.
//!
//! A server that is not installed is said aloud, and fails with `CI` set.
#![cfg(target_os = "linux")]
#![allow(missing_docs, reason = "a test program has no users")]

mod bucket;
mod chaos;
mod gcs;
mod http;
mod object;
mod oci;
mod proxy;
#[path = "../cli/room.rs"]
#[allow(dead_code, reason = "shared with the tests of single commands")]
mod room;
mod ssh;
