//! One request, one answer.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use desync_store::{Budget, ErrorKind, Operation, StoreError, Timeouts};
use ureq::config::{AutoHeaderValue, Config};
use ureq::http::{self, HeaderName, HeaderValue, Method, Response, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use ureq::{Agent, SendBody};

use crate::answer::Answer;
use crate::failure::Failure;
use crate::gate::Gate;
use crate::redirect::{self, REDIRECTS_MAX};
use crate::{Endpoint, proxy};

/// Buffers of a connection, each way.
const BUFFER_LEN: usize = 64 << 10;

/// Longest header of an answer.
const HEADER_MAX: usize = 64 << 10;

/// How long an idle connection is kept.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// How a store is reached.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Most requests in flight, and so most connections kept.
    pub connections: usize,
    /// How long one attempt may take.
    pub timeouts: Timeouts,
    /// What the run may download.
    pub budget: Arc<Budget>,
    /// Certificates.
    #[cfg(feature = "tls")]
    pub tls: crate::TlsOptions,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connections: 10,
            timeouts: Timeouts::default(),
            budget: Arc::default(),
            #[cfg(feature = "tls")]
            tls: crate::TlsOptions::default(),
        }
    }
}

/// What is sent.
pub struct Request<'a> {
    /// For which operation of a store, for messages.
    pub operation: Operation,
    /// GET, HEAD, PUT …
    pub method: Method,
    /// Where to, whole.
    pub url: String,
    /// Besides those that every request has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is sent along.
    pub body: Body<'a>,
    /// The longest body of an answer that will be read as data: set aside in the budget before anything is
    /// asked for.
    pub body_max: u64,
}

/// What a request sends along.
pub enum Body<'a> {
    /// Nothing.
    None,
    /// Bytes, maybe none.
    Bytes(&'a [u8]),
    /// This many bytes of a reader. Such a request is not redirected.
    Reader(&'a mut dyn Read, u64),
}

impl<'a> Request<'a> {
    /// A request without headers and body.
    #[must_use]
    pub const fn new(operation: Operation, method: Method, url: String) -> Self {
        Self { operation, method, url, headers: Vec::new(), body: Body::None, body_max: 0 }
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Of whose answer at most this much will be read as data.
    #[must_use]
    pub const fn reading(mut self, body_max: u64) -> Self {
        self.body_max = body_max;
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(self, body: Body<'a>) -> Self {
        Self { body, ..self }
    }
}

/// A pool of connections to one store. Threads share it.
pub struct Client {
    agent: Agent,
    gate: Arc<Gate>,
    budget: Arc<Budget>,
    location: String,
}

impl Client {
    /// A client for the store at `endpoint`; `location` names it in messages. Nothing is connected yet.
    ///
    /// # Errors
    /// Certificates that cannot be read, a proxy that is none, https:// without TLS built in.
    pub fn new(endpoint: &Endpoint, location: &str, options: &ClientOptions) -> Result<Self, StoreError> {
        let failed = |cause: String| StoreError::new(ErrorKind::Permanent, Operation::Open, location, cause);
        let environment = |name: &str| std::env::var(name).ok();
        let proxy = proxy::for_origin(&endpoint.origin(), environment);
        let proxy = proxy.map_err(|error| failed(Failure::from(error).cause))?;
        let connector = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default());
        #[cfg(feature = "tls")]
        let connector = connector
            .chain(crate::tls::TlsConnector::new(&options.tls, endpoint.is_https()).map_err(failed)?);
        #[cfg(not(feature = "tls"))]
        if endpoint.is_https() {
            return Err(failed("TLS is not built in".into()));
        }
        let agent = Agent::with_parts(config(options, proxy), connector, DefaultResolver::default());
        let gate = Gate::new(options.connections);
        Ok(Self { agent, gate, budget: Arc::clone(&options.budget), location: location.to_owned() })
    }

    /// The location, for messages.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Sends a request, follows redirects, and returns the answer, whatever its status. Waits while as many
    /// requests are in flight as may be.
    ///
    /// # Errors
    /// Whatever kept an answer from coming, and a budget that is spent.
    pub fn send(&self, request: Request<'_>) -> Result<Answer, StoreError> {
        // One byte more is read to see that a body is too long.
        let ahead = if request.body_max == 0 { 0 } else { request.body_max.saturating_add(1) };
        let reservation = self.budget.reserve(ahead, &self.location)?;
        let permit = self.gate.enter();
        let (operation, body_max) = (request.operation, request.body_max);
        match self.follow(request) {
            Ok(response) => {
                permit.answered();
                let location = self.location.clone();
                Ok(Answer { response, location, operation, permit, body_max, reservation })
            }
            Err(failure) => {
                if failure.is_overload {
                    permit.overloaded();
                }
                Err(StoreError::new(failure.kind, operation, &self.location, failure.cause))
            }
        }
    }

    fn follow(&self, mut request: Request<'_>) -> Result<Response<ureq::Body>, Failure> {
        for _ in 0..=REDIRECTS_MAX {
            let response = self.exchange(&mut request)?;
            if !redirect::is_followed(response.status(), &request.method) {
                return Ok(response);
            }
            let target = response.headers().get(header::LOCATION).and_then(|target| target.to_str().ok());
            let target = target.and_then(|target| redirect::resolve(&request.url, target));
            let Some(target) = target else { return Ok(response) };
            if matches!(request.body, Body::Reader(..)) {
                return Err(Failure::permanent("the server sends uploads elsewhere"));
            }
            if redirect::is_other_origin(&request.url, &target) {
                let is_secret = |name: &HeaderName| matches!(*name, header::AUTHORIZATION | header::COOKIE);
                request.headers.retain(|(name, _)| !is_secret(name));
            }
            request.url = target;
        }
        Err(Failure::permanent(format!("more than {REDIRECTS_MAX} redirects")))
    }

    fn exchange(&self, request: &mut Request<'_>) -> Result<Response<ureq::Body>, Failure> {
        let mut head = http::Request::builder().method(request.method.clone()).uri(&request.url);
        for (name, value) in &request.headers {
            head = head.header(name, value);
        }
        let invalid = |_| Failure::permanent("not a URL that can be asked for");
        let response = match &mut request.body {
            Body::None => self.agent.run(head.body(()).map_err(invalid)?),
            Body::Bytes(bytes) => self.agent.run(head.body(*bytes).map_err(invalid)?),
            Body::Reader(reader, len) => {
                let head = head.header(header::CONTENT_LENGTH, *len);
                self.agent.run(head.body(SendBody::from_reader(reader)).map_err(invalid)?)
            }
        };
        Ok(response?)
    }
}

fn config(options: &ClientOptions, proxy: Option<ureq::Proxy>) -> Config {
    let Timeouts { connect, silence, total } = options.timeouts;
    Config::builder()
        .http_status_as_error(false)
        // Followed here, because secrets must not be taken along.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(proxy)
        .user_agent(concat!("desync/", env!("CARGO_PKG_VERSION")))
        // Chunks are compressed, and what a proxy compressed on its way would count twice.
        .accept_encoding(AutoHeaderValue::None)
        .max_idle_connections(options.connections)
        .max_idle_connections_per_host(options.connections)
        .max_idle_age(IDLE_MAX)
        .max_response_header_size(HEADER_MAX)
        .input_buffer_size(BUFFER_LEN)
        .output_buffer_size(BUFFER_LEN)
        .timeout_resolve(connect)
        .timeout_connect(connect)
        .timeout_per_read(silence)
        .timeout_per_write(silence)
        .timeout_global(total)
        .build()
}
