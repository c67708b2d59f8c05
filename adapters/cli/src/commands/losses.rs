//! Counts and tells what the commands on trees could not store or set.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use desync_tree::Notices;

use crate::exit::AlreadyTold;
use crate::output;

/// What was lost so far. Each loss is told at once, their number at the end.
#[derive(Default)]
pub(super) struct Losses(AtomicU64);

impl Losses {
    /// Fails if anything was lost: the command did only part of what was asked.
    pub(super) fn into_result(self) -> anyhow::Result<()> {
        match self.0.into_inner() {
            0 => Ok(()),
            count => {
                let things = if count == 1 { "loss" } else { "losses" };
                output::say(format_args!("Error: done but for {count} {things} told above"));
                Err(AlreadyTold.into())
            }
        }
    }
}

impl Notices for Losses {
    fn lost(&self, path: &Path, what: &str) {
        self.0.fetch_add(1, Ordering::Relaxed);
        // Names may hold anything; a terminal must not be told to do things by them.
        output::say(format_args!("{}: {what}", path.display().to_string().escape_debug()));
    }
}
