//! What a config file says, as values. Reading and writing JSON, not files.
//!
//! Names of keys match in any case, unknown ones are ignored. What is written keeps every option that was
//! given, zero or not (a zero left out would come back as the default).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use desync_engine::Cancel;
use desync_store::RetryPolicy;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::settings::{Encryption, Location, StoreOverrides};

#[cfg(any(feature = "http", feature = "ssh"))]
mod network;

/// Retries after an error, unless the config or a flag says otherwise.
const ERROR_RETRY: i64 = 3;

/// Nanoseconds before the first retry, unless the config or a flag says otherwise.
const ERROR_RETRY_BASE_INTERVAL: i64 = 500_000_000;

/// A whole config file. Sections that were not there are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Config {
    s3_credentials: Option<BTreeMap<String, S3Credentials>>,
    oci_credentials: Option<BTreeMap<String, OciCredentials>>,
    store_options: Option<BTreeMap<String, StoreOptions>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct S3Credentials {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_credentials_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_region: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct OciCredentials {
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// How one store is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StoreOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_cert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_insecure: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_auth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_cookie: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<i64>,
    error_retry: i64,
    error_retry_base_interval: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    skip_verify: Option<bool>,
    uncompressed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_algorithm: Option<String>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::read(&Section::EMPTY).unwrap_or_else(|_| unreachable!("nothing is always well-formed"))
    }
}

/// Why a config is refused: where in it, and what was expected there. Never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: expected {expected}")]
pub(crate) struct ConfigError {
    place: String,
    expected: &'static str,
}

/// Two entries for one location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("multiple {section} entries match the location \"{location}\"")]
pub(crate) struct Ambiguous {
    section: &'static str,
    location: String,
}

impl Config {
    /// Reads the JSON value of a config file.
    pub(super) fn read(value: &Value) -> Result<Self, ConfigError> {
        let file = Section::new(String::new(), value)?;
        Ok(Self {
            s3_credentials: file.entries("s3-credentials", S3Credentials::read)?,
            oci_credentials: file.entries("oci-credentials", OciCredentials::read)?,
            store_options: file.entries("store-options", StoreOptions::read)?,
        })
    }

    /// The same config with every secret hidden, for showing.
    pub(crate) fn without_secrets(&self) -> Self {
        Self {
            s3_credentials: shown(self.s3_credentials.as_ref(), |entry| hide(&mut entry.secret_key)),
            oci_credentials: shown(self.oci_credentials.as_ref(), |entry| hide(&mut entry.secret)),
            store_options: shown(self.store_options.as_ref(), |entry| {
                for secret in [&mut entry.http_auth, &mut entry.http_cookie, &mut entry.encryption_key] {
                    hide(secret);
                }
            }),
        }
    }

    /// The options for a location: its entry or the defaults, with the flags of this run over them.
    ///
    /// # Errors
    /// More than one entry matches.
    pub(crate) fn options_for(
        &self,
        location: &Location,
        overrides: &StoreOverrides,
        working_dir: &Path,
    ) -> Result<StoreOptions, Ambiguous> {
        let text = location.secret_text();
        let entries = self.store_options.iter().flatten();
        let mut matching = entries.filter(|(key, _)| desync_config::is_for(key, &text, working_dir));
        let entry = matching.next().map(|(_, options)| options.clone()).unwrap_or_default();
        if matching.next().is_some() {
            return Err(Ambiguous { section: "store-options", location: location.to_string() });
        }
        Ok(entry.overridden_by(overrides))
    }
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

    /// Whether the store keeps chunks as they are.
    pub(crate) const fn is_uncompressed(&self) -> bool {
        self.uncompressed
    }

    /// Whether chunks are used as the store gives them, unchecked.
    pub(crate) fn skips_verification(&self) -> bool {
        self.skip_verify.unwrap_or(false)
    }

    /// How often a request is tried again, and how long after its first failure. Negative numbers are none.
    pub(crate) fn retry_policy(&self, cancel: &Cancel) -> RetryPolicy {
        let interval = u64::try_from(self.error_retry_base_interval).unwrap_or(0);
        RetryPolicy::new(clamped(self.error_retry), Duration::from_nanos(interval))
            .cancelled_by(cancel.flag())
    }

    /// Whether anything is said about encryption.
    pub(crate) fn mentions_encryption(&self) -> bool {
        self.encryption().is_mentioned()
    }

    /// What is said about encryption.
    pub(crate) fn encryption(&self) -> Encryption<'_> {
        Encryption {
            on: self.encryption.unwrap_or(false),
            key: self.encryption_key.as_deref().unwrap_or_default(),
            algorithm: self.encryption_algorithm.as_deref().unwrap_or_default(),
        }
    }
}

/// A section as it is shown: its entries changed by `hide_secrets`, and its locations as messages show them.
fn shown<T: Clone>(
    section: Option<&BTreeMap<String, T>>,
    hide_secrets: impl Fn(&mut T),
) -> Option<BTreeMap<String, T>> {
    let entries = section?.iter().map(|(location, entry)| {
        let mut entry = entry.clone();
        hide_secrets(&mut entry);
        (Location::new(location).to_string(), entry)
    });
    Some(entries.collect())
}

fn hide(secret: &mut Option<String>) {
    if let Some(secret) = secret.as_mut().filter(|secret| !secret.is_empty()) {
        *secret = "xxxxx".to_owned();
    }
}

fn clamped(retries: i64) -> u32 {
    u32::try_from(retries.max(0)).unwrap_or(u32::MAX)
}

/// One JSON object of the file, with its place for messages. Keys match in any case; the last one counts.
pub(super) struct Section<'a> {
    place: String,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Section<'a> {
    const EMPTY: Self = Section { place: String::new(), object: None };

    pub(super) fn new(place: String, value: &'a Value) -> Result<Self, ConfigError> {
        match value {
            Value::Null => Ok(Self { place, object: None }),
            Value::Object(object) => Ok(Self { place, object: Some(object) }),
            _ => Err(ConfigError { place: at_file(place), expected: "an object" }),
        }
    }

    /// What stands under `key`, converted; `None` if nothing or null.
    fn value<T>(
        &self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let found = self.object.into_iter().flatten().rfind(|(name, _)| name.eq_ignore_ascii_case(key));
        match found {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, value)) => {
                convert(value).map(Some).ok_or_else(|| ConfigError { place: self.place_of(key), expected })
            }
        }
    }

    fn place_of(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}: {key}", self.place) }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        self.value(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    #[cfg(any(feature = "fuse", feature = "server"))]
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        let texts = |value: &Value| {
            let texts = value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect()
        };
        self.value(key, "an array of strings", texts)
    }

    fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        self.value(key, "true or false", Value::as_bool)
    }

    fn integer(&self, key: &str) -> Result<Option<i64>, ConfigError> {
        self.value(key, "an integer", Value::as_i64)
    }

    fn entries<T>(
        &self,
        key: &str,
        read: impl Fn(&Section<'_>) -> Result<T, ConfigError>,
    ) -> Result<Option<BTreeMap<String, T>>, ConfigError> {
        let Some(object) = self.value(key, "an object", Value::as_object)? else { return Ok(None) };
        object
            .iter()
            .map(|(name, value)| {
                let entry = Section::new(format!("{key} \"{name}\""), value)?;
                Ok((name.clone(), read(&entry)?))
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }
}

fn at_file(place: String) -> String {
    if place.is_empty() { "the file".into() } else { place }
}

#[cfg(test)]
mod tests;
