//! `pull`.

use anyhow::bail;
use desync_files::Durability;
use desync_remote::serve_chunks;

use crate::args::{PullArgs, StoreArgs};
use crate::session::Session;
use crate::settings::{Location, Scheme, UsageError};
use crate::system;

pub(super) fn run(args: &PullArgs, session: &Session) -> anyhow::Result<()> {
    if [&args.base, &args.archive, &args.index].iter().any(|word| *word != "-") {
        return Err(UsageError::new("pull serves chunks only: use 'pull - - - <store>'").into());
    }
    let location = Location::new(&args.store);
    if location.scheme() != Scheme::Local {
        bail!("'{location}' is not a local store");
    }
    let stores = session.stores(&StoreArgs::default(), Durability::Sync)?;
    let store = stores.unverified(&location)?;
    // Not the buffered streams of the standard library: messages are bytes, and are sent when they are done.
    let (input, output) = system::standard_streams()?;
    Ok(serve_chunks(input, output, &store.chunks)?)
}
