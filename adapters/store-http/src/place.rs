//! A place on a web server, and who asks there.

use desync_http::{
    Answer, Client, ClientOptions, Endpoint, HeaderName, HeaderValue, Method, Request, header,
};
use desync_store::{Operation, StoreError};

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

/// Objects below a URL.
pub(crate) struct Place {
    client: Client,
    endpoint: Endpoint,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Place {
    pub(crate) fn open(
        endpoint: Endpoint,
        location: &str,
        credentials: Credentials,
        options: &ClientOptions,
    ) -> Result<Self, StoreError> {
        let client = Client::new(&endpoint, location, options)?;
        Ok(Self { client, headers: credentials.headers(&endpoint), endpoint })
    }

    pub(crate) fn location(&self) -> &str {
        self.client.location()
    }

    /// A request about an object.
    pub(crate) fn request<'b>(&self, operation: Operation, method: Method, name: &str) -> Request<'b> {
        let mut request = Request::new(operation, method, self.endpoint.url_of(name));
        request.headers.clone_from(&self.headers);
        request
    }

    pub(crate) fn send(&self, request: Request<'_>) -> Result<Answer, StoreError> {
        self.client.send(request)
    }
}
