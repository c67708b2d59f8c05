//! An index store behind HTTP. What is not an index is neither served nor kept.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use desync_core::format::index::stream::{IndexReader, IndexStreamError};
use desync_core::format::index::{IndexEncoder, IndexItem, Strictness};
use desync_core::{DigestKind, Limits};
use desync_store::{ErrorKind, IndexStore, StoreError};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tempfile::{SpooledData, SpooledTempFile};

use crate::answer::{self, Entity};
use crate::content::Content;
use crate::{calls, path};

/// Longer indexes than this are not in memory, but in a temporary file.
const MEMORY_MAX: usize = 4 << 20;

/// Longest index that can be put, in bytes: some 6 TiB of data.
const PUT_MAX: u64 = 4 << 30;

/// How long putting an index may take.
const PUT_PATIENCE: Duration = Duration::from_secs(600);

/// What an index server serves, and how.
pub struct IndexSite {
    /// Where the indexes are.
    pub store: Arc<dyn IndexStore>,
    /// Whether clients may put indexes.
    pub is_writable: bool,
    /// The digest that indexes must be made with, if one is insisted upon.
    pub digest: Option<DigestKind>,
}

/// Why something is no index, or cannot be had.
#[derive(Debug, thiserror::Error)]
enum IndexFailure {
    #[error("index made with another digest")]
    Digest,
    #[error("{0}")]
    Invalid(IndexStreamError<io::Error>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("temporary file: {0}")]
    Spool(#[from] io::Error),
}

impl IndexSite {
    pub(crate) async fn answer(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let path = path::decoded(request.uri().path()).unwrap_or_default();
        let name = match path::index_name(&path) {
            Ok(name) => name.to_owned(),
            Err(error) => return answer::text(StatusCode::BAD_REQUEST, error),
        };
        match *request.method() {
            Method::GET => self.get(name, request.headers()).await,
            Method::HEAD => self.head(name).await,
            Method::PUT => self.put(name, request.into_body()).await,
            _ => answer::method_not_allowed(),
        }
    }

    async fn get(self: &Arc<Self>, name: String, headers: &HeaderMap) -> Response<Body> {
        let site = Arc::clone(self);
        match calls::blocking(move || site.read(&name)).await {
            Ok(entity) => entity.answer(headers),
            Err(IndexFailure::Store(error)) if error.kind == ErrorKind::Missing => {
                answer::text(StatusCode::NOT_FOUND, "index not found")
            }
            Err(error) => {
                log::warn!("{error}");
                answer::text(StatusCode::BAD_REQUEST, "failed to retrieve index")
            }
        }
    }

    /// The index of this name, once all of it is known to be one.
    fn read(&self, name: &str) -> Result<Entity, IndexFailure> {
        let source = self.store.read(name)?;
        let mut spool = SpooledTempFile::new(MEMORY_MAX);
        let mut digest = Sha256::new();
        self.copy(source, &mut |bytes| {
            digest.update(bytes);
            spool.write_all(bytes)
        })?;
        let etag = digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Ok(Entity { content: content_of(spool)?, etag: format!("\"{etag}\""), cache_control: "no-cache" })
    }

    /// Reads an index to its end and writes it anew.
    fn copy(
        &self,
        source: impl Read,
        write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), IndexFailure> {
        let mut index = IndexReader::new(Source(source), &Limits::HOST, Strictness::Strict)
            .map_err(IndexFailure::Invalid)?;
        let header = index.header();
        if self.digest.is_some_and(|digest| digest != header.digest()) {
            return Err(IndexFailure::Digest);
        }
        let mut encoder = IndexEncoder::new(header);
        let mut out = io::BufWriter::with_capacity(64 << 10, Sink(write));
        out.write_all(&encoder.header())?;
        while let Some(entry) = index.next_chunk().map_err(IndexFailure::Invalid)? {
            let item = IndexItem { end: entry.end, id: entry.id };
            let item = encoder.item(&item).map_err(|error| IndexFailure::Invalid(error.into()))?;
            out.write_all(&item)?;
        }
        out.write_all(&encoder.tail())?;
        out.flush()?;
        Ok(())
    }

    async fn head(self: &Arc<Self>, name: String) -> Response<Body> {
        let site = Arc::clone(self);
        let opened = calls::blocking(move || site.store.read(&name).map(drop)).await;
        match opened {
            Ok(()) => answer::found(),
            Err(error) if error.kind == ErrorKind::Missing => answer::empty(StatusCode::NOT_FOUND),
            Err(_) => answer::empty(StatusCode::BAD_REQUEST),
        }
    }

    async fn put(self: &Arc<Self>, name: String, body: Body) -> Response<Body> {
        if !self.is_writable {
            return answer::text(StatusCode::BAD_REQUEST, "writing to upstream index store is not enabled");
        }
        let spool = match tokio::time::timeout(PUT_PATIENCE, spool(body)).await {
            Ok(Ok(Some(spool))) => spool,
            Ok(Ok(None)) => {
                let text = format!("request body longer than {PUT_MAX} bytes");
                return answer::text(StatusCode::PAYLOAD_TOO_LARGE, text);
            }
            Ok(Err(error)) => return answer::internal_error(error),
            Err(_) => return answer::text(StatusCode::REQUEST_TIMEOUT, "request body came too slowly"),
        };
        let site = Arc::clone(self);
        match calls::blocking(move || site.write(&name, spool)).await {
            Ok(()) => answer::empty(StatusCode::OK),
            Err(error @ (IndexFailure::Digest | IndexFailure::Invalid(_))) => {
                answer::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("invalid index: {error}"))
            }
            Err(error) => answer::internal_error(error),
        }
    }

    /// Checks an index while it is written, and publishes it if it is one.
    fn write(&self, name: &str, mut spool: SpooledTempFile) -> Result<(), IndexFailure> {
        spool.seek(SeekFrom::Start(0))?;
        let mut writer = self.store.write(name)?;
        self.copy(spool, &mut |bytes| writer.write_all(bytes))?;
        Ok(writer.publish()?)
    }
}

/// A body in memory or, if it is long, in a file; `None` if it is too long.
async fn spool(body: Body) -> io::Result<Option<SpooledTempFile>> {
    let mut spool = SpooledTempFile::new(MEMORY_MAX);
    let mut pieces = body.into_data_stream();
    let mut len = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(io::Error::other)?;
        len += piece.len() as u64;
        if len > PUT_MAX {
            return Ok(None);
        }
        spool.write_all(&piece)?;
    }
    Ok(Some(spool))
}

fn content_of(spool: SpooledTempFile) -> io::Result<Content> {
    Ok(match spool.into_inner() {
        SpooledData::InMemory(bytes) => Content::Memory(bytes.into_inner().into()),
        SpooledData::OnDisk(file) => {
            let file: File = file;
            let len = file.metadata()?.len();
            Content::File(Arc::new(file), 0, len)
        }
    })
}

/// Bytes for core's pump.
struct Source<R>(R);

impl<R> embedded_io::ErrorType for Source<R> {
    type Error = io::Error;
}

impl<R: Read> embedded_io::Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

struct Sink<'w>(&'w mut dyn FnMut(&[u8]) -> io::Result<()>);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
