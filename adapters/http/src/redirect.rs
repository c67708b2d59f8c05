//! Where a redirect leads: absolute, without a host, or relative to where the answer came from.

use ureq::http::{Method, StatusCode, Uri};

/// How many redirects in a row are followed.
pub(crate) const REDIRECTS_MAX: u32 = 10;

/// Whether an answer to this method sends the same request somewhere else. Other redirects ask for another
/// method, which for what stores do means nothing.
pub(crate) fn is_followed(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        307 | 308 => true,
        301..=303 => matches!(*method, Method::GET | Method::HEAD),
        _ => false,
    }
}

/// The URL that `target`, the text of a `Location`, means in an answer from `from`.
#[must_use]
pub fn resolve(from: &str, target: &str) -> Option<String> {
    let target = target.split('#').next()?;
    if target.starts_with("http://") || target.starts_with("https://") {
        return Some(target.to_owned());
    }
    if target.contains("://") || target.is_empty() {
        return None;
    }
    let (scheme, rest) = from.split_once("://")?;
    if let Some(rest) = target.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if target.starts_with('/') {
        return Some(format!("{scheme}://{authority}{target}"));
    }
    let path = path.split('?').next()?;
    if target.starts_with('?') {
        return Some(format!("{scheme}://{authority}{path}{target}"));
    }
    let directory = path.rfind('/').map_or("/", |slash| &path[..=slash]);
    Some(format!("{scheme}://{authority}{directory}{target}"))
}

/// Whether what is secret between us and `a` is none of `b`'s business. From http:// to https:// on the same
/// host nothing is lost; the other way round it would be sent in the open.
#[must_use]
pub fn is_other_origin(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<Uri>(), b.parse::<Uri>()) else { return true };
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    let is_https = |uri: &Uri| uri.scheme_str() == Some("https");
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if is_https(uri) { 443 } else { 80 });
    host(&a) != host(&b)
        || (is_https(&a) && !is_https(&b))
        || (is_https(&a) == is_https(&b) && port(&a) != port(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_relative_to_where_the_answer_came_from() {
        for (target, expected) in [
            ("https://other/x?y", Some("https://other/x?y")),
            ("//other/x", Some("http://other/x")),
            ("/x#part", Some("http://h:8/x")),
            ("x", Some("http://h:8/a/x")),
            ("?q", Some("http://h:8/a/b?q")),
            ("ftp://h", None),
            ("", None),
        ] {
            assert_eq!(resolve("http://h:8/a/b?c", target).as_deref(), expected, "{target}");
        }
        assert_eq!(resolve("http://h", "x").as_deref(), Some("http://h/x"));
    }

    #[test]
    fn secrets_stay_with_their_origin() {
        for (a, b, other) in [
            ("http://h/a", "http://H/b", false),
            ("http://h", "https://h", false),
            ("https://h", "https://h:443", false),
            ("https://h", "http://h", true),
            ("http://h:1", "http://h:2", true),
            ("http://h", "http://g.h", true),
        ] {
            assert_eq!(is_other_origin(a, b), other, "{a} {b}");
        }
    }

    #[test]
    fn a_put_is_not_turned_into_a_get() {
        assert!(is_followed(StatusCode::FOUND, &Method::GET));
        assert!(!is_followed(StatusCode::FOUND, &Method::PUT));
        assert!(is_followed(StatusCode::PERMANENT_REDIRECT, &Method::PUT));
        assert!(!is_followed(StatusCode::NOT_MODIFIED, &Method::GET));
    }
}
