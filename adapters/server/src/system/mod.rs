//! What differs between the systems that a server runs on: reading at a place, and who is told how it fares.

#[cfg(unix)]
#[path = "unix.rs"]
mod family;
#[cfg(windows)]
#[path = "windows.rs"]
mod family;

pub(crate) use family::{read_exact_at, tell};
