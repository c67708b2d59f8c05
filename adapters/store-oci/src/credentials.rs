//! Who asks: the environment, the config file, Docker's store of credentials, or nobody.

use std::path::Path;

use docker_credential::{CredentialRetrievalError as Error, DockerCredential};

/// What a registry is told about who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    Nobody,
    /// A user and a password.
    Password {
        /// The user.
        username: String,
        /// The password.
        secret: String,
    },
    /// What Docker keeps after a log-in elsewhere: good for tokens.
    Identity(String),
}

/// Why there are no credentials where there should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Half of a pair.
    #[error("DESYNC_OCI_PASSWORD is set without DESYNC_OCI_USERNAME")]
    NoUsername,
    /// Docker's file or a helper of it fails.
    #[error("Docker's credentials: {0}")]
    Docker(String),
}

impl Credentials {
    /// Chooses: the first of environment, config (user and secret), Docker's store, nobody.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn choose(
        registry: &str,
        configured: Option<(String, String)>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CredentialsError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        match (given("DESYNC_OCI_USERNAME"), given("DESYNC_OCI_PASSWORD")) {
            (Some(username), secret) => {
                return Ok(Self::Password { username, secret: secret.unwrap_or_default() });
            }
            (None, Some(_)) => return Err(CredentialsError::NoUsername),
            (None, None) => {}
        }
        if let Some((username, secret)) = configured {
            return Ok(Self::Password { username, secret });
        }
        // The name under which Docker keeps its own registry.
        let server = if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry };
        let directory = given("DOCKER_CONFIG").or_else(|| Some(format!("{}/.docker", given("HOME")?)));
        let has_file = directory.is_some_and(|directory| Path::new(&directory).join("config.json").exists());
        if has_file { of_docker(docker_credential::get_credential(server)) } else { Ok(Self::Nobody) }
    }
}

fn of_docker(found: Result<DockerCredential, Error>) -> Result<Credentials, CredentialsError> {
    match found {
        Ok(DockerCredential::UsernamePassword(username, secret)) => {
            Ok(Credentials::Password { username, secret })
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Credentials::Identity(token)),
        Err(Error::ConfigNotFound | Error::NoCredentialConfigured) => Ok(Credentials::Nobody),
        // What helpers print may hold secrets.
        Err(Error::HelperFailure { helper, .. }) => Err(CredentialsError::Docker(format!("{helper} failed"))),
        Err(other) => Err(CredentialsError::Docker(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(configured: bool, environment: &[(&str, &str)]) -> Result<Credentials, CredentialsError> {
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let configured = configured.then(|| ("config".to_owned(), "c".to_owned()));
        Credentials::choose("registry.invalid", configured, variable)
    }

    #[test]
    fn the_environment_goes_before_the_config() {
        let both = [("DESYNC_OCI_USERNAME", "env"), ("DESYNC_OCI_PASSWORD", "e")];
        let who = |username: &str, secret: &str| {
            Ok(Credentials::Password { username: username.to_owned(), secret: secret.to_owned() })
        };
        assert!(chosen(true, &both) == who("env", "e"));
        assert!(chosen(true, &[]) == who("config", "c"));
        assert!(chosen(true, &both[1..]) == Err(CredentialsError::NoUsername));
    }

    #[test]
    fn dockers_failures_do_not_tell_what_helpers_printed() {
        let (stdout, stderr) = ("hunter2".to_owned(), String::new());
        let failed =
            of_docker(Err(Error::HelperFailure { helper: "docker-credential-x".into(), stdout, stderr }));
        let text = failed.err().unwrap().to_string();
        assert!(text.contains("docker-credential-x") && !text.contains("hunter2"), "{text}");
        assert!(of_docker(Err(Error::ConfigNotFound)) == Ok(Credentials::Nobody));
    }
}
