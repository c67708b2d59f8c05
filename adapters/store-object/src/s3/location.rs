//! `s3+http[s]://host[:port]/bucket[/prefix][?lookup=auto|dns|path]`, taken apart.

use desync_http::{Endpoint, InvalidEndpoint};
use desync_store::unescaped;
use rusty_s3::UrlStyle;
use url::{Host, Url};

/// Where chunks or indexes lie in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    /// `scheme://host[:port]`, without the `s3+`.
    pub(super) endpoint: Url,
    pub(super) bucket: String,
    /// Empty, or ending with `/`.
    pub(super) prefix: String,
    pub(super) lookup: Lookup,
}

/// Where the bucket's name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    Auto,
    /// Before the host.
    Dns,
    /// First in the path.
    Path,
}

/// Why a location is none in S3.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// It names no host.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// It is no URL.
    #[error("not a URL")]
    Url,
    /// It names no bucket.
    #[error("no bucket in the location, expected s3+https://host/bucket[/prefix]")]
    NoBucket,
    /// It names no object.
    #[error("no name in the location")]
    NoName,
    /// A key that would mean another one to servers.
    #[error("'.', '..' and empty elements cannot be part of a prefix")]
    Dots,
    /// A way of finding buckets that nobody knows.
    #[error("unknown S3 bucket lookup type: \"{0}\"")]
    Lookup(String),
}

impl S3Location {
    /// Takes the location of a store apart.
    ///
    /// # Errors
    /// [`InvalidLocation`].
    pub fn parse(location: &str) -> Result<Self, InvalidLocation> {
        let (scheme, rest) = location.split_once("://").ok_or(InvalidLocation::Url)?;
        let scheme = scheme.get(3..).filter(|_| scheme.to_ascii_lowercase().starts_with("s3+"));
        let text = format!("{}://{rest}", scheme.ok_or(InvalidLocation::Url)?);
        // The same word on what is a host as of other locations.
        Endpoint::parse(&text)?;
        let url = Url::parse(&text).map_err(|_| InvalidLocation::Url)?;
        let path = unescaped(url.path());
        let (bucket, prefix) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        if bucket.is_empty() {
            return Err(InvalidLocation::NoBucket);
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && prefix.split('/').any(|element| matches!(element, "" | "." | "..")) {
            return Err(InvalidLocation::Dots);
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let lookup = match url.query_pairs().find(|(key, _)| key == "lookup").map(|(_, value)| value) {
            None => Lookup::Auto,
            Some(word) => match &*word {
                "" | "auto" => Lookup::Auto,
                "dns" => Lookup::Dns,
                "path" => Lookup::Path,
                other => return Err(InvalidLocation::Lookup(other.to_owned())),
            },
        };
        let mut endpoint = url.clone();
        endpoint.set_path("");
        endpoint.set_query(None);
        endpoint.set_fragment(None);
        let _ = endpoint.set_username("");
        let _ = endpoint.set_password(None);
        Ok(Self { endpoint, bucket: bucket.to_owned(), prefix, lookup })
    }

    /// Takes the location of an index apart into where it lies and its name.
    ///
    /// # Errors
    /// [`InvalidLocation`].
    pub fn of_object(location: &str) -> Result<(Self, String), InvalidLocation> {
        let mut whole = Self::parse(location)?;
        let key = whole.prefix.trim_end_matches('/').to_owned();
        let (prefix, name) = key.rsplit_once('/').map_or(("", &*key), |(prefix, name)| (prefix, name));
        if name.is_empty() {
            return Err(InvalidLocation::NoName);
        }
        whole.prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok((whole, name.to_owned()))
    }

    /// `scheme://host[:port]`: what the config's credentials are kept by.
    #[must_use]
    pub fn origin(&self) -> String {
        self.endpoint.as_str().trim_end_matches('/').to_owned()
    }

    /// What keys begin with: empty, or ending with `/`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The region that an Amazon host name tells.
    pub(super) fn region_of_host(&self) -> Option<&str> {
        let host = self.endpoint.host_str()?;
        let name = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
        let region = name.strip_prefix("s3.dualstack.").or_else(|| name.strip_prefix("s3-fips."));
        let region = region.or_else(|| name.strip_prefix("s3.")).or_else(|| name.strip_prefix("s3-"))?;
        (!region.is_empty() && !region.contains('.') && region != "accelerate").then_some(region)
    }

    /// How the bucket is addressed: before the host at the three providers that want it so, unless a dot in
    /// its name would not fit their certificates.
    pub(super) fn style(&self) -> UrlStyle {
        let is_name = matches!(self.endpoint.host(), Some(Host::Domain(_)));
        let host = self.endpoint.host_str().unwrap_or_default();
        let wants_dns =
            ["amazonaws.com", "amazonaws.com.cn", "googleapis.com", "aliyuncs.com"].iter().any(|domain| {
                host == *domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
            });
        let fits = !(self.endpoint.scheme() == "https" && self.bucket.contains('.'));
        match self.lookup {
            Lookup::Dns => UrlStyle::VirtualHost,
            Lookup::Auto if is_name && wants_dns && fits => UrlStyle::VirtualHost,
            Lookup::Auto | Lookup::Path => UrlStyle::Path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> S3Location {
        S3Location::parse(text).unwrap()
    }

    #[test]
    fn bucket_and_prefix_are_told_apart() {
        for (text, origin, bucket, prefix) in [
            ("s3+https://h/b", "https://h", "b", ""),
            ("S3+HTTP://H:9000/b/", "http://h:9000", "b", ""),
            ("s3+http://me:x@h/b/p/q/?lookup=path", "http://h", "b", "p/q/"),
            ("s3+https://[::1]:1/b/a%20b+c&d=e/%C3%BC", "https://[::1]:1", "b", "a b+c&d=e/\u{fc}/"),
        ] {
            let found = location(text);
            assert_eq!(
                (found.origin().as_str(), found.bucket.as_str(), found.prefix()),
                (origin, bucket, prefix),
                "{text}"
            );
        }
        let (place, name) = S3Location::of_object("s3+http://h/b/p/x y.caibx?lookup=dns").unwrap();
        assert_eq!((place.prefix(), name.as_str(), place.lookup), ("p/", "x y.caibx", Lookup::Dns));
        let (place, name) = S3Location::of_object("s3+http://h/b/x.caibx").unwrap();
        assert_eq!((place.prefix(), name.as_str()), ("", "x.caibx"));
        assert_eq!(S3Location::of_object("s3+http://h/b"), Err(InvalidLocation::NoName));
    }

    #[test]
    fn what_could_mean_another_key_is_refused() {
        assert_eq!(S3Location::parse("s3+http://h/"), Err(InvalidLocation::NoBucket));
        assert_eq!(S3Location::parse("s3+http://h/b/p//q"), Err(InvalidLocation::Dots));
        assert!(matches!(S3Location::parse("s3+http://h/b?lookup=x"), Err(InvalidLocation::Lookup(_))));
        for none in ["http://h/b", "s3+ftp://h/b", "s3+http:///b"] {
            assert!(S3Location::parse(none).is_err(), "{none}");
        }
    }

    #[test]
    fn amazon_hosts_tell_the_region_and_the_style() {
        for (host, region, dns) in [
            ("s3.eu-west-1.amazonaws.com", Some("eu-west-1"), true),
            ("s3-us-west-2.amazonaws.com", Some("us-west-2"), true),
            ("s3.dualstack.eu-west-3.amazonaws.com", Some("eu-west-3"), true),
            ("s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1"), true),
            ("s3.amazonaws.com", None, true),
            ("storage.googleapis.com", None, true),
            ("minio.example.com", None, false),
            ("notamazonaws.com", None, false),
            ("127.0.0.1:9000", None, false),
        ] {
            let found = location(&format!("s3+https://{host}/bucket"));
            assert_eq!(found.region_of_host(), region, "{host}");
            assert_eq!(matches!(found.style(), UrlStyle::VirtualHost), dns, "{host}");
        }
        let dotted = location("s3+https://s3.amazonaws.com/a.b");
        assert!(matches!(dotted.style(), UrlStyle::Path));
        assert!(matches!(location("s3+https://h/b?lookup=dns").style(), UrlStyle::VirtualHost));
        assert!(matches!(location("s3+https://s3.amazonaws.com/b?lookup=path").style(), UrlStyle::Path));
    }
}
