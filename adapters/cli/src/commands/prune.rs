//! `prune`.

use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, SystemTime};

use anyhow::bail;
use desync_engine::{ChunkSet, PruneOptions, prune};
use desync_files::Durability;
use desync_store::Listed;

use crate::args::PruneArgs;
use crate::indexes;
use crate::output::{self, ProgressDisplay};
use crate::session::Session;
use crate::settings::{Location, one_location, workers};

/// How old the temporary file of a writer must be to be taken for a leftover, and how long chunks stay that
/// somebody relied upon, unless told otherwise.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest answer that is read.
const ANSWER_MAX: u64 = 4096;

pub(super) fn run(args: &PruneArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    let stores = session.stores(&args.stores, Durability::Sync)?;
    let location = one_location(args.store.as_ref(), "no store provided")?;
    let locations: Vec<Location> = args.indexes.iter().map(Location::new).collect();
    indexes::only_one_from_stdin(&locations)?;

    let store = stores.single(&location)?;
    let Some(backend) = store.prunable() else { bail!("store '{location}' does not support pruning") };
    let keep: ChunkSet = indexes::ids(&locations, session)?.into();
    let dry_run = args.dry_run.unwrap_or(false);
    let agreed = dry_run
        || args.yes.unwrap_or(false)
        || ask(&keep, &location, &mut io::stdin().lock(), &mut output::stdout())?;
    if !agreed {
        return Ok(());
    }
    let progress = ProgressDisplay::from_environment();
    let context = session.context(workers, &progress);
    let before = |age: Duration| SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
    let options = PruneOptions {
        form: store.form(),
        keep: &keep,
        unused_since: before(match args.grace_period.unwrap_or(GRACE) {
            Duration::ZERO => Duration::ZERO,
            grace => grace.saturating_add(backend.use_is_noted_for()),
        }),
        leftovers_before: before(GRACE),
        dry_run,
    };
    let mut out = output::stdout();
    let mut told = Ok(());
    let mut tell = |chunk: &Listed| {
        if dry_run && told.is_ok() {
            told = writeln!(out, "{}", chunk.id);
        }
        if told.is_ok() { Ok(()) } else { Err(desync_engine::Error::Interrupted) }
    };
    let pruned = prune(backend, &options, &mut tell, &context);
    told?;
    let stats = pruned?;
    out.flush()?;
    log::info!(
        "{} chunks kept, {} too young, {} removed, {} leftovers removed",
        stats.kept,
        stats.young,
        stats.removed,
        stats.leftovers
    );
    Ok(())
}

/// Asks until the answer is yes or no. Nothing, and the end of the input, mean no.
fn ask(
    keep: &ChunkSet,
    store: &Location,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    writeln!(out, "Warning: The provided index files reference {} unique chunks. Are you sure", keep.len())?;
    writeln!(out, "you want to delete all other chunks from '{store}'?")?;
    loop {
        write!(out, "[y/N]: ")?;
        out.flush()?;
        let mut answer = Vec::new();
        input.take(ANSWER_MAX).read_until(b'\n', &mut answer)?;
        match answer.trim_ascii() {
            b"y" | b"Y" => return Ok(true),
            b"" | b"n" | b"N" => return Ok(false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(input: &str) -> (bool, String) {
        let mut out = Vec::new();
        let store = Location::new("/srv/store");
        let agreed = ask(&ChunkSet::default(), &store, &mut input.as_bytes(), &mut out).unwrap();
        (agreed, String::from_utf8(out).unwrap())
    }

    const QUESTION: &str = "Warning: The provided index files reference 0 unique chunks. Are you sure\n\
        you want to delete all other chunks from '/srv/store'?\n[y/N]: ";

    #[test]
    fn defect_85_enter_and_the_end_of_input_mean_no() {
        for input in ["", "\n", "  \n", "n\n", "N"] {
            assert_eq!(answered(input), (false, QUESTION.into()), "{input:?}");
        }
    }

    #[test]
    fn yes_is_yes_and_other_words_are_asked_again() {
        assert_eq!(answered("y\n"), (true, QUESTION.into()));
        assert_eq!(answered("yes\nwhat now\nY\n"), (true, format!("{QUESTION}[y/N]: [y/N]: ")));
        assert_eq!(answered("yes"), (false, format!("{QUESTION}[y/N]: ")));
    }
}
