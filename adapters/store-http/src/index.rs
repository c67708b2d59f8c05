//! Indexes on a web server.

use std::io::Read;

use desync_http::{Body, ClientOptions, Endpoint, HeaderValue, Method, StatusCode, header};
use desync_store::{ErrorKind, IndexBackend, IndexBody, Operation, StoreError};

use crate::place::{Credentials, Place};

/// Indexes below a URL.
pub struct HttpIndexes(Place);

impl HttpIndexes {
    /// The indexes below `endpoint`, called `location` in messages. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// Options that cannot be met; see [`Client::new`](desync_http::Client::new).
    pub fn open(
        endpoint: Endpoint,
        location: &str,
        credentials: Credentials,
        options: &ClientOptions,
    ) -> Result<Self, StoreError> {
        Place::open(endpoint, location, credentials, options).map(Self)
    }
}

impl IndexBackend for HttpIndexes {
    fn location(&self) -> &str {
        self.0.location()
    }

    fn read(&self, name: &str, offset: u64) -> Result<IndexBody, StoreError> {
        let mut request = self.0.request(Operation::Get, Method::GET, name);
        if offset > 0 {
            let range = HeaderValue::from_str(&format!("bytes={offset}-")).expect("digits are plain ASCII");
            request = request.with_header(header::RANGE, range);
        }
        let answer = self.0.send(request)?;
        let version = answer.header("etag").map(str::to_owned);
        let offset = match answer.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if begins_at(answer.header("content-range"), offset) => offset,
            StatusCode::NOT_FOUND => {
                let cause = format_args!("object {name} missing from store");
                return Err(StoreError::new(ErrorKind::Missing, Operation::Get, self.location(), cause));
            }
            _ => return Err(answer.refused(name)),
        };
        Ok(IndexBody { bytes: Box::new(answer.into_reader()?), offset, version })
    }

    fn write(&self, name: &str, bytes: &mut dyn Read, len: u64) -> Result<(), StoreError> {
        let request = self.0.request(Operation::Put, Method::PUT, name).with_body(Body::Reader(bytes, len));
        let answer = self.0.send(request)?;
        match answer.status() {
            StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(answer.refused(name)),
        }
    }
}

/// Whether a `Content-Range` begins where it was asked to.
fn begins_at(range: Option<&str>, offset: u64) -> bool {
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    first == Some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_range_than_asked_for_is_noticed() {
        assert!(begins_at(Some("bytes 100-199/200"), 100));
        for other in [None, Some("bytes 0-199/200"), Some("bytes */200"), Some("100-")] {
            assert!(!begins_at(other, 100), "{other:?}");
        }
    }
}
