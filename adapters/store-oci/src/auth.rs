//! How a registry learns who asks: a password with each request, or a token that another server gives for it.
//!
//! Nothing is sent before a registry asks for it. A token is kept for the actions it is good for, and asked for
//! again when the registry refuses it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use desync_http::{Answer, Body, Client, HeaderValue, Method, Request, StatusCode, basic_auth, header};
use desync_store::{ErrorKind, Operation, StoreError};
use serde::Deserialize;

use crate::Credentials;

/// Longest answer of a server of tokens.
const TOKEN_MAX: u64 = 256 << 10;

/// What a request does with a repository; tokens are good for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Actions {
    Pull,
    Push,
    Delete,
}

impl Actions {
    const fn words(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,push,delete",
        }
    }
}

/// Who asks, and what was given for that.
pub(crate) struct Auth {
    credentials: Credentials,
    repository: String,
    /// Values of the header `Authorization`.
    granted: Mutex<HashMap<Actions, HeaderValue>>,
}

/// What a server of tokens answers.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Auth {
    pub(crate) fn new(credentials: Credentials, repository: &str) -> Self {
        Self { credentials, repository: repository.to_owned(), granted: Mutex::default() }
    }

    /// What to send with a request, as far as it is known.
    pub(crate) fn granted(&self, actions: Actions) -> Option<HeaderValue> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).get(&actions).cloned()
    }

    /// Does what a registry demands that refused a request which said `sent`; answers whether there is now
    /// something else to say, so that it is worth asking again.
    pub(crate) fn meet(
        &self,
        client: &Client,
        refused: &Answer,
        actions: Actions,
        sent: Option<&HeaderValue>,
    ) -> Result<bool, StoreError> {
        // Another request may have met it meanwhile.
        if self.granted(actions).as_ref() != sent {
            return Ok(true);
        }
        let demands = refused.headers().get_all(header::WWW_AUTHENTICATE);
        for demand in demands.iter().filter_map(|demand| demand.to_str().ok()) {
            for challenge in http_auth::parse_challenges(demand).unwrap_or_default() {
                let parameter = |name: &str| {
                    let found = challenge.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.to_unescaped())
                };
                let granted = if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    let Some(realm) = parameter("realm") else { continue };
                    Some(self.token(client, actions, &realm, parameter("service"), parameter("scope"))?)
                } else if challenge.scheme.eq_ignore_ascii_case("basic") {
                    self.password()
                } else {
                    None
                };
                let Some(granted) = granted else { continue };
                let is_new = sent != Some(&granted);
                self.granted.lock().unwrap_or_else(PoisonError::into_inner).insert(actions, granted);
                return Ok(is_new);
            }
        }
        Ok(false)
    }

    fn password(&self) -> Option<HeaderValue> {
        match &self.credentials {
            Credentials::Password { username, secret } => Some(basic_auth(username, secret)),
            _ => None,
        }
    }

    /// A token for these actions, from the server at `realm`.
    fn token(
        &self,
        client: &Client,
        actions: Actions,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
    ) -> Result<HeaderValue, StoreError> {
        let scope = scope.unwrap_or_else(|| format!("repository:{}:{}", self.repository, actions.words()));
        let service = service.unwrap_or_default();
        let mut query = format!("service={}&scope={}", escaped(&service), escaped(&scope));
        let failed = |kind, cause: &str| StoreError::new(kind, Operation::Open, client.location(), cause);
        if !realm.starts_with("http://") && !realm.starts_with("https://") {
            return Err(failed(ErrorKind::Permanent, "the registry names no server of tokens"));
        }
        let json;
        let request = if let Credentials::Identity(identity) = &self.credentials {
            query +=
                &format!("&grant_type=refresh_token&client_id=desync&refresh_token={}", escaped(identity));
            json = query.into_bytes();
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            let request = Request::new(Operation::Open, Method::POST, realm.to_owned());
            request.with_header(header::CONTENT_TYPE, form).with_body(Body::Bytes(&json))
        } else {
            let joint = if realm.contains('?') { '&' } else { '?' };
            let request = Request::new(Operation::Open, Method::GET, format!("{realm}{joint}{query}"));
            match self.password() {
                Some(password) => request.with_header(header::AUTHORIZATION, password),
                None => request,
            }
        };
        let mut answer = client.send(request)?;
        if answer.status() != StatusCode::OK {
            return Err(answer.refused("the server of tokens"));
        }
        let text = answer.text(TOKEN_MAX)?;
        let read: Option<Token> = serde_json::from_str(&text).ok();
        let token = read.and_then(|read| read.token.or(read.access_token)).filter(|token| !token.is_empty());
        let value = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let mut value =
            value.ok_or_else(|| failed(ErrorKind::Permanent, "the server of tokens gave none"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// As part of a query.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}
