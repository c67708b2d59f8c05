//! What a target already holds.

use crate::compare::{Comparison, compare};
use crate::{Context, Error, Phase};

/// Calls `right` with the position of every chunk that the target holds in its place.
///
/// # Errors
/// The target's own, and [`Error::Interrupted`].
pub(super) fn survey(
    target: Comparison<'_>,
    context: &Context<'_>,
    mut right: impl FnMut(u32),
) -> Result<(), Error> {
    context.progress.begin(Phase::Surveying, target.index.blob_len());
    compare(target, context, |position, entry, found| {
        if found == entry.id {
            // A plan has fewer positions than that; who asks for it has seen to it.
            right(position as u32);
        }
        context.progress.advance(entry.len());
        Ok(())
    })?;
    context.progress.end();
    Ok(())
}
