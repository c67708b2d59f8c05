//! Indexes on a web server.

use std::io::Read;

use desync_http::{
    Body, Client, ClientOptions, Endpoint, HeaderName, HeaderValue, Method, Request, StatusCode, header,
};
use desync_store::{ErrorKind, IndexBackend, IndexBody, Operation, StoreError};

use crate::Credentials;

/// Indexes below a URL.
pub struct HttpIndexes {
    client: Client,
    endpoint: Endpoint,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl HttpIndexes {
    /// The indexes below `endpoint`, called `location` in messages. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// Options that cannot be met; see [`Client::new`].
    pub fn open(
        endpoint: Endpoint,
        location: &str,
        credentials: Credentials,
        options: &ClientOptions,
    ) -> Result<Self, StoreError> {
        let client = Client::new(&endpoint, location, options)?;
        Ok(Self { client, headers: credentials.headers(&endpoint), endpoint })
    }

    fn request(&self, operation: Operation, method: Method, name: &str) -> Request<'_> {
        let mut request = Request::new(operation, method, self.endpoint.url_of(name));
        request.headers.clone_from(&self.headers);
        request
    }
}

impl IndexBackend for HttpIndexes {
    fn location(&self) -> &str {
        self.client.location()
    }

    fn read(&self, name: &str, offset: u64) -> Result<IndexBody, StoreError> {
        let mut request = self.request(Operation::Get, Method::GET, name);
        if offset > 0 {
            let range = HeaderValue::from_str(&format!("bytes={offset}-")).expect("digits are plain ASCII");
            request = request.with_header(header::RANGE, range);
        }
        let answer = self.client.send(request)?;
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
        let request = self.request(Operation::Put, Method::PUT, name).with_body(Body::Reader(bytes, len));
        let answer = self.client.send(request)?;
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
