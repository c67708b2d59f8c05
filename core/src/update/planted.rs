//! Bugs that tests plant, to see that the sweep of power cuts finds them. Not in any product.

/// One bug, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Planted {
    /// The code as it is.
    #[default]
    Nothing,
    /// The slot goes on trial without being read back.
    SkipReadBack,
    /// The last sector is not synced before the slot goes on trial.
    FlipBeforeSync,
    /// The journal is not told of a sector that is about to be erased.
    ForgetEntry,
    /// A record counts without its sum being right.
    TrustTornEntry,
}
