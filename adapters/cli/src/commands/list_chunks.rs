//! `list-chunks`.

use std::io::Write;

use crate::args::ListChunksArgs;
use crate::session::Session;
use crate::settings::{Location, StoreOverrides, workers};
use crate::{indexes, output};

pub(super) fn run(args: &ListChunksArgs, session: &Session) -> anyhow::Result<()> {
    workers(args.stores.concurrency)?;
    StoreOverrides::new(&args.stores)?;
    let mut out = output::stdout();
    indexes::for_each_chunk(&Location::new(&args.index), session, |_, entry| {
        session.cancel.check()?;
        writeln!(out, "{}", entry.id)?;
        Ok(())
    })?;
    out.flush()?;
    Ok(())
}
