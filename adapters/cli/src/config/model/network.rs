//! What a store's options say about how servers are reached.

#[cfg(any(feature = "object", feature = "oci"))]
use std::path::Path;
use std::time::Duration;

use desync_store::Timeouts;

use super::StoreOptions;
#[cfg(any(feature = "object", feature = "oci"))]
use super::{Ambiguous, Config};
#[cfg(feature = "oci")]
use crate::settings::Location;

impl StoreOptions {
    /// How long a request may take: the option is the whole of one attempt, negative for ever; zero, like
    /// nothing, is what suits chunks on slow links.
    pub(crate) fn timeouts(&self) -> Timeouts {
        match self.timeout.unwrap_or(0) {
            0 => Timeouts::default(),
            total => match u64::try_from(total).map(Duration::from_nanos) {
                Ok(total) => Timeouts { total: Some(total), ..Timeouts::default() },
                Err(_) => Timeouts::NONE,
            },
        }
    }

    /// Whom to trust, and who we are. Certificate and key count only together.
    #[cfg(all(feature = "http", feature = "tls"))]
    pub(crate) fn tls(&self) -> desync_http::TlsOptions {
        let given = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(Into::into);
        desync_http::TlsOptions {
            client: given(&self.client_cert).zip(given(&self.client_key)),
            ca_cert: given(&self.ca_cert),
            trust_insecure: self.trust_insecure.unwrap_or(false),
        }
    }

    /// The header `Authorization`, word for word.
    #[cfg(feature = "http")]
    pub(crate) fn http_auth(&self) -> Option<&str> {
        self.http_auth.as_deref()
    }

    /// The header `Cookie`, word for word.
    #[cfg(feature = "http")]
    pub(crate) fn http_cookie(&self) -> Option<&str> {
        self.http_cookie.as_deref()
    }
}

#[cfg(any(feature = "object", feature = "oci"))]
impl Config {
    /// What is said about a server of S3, by `scheme://host[:port]`: the entry of exactly that name, or the one
    /// whose pattern matches.
    #[cfg(feature = "object")]
    pub(crate) fn s3_credentials(
        &self,
        origin: &str,
    ) -> Result<desync_store_object::s3::Configured, Ambiguous> {
        let entries = self.s3_credentials.iter().flatten();
        let exact = entries.clone().find(|(key, _)| key.trim_end_matches('/').eq_ignore_ascii_case(origin));
        let found = match exact {
            Some((_, entry)) => Some(entry),
            None => only(
                "s3-credentials",
                origin,
                entries.filter(|(key, _)| desync_config::is_for(key, origin, Path::new("/"))),
            )?,
        };
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(found.map_or_else(Default::default, |entry| desync_store_object::s3::Configured {
            access_key: given(&entry.access_key),
            secret_key: given(&entry.secret_key),
            credentials_file: given(&entry.aws_credentials_file),
            profile: given(&entry.aws_profile),
            region: given(&entry.aws_region),
        }))
    }

    /// User and secret for a registry's repository.
    #[cfg(feature = "oci")]
    pub(crate) fn oci_credentials(
        &self,
        location: &Location,
        working_dir: &Path,
    ) -> Result<Option<(String, String)>, Ambiguous> {
        let text = location.secret_text();
        let entries = self.oci_credentials.iter().flatten();
        let matching = entries.filter(|(key, _)| desync_config::is_for(key, &text, working_dir));
        let found = only("oci-credentials", &location.to_string(), matching)?;
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(found
            .map(|entry| (given(&entry.username), given(&entry.secret)))
            .filter(|(user, _)| !user.is_empty()))
    }
}

/// The only one of the entries that match, if there is one.
#[cfg(any(feature = "object", feature = "oci"))]
fn only<'e, T>(
    section: &'static str,
    location: &str,
    mut matching: impl Iterator<Item = (&'e String, &'e T)>,
) -> Result<Option<&'e T>, Ambiguous> {
    let first = matching.next().map(|(_, entry)| entry);
    if matching.next().is_some() {
        return Err(Ambiguous { section, location: location.to_owned() });
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_the_whole_attempt_and_a_negative_one_none() {
        let timeouts = |timeout| StoreOptions { timeout, ..StoreOptions::default() }.timeouts();
        assert_eq!(timeouts(None), Timeouts::default());
        assert_eq!(timeouts(Some(0)), Timeouts::default());
        assert_eq!(timeouts(Some(2_000_000_000)).total, Some(Duration::from_secs(2)));
        assert_eq!(timeouts(Some(-1)), Timeouts::NONE);
    }
}
