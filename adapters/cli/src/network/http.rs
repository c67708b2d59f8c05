//! Stores that speak HTTP, opened as the options of a location say.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use desync_config::StoreOptions;
use desync_http::{ClientOptions, Endpoint, HeaderValue};
use desync_store::{Backend, IndexBackend};
use desync_store_http::{Credentials, HttpIndexes, HttpStore};

use crate::config::timeouts;
use crate::session::Session;
use crate::settings::Location;
use crate::stores::Stores;

/// Chunks below a URL.
pub(crate) fn open_http(
    location: &Location,
    options: &StoreOptions,
    stores: &Stores<'_>,
) -> anyhow::Result<Arc<dyn Backend>> {
    let shown = location.to_string();
    let endpoint = Endpoint::parse(&location.secret_text()).map_err(|error| anyhow!("{shown}: {error}"))?;
    let credentials = credentials(options).context(shown.clone())?;
    Ok(Arc::new(HttpStore::open(endpoint, &shown, credentials, &client(options, stores.session))?))
}

/// An index at a URL.
pub(crate) fn open_http_indexes(
    location: &Location,
    options: &StoreOptions,
    session: &Session,
) -> anyhow::Result<(Arc<dyn IndexBackend>, String)> {
    let shown = location.to_string();
    let parsed = Endpoint::of_object(&location.secret_text());
    let (endpoint, name) = parsed.map_err(|error| anyhow!("{shown}: {error}"))?;
    let credentials = credentials(options).context(shown.clone())?;
    let indexes = HttpIndexes::open(endpoint, &shown, credentials, &client(options, session))?;
    Ok((Arc::new(indexes), name))
}

/// How the servers of a location are reached.
pub(super) fn client(options: &StoreOptions, session: &Session) -> ClientOptions {
    ClientOptions {
        connections: session.connections.get(),
        timeouts: timeouts(options),
        budget: Arc::clone(&session.budget),
        #[cfg(feature = "tls")]
        tls: tls(options),
    }
}

/// Whom to trust, and who we are. Certificate and key count only together.
#[cfg(feature = "tls")]
fn tls(options: &StoreOptions) -> desync_http::TlsOptions {
    let given = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(Into::into);
    desync_http::TlsOptions {
        client: given(&options.client_cert).zip(given(&options.client_key)),
        ca_cert: given(&options.ca_cert),
        trust_insecure: options.trust_insecure.unwrap_or(false),
    }
}

fn credentials(options: &StoreOptions) -> anyhow::Result<Credentials> {
    let header = |text: &Option<String>, key: &'static str| {
        let value = text.as_deref().filter(|text| !text.is_empty()).map(HeaderValue::from_str).transpose();
        let mut value = value.map_err(|_| anyhow!("{key} cannot be sent in a header"))?;
        value.iter_mut().for_each(|value| value.set_sensitive(true));
        anyhow::Ok(value)
    };
    Ok(Credentials {
        authorization: header(&options.http_auth, "http-auth")?,
        cookie: header(&options.http_cookie, "http-cookie")?,
    })
}
