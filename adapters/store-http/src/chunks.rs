//! Chunks on a web server.
//!
//! Source of names and statuses: Go desync `remotehttp.go` (200 and 404 of GET and HEAD, 200 and 201 of PUT);
//! besides them 204, which nginx and others answer to a PUT that replaces something.

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_http::{Answer, Body, ClientOptions, Endpoint, Method, StatusCode};
use desync_store::{Backend, Bytes, ErrorKind, Operation, StoreError};

use crate::place::{Credentials, Place};

/// Chunks below a URL.
pub struct HttpStore(Place);

impl HttpStore {
    /// The store at `endpoint`, called `location` in messages. Nothing is asked of the server yet.
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

    /// Sends a request about a chunk; answers whether there is one.
    fn ask(
        &self,
        operation: Operation,
        method: Method,
        name: &str,
        body: Body<'_>,
        body_max: u64,
    ) -> Result<Option<Answer>, StoreError> {
        let request = self.0.request(operation, method, name).with_body(body);
        let answer = self.0.send(request.reading(body_max))?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer)),
            StatusCode::CREATED | StatusCode::NO_CONTENT if operation == Operation::Put => Ok(Some(answer)),
            StatusCode::NOT_FOUND if operation != Operation::Put => Ok(None),
            _ => Err(answer.refused(name)),
        }
    }
}

impl Backend for HttpStore {
    fn location(&self) -> &str {
        self.0.location()
    }

    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError> {
        let answer = self.ask(Operation::Get, Method::GET, &form.path_of(id), Body::None, len_max);
        let answer = answer.map_err(|error| error.on(id))?;
        let answer = answer.ok_or_else(|| StoreError::missing(Operation::Get, self.location(), id))?;
        answer.bytes().map(Bytes::from).map_err(|error| match error.kind {
            ErrorKind::Invalid => StoreError::invalid(self.location(), id, error.cause),
            _ => error.on(id),
        })
    }

    fn exists(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        let answer = self.ask(Operation::Has, Method::HEAD, &form.path_of(id), Body::None, 0);
        let answer = answer.map_err(|error| error.on(id))?;
        // An empty file is no chunk; a server need not say how long it is.
        Ok(answer.is_some_and(|answer| answer.header("content-length") != Some("0")))
    }

    fn write(&self, id: &ChunkId, form: StorageForm, stored: &[u8]) -> Result<(), StoreError> {
        let answer = self.ask(Operation::Put, Method::PUT, &form.path_of(id), Body::Bytes(stored), 0);
        answer.map(|_| ()).map_err(|error| error.on(id))
    }

    fn is_remote(&self) -> bool {
        true
    }
}
