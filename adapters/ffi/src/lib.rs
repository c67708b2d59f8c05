//! The updater for programs in C: what `include/desync.h` declares.
//!
//! Thin on purpose: a call checks its pointers, turns callbacks into the traits of [`desync_core::update`],
//! and turns what comes back into a number. What an update does is the core's business. The archive to link
//! is built by `targets/c-library`, which adds the panic handler that only a finished library may have.
//!
//! Invariants
//! - Every pointer is checked against null and for its alignment before it is used (test: `pointers_that_are_null_misaligned_or_short_are_refused`).
//! - All memory is the caller's; nothing is allocated.
//! - At most one run of an updater is under way; another one is refused as busy.
//!
//! The header is made from this crate by cbindgen: its words are the doc comments here, so they are written
//! for readers of C.
#![no_std]
#![allow(unsafe_code, reason = "callers in C promise what no compiler checks; each place says what")]

mod arguments;
mod boot;
mod fatal;
mod flash;
mod link;
mod progress;
mod settings;
mod source;
mod status;
mod updater;

pub use boot::{BootState, desync_boot_confirm, desync_boot_get_state, desync_boot_start};
pub use fatal::{desync_set_fatal, fatal};
pub use flash::Flash;
pub use link::{
    Line, Link, desync_link_close, desync_link_memory_len, desync_link_new, desync_link_offer,
    desync_link_source,
};
pub use progress::Progress;
pub use settings::{Config, DESYNC_DIGEST_SHA256, DESYNC_DIGEST_SHA512_256, Layout, Offer, Region};
pub use source::{Source, Wanted};
pub use status::{Status, desync_status_name};
pub use updater::{
    Amount, Failure, Report, Updater, desync_updater_failure, desync_updater_memory_len, desync_updater_new,
    desync_updater_run,
};
