//! Stores in object storage.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use desync_config::{S3Credentials, StoreOptions};
use desync_store::{Backend, IndexBackend};
use desync_store_object::gcs::{GcsBucket, GcsLocation, GcsSettings, Identity};
use desync_store_object::s3::{Configured, S3Bucket, S3Location, S3Settings, Source};
use desync_store_object::{ObjectIndexes, ObjectStore};

use super::http::client;
use crate::session::Session;
use crate::settings::Location;
use crate::stores::Stores;

/// Chunks in a bucket of S3.
pub(crate) fn open_s3(
    location: &Location,
    options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    let place = S3Location::parse(&location.secret_text()).map_err(|error| anyhow!("{location}: {error}"))?;
    let prefix = place.prefix().to_owned();
    Ok(Arc::new(ObjectStore::new(bucket(place, location, options, stores.session)?, prefix)))
}

/// An index in a bucket of S3.
pub(crate) fn open_s3_indexes(
    location: &Location,
    options: &StoreOptions,
    session: &Session,
) -> anyhow::Result<(Arc<dyn IndexBackend>, String)> {
    let parsed = S3Location::of_object(&location.secret_text());
    let (place, name) = parsed.map_err(|error| anyhow!("{location}: {error}"))?;
    let prefix = place.prefix().to_owned();
    Ok((Arc::new(ObjectIndexes::new(bucket(place, location, options, session)?, prefix)), name))
}

/// Chunks in a bucket of Google Cloud Storage.
pub(crate) fn open_gcs(
    location: &Location,
    options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    let place =
        GcsLocation::parse(&location.secret_text()).map_err(|error| anyhow!("{location}: {error}"))?;
    let prefix = place.prefix().to_owned();
    Ok(Arc::new(ObjectStore::new(gcs_bucket(place, location, options, stores.session)?, prefix)))
}

/// An index in a bucket of Google Cloud Storage.
pub(crate) fn open_gcs_indexes(
    location: &Location,
    options: &StoreOptions,
    session: &Session,
) -> anyhow::Result<(Arc<dyn IndexBackend>, String)> {
    let parsed = GcsLocation::of_object(&location.secret_text());
    let (place, name) = parsed.map_err(|error| anyhow!("{location}: {error}"))?;
    let prefix = place.prefix().to_owned();
    Ok((Arc::new(ObjectIndexes::new(gcs_bucket(place, location, options, session)?, prefix)), name))
}

fn gcs_bucket(
    place: GcsLocation,
    location: &Location,
    options: &StoreOptions,
    session: &Session,
) -> anyhow::Result<GcsBucket> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let server = variable("STORAGE_EMULATOR_HOST");
    let identity = match server {
        Some(_) => Identity::nobody(),
        None => Identity::application_default(variable).with_context(|| location.to_string())?,
    };
    let (location, options) = (&*location.to_string(), &client(options, session));
    Ok(GcsBucket::open(GcsSettings { place, location, identity, server, options })?)
}

fn bucket(
    place: S3Location,
    location: &Location,
    options: &StoreOptions,
    session: &Session,
) -> anyhow::Result<S3Bucket> {
    let configured = configured(session.config.s3_credentials(&place.origin())?);
    let source = Source::choose(&configured, |name| std::env::var(name).ok());
    let (location, options) = (&*location.to_string(), &client(options, session));
    Ok(S3Bucket::open(S3Settings { place, location, source, options })?)
}

fn configured(entry: Option<&S3Credentials>) -> Configured {
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    entry.map_or_else(Configured::default, |entry| Configured {
        access_key: given(&entry.access_key),
        secret_key: given(&entry.secret_key),
        credentials_file: given(&entry.aws_credentials_file),
        profile: given(&entry.aws_profile),
        region: given(&entry.aws_region),
    })
}
