//! `gs://bucket[/prefix]`, taken apart.

use desync_store::unescaped;

/// Where chunks or indexes lie in Google Cloud Storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcsLocation {
    pub(super) bucket: String,
    /// Empty, or ending with `/`.
    prefix: String,
}

/// Why a location is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// It names no bucket.
    #[error("no bucket in the location, expected gs://bucket[/prefix]")]
    NoBucket,
    /// It names no object.
    #[error("no name in the location")]
    NoName,
}

impl GcsLocation {
    /// Takes the location of a store apart.
    ///
    /// # Errors
    /// [`InvalidLocation::NoBucket`].
    pub fn parse(location: &str) -> Result<Self, InvalidLocation> {
        let (_, rest) = location.split_once("://").ok_or(InvalidLocation::NoBucket)?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if bucket.is_empty() || !bucket.bytes().all(is_plain) {
            return Err(InvalidLocation::NoBucket);
        }
        let prefix = unescaped(prefix.trim_matches('/'));
        let prefix = if prefix.is_empty() { prefix } else { format!("{prefix}/") };
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }

    /// Takes the location of an index apart into where it lies and its name.
    ///
    /// # Errors
    /// [`InvalidLocation`].
    pub fn of_object(location: &str) -> Result<(Self, String), InvalidLocation> {
        let whole = Self::parse(location)?;
        let key = whole.prefix.trim_end_matches('/');
        let (prefix, name) = key.rsplit_once('/').map_or(("", key), |(prefix, name)| (prefix, name));
        if name.is_empty() {
            return Err(InvalidLocation::NoName);
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok((Self { bucket: whole.bucket.clone(), prefix }, name.to_owned()))
    }

    /// What keys begin with: empty, or ending with `/`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_prefix_are_told_apart() {
        for (text, bucket, prefix) in [
            ("gs://b", "b", ""),
            ("gs://b.c/", "b.c", ""),
            ("gs://b/p/q%20r/", "b", "p/q r/"),
            ("gs://b//p", "b", "p/"),
        ] {
            let found = GcsLocation::parse(text).unwrap();
            assert_eq!((found.bucket.as_str(), found.prefix()), (bucket, prefix), "{text}");
        }
        let (place, name) = GcsLocation::of_object("gs://b/p/x.caibx").unwrap();
        assert_eq!((place.prefix(), name.as_str()), ("p/", "x.caibx"));
        assert_eq!(GcsLocation::of_object("gs://b"), Err(InvalidLocation::NoName));
        for bad in ["gs://", "gs:///p", "gs://a b/p", "b"] {
            assert_eq!(GcsLocation::parse(bad), Err(InvalidLocation::NoBucket), "{bad}");
        }
    }
}
