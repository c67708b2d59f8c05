//! `pull`.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::bail;
use desync_files::Durability;
use desync_remote::serve_chunks;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::args::{PullArgs, StoreArgs};
use crate::session::Session;
use crate::settings::{Location, Scheme, UsageError};

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
    let input = stream(rustix::stdio::stdin())?;
    let output = stream(rustix::stdio::stdout())?;
    Ok(serve_chunks(input, output, &store.chunks)?)
}

/// A standard stream that waits for its bytes; casync hands its child pipes that do not.
fn stream(fd: BorrowedFd<'_>) -> std::io::Result<File> {
    let owned = fd.try_clone_to_owned()?;
    let flags = fcntl_getfl(owned.as_fd())?;
    if flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(owned.as_fd(), flags - OFlags::NONBLOCK)?;
    }
    Ok(File::from(owned))
}
