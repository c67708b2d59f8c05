//! Chunk and index servers over HTTP.
//!
//! A [`Site`] is what is served: a chunk store or an index store, any composition of them. [`serve()`] puts it
//! behind listeners, with TLS, limits, a log and counts. The runtime that the HTTP library needs stays in here.
//!
//! Invariants
//! - A chunk or index that a client was told is stored is durable.
//! - Memory is bounded: by the connections, the bodies and the store calls at once that [`ServerLimits`] allows.
//! - No client keeps others waiting: none holds a thread, and whoever moves nothing loses its place.
//!
//! What must not be here: particular stores, arguments, signals.

#[cfg(feature = "serve")]
mod answer;
#[cfg(feature = "serve")]
mod bodies;
#[cfg(feature = "serve")]
mod calls;
#[cfg(feature = "serve")]
mod chunks;
#[cfg(feature = "serve")]
mod client_certificates;
#[cfg(feature = "serve")]
mod content;
#[cfg(feature = "serve")]
mod door;
#[cfg(feature = "serve")]
mod indexes;
#[cfg(feature = "serve")]
mod metrics;
#[cfg(feature = "serve")]
mod notify;
pub mod path;
#[cfg(feature = "serve")]
mod request_log;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod site;
#[cfg(feature = "serve")]
mod system;
#[cfg(feature = "serve")]
mod tls;

#[cfg(feature = "serve")]
pub use chunks::ChunkSite;
#[cfg(feature = "serve")]
pub use indexes::IndexSite;
#[cfg(feature = "serve")]
pub use notify::{Readiness, notify};
#[cfg(feature = "serve")]
pub use request_log::{LogTarget, RequestLog};
#[cfg(feature = "serve")]
pub use serve::{Control, ServeError, ServerLimits, ServerOptions, serve};
#[cfg(feature = "serve")]
pub use site::Site;
#[cfg(feature = "serve")]
pub use tls::{TlsError, TlsFiles};
