//! `oci+http[s]://host[:port]/repository`, taken apart.

use desync_http::{Endpoint, InvalidEndpoint};

/// A repository of a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct OciLocation {
    pub(crate) endpoint: Endpoint,
    /// The registry as people write it: `docker.io` although that is reached elsewhere.
    pub(crate) registry: String,
    pub(crate) repository: String,
}

/// Why a location is no repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// It names no host.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// It is no URL.
    #[error("not a URL")]
    Url,
    /// Its path is none that registries have.
    #[error(
        "'{0}' is no repository: expected words of lowercase letters and digits, joined by '.', '_', '-' and '/'"
    )]
    Repository(String),
}

/// Longest name of a repository.
const REPOSITORY_MAX: usize = 255;

impl OciLocation {
    /// The registry as people write it, host and port.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Takes a location apart.
    ///
    /// # Errors
    /// [`InvalidLocation`].
    pub fn parse(location: &str) -> Result<Self, InvalidLocation> {
        let (scheme, rest) = location.split_once("://").ok_or(InvalidLocation::Url)?;
        let scheme = scheme.get(4..).filter(|_| scheme.to_ascii_lowercase().starts_with("oci+"));
        let scheme = scheme.ok_or(InvalidLocation::Url)?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let repository = path.trim_end_matches('/');
        if !is_repository(repository) {
            return Err(InvalidLocation::Repository(repository.to_owned()));
        }
        let registry = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        let host = if registry == "docker.io" { "registry-1.docker.io" } else { &registry };
        let endpoint = Endpoint::parse(&format!("{scheme}://{host}/v2/{repository}"))?;
        Ok(Self { endpoint, registry, repository: repository.to_owned() })
    }
}

/// Source of the grammar: OCI distribution specification, `<name>`.
fn is_repository(path: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_component = |component: &str| {
        let mut rest = component;
        loop {
            let end = rest.find(['.', '_', '-']).unwrap_or(rest.len());
            let (word, tail) = rest.split_at(end);
            if !is_word(word) {
                return false;
            }
            let joint = tail.len() - tail.trim_start_matches(['.', '_', '-']).len();
            match &tail[..joint] {
                "" => return true,
                "." | "_" | "__" => {}
                joint if joint.bytes().all(|b| b == b'-') => {}
                _ => return false,
            }
            rest = &tail[joint..];
        }
    };
    path.len() <= REPOSITORY_MAX && path.split('/').all(is_component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_the_grammar_of_registries() {
        for good in ["a", "a/b", "my-org/chunks.v2/x__y", "a--b/0"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in ["", "A", "a//b", "a/", "-a", "a-", "a..b", "a___b", "a b", "../a", &"a".repeat(256)] {
            assert!(!is_repository(bad), "{bad}");
        }
    }

    #[test]
    fn locations_are_taken_apart() {
        let place = OciLocation::parse("oci+https://me@docker.io/org/repo/").ok().unwrap();
        assert_eq!((place.registry.as_str(), place.repository.as_str()), ("docker.io", "org/repo"));
        assert_eq!(place.endpoint.url_of("tags/list"), "https://registry-1.docker.io/v2/org/repo/tags/list");
        let place = OciLocation::parse("OCI+HTTP://Host:5000/r").ok().unwrap();
        assert_eq!(place.endpoint.origin(), "http://host:5000");
        for bad in ["http://h/r", "oci+http://h", "oci+http:///r", "oci+ftp://h/r"] {
            assert!(OciLocation::parse(bad).is_err(), "{bad}");
        }
    }
}
