//! A location on an HTTP server, taken apart: where to connect, who asks, what stands below it.
//!
//! Locations are texts that people type: what may not stand in a URL is escaped here, what is escaped
//! already stays.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use desync_store::unescaped;
use ureq::http::{HeaderValue, Uri};

/// Where a store lies on an HTTP server.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: &'static str,
    authority: String,
    /// Escaped; begins and ends with `/`.
    path: String,
    query: Option<String>,
    login: Option<(String, String)>,
    /// The name of the object that the location is of, escaped as it was typed. Not every escaped name can be made from
    /// a plain one: an escaped `/` is no separator, an escaped byte need not be text, and a signature counts for one
    /// way to escape only.
    object: Option<String>,
}

/// Why a location is no HTTP server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEndpoint(&'static str);

impl std::fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidEndpoint {}

impl Endpoint {
    /// Takes `http[s]://[user[:password]@]host[:port][/path][?query]` apart. What follows a `#` is nobody's.
    ///
    /// # Errors
    /// Another scheme, or no host. The message does not repeat the location, which may hold a password.
    pub fn parse(location: &str) -> Result<Self, InvalidEndpoint> {
        let (scheme, rest) = location.split_once("://").ok_or(InvalidEndpoint("not a URL"))?;
        let scheme = ["http", "https"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known));
        let scheme = scheme.ok_or(InvalidEndpoint("neither http:// nor https://"))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, authority) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        if !is_authority(authority) {
            return Err(InvalidEndpoint("no valid host and port"));
        }
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (unescaped(user), unescaped(password))
        });
        let mut path = escaped(path, b"/");
        if !path.ends_with('/') {
            path.push('/');
        }
        let query = query.map(|query| escaped(query, b"/?&="));
        Ok(Self { scheme, authority: authority.to_ascii_lowercase(), path, query, login, object: None })
    }

    /// Takes the location of an object apart into that of its parent and its name, which [`Endpoint::url_of`] turns
    /// into the same location again.
    ///
    /// # Errors
    /// As [`Endpoint::parse`], and if there is no name.
    pub fn of_object(location: &str) -> Result<(Self, String), InvalidEndpoint> {
        let mut endpoint = Self::parse(location)?;
        let whole = endpoint.path.trim_end_matches('/');
        let cut = whole.rfind('/').map_or(0, |slash| slash + 1);
        let escaped = whole[cut..].to_owned();
        if escaped.is_empty() {
            return Err(InvalidEndpoint("no name in the URL"));
        }
        endpoint.path.truncate(cut);
        let name = unescaped(&escaped);
        endpoint.object = Some(escaped);
        Ok((endpoint, name))
    }

    /// The URL of what lies below it, the location's query at its end.
    #[must_use]
    pub fn url_of(&self, name: &str) -> String {
        let mut url = self.origin();
        url.push_str(&self.path);
        match self.object.as_ref().filter(|object| unescaped(object) == name) {
            Some(typed) => url.push_str(typed),
            // A name is a name: what looks like an escape in it is none.
            None => url.push_str(&escaped(&name.replace('%', "%25"), b"/")),
        }
        if let Some(query) = &self.query {
            let _ = write!(url, "?{query}");
        }
        url
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The value of the header `Authorization` for the user and password in the URL, if there are any.
    #[must_use]
    pub fn basic_auth(&self) -> Option<HeaderValue> {
        let (user, password) = self.login.as_ref()?;
        Some(basic_auth(user, password))
    }

    /// Whether it takes TLS to get there.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

/// Whether this is a host, maybe with a port.
fn is_authority(text: &str) -> bool {
    let port = text.rsplit_once(':').filter(|_| !text.ends_with(']')).map(|(_, port)| port);
    let has_port = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    let has_host = !text.is_empty() && !text.starts_with(':');
    has_host && has_port && Uri::builder().scheme("http").authority(text).path_and_query("/").build().is_ok()
}

/// Basic authentication, as the value of a header that nobody logs.
///
/// # Panics
/// Never: what comes out is plain ASCII.
#[must_use]
pub fn basic_auth(user: &str, password: &str) -> HeaderValue {
    let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).expect("base64 is plain ASCII");
    value.set_sensitive(true);
    value
}

/// Escapes what may not stand in a path or query, other than the bytes of `separators`. Escapes stay.
fn escaped(text: &str, separators: &[u8]) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    for (position, byte) in bytes.iter().enumerate() {
        let is_escape = *byte == b'%'
            && bytes.get(position + 1..position + 3).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit));
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(byte);
        if is_escape || is_plain || separators.contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(location: &str, name: &str) -> String {
        Endpoint::parse(location).unwrap().url_of(name)
    }

    #[test]
    fn names_are_appended_to_the_path() {
        for (location, expected) in [
            ("http://host", "http://host/00ab/x.cacnk"),
            ("HTTP://Host:80/", "http://host:80/00ab/x.cacnk"),
            ("https://host/a%20b/c d/ü", "https://host/a%20b/c%20d/%C3%BC/00ab/x.cacnk"),
            ("https://[::1]:8443/s", "https://[::1]:8443/s/00ab/x.cacnk"),
            ("http://u:p@host/s#part", "http://host/s/00ab/x.cacnk"),
            ("http://host/100%", "http://host/100%25/00ab/x.cacnk"),
        ] {
            assert_eq!(url(location, "00ab/x.cacnk"), expected, "{location}");
        }
        assert_eq!(url("http://h", "50%25 a?b"), "http://h/50%2525%20a%3Fb");
    }

    #[test]
    fn defect_45_the_query_of_a_presigned_url_is_kept() {
        let signed = "https://h/b?X-Amz-Credential=AK/1/s3&X-Amz-Signature=00ff";
        assert_eq!(url(signed, "n"), "https://h/b/n?X-Amz-Credential=AK/1/s3&X-Amz-Signature=00ff");
        let (parent, name) = Endpoint::of_object("https://h/b/x%20y.caibx?sig=a/b").unwrap();
        assert_eq!(name, "x y.caibx");
        assert_eq!(parent.url_of(&name), "https://h/b/x%20y.caibx?sig=a/b");
        assert!(Endpoint::of_object("https://h/?x").is_err());
    }

    #[test]
    fn the_name_of_an_object_is_asked_for_as_it_was_typed() {
        for (location, name) in [
            ("https://h/o/dir%2Fx.caibx?alt=media", "dir/x.caibx"),
            ("https://h/%ff.caibx", "%ff.caibx"),
            ("https://h/%7Ex", "~x"),
            ("https://h/b/50%25", "50%"),
        ] {
            let (parent, found) = Endpoint::of_object(location).unwrap();
            assert_eq!((parent.url_of(&found).as_str(), found.as_str()), (location, name));
        }
        let (parent, _) = Endpoint::of_object("https://h/dir%2Fx").unwrap();
        assert_eq!(parent.url_of("50% y"), "https://h/50%25%20y");
    }

    #[test]
    fn the_login_becomes_basic_authentication() {
        let auth = |location| Endpoint::parse(location).unwrap().basic_auth();
        assert_eq!(auth("http://host"), None);
        assert_eq!(auth("http://me:hunter%402@host").unwrap(), "Basic bWU6aHVudGVyQDI=");
        assert_eq!(auth("http://me@host").unwrap(), "Basic bWU6");
        assert!(auth("http://me:hunter2@host").unwrap().is_sensitive());
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for location in
            ["http://", "http:///path", "ftp://host", "host", "http://ho st/", "http://:80", "http://h:x/"]
        {
            assert!(Endpoint::parse(location).is_err(), "{location}");
        }
    }
}
