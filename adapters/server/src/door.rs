//! Connections as they come in: a bounded number, and none that moves nothing holds its place for ever.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::metrics::Metrics;
use crate::request_log::RequestLog;

/// How long a client may take nothing of what is sent to it.
const STALL_MAX: Duration = Duration::from_secs(30);

/// The slowest a client may take it in the long run, in bytes a second.
const RATE_MIN: u32 = 1 << 10;

/// Lets connections in, through whatever `A` does with them.
#[derive(Clone)]
pub(crate) struct Door<A> {
    pub(crate) inner: A,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) watch: Watch,
}

/// Who is told of what happens at the door.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) log: Option<Arc<RequestLog>>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Watch {
    pub(crate) fn refused(&self, client: Option<&SocketAddr>, reason: &str) {
        self.metrics.refused.inc();
        match (client, &self.log) {
            (Some(client), Some(log)) => log.refused(client, reason),
            _ => log::info!("connection refused: {reason}"),
        }
    }
}

impl<A, S> Accept<TcpStream, S> for Door<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
{
    type Stream = Guest<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let watch = self.watch.clone();
        // Answers are written whole: waiting to fill packets would only delay them.
        let client = stream.set_nodelay(true).and_then(|()| stream.peer_addr());
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let place = place.map_err(|_| io::Error::other("too many connections"))?;
            let client = client?;
            let (stream, service) = accepted.await?;
            watch.metrics.connections.inc();
            Ok((Guest { stream, watch, client, stall: None, _place: place }, service))
        })
    }
}

/// A connection that has its place, and gives it up when it moves nothing.
pub(crate) struct Guest<S> {
    stream: S,
    watch: Watch,
    client: SocketAddr,
    stall: Option<Stall>,
    _place: OwnedSemaphorePermit,
}

/// Since when a client has not taken all that was sent.
struct Stall {
    until: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S> Drop for Guest<S> {
    fn drop(&mut self) {
        self.watch.metrics.connections.dec();
    }
}

impl<S> Guest<S> {
    /// Lets a write that waits fail once the client's time is up, and grants more of it for what it took.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                let stall = self.stall.get_or_insert_with(|| {
                    let until = Instant::now() + STALL_MAX;
                    Stall { until, timer: Box::pin(sleep_until(until)) }
                });
                if stall.timer.as_mut().poll(context).is_ready() {
                    self.watch.refused(Some(&self.client), "takes its answer too slowly");
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending
            }
            Poll::Ready(Ok(len)) => {
                if let Some(stall) = &mut self.stall {
                    let earned = Duration::from_secs(1) * u32::try_from(len).unwrap_or(u32::MAX) / RATE_MIN;
                    stall.until = (stall.until + earned).min(Instant::now() + STALL_MAX);
                    stall.timer.as_mut().reset(stall.until);
                }
                Poll::Ready(Ok(len))
            }
            failed => failed,
        }
    }

    /// Tells of requests that never became one: the library below answers them itself.
    fn notice(&self, bytes: &[u8]) {
        if let Some(status) = refusal(bytes) {
            self.watch.refused(Some(&self.client), status);
        }
    }
}

/// The status with which the HTTP library refuses what it does not understand: its answers are empty, ours to
/// such requests are not.
fn refusal(bytes: &[u8]) -> Option<&str> {
    let head = bytes.strip_prefix(b"HTTP/1.1 ")?;
    let refuses = [&b"400"[..], b"414", b"431"].iter().any(|code| head.starts_with(code));
    let end = head.iter().position(|byte| *byte == b'\r').filter(|_| refuses)?;
    let is_empty = head.windows(17).take(256).any(|part| part.eq_ignore_ascii_case(b"content-length: 0"));
    str::from_utf8(&head[..end]).ok().filter(|_| is_empty)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guest<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guest<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.notice(bytes);
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = parts.first() {
            self.notice(first);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context).map_ok(|()| 0);
        let judged = self.judge(context, flushed);
        if judged.is_ready() {
            self.stall = None;
        }
        judged.map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context).map_ok(|()| 0);
        self.judge(context, shut).map_ok(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_refusals_are_the_librarys() {
        assert_eq!(
            refusal(b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n"),
            Some("431 Request Header Fields Too Large")
        );
        assert_eq!(refusal(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 17\r\n\r\n"), None);
        assert_eq!(refusal(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), None);
        assert_eq!(refusal(b""), None);
    }
}
