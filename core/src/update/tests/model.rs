//! What the models of devices have in common: faults, and what a sweep asks of a device.

use crate::update::Flash;

/// What becomes of the operation at which something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Power is lost before it.
    Undone,
    /// Power is lost in the middle of it.
    Torn,
    /// Power is lost right after it.
    Done,
    /// Power stays, but a bit that was to be cleared is not.
    Flawed,
}

/// Something that goes wrong at one operation, counted from 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) operation: u32,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ModelError {
    #[error("power lost")]
    PowerLost,
    #[error("rule broken: {0}")]
    RuleBroken(&'static str),
}

/// A device that can lose power.
pub(super) trait Model: Flash<Error = ModelError> + Clone {
    /// Starts anew with what has survived; the fault, if any, is for the operations from now on.
    fn power_up(&mut self, fault: Option<Fault>);
    /// Changes what a cut leaves behind, of all that it may.
    fn stir(&mut self, random: u64);
    /// Operations since it was powered up.
    fn operations(&mut self) -> u32;
    /// Whether `bytes` lie at `at` for good.
    fn holds(&self, at: usize, bytes: &[u8]) -> bool;
    /// What was done that must not be.
    fn complaint(&self) -> Option<&'static str>;
    /// Forgets that slot A was written.
    fn forgive(&mut self);
}

/// The next of a row of random numbers (SplitMix64).
pub(super) fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*random ^ *random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
