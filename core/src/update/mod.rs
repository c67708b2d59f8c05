//! Updating a device over a slow link: two slots, a journal, and no cut that bricks it.
//!
//! [`Updater::run`] brings an offered image into the slot that does not boot, proves it and puts it on trial;
//! a bootloader calls [`boot::start`], a working image [`boot::confirm`]. What happens in which order is one
//! machine without I/O; [`Updater::run`] drives it over [`Flash`] and [`UpdateSource`]: an executor where
//! drivers wait, [`block_on`] where they do not. A power cut is no more than not driving it on.
//!
//! | stage | the journal says | erased and written | after a cut |
//! |---|---|---|---|
//! | check the offer | as before | nothing | begins anew |
//! | stage the index | idle, no index beside the target | the target's index | stages anew |
//! | know the active image | staged | the active slot's index, if it has none | cuts it anew |
//! | fill the slot | staged, a sector in flux or none | the target slot | hashes the slot, goes on |
//! | prove it | staged | nothing | hashes the slot, proves it |
//! | put it on trial | trial | nothing | boots the new image |
//! | confirm | idle, slots exchanged | nothing | |
//!
//! Wear of an update, in erases: each sector of the target slot that changes, once; the sectors of one index
//! (of two the first time); the journal: two records for each slot sector erased and at most five more, that
//! is `(2 × sectors + 5) / (erase_len / 32)` erases spread over its ring (on a block device a record takes a block).
//!
//! Memory: [`Workspace`] (a sector, 16 bytes a chunk, the zstd decoder's) and the future, some 3 KiB. Nothing
//! depends on the length of a chunk, and nothing is allocated.

mod blocks;
pub mod boot;
mod error;
mod flash;
mod journal;
mod layout;
mod link;
mod machine;
mod pending;
#[cfg(test)]
mod planted;
mod record;
mod request;
mod source;
mod staged;
mod updater;
mod writer;

pub use blocks::{BlockFlash, RawBlocks};
pub use error::UpdateError;
pub use flash::{Blocking, Flash, Geometry, Nor, NorError, READ_UNIT_MAX, block_on};
pub use layout::{Layout, LayoutError, Region, Slot};
pub use link::{LinkError, LinkPort, LinkSource};
pub use record::{Phase, RECORD_LEN, State};
pub use source::{Offer, Stored, UpdateSource};
pub use updater::{Config, Report, Updater, Workspace, words_needed};

#[cfg(test)]
mod tests;
