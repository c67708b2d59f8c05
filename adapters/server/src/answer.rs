//! Answers: texts for people, and content with what caches and resuming clients need.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, LOCATION,
    RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use bytes::Bytes;
use http_body::Frame;

use crate::content::Content;

/// A text for whoever made the request.
pub(crate) fn text(status: StatusCode, text: impl std::fmt::Display) -> Response<Body> {
    let mut response = bare(status, format!("{text}\n"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A text as a program reads it: no newline, no headers about it.
pub(crate) fn bare(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}

/// Nothing but a status.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    bare(status, Body::empty())
}

/// The answer to a HEAD for what is there. Its length is not known, and none is said: none would mean 0.
pub(crate) fn found() -> Response<Body> {
    Response::new(Body::new(Unsaid))
}

/// A body of unknown length that is never sent.
struct Unsaid;

impl http_body::Body for Unsaid {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// What went wrong behind the server is its own matter: the log has it.
pub(crate) fn internal_error(error: impl std::fmt::Display) -> Response<Body> {
    log::warn!("{error}");
    text(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
}

pub(crate) fn method_not_allowed() -> Response<Body> {
    let mut response = bare(StatusCode::METHOD_NOT_ALLOWED, "only GET, PUT and HEAD are supported");
    response.headers_mut().insert("allow", HeaderValue::from_static("GET, HEAD, PUT"));
    response
}

pub(crate) fn moved(location: &str) -> Response<Body> {
    match HeaderValue::try_from(location) {
        Err(_) => text(StatusCode::BAD_REQUEST, "bad path"),
        Ok(location) => {
            let mut response = empty(StatusCode::MOVED_PERMANENTLY);
            response.headers_mut().insert(LOCATION, location);
            response
        }
    }
}

/// Content that is sent whole, in part, or not at all if the client has it.
pub(crate) struct Entity {
    pub(crate) content: Content,
    /// Names these bytes and no others, in its quotes.
    pub(crate) etag: String,
    pub(crate) cache_control: &'static str,
}

impl Entity {
    /// The answer to a GET with these headers.
    pub(crate) fn answer(self, request: &HeaderMap) -> Response<Body> {
        let Self { content, etag, cache_control } = self;
        let len = content.len();
        let mut response = if names(request, &etag) {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            match range(request, &etag, len) {
                Wanted::Whole => Response::new(content.into_body()),
                Wanted::Part(start, end) => {
                    let mut response = Response::new(content.part(start, end).into_body());
                    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                    set(response.headers_mut(), CONTENT_RANGE, &format!("bytes {start}-{}/{len}", end - 1));
                    response
                }
                Wanted::Nothing => {
                    let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "range not satisfiable");
                    set(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{len}"));
                    return response;
                }
            }
        };
        let headers = response.headers_mut();
        set(headers, ETAG, &etag);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        response
    }
}

fn set(headers: &mut HeaderMap, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Whether the client has these bytes already.
fn names(request: &HeaderMap, etag: &str) -> bool {
    let lists = request.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    /// From the first to before the second.
    Part(u64, u64),
    /// A range beyond the end.
    Nothing,
}

/// Which part of content of length `len` is wanted. Lists of ranges, other units and nonsense mean the whole,
/// as RFC 9110 allows.
fn range(request: &HeaderMap, etag: &str, len: u64) -> Wanted {
    let text = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(IF_RANGE).is_some_and(|known| known != etag) {
        return Wanted::Whole;
    }
    let Some(range) = text(RANGE).and_then(|range| range.strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::Whole };
    let number = |digits: &str| {
        Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?.parse::<u64>().ok()
    };
    match (first, last, number(first), number(last)) {
        ("", _, _, Some(0)) => Wanted::Nothing,
        ("", _, _, Some(_)) if len == 0 => Wanted::Nothing,
        ("", _, _, Some(count)) => Wanted::Part(len.saturating_sub(count), len),
        (_, "", Some(start), _) if start < len => Wanted::Part(start, len),
        (_, "", Some(_), _) => Wanted::Nothing,
        (_, _, Some(start), Some(end)) if start > end => Wanted::Whole,
        (_, _, Some(start), Some(_)) if start >= len => Wanted::Nothing,
        (_, _, Some(start), Some(end)) => Wanted::Part(start, end.saturating_add(1).min(len)),
        _ => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(headers: &[(axum::http::HeaderName, &str)], len: u64) -> Wanted {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        range(&headers.collect(), "\"e\"", len)
    }

    #[test]
    fn ranges_are_understood_or_passed_over() {
        for (value, expected) in [
            ("bytes=0-0", Wanted::Part(0, 1)),
            ("bytes=2-", Wanted::Part(2, 10)),
            ("bytes=2-99999999999999999999", Wanted::Whole),
            ("bytes=2-18446744073709551615", Wanted::Part(2, 10)),
            ("bytes=-3", Wanted::Part(7, 10)),
            ("bytes=-30", Wanted::Part(0, 10)),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-11", Wanted::Nothing),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
        ] {
            assert_eq!(wanted(&[(RANGE, value)], 10), expected, "{value}");
        }
        assert_eq!(wanted(&[(RANGE, "bytes=0-")], 0), Wanted::Nothing);
        assert_eq!(wanted(&[(RANGE, "bytes=-1")], 0), Wanted::Nothing);
        assert_eq!(wanted(&[(RANGE, "bytes=0-0"), (IF_RANGE, "\"e\"")], 9), Wanted::Part(0, 1));
        assert_eq!(wanted(&[(RANGE, "bytes=0-0"), (IF_RANGE, "\"other\"")], 9), Wanted::Whole);
        assert_eq!(wanted(&[], 9), Wanted::Whole);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let known =
            |value: &str| names(&[(IF_NONE_MATCH, value.parse().unwrap())].into_iter().collect(), "\"e\"");
        assert!(known("\"e\"") && known("\"a\", \"e\"") && known("W/\"e\"") && known("*"));
        assert!(!known("\"a\"") && !known("e"));
    }
}
