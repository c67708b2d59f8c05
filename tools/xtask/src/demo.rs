//! The main job on real data.

pub(crate) fn run() -> anyhow::Result<()> {
    Ok(())
}
