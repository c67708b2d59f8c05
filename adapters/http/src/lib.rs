//! HTTP as every store across a network needs it.
//!
//! A [`Client`] sends one [`Request`] and gives one [`Answer`], or says what the failure means to a store. Pool,
//! TLS, proxies, redirects, timeouts, the number of requests in flight and the download budget are its
//! business; what is in the requests, which status means what, and trying again is the stores'.
//!
//! Invariants
//! - No body is read further than its reader allows, nor further than the budget (tests of the chaos server).
//! - Passwords, authorization and the query of a URL are in no message (test: `messages_tell_no_secrets`).
//! - Authorization and cookies go to the origin they were given for and to no other
//!   (test: `redirects_take_no_secrets_along`).

mod answer;
mod client;
mod endpoint;
mod failure;
mod gate;
mod proxy;
mod redirect;
#[cfg(feature = "tls")]
mod tls;

pub use answer::{Answer, BodyReader};
pub use client::{Body, Client, ClientOptions, Request};
pub use endpoint::{Endpoint, InvalidEndpoint, basic_auth};
pub use redirect::{is_other_origin, resolve};
#[cfg(feature = "tls")]
pub use tls::{TlsOptions, sign_rs256};
pub use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
