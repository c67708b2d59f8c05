//! `list-chunks`.

use std::io::Write;

use crate::args::ListChunksArgs;
use crate::session::Session;
use crate::settings::{Location, overrides, workers};
use crate::{indexes, output};

pub(super) fn run(args: &ListChunksArgs, session: &Session) -> anyhow::Result<()> {
    workers(args.stores.concurrency)?;
    overrides(&args.stores)?;
    // All of it first: the IDs of a truncated index must not look like those of a shorter one.
    let index = indexes::read(&Location::new(&args.index), session)?;
    let mut out = output::stdout();
    for item in &index.items {
        session.cancel.check()?;
        writeln!(out, "{}", item.id)?;
    }
    out.flush()?;
    Ok(())
}
