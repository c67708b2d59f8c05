//! Who asks: application-default credentials, and the tokens that are given for them.
//!
//! The first of the file that `GOOGLE_APPLICATION_CREDENTIALS` names, the file that `gcloud auth application-default
//! login` writes, and the machine's own account in Google's cloud. A token is asked for anew a minute before it
//! ends.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use desync_http::{Body, Client, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use desync_store::{ErrorKind, Operation, StoreError};
use serde::Deserialize;
use serde_json::json;

/// What a token is to be good for.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// Where a user's tokens come from.
const USER_TOKENS: &str = "https://oauth2.googleapis.com/token";

/// Who knows the machine's account, unless `GCE_METADATA_HOST` says otherwise.
const METADATA_HOST: &str = "metadata.google.internal";

/// Longest answer with a token.
const TOKEN_MAX: u64 = 256 << 10;

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(60);

/// Who asks.
pub struct Identity {
    kind: Kind,
    token: Mutex<Option<(HeaderValue, Instant)>>,
}

enum Kind {
    /// An emulator asks nobody.
    Nobody,
    Service(ServiceAccount),
    User(AuthorizedUser),
    /// The host that knows.
    Machine(String),
}

#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: String,
}

#[derive(Deserialize)]
struct AuthorizedUser {
    client_id: String,
    client_secret: String,
    refresh_token: String,
}

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
}

/// What a server of tokens answers.
#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: Option<u64>,
}

/// Why there are no credentials where there should be. Never tells what is in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("credentials file {}: {cause}", path.display())]
pub struct CredentialsError {
    path: PathBuf,
    cause: String,
}

impl Identity {
    /// Nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self::of(Kind::Nobody)
    }

    /// Application-default credentials.
    ///
    /// # Errors
    /// A file that is there and of no use.
    pub fn application_default(variable: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let named = given("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
        let known = || {
            let path =
                PathBuf::from(given("HOME")?).join(".config/gcloud/application_default_credentials.json");
            path.exists().then_some(path)
        };
        let kind = match named.or_else(known) {
            Some(path) => of_file(path)?,
            None => Kind::Machine(given("GCE_METADATA_HOST").unwrap_or_else(|| METADATA_HOST.to_owned())),
        };
        Ok(Self::of(kind))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, token: Mutex::default() }
    }

    /// The header `Authorization` as it is now; none for a request by nobody.
    pub(super) fn authorization(&self, client: &Client) -> Result<Option<HeaderValue>, StoreError> {
        if matches!(self.kind, Kind::Nobody) {
            return Ok(None);
        }
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, _)) = token.as_ref().filter(|(_, end)| Instant::now() < *end) {
            return Ok(Some(value.clone()));
        }
        let (value, lifetime) = self.ask(client)?;
        *token = Some((value.clone(), Instant::now() + lifetime.saturating_sub(MARGIN)));
        Ok(Some(value))
    }

    fn ask(&self, client: &Client) -> Result<(HeaderValue, Duration), StoreError> {
        let failed =
            |cause: String| StoreError::new(ErrorKind::Permanent, Operation::Open, client.location(), cause);
        let form = match &self.kind {
            Kind::Nobody => String::new(),
            Kind::Service(account) => {
                let assertion = account.assertion(SystemTime::now()).map_err(failed)?;
                format!(
                    "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
                )
            }
            Kind::User(user) => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", &user.client_id),
                    ("client_secret", &user.client_secret),
                    ("refresh_token", &user.refresh_token),
                ];
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
            }
            Kind::Machine(host) => {
                let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
                let flavor = (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
                return of_answer(
                    client,
                    Request::new(Operation::Open, Method::GET, url).with_header(flavor.0, flavor.1),
                );
            }
        };
        let url = if let Kind::Service(account) = &self.kind { &account.token_uri } else { USER_TOKENS };
        let request = Request::new(Operation::Open, Method::POST, url.to_owned());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        of_answer(
            client,
            request.with_header(header::CONTENT_TYPE, kind).with_body(Body::Bytes(form.as_bytes())),
        )
    }
}

fn of_file(path: PathBuf) -> Result<Kind, CredentialsError> {
    let failed = |cause: String| CredentialsError { path: path.clone(), cause };
    let text = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
    // Where it is wrong, not what it says there.
    let wrong = |error: serde_json::Error| failed(format!("line {} is not what is expected", error.line()));
    let Typed { kind } = serde_json::from_slice(&text).map_err(wrong)?;
    match &*kind {
        "service_account" => serde_json::from_slice(&text).map(Kind::Service).map_err(wrong),
        "authorized_user" => serde_json::from_slice(&text).map(Kind::User).map_err(wrong),
        other => Err(failed(format!("credentials of type {other:?} are not supported"))),
    }
}

impl ServiceAccount {
    /// What an account says of itself, signed (RFC 7523).
    fn assertion(&self, now: SystemTime) -> Result<String, String> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let encoded = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let head = encoded(json!({"alg": "RS256", "typ": "JWT", "kid": self.private_key_id}));
        let claims = encoded(json!({
            "iss": self.client_email, "scope": SCOPE, "aud": self.token_uri, "iat": now, "exp": now + 3600
        }));
        let message = format!("{head}.{claims}");
        let signature = sign(self.private_key.as_bytes(), message.as_bytes())?;
        Ok(format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(feature = "tls")]
fn sign(key: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
    desync_http::sign_rs256(key, message)
}

#[cfg(not(feature = "tls"))]
fn sign(_key: &[u8], _message: &[u8]) -> Result<Vec<u8>, String> {
    Err("TLS, which signs for service accounts, is not built in".into())
}

fn of_answer(client: &Client, request: Request<'_>) -> Result<(HeaderValue, Duration), StoreError> {
    let mut answer = client.send(request)?;
    if answer.status() != StatusCode::OK {
        return Err(answer.refused("the server of tokens"));
    }
    let text = answer.text(TOKEN_MAX)?;
    let read: Option<Token> = serde_json::from_str(&text).ok();
    let value = read.and_then(|read| {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", read.access_token)).ok()?;
        value.set_sensitive(true);
        Some((value, Duration::from_secs(read.expires_in.unwrap_or(3600))))
    });
    value.ok_or_else(|| {
        let cause = "the server of tokens gave none";
        StoreError::new(ErrorKind::Permanent, Operation::Open, client.location(), cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_and_never_repeated() {
        let room = std::env::temp_dir().join(format!("desync-gcs-{}", std::process::id()));
        let of = |text: &str| {
            std::fs::write(&room, text).unwrap();
            of_file(room.clone()).map(|kind| match kind {
                Kind::Service(_) => "service",
                Kind::User(_) => "user",
                _ => "other",
            })
        };
        let user = r#"{"type": "authorized_user", "client_id": "i", "client_secret": "hunter2", "refresh_token": "r"}"#;
        assert_eq!(of(user), Ok("user"));
        let service =
            r#"{"type": "service_account", "client_email": "e", "private_key": "k", "token_uri": "u"}"#;
        assert_eq!(of(service), Ok("service"));
        for wrong in [
            &user.replace("refresh_token", "x"),
            &user.replace("authorized_user", "external_account"),
            "hunter2",
        ] {
            let error = of(wrong).unwrap_err().to_string();
            assert!(error.contains("desync-gcs-") && !error.contains("hunter2"), "{error}");
        }
        std::fs::remove_file(&room).unwrap();
    }
}
