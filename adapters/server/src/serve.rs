//! Running a server: listeners, the runtime, and what can be asked of it while it runs.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use axum_server::accept::{Accept, DefaultAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use desync_core::Limits;
use hyper_util::rt::TokioTimer;
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bodies::Bodies;
use crate::door::{Door, Watch};
use crate::metrics::{self, Metrics};
use crate::request_log::RequestLog;
use crate::site::{self, Front, Site};
use crate::tls::{TlsError, TlsFiles};

/// How long a client may take for its first request, from connecting on.
const FIRST_REQUEST: Duration = Duration::from_secs(30);

/// How long a connection may be idle, and how long the head of a later request may take.
const IDLE: Duration = Duration::from_secs(120);

/// Longest head of a request, in bytes.
const HEAD_MAX: usize = 64 << 10;

/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;

/// Connections to the pages about the server.
const METRICS_CONNECTIONS: usize = 32;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long a store call may go on when everything else has ended.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// What answers the requests of one connection.
type Handler = AddExtension<Router, ConnectInfo<SocketAddr>>;

/// How a server runs.
pub struct ServerOptions {
    /// Where it listens, at least one place.
    pub listeners: Vec<TcpListener>,
    /// Certificates, for HTTPS.
    pub tls: Option<TlsFiles>,
    /// The only value of the `Authorization` header that is let in.
    pub authorization: Option<String>,
    /// Where requests are logged.
    pub request_log: Option<RequestLog>,
    /// Where pages about the server are.
    pub metrics: Option<TcpListener>,
    /// What it takes on.
    pub limits: ServerLimits,
}

/// How much a server takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once.
    pub connections: usize,
    /// Bytes of request bodies in memory at once.
    pub body_memory: u64,
    /// Store calls at once, each on a thread.
    pub store_calls: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { connections: 10_000, body_memory: 64 << 20, store_calls: 32 }
    }
}

/// Why a server does not run, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system.
    #[error("server: {0}")]
    Io(#[from] io::Error),
}

/// What can be asked of a running server.
#[derive(Clone)]
pub struct Control {
    handles: Vec<Handle<SocketAddr>>,
    tls: Option<(RustlsConfig, TlsFiles)>,
    log: Option<Arc<RequestLog>>,
}

impl Control {
    /// Takes no more connections; requests under way have `patience` to be answered.
    pub fn stop(&self, patience: Duration) {
        for handle in &self.handles {
            handle.graceful_shutdown(Some(patience));
        }
    }

    /// Reads the certificates again and opens the log again. Connections that are open stay.
    ///
    /// # Errors
    /// What cannot be read; the old is used on then.
    pub fn reload(&self) -> Result<(), ServeError> {
        if let Some((running, files)) = &self.tls {
            running.reload_from_config(Arc::new(files.load()?));
        }
        if let Some(log) = &self.log {
            log.reopen()?;
        }
        Ok(())
    }
}

/// Serves until it is told to stop. `started` is called once, when connections are taken.
///
/// # Errors
/// Certificates that cannot be used, and a listener that fails.
pub fn serve(site: Site, options: ServerOptions, started: impl FnOnce(Control)) -> Result<(), ServeError> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("server")
        .max_blocking_threads(options.limits.store_calls)
        .build()?;
    let ended = runtime.block_on(run(site, options, started));
    runtime.shutdown_timeout(LAST_CALLS);
    ended
}

async fn run(site: Site, options: ServerOptions, started: impl FnOnce(Control)) -> Result<(), ServeError> {
    let ServerOptions { listeners, tls, authorization, request_log, metrics: pages, limits } = options;
    let log = request_log.map(Arc::new);
    let metrics = Arc::new(Metrics::new());
    let watch = Watch { log: log.clone(), metrics: Arc::clone(&metrics) };
    let tls = match tls {
        None => None,
        Some(files) => Some((RustlsConfig::from_config(Arc::new(files.load()?)), files)),
    };
    // Stored bytes are a little longer than plain ones can be, and sealing adds to that.
    let body_len_max = Limits::HOST.chunk_len_max + Limits::HOST.chunk_len_max / 64 + 8192;
    let bodies = Bodies::new(body_len_max, limits.body_memory);
    let front = Front { site, authorization, log: log.clone(), metrics: Arc::clone(&metrics), bodies };
    let router = Router::new().fallback(site::answer).with_state(Arc::new(front));

    let places = Arc::new(Semaphore::new(limits.connections));
    let mut servers = JoinSet::new();
    let mut handles = Vec::new();
    for listener in listeners {
        let door = |inner| Door { inner, places: Arc::clone(&places), watch: watch.clone() };
        let server = listening(listener, &watch, &mut handles)?;
        match &tls {
            None => spawn(&mut servers, server.acceptor(door(DefaultAcceptor::new())), router.clone()),
            Some((config, _)) => {
                let inner = RustlsAcceptor::new(config.clone());
                let door = Door { inner, places: Arc::clone(&places), watch: watch.clone() };
                spawn(&mut servers, server.acceptor(door), router.clone());
            }
        }
    }
    if let Some(listener) = pages {
        let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS));
        let door = Door { inner: DefaultAcceptor::new(), places, watch: watch.clone() };
        let server = listening(listener, &watch, &mut handles)?.acceptor(door);
        spawn(&mut servers, server, metrics::pages(metrics));
    }
    let control = Control { handles, tls, log };
    started(control.clone());
    until_all_end(servers, &control).await
}

/// Waits for all listeners; when one fails, the others stop, too.
async fn until_all_end(mut servers: JoinSet<io::Result<()>>, control: &Control) -> Result<(), ServeError> {
    let mut ended = Ok(());
    while let Some(server) = servers.join_next().await {
        if let Err(error) = server.map_err(io::Error::other).flatten()
            && ended.is_ok()
        {
            ended = Err(error.into());
            control.stop(Duration::ZERO);
        }
    }
    ended
}

/// A server for a listener, its limits set.
fn listening(
    listener: TcpListener,
    watch: &Watch,
    handles: &mut Vec<Handle<SocketAddr>>,
) -> io::Result<Server<SocketAddr>> {
    rustix::net::listen(&listener, BACKLOG)?;
    let handle = Handle::new();
    handles.push(handle.clone());
    let watch = watch.clone();
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle)
        .first_request_timeout(FIRST_REQUEST)
        .accept_error_handler(move |client, error| watch.refused(client, &error.to_string()));
    let builder = server.http_builder();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(HEAD_MAX);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
    http2.max_header_list_size(HEAD_MAX as u32).keep_alive_interval(IDLE / 2).keep_alive_timeout(IDLE / 6);
    Ok(server)
}

fn spawn<A>(servers: &mut JoinSet<io::Result<()>>, server: Server<SocketAddr, Door<A>>, router: Router)
where
    A: Accept<tokio::net::TcpStream, Handler> + Clone + Send + Sync + 'static,
    A::Future: Send + 'static,
    A::Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    A::Service: axum_server::service::SendService<axum::http::Request<hyper::body::Incoming>> + Send,
{
    servers.spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
}
