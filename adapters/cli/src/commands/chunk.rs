//! `chunk`.

use std::io::Write;

use desync_core::DigestKind;
use desync_core::format::{IndexHeader, IndexItem};
use desync_engine::{Error, IndexSink, MakeOptions, make};

use super::input;
use crate::args::ChunkArgs;
use crate::output::{self, ProgressDisplay};
use crate::session::Session;
use crate::settings::{cut_rule, sizes, workers};

pub(super) fn run(args: &ChunkArgs, session: &Session) -> anyhow::Result<()> {
    let options = MakeOptions {
        sizes: sizes(&args.chunk_size)?,
        rule: cut_rule(&args.chunk_size)?,
        digest: session.digest.unwrap_or(DigestKind::Sha512_256),
    };
    let start = args.start.unwrap_or(0);
    let mut input = input::open_at(&args.file, start)?;
    let progress = ProgressDisplay::beside_stdout();
    let mut lines = Lines { out: output::stdout(), start, last_end: start };
    let context = session.context(workers(None)?, &progress).for_computing();
    make(&mut input, None, &options, &mut lines, &context)?;
    lines.out.flush()?;
    Ok(())
}

/// Prints the items of an index as they come: start, length and ID, tabs between them.
struct Lines<W> {
    out: W,
    /// Where in the file the cut part begins.
    start: u64,
    last_end: u64,
}

impl<W: Write> IndexSink for Lines<W> {
    fn header(&mut self, _header: &IndexHeader) -> Result<(), Error> {
        Ok(())
    }

    fn item(&mut self, item: IndexItem) -> Result<(), Error> {
        let end = self.start + item.end;
        let (start, len) = (self.last_end, end - self.last_end);
        self.last_end = end;
        writeln!(self.out, "{start}\t{len}\t{}", item.id).map_err(Error::file("write", "-".as_ref()))
    }
}
