//! What a config file says, as values.
//!
//! Names of keys match in any case, unknown ones are ignored. What is written keeps every option that was
//! given, zero or not (a zero left out would come back as the default).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::matching::is_for;
use crate::secrets::hide_in_url;
use crate::section::{ConfigError, Section, first_value};

#[cfg(test)]
mod tests;

/// Retries after an error, unless the config or a flag says otherwise.
const ERROR_RETRY: i64 = 3;

/// Nanoseconds before the first retry, unless the config or a flag says otherwise.
const ERROR_RETRY_BASE_INTERVAL: i64 = 500_000_000;

/// A whole config file. Sections that were not there are `None`; the keys of entries are locations or globs.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    pub(crate) s3_credentials: Option<BTreeMap<String, S3Credentials>>,
    pub(crate) oci_credentials: Option<BTreeMap<String, OciCredentials>>,
    pub(crate) store_options: Option<BTreeMap<String, StoreOptions>>,
}

/// What is said about a server of S3.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct S3Credentials {
    /// The key's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// The key, a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<String>,
    /// A file with keys instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_credentials_file: Option<String>,
    /// Which of the keys in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_profile: Option<String>,
    /// Where the server's buckets lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_region: Option<String>,
}

/// Who we are for an OCI registry.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OciCredentials {
    /// A name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A password or token, a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// How one store is used. What was not said is `None` where that means something else than a value.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoreOptions {
    /// Workers: kept, and not used (nor does Go desync).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<i64>,
    /// A file with the certificate that says who we are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<String>,
    /// A file with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    /// A file with certificates of those to trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<String>,
    /// Whether anybody is trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_insecure: Option<bool>,
    /// The header `Authorization`, word for word: a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_auth: Option<String>,
    /// The header `Cookie`, word for word: a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_cookie: Option<String>,
    /// Nanoseconds that one attempt may take; negative for ever, zero like nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// How often a request is tried again. Negative is never.
    pub error_retry: i64,
    /// Nanoseconds before the first time it is. Negative is none.
    pub error_retry_base_interval: i64,
    /// Whether chunks are used as the store gives them, unchecked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_verify: Option<bool>,
    /// Whether the store keeps chunks as they are.
    pub uncompressed: bool,
    /// Whether it keeps them encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<bool>,
    /// The key for that in hex, a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<String>,
    /// The name of a cipher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_algorithm: Option<String>,
}

/// What the flags of a run put in place of a store's options: only what was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of StoreOptions")]
pub struct StoreOverrides {
    pub client_cert: Option<String>,
    pub client_key: Option<String>,
    pub ca_cert: Option<String>,
    pub trust_insecure: Option<bool>,
    pub error_retry: Option<i64>,
    pub error_retry_base_interval: Option<Duration>,
}

/// Two entries for one location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("multiple {section} entries match the location \"{location}\"")]
pub struct Ambiguous {
    section: &'static str,
    location: String,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::read(&Section::EMPTY).unwrap_or_else(|_| unreachable!("nothing is always well-formed"))
    }
}

impl Config {
    /// Reads the text of a config file: its first JSON value, whatever follows it.
    ///
    /// # Errors
    /// Text that is no JSON, or says something of the wrong kind.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        let value = first_value(text)?;
        let file = Section::file(&value)?;
        Ok(Self {
            s3_credentials: file.entries("s3-credentials", S3Credentials::read)?,
            oci_credentials: file.entries("oci-credentials", OciCredentials::read)?,
            store_options: file.entries("store-options", StoreOptions::read)?,
        })
    }

    /// The options for a location: its entry or the defaults, with the flags of this run over them.
    ///
    /// # Errors
    /// More than one entry matches.
    pub fn options_for(
        &self,
        location: &str,
        overrides: &StoreOverrides,
        working_dir: &Path,
    ) -> Result<StoreOptions, Ambiguous> {
        let entry = only("store-options", self.store_options.as_ref(), location, working_dir)?;
        Ok(entry.cloned().unwrap_or_default().overridden_by(overrides))
    }

    /// What is said about a server of S3, by `scheme://host[:port]`: the entry of exactly that name, or the one
    /// whose pattern matches.
    ///
    /// # Errors
    /// More than one pattern matches.
    pub fn s3_credentials(&self, origin: &str) -> Result<Option<&S3Credentials>, Ambiguous> {
        let mut entries = self.s3_credentials.iter().flatten();
        let exact = entries.find(|(key, _)| key.trim_end_matches('/').eq_ignore_ascii_case(origin));
        match exact {
            Some((_, entry)) => Ok(Some(entry)),
            None => only("s3-credentials", self.s3_credentials.as_ref(), origin, Path::new("/")),
        }
    }

    /// Who we are for the registry of a repository.
    ///
    /// # Errors
    /// More than one entry matches.
    pub fn oci_credentials(
        &self,
        location: &str,
        working_dir: &Path,
    ) -> Result<Option<&OciCredentials>, Ambiguous> {
        only("oci-credentials", self.oci_credentials.as_ref(), location, working_dir)
    }
}

/// The only entry that is for a location, if there is one.
fn only<'e, T>(
    section: &'static str,
    entries: Option<&'e BTreeMap<String, T>>,
    location: &str,
    working_dir: &Path,
) -> Result<Option<&'e T>, Ambiguous> {
    let mut matching = entries.into_iter().flatten().filter(|(key, _)| is_for(key, location, working_dir));
    let first = matching.next().map(|(_, entry)| entry);
    if matching.next().is_some() {
        return Err(Ambiguous { section, location: hide_in_url(location).into_owned() });
    }
    Ok(first)
}

impl S3Credentials {
    fn read(entry: &Section<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            access_key: entry.text("access-key")?,
            secret_key: entry.text("secret-key")?,
            aws_credentials_file: entry.text("aws-credentials-file")?,
            aws_profile: entry.text("aws-profile")?,
            aws_region: entry.text("aws-region")?,
        })
    }
}

impl OciCredentials {
    fn read(entry: &Section<'_>) -> Result<Self, ConfigError> {
        Ok(Self { username: entry.text("username")?, secret: entry.text("secret")? })
    }
}

impl StoreOptions {
    fn read(entry: &Section<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            n: entry.integer("n")?,
            client_cert: entry.text("client-cert")?,
            client_key: entry.text("client-key")?,
            ca_cert: entry.text("ca-cert")?,
            trust_insecure: entry.boolean("trust-insecure")?,
            http_auth: entry.text("http-auth")?,
            http_cookie: entry.text("http-cookie")?,
            timeout: entry.integer("timeout")?,
            error_retry: entry.integer("error-retry")?.unwrap_or(ERROR_RETRY),
            error_retry_base_interval: entry
                .integer("error-retry-base-interval")?
                .unwrap_or(ERROR_RETRY_BASE_INTERVAL),
            skip_verify: entry.boolean("skip-verify")?,
            uncompressed: entry.boolean("uncompressed")?.unwrap_or(false),
            encryption: entry.boolean("encryption")?,
            encryption_key: entry.text("encryption-key")?,
            encryption_algorithm: entry.text("encryption-algorithm")?,
        })
    }

    fn overridden_by(mut self, flags: &StoreOverrides) -> Self {
        let interval = flags.error_retry_base_interval.and_then(|i| i64::try_from(i.as_nanos()).ok());
        self.client_cert = flags.client_cert.clone().or(self.client_cert);
        self.client_key = flags.client_key.clone().or(self.client_key);
        self.ca_cert = flags.ca_cert.clone().or(self.ca_cert);
        self.trust_insecure = flags.trust_insecure.or(self.trust_insecure);
        self.error_retry = flags.error_retry.unwrap_or(self.error_retry);
        self.error_retry_base_interval = interval.unwrap_or(self.error_retry_base_interval);
        self
    }
}
