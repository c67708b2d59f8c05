//! A chunk store behind HTTP.
//!
//! Chunks that are stored as they are served go out untouched. What is put is answered only once it is
//! durable.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use bytes::Bytes;
use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::{ChunkId, DigestKind, Limits};
use desync_store::{Chunk, ChunkStore, Converter, ErrorKind, Opener, StoreError};

use crate::answer::{self, Entity};
use crate::bodies::{Bodies, BodyError};
use crate::content::Content;
use crate::{calls, path};

/// What a chunk server serves, and how.
pub struct ChunkSite {
    /// Where the chunks are.
    pub store: Arc<dyn ChunkStore>,
    /// The form in which chunks go over the wire, whatever the store's.
    pub wire: Converter,
    /// Whether clients may put chunks.
    pub is_writable: bool,
    /// Whether chunks that are put are checked first.
    pub verify_writes: bool,
    /// The digests that may name chunks, at least one.
    pub digests: &'static [DigestKind],
    /// Whether only some may read it: caches that many share must not keep what they see.
    pub is_private: bool,
}

impl ChunkSite {
    pub(crate) async fn answer(self: &Arc<Self>, request: Request<Body>, bodies: &Bodies) -> Response<Body> {
        let form = self.wire.form();
        let path = path::decoded(request.uri().path()).unwrap_or_default();
        let id = match path::chunk_id(&path, form) {
            Ok(id) => id,
            Err(error) => return answer::text(StatusCode::BAD_REQUEST, error),
        };
        match *request.method() {
            Method::GET => self.get(id, request.headers()).await,
            Method::HEAD => self.head(id).await,
            Method::PUT => self.put(id, request, bodies).await,
            _ => answer::method_not_allowed(),
        }
    }

    async fn get(self: &Arc<Self>, id: ChunkId, headers: &HeaderMap) -> Response<Body> {
        let read = match self.read_at_once(&id) {
            Some(bytes) => Ok(bytes),
            None => {
                let site = Arc::clone(self);
                calls::blocking(move || site.read(&id)).await
            }
        };
        match read {
            Ok(bytes) => {
                let etag =
                    format!("\"{}-{:x}-{:08x}\"", &id.to_hex()[..16], bytes.len(), crc32fast::hash(&bytes));
                let cache_control = if self.is_private {
                    "private, max-age=31536000, immutable"
                } else {
                    "public, max-age=31536000, immutable"
                };
                Entity { content: Content::Memory(bytes), etag, cache_control }.answer(headers)
            }
            Err(ReadError::Missing) => answer::bare(StatusCode::NOT_FOUND, format!("chunk {id} not found")),
            Err(ReadError::Other(cause)) => answer::internal_error(cause),
        }
    }

    /// The bytes of a chunk that go over the wire as they are stored, if they are in memory: handing such requests to
    /// another thread and back would cost more than the rest of them.
    fn read_at_once(&self, id: &ChunkId) -> Option<Bytes> {
        let chunk = self.store.get_at_once(&wanted(id, *self.digests.first()?))?;
        chunk.stored_as(self.wire.form()).cloned()
    }

    /// The bytes of a chunk as they go over the wire.
    fn read(&self, id: &ChunkId) -> Result<Bytes, ReadError> {
        let chunk = self.fetch(id)?;
        let converted = self.wire.convert(&chunk);
        let converted = converted.map_err(|error| ReadError::Other(format!("chunk {id}: {error}")))?;
        Ok(converted.into_shared())
    }

    /// The chunk by whichever digest names it, where the store verifies.
    fn fetch(&self, id: &ChunkId) -> Result<Chunk, ReadError> {
        let mut last = None;
        for digest in self.digests {
            match self.store.get(&wanted(id, *digest)) {
                Err(error) if error.kind == ErrorKind::Invalid => last = Some(error),
                other => return other.map_err(ReadError::from),
            }
        }
        Err(ReadError::Other(last.map(|error| error.to_string()).unwrap_or_default()))
    }

    async fn head(self: &Arc<Self>, id: ChunkId) -> Response<Body> {
        let store = Arc::clone(&self.store);
        match calls::blocking(move || store.has(&id)).await {
            Ok(true) => answer::found(),
            Ok(false) => answer::empty(StatusCode::NOT_FOUND),
            Err(error) => answer::internal_error(error),
        }
    }

    async fn put(self: &Arc<Self>, id: ChunkId, request: Request<Body>, bodies: &Bodies) -> Response<Body> {
        if !self.is_writable {
            return answer::text(StatusCode::BAD_REQUEST, "writing to upstream chunk store is not enabled");
        }
        let body = match bodies.read(request).await {
            Ok(body) => body,
            Err(error @ BodyError::TooLong(_)) => return answer::text(StatusCode::PAYLOAD_TOO_LARGE, error),
            Err(error @ BodyError::TooSlow) => return answer::text(StatusCode::REQUEST_TIMEOUT, error),
            Err(BodyError::Broken(cause)) => {
                log::debug!("chunk {id}: {cause}");
                return answer::text(StatusCode::INTERNAL_SERVER_ERROR, "failed to read request body");
            }
        };
        let site = Arc::clone(self);
        match calls::blocking(move || site.write(id, body.bytes.into())).await {
            Ok(()) => answer::empty(StatusCode::OK),
            Err(WriteError::Invalid(cause)) => answer::text(StatusCode::BAD_REQUEST, cause),
            Err(WriteError::Store(cause)) => answer::internal_error(cause),
        }
    }

    fn write(&self, id: ChunkId, body: Bytes) -> Result<(), WriteError> {
        let mut chunk = Chunk::from_stored(id, self.wire.form(), body).with_cipher(self.wire.cipher());
        if self.verify_writes {
            chunk = self.verified(chunk)?;
        }
        self.store.put_durably(&chunk)?;
        Ok(())
    }

    fn verified(&self, chunk: Chunk) -> Result<Chunk, WriteError> {
        let opener = Opener::new();
        let mut last = None;
        for digest in self.digests {
            match opener.open(&chunk, &wanted(&chunk.id(), *digest), "request") {
                Ok(plain) => return Ok(chunk.with_plain(plain)),
                Err(error) => last = Some(error.cause),
            }
        }
        Err(WriteError::Invalid(last.unwrap_or_default()))
    }
}

fn wanted(id: &ChunkId, digest: DigestKind) -> Wanted {
    Wanted { id: *id, digest, len: WantedLen::AtMost(Limits::HOST.chunk_len_max) }
}

enum ReadError {
    Missing,
    Other(String),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        match error.kind {
            ErrorKind::Missing => Self::Missing,
            _ => Self::Other(error.to_string()),
        }
    }
}

enum WriteError {
    /// The body is not the chunk.
    Invalid(String),
    Store(String),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}
