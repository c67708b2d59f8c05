//! Stores behind ssh: the casync protocol and SFTP.

use std::sync::Arc;

use anyhow::anyhow;
use desync_store::{Backend, IndexBackend};
use desync_store_ssh::{Programs, SftpIndexes, SftpStore, SshStore, SshTarget};

use crate::config::StoreOptions;
use crate::session::Session;
use crate::settings::Location;
use crate::stores::Stores;

/// Chunks from a program over there.
pub(crate) fn open_ssh(
    location: &Location,
    options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    let (target, silence) = (target(location)?, options.timeouts().silence);
    let (programs, budget) = (Programs::from_environment(), Arc::clone(&stores.session.budget));
    Ok(Arc::new(SshStore::new(target, programs, &location.to_string(), silence, budget)))
}

/// Chunks in a directory over there.
pub(crate) fn open_sftp(
    location: &Location,
    options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    let (target, silence) = (target(location)?, options.timeouts().silence);
    let (programs, budget) = (Programs::from_environment(), Arc::clone(&stores.session.budget));
    Ok(Arc::new(SftpStore::new(target, programs, &location.to_string(), silence, budget)))
}

/// An index in a directory over there.
pub(crate) fn open_sftp_indexes(
    location: &Location,
    options: &StoreOptions,
    session: &Session,
) -> anyhow::Result<(Arc<dyn IndexBackend>, String)> {
    let split = target(location)?.split_name();
    let (directory, name) = split.map_err(|error| anyhow!("{location}: {error}"))?;
    let (programs, budget) = (Programs::from_environment(), Arc::clone(&session.budget));
    let silence = options.timeouts().silence;
    let indexes = SftpIndexes::new(directory, programs, &location.to_string(), silence, budget);
    Ok((Arc::new(indexes), name))
}

fn target(location: &Location) -> anyhow::Result<SshTarget> {
    SshTarget::parse(&location.secret_text()).map_err(|error| anyhow!("{location}: {error}"))
}
