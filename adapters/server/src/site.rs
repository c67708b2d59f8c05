//! What every request goes through: authorization, a clean path, the answer, the log, the counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, Response, StatusCode};
use subtle::ConstantTimeEq as _;

use crate::bodies::Bodies;
use crate::metrics::Metrics;
use crate::request_log::RequestLog;
use crate::{ChunkSite, IndexSite, answer, path};

/// What a server serves.
#[derive(Clone)]
pub enum Site {
    /// Chunks.
    Chunks(Arc<ChunkSite>),
    /// Indexes.
    Indexes(Arc<IndexSite>),
}

/// A site with all that stands around it.
pub(crate) struct Front {
    pub(crate) site: Site,
    pub(crate) authorization: Option<String>,
    pub(crate) log: Option<Arc<RequestLog>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) bodies: Bodies,
}

/// Answers one request.
pub(crate) async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let started = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = front.respond(request).await;
    let status = response.status();
    if let Some(log) = &front.log {
        log.request(&client, &method, &uri, status);
    }
    front.metrics.answered(
        &method,
        status,
        http_body::Body::size_hint(response.body()).exact(),
        started.elapsed(),
    );
    response
}

impl Front {
    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        if !self.is_authorized(&request) {
            return answer::text(StatusCode::UNAUTHORIZED, "Unauthorized");
        }
        if let Some(clean) = path::cleaned(request.uri().path()) {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            return answer::moved(&format!("{clean}{query}"));
        }
        match &self.site {
            Site::Chunks(site) => site.answer(request, &self.bodies).await,
            Site::Indexes(site) => site.answer(request).await,
        }
    }

    /// Whether the request has the one authorization there is. The time this takes tells nothing of it.
    fn is_authorized(&self, request: &Request<Body>) -> bool {
        let Some(expected) = &self.authorization else { return true };
        let given = request.headers().get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        given.ct_eq(expected.as_bytes()).into()
    }
}
