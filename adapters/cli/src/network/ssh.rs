//! Stores behind ssh: the casync protocol and SFTP.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use desync_config::StoreOptions;
use desync_store::{Backend, Budget, IndexBackend};
use desync_store_ssh::{Programs, SftpIndexes, SftpStore, SshStore, SshTarget};

use crate::config::timeouts;
use crate::session::Session;
use crate::settings::Location;
use crate::stores::Stores;

/// Chunks from a program over there.
pub(crate) fn open_ssh(
    location: &Location,
    options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    Ok(Arc::new(open(SshStore::new, target(location)?, location, options, stores.session)))
}

/// Chunks in a directory over there.
pub(crate) fn open_sftp(
    location: &Location,
    options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    Ok(Arc::new(open(SftpStore::new, target(location)?, location, options, stores.session)))
}

/// An index in a directory over there.
pub(crate) fn open_sftp_indexes(
    location: &Location,
    options: &StoreOptions,
    session: &Session,
) -> anyhow::Result<(Arc<dyn IndexBackend>, String)> {
    let split = target(location)?.split_name();
    let (directory, name) = split.map_err(|error| anyhow!("{location}: {error}"))?;
    Ok((Arc::new(open(SftpIndexes::new, directory, location, options, session)), name))
}

/// How each kind is made: of a place over there, the programs that lead to it, its name in messages, how long it
/// may be silent, and what may be downloaded.
type New<T> = fn(SshTarget, Programs, &str, Option<Duration>, Arc<Budget>) -> T;

fn open<T>(
    new: New<T>,
    target: SshTarget,
    location: &Location,
    options: &StoreOptions,
    session: &Session,
) -> T {
    let (silence, budget) = (timeouts(options).silence, Arc::clone(&session.budget));
    new(target, Programs::from_environment(), &location.to_string(), silence, budget)
}

fn target(location: &Location) -> anyhow::Result<SshTarget> {
    SshTarget::parse(&location.secret_text()).map_err(|error| anyhow!("{location}: {error}"))
}
