//! Who asks: keys from the environment, the config file, a credentials file, or nobody.
//!
//! Source of the order and of the variables: Go desync. A credentials file is read again a minute after it
//! was read: tools that hand out keys for some hours rewrite it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use configparser::ini::{Ini, IniDefault};
use rusty_s3::Credentials;

/// How long what a credentials file said is believed.
const FRESH: Duration = Duration::from_secs(60);

/// What the config file says for a server. What is not said is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// A key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// A file with several.
    pub credentials_file: String,
    /// Which of them.
    pub profile: String,
    /// The region.
    pub region: String,
}

/// Why there are no credentials where there should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("credentials file {}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// It has no such profile, or one without keys.
    #[error("credentials file {}: profile '{profile}' has no aws_access_key_id and aws_secret_access_key", path.display())]
    Profile {
        /// Which.
        path: PathBuf,
        /// Which.
        profile: String,
    },
}

/// Where credentials come from.
pub struct Source {
    kind: Kind,
    region: Option<String>,
}

enum Kind {
    Fixed(Arc<Credentials>),
    File { path: PathBuf, profile: String, read: Mutex<Option<(Instant, Arc<Credentials>)>> },
    Nobody,
}

impl Source {
    /// Chooses: the first of environment, keys of the config, its credentials file, nobody.
    #[must_use]
    pub fn choose(configured: &Configured, variable: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let region = |text: Option<String>| text.filter(|text| !text.is_empty());
        let names = match (given("S3_ACCESS_KEY"), given("S3_SECRET_KEY")) {
            (None, None) => ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
            _ => ["S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_SESSION_TOKEN"],
        };
        if let [Some(key), Some(secret), token] = names.map(given) {
            return Self {
                kind: Kind::Fixed(credentials(key, secret, token)),
                region: region(given("S3_REGION")),
            };
        }
        let configured_region = region(Some(configured.region.clone()));
        let kind = if !configured.access_key.is_empty() {
            Kind::Fixed(credentials(configured.access_key.clone(), configured.secret_key.clone(), None))
        } else if !configured.credentials_file.is_empty() {
            let profile = region(Some(configured.profile.clone())).or_else(|| given("AWS_PROFILE"));
            let profile = profile.unwrap_or_else(|| "default".to_owned());
            Kind::File { path: configured.credentials_file.clone().into(), profile, read: Mutex::default() }
        } else {
            Kind::Nobody
        };
        Self { kind, region: configured_region }
    }

    /// The region that stands beside the credentials.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The credentials as they are now; none for a request by nobody.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn now(&self) -> Result<Option<Arc<Credentials>>, CredentialsError> {
        match &self.kind {
            Kind::Nobody => Ok(None),
            Kind::Fixed(credentials) => Ok(Some(Arc::clone(credentials))),
            Kind::File { path, profile, read } => {
                let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, fresh)) = read.as_ref().filter(|(when, _)| when.elapsed() < FRESH) {
                    return Ok(Some(Arc::clone(fresh)));
                }
                let found = Arc::new(of_file(path, profile)?);
                *read = Some((Instant::now(), Arc::clone(&found)));
                Ok(Some(found))
            }
        }
    }
}

fn credentials(key: String, secret: String, token: Option<String>) -> Arc<Credentials> {
    Arc::new(match token {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    })
}

fn of_file(path: &Path, profile: &str) -> Result<Credentials, CredentialsError> {
    let unreadable = |cause: String| CredentialsError::File { path: path.to_owned(), cause };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    of_text(&text, profile)
        .map_err(unreadable)?
        .ok_or_else(|| CredentialsError::Profile { path: path.to_owned(), profile: profile.to_owned() })
}

fn of_text(text: &str, profile: &str) -> Result<Option<Credentials>, String> {
    // A secret may hold whatever begins a comment elsewhere.
    let mut rules = IniDefault::default();
    rules.case_sensitive = true;
    rules.comment_symbols = vec!['#', ';'];
    rules.inline_comment_symbols = Some(Vec::new());
    rules.delimiters = vec!['=', ':'];
    let mut ini = Ini::new_from_defaults(rules);
    ini.read(text.to_owned())?;
    let given = |key: &str| ini.get(profile, key).filter(|value| !value.is_empty());
    let (Some(key), Some(secret)) = (given("aws_access_key_id"), given("aws_secret_access_key")) else {
        return Ok(None);
    };
    Ok(Some(match given("aws_session_token") {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        configured: &Configured,
        environment: &[(&str, &str)],
    ) -> (Option<(String, String)>, Option<String>) {
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let source = Source::choose(configured, variable);
        let found = source
            .now()
            .unwrap()
            .map(|found| (found.key().to_owned(), found.token().unwrap_or("").to_owned()));
        (found, source.region().map(str::to_owned))
    }

    #[test]
    fn the_environment_goes_before_the_config() {
        let configured = Configured {
            access_key: "config".into(),
            secret_key: "s".into(),
            region: "r".into(),
            ..Configured::default()
        };
        let aws = [("AWS_ACCESS_KEY_ID", "aws"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
        let s3 = [("S3_ACCESS_KEY", "s3"), ("S3_SECRET_KEY", "s"), ("S3_REGION", "east")];
        let who = |key: &str, token: &str| Some((key.to_owned(), token.to_owned()));
        assert_eq!(chosen(&configured, &[&aws[..], &s3].concat()), (who("s3", ""), Some("east".into())));
        assert_eq!(chosen(&configured, &aws), (who("aws", "t"), None));
        assert_eq!(chosen(&configured, &[]), (who("config", ""), Some("r".into())));
        assert_eq!(chosen(&Configured::default(), &[]), (None, None));
        // Half of a pair is none, and hides the other variables.
        assert_eq!(chosen(&Configured::default(), &[&aws[..], &s3[..1]].concat()), (None, None));
    }

    #[test]
    fn credentials_files_are_read_as_amazons_tools_do() {
        let text = "# comment\n[default]\naws_access_key_id = AK\naws_secret_access_key=a#b;c=d:e\n\n\
            [other]\naws_access_key_id: OK\naws_secret_access_key: x\naws_session_token: t\n[empty]\n";
        let default = of_text(text, "default").unwrap().unwrap();
        assert_eq!((default.key(), default.secret(), default.token()), ("AK", "a#b;c=d:e", None));
        let other = of_text(text, "other").unwrap().unwrap();
        assert_eq!((other.key(), other.secret(), other.token()), ("OK", "x", Some("t")));
        assert!(of_text(text, "empty").unwrap().is_none() && of_text(text, "none").unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let configured = Configured { credentials_file: "/no/such/file".into(), ..Configured::default() };
        let error = Source::choose(&configured, |_| None).now().unwrap_err().to_string();
        assert!(error.contains("/no/such/file"), "{error}");
    }
}
