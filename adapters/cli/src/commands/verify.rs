//! `verify`.

use anyhow::bail;
use desync_engine::{BadChunk, VerifyOptions, verify_store};
use desync_files::Durability;
use desync_store::ErrorKind;

use super::digests;
use crate::args::{StoreArgs, VerifyArgs};
use crate::output::{self, ProgressDisplay};
use crate::session::Session;
use crate::settings::{Scheme, one_location, workers};

pub(super) fn run(args: &VerifyArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.concurrency)?;
    let location = one_location(args.store.as_ref(), "no store provided")?;
    if location.scheme() != Scheme::Local {
        bail!("'{location}' is not a local store");
    }
    let stores = session.stores(&StoreArgs::default(), Durability::Sync)?;
    let store = stores.unverified(&location)?;
    let Some(backend) = store.prunable() else { bail!("store '{location}' cannot be listed") };
    let options = VerifyOptions {
        store: &store.chunks,
        backend,
        form: store.form(),
        digests: digests(session),
        repair: args.repair.unwrap_or(false),
    };
    let progress = ProgressDisplay::from_environment();
    let stats = verify_store(&options, &mut tell, &session.context(workers, &progress))?;
    if stats.bad > 0 {
        bail!("{} of {} chunks in '{location}' are bad", stats.bad, stats.checked);
    }
    Ok(())
}

/// One line about a bad chunk: what is wrong with it and, with `--repair`, what became of it.
fn tell(bad: &BadChunk) {
    let problem = match bad.problem.kind {
        ErrorKind::Invalid => bad.problem.cause.clone(),
        _ => bad.problem.to_string(),
    };
    match &bad.removal {
        None => output::say(problem),
        Some(Ok(())) => output::say(format_args!("{problem}: removed")),
        Some(Err(error)) => output::say(format_args!("{problem}: {error}")),
    }
}
