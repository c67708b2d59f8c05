//! Stores in registries.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use desync_config::StoreOptions;
use desync_store::Backend;
use desync_store_oci::{Credentials, OciLocation, OciStore};

use super::http::client;
use crate::settings::Location;
use crate::stores::Stores;

/// Chunks in a repository.
pub(crate) fn open_oci(
    location: &Location,
    options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    let shown = location.to_string();
    let place = OciLocation::parse(&location.secret_text()).map_err(|error| anyhow!("{shown}: {error}"))?;
    let session = stores.session;
    let configured = session.config.oci_credentials(&location.secret_text(), &session.working_dir)?;
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let configured = configured
        .map(|entry| (given(&entry.username), given(&entry.secret)))
        .filter(|(user, _)| !user.is_empty());
    let credentials = Credentials::choose(place.registry(), configured, |name| std::env::var(name).ok());
    let credentials = credentials.with_context(|| shown.clone())?;
    Ok(Arc::new(OciStore::open(place, &shown, credentials, &client(options, session))?))
}
