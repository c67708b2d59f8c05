//! What a server counts, and the pages that show it on an address of their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the classes that answers are counted in by how long they took, in seconds.
const DURATIONS: [f64; 10] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    method: Verb,
    code: u16,
}

/// The methods that are told apart: clients may make up others.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
#[allow(clippy::upper_case_acronyms, reason = "as HTTP writes them")]
enum Verb {
    GET,
    HEAD,
    PUT,
    Other,
}

/// The counts of one server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answer, Counter>,
    sent: Counter,
    durations: Histogram,
    /// Connections that are open.
    pub(crate) connections: Gauge,
    /// Connections that were refused before they made a request.
    pub(crate) refused: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("desync");
        let requests = Family::default();
        registry.register("requests", "Requests answered", requests.clone());
        let sent = Counter::default();
        registry.register_with_unit("sent", "Bytes of bodies sent", Unit::Bytes, sent.clone());
        let durations = Histogram::new(DURATIONS);
        let help = "Time from a request's head to its answer's";
        registry.register_with_unit("request_duration", help, Unit::Seconds, durations.clone());
        let connections = Gauge::default();
        registry.register("connections", "Connections open", connections.clone());
        let refused = Counter::default();
        registry.register("refused_connections", "Connections refused or given up", refused.clone());
        Self { registry, requests, sent, durations, connections, refused }
    }

    pub(crate) fn answered(&self, method: &Method, status: StatusCode, len: Option<u64>, took: Duration) {
        let method = match *method {
            Method::GET => Verb::GET,
            Method::HEAD => Verb::HEAD,
            Method::PUT => Verb::PUT,
            _ => Verb::Other,
        };
        self.requests.get_or_create(&Answer { method, code: status.as_u16() }).inc();
        self.sent.inc_by(len.unwrap_or(0));
        self.durations.observe(took.as_secs_f64());
    }
}

/// `/healthz` and `/metrics`.
pub(crate) fn pages(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/metrics", get(show)).with_state(metrics)
}

async fn show(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &metrics.registry);
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
