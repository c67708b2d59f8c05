//! Chunks and indexes on a web server: GET, HEAD and PUT of objects named as in a local directory.
//!
//! What a server does with a PUT is its matter: it should show an object only when it is whole. A web server has
//! no listing, so such a store cannot be pruned.

mod chunks;
mod index;

pub use chunks::HttpStore;
pub use index::HttpIndexes;

use desync_http::{Endpoint, HeaderName, HeaderValue, header};

/// What a request says about who asks.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The header `Authorization`, word for word; in its absence, user and password of the location count.
    pub authorization: Option<HeaderValue>,
    /// The header `Cookie`, word for word.
    pub cookie: Option<HeaderValue>,
}

impl Credentials {
    fn headers(self, endpoint: &Endpoint) -> Vec<(HeaderName, HeaderValue)> {
        let authorization = self.authorization.or_else(|| endpoint.basic_auth());
        let named = [(header::AUTHORIZATION, authorization), (header::COOKIE, self.cookie)];
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
