//! `make` and `extract` on a disk that forgets: cut, killed, failing and full at every operation.
//!
//! The disk is the test kit's model, which keeps what was synced and loses, tears or keeps the rest as dice
//! fall. A cut at every operation index and in every way (undone, half done, done but nobody heard) is swept;
//! the dice are seeded, so a failure names everything needed to see it again. `DESYNC_SOAK=rounds` rolls them
//! more often.
#![allow(missing_docs, reason = "a test program has no users")]

mod extracting;
mod making;
mod scene;
