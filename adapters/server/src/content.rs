//! Bytes on their way to a client: in memory, or in a file that is read piece by piece as the client takes
//! them.

use std::fs::File;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::system;

/// Bytes read from a file at a time.
const PIECE_LEN: u64 = 128 << 10;

/// Bytes with a known length.
pub(crate) enum Content {
    Memory(Bytes),
    /// The bytes of a file from the first number to before the second.
    File(Arc<File>, u64, u64),
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, start, end) => end - start,
        }
    }

    /// The bytes from `start` to before `end`, which lie within it.
    pub(crate) fn part(self, start: u64, end: u64) -> Self {
        match self {
            Self::Memory(bytes) => {
                let index = |place| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
                Self::Memory(bytes.slice(index(start)..index(end)))
            }
            Self::File(file, offset, _) => Self::File(file, offset + start, offset + end),
        }
    }

    pub(crate) fn into_body(self) -> Body {
        match self {
            Self::Memory(bytes) => Body::from(bytes),
            Self::File(file, next, end) => Body::new(FileBody { file, next, end, reading: None }),
        }
    }
}

/// A body that reads its file when it is asked to.
struct FileBody {
    file: Arc<File>,
    next: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let (next, len) = (self.next, (self.end - self.next).min(PIECE_LEN));
        if len == 0 {
            return Poll::Ready(None);
        }
        let file = Arc::clone(&self.file);
        let reading = self.reading.get_or_insert_with(|| {
            tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
                system::read_exact_at(&file, &mut piece, next)?;
                Ok(piece.into())
            })
        });
        let piece = ready!(Pin::new(reading).poll(context)).map_err(io::Error::other).flatten();
        self.reading = None;
        self.next += len;
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.next)
    }
}
