//! Objects in a bucket.

use std::fmt::Write as _;
use std::time::SystemTime;

use desync_http::{
    Answer, Body, Client, ClientOptions, Endpoint, HeaderValue, Method, Request, StatusCode, header,
};
use desync_store::{ErrorKind, Operation, StoreError};
use serde::Deserialize;

use super::{GcsLocation, Identity};
use crate::escape::escaped;
use crate::{Found, Listing, LookUp, Object, Objects, Page};

/// Google's server.
const SERVER: &str = "https://storage.googleapis.com";

/// Longest page of a listing, and description of an object.
const TEXT_MAX: u64 = 8 << 20;

/// How a bucket is reached.
pub struct GcsSettings<'a> {
    /// Where it is.
    pub place: GcsLocation,
    /// The same for messages.
    pub location: &'a str,
    /// Who asks.
    pub identity: Identity,
    /// Another server than Google's: `STORAGE_EMULATOR_HOST`, with or without `http://`.
    pub server: Option<String>,
    /// How servers are reached.
    pub options: &'a ClientOptions,
}

/// A bucket.
pub struct GcsBucket {
    client: Client,
    place: GcsLocation,
    identity: Identity,
    /// Scheme, host and port.
    origin: String,
}

#[derive(Deserialize)]
struct Described {
    size: String,
    updated: Option<String>,
    generation: Option<String>,
}

#[derive(Deserialize)]
struct Rewritten {
    done: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Items {
    #[serde(default)]
    items: Vec<Item>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    size: Option<String>,
    updated: Option<String>,
}

impl GcsBucket {
    /// Opens a bucket. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// Options that cannot be met; see [`Client::new`].
    pub fn open(settings: GcsSettings<'_>) -> Result<Self, StoreError> {
        let GcsSettings { place, location, identity, server, options } = settings;
        let server = server.map_or_else(
            || SERVER.to_owned(),
            |server| {
                if server.contains("://") { server } else { format!("http://{server}") }
            },
        );
        let failed = |cause: String| StoreError::new(ErrorKind::Permanent, Operation::Open, location, cause);
        let endpoint = Endpoint::parse(&server).map_err(|error| failed(format!("the server: {error}")))?;
        let client = Client::new(&endpoint, location, options)?;
        Ok(Self { client, place, identity, origin: endpoint.origin() })
    }

    fn object_url(&self, key: &str) -> String {
        format!("{}/storage/v1/b/{}/o/{}", self.origin, self.place.bucket, escaped(key))
    }

    /// Sends a request; `None` if there is no such object, or if what is to be removed is another one by now.
    fn ask(&self, request: Request<'_>, what: &str) -> Result<Option<Answer>, StoreError> {
        let operation = request.operation;
        let request = match self.identity.authorization(&self.client)? {
            Some(authorization) => request.with_header(header::AUTHORIZATION, authorization),
            None => request,
        };
        let mut answer = self.client.send(request)?;
        if answer.status().is_success() {
            return Ok(Some(answer));
        }
        // Only removals have a condition.
        if answer.status() == StatusCode::PRECONDITION_FAILED && operation == Operation::Remove {
            return Ok(None);
        }
        if answer.status() == StatusCode::NOT_FOUND {
            let text = answer.text(TEXT_MAX).unwrap_or_default().to_ascii_lowercase();
            let about_bucket = text.contains("bucket does not exist") || text.contains("no such bucket");
            if !about_bucket && operation != Operation::List {
                return Ok(None);
            }
            let cause = format!("bucket '{}' does not exist", self.place.bucket);
            return Err(self.error(ErrorKind::Permanent, operation, cause));
        }
        Err(answer.refused(what))
    }

    /// Removes the object at a URL; `false` if there is none, or another than the URL names.
    fn remove_at(&self, url: String, key: &str) -> Result<bool, StoreError> {
        self.ask(Request::new(Operation::Remove, Method::DELETE, url), key).map(|answer| answer.is_some())
    }

    fn no_sense(&self, operation: Operation, error: &dyn std::fmt::Display) -> StoreError {
        self.error(ErrorKind::Transient, operation, format!("an answer that makes no sense: {error}"))
    }
}

impl Objects for GcsBucket {
    fn location(&self) -> &str {
        self.client.location()
    }

    fn get(&self, key: &str, offset: u64, body_max: u64) -> Result<Option<Answer>, StoreError> {
        let url = self.object_url(key) + "?alt=media";
        let mut request = Request::new(Operation::Get, Method::GET, url).reading(body_max);
        if offset > 0 {
            let range = HeaderValue::from_str(&format!("bytes={offset}-")).expect("digits are plain ASCII");
            request = request.with_header(header::RANGE, range);
        }
        self.ask(request, key)
    }

    fn look_up(&self, key: &str) -> Result<LookUp, StoreError> {
        let request = Request::new(
            Operation::Has,
            Method::GET,
            self.object_url(key) + "?fields=size,updated,generation",
        );
        let Some(mut answer) = self.ask(request, key)? else { return Ok(LookUp::Missing) };
        let text = answer.text(TEXT_MAX)?;
        let described: Described =
            serde_json::from_str(&text).map_err(|error| self.no_sense(Operation::Has, &error))?;
        let number = |text: &str| text.parse().map_err(|error| self.no_sense(Operation::Has, &error));
        Ok(LookUp::There(Found {
            len: number(&described.size)?,
            modified: described.updated.as_deref().and_then(time),
            generation: described.generation.as_deref().map(number).transpose()?,
        }))
    }

    fn renew(&self, key: &str, _content_type: &'static str, _found: &Found) -> Result<bool, StoreError> {
        // Onto itself: a new generation of the same bytes, which take its place when all of them are there. To change
        // what is said of the object would do at Google's, but not at every server that speaks this interface.
        let (to, bucket) = (escaped(key), &self.place.bucket);
        let url = format!("{}/rewriteTo/b/{bucket}/o/{to}?fields=done", self.object_url(key));
        let request = Request::new(Operation::Has, Method::POST, url).with_body(Body::Bytes(&[]));
        let Some(mut answer) = self.ask(request, key)? else { return Ok(false) };
        let text = answer.text(TEXT_MAX)?;
        let rewritten: Rewritten =
            serde_json::from_str(&text).map_err(|error| self.no_sense(Operation::Has, &error))?;
        if !rewritten.done {
            // Only from one place to another does that take more than one request.
            let cause = format!("{key} was not renewed in one request");
            return Err(self.error(ErrorKind::Permanent, Operation::Has, cause));
        }
        Ok(true)
    }

    fn put(&self, key: &str, content_type: &'static str, body: Body<'_>) -> Result<(), StoreError> {
        let bucket = &self.place.bucket;
        let url =
            format!("{}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={}", self.origin, escaped(key));
        let request = Request::new(Operation::Put, Method::POST, url);
        let request = request.with_header(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let cause = || format!("bucket '{bucket}' does not exist");
        let missing = || self.error(ErrorKind::Permanent, Operation::Put, cause());
        self.ask(request.with_body(body), key)?.map(|_| ()).ok_or_else(missing)
    }

    fn remove(&self, keys: &[String]) -> Result<(), StoreError> {
        keys.iter().try_for_each(|key| self.remove_at(self.object_url(key), key).map(|_| ()))
    }

    fn remove_found(&self, key: &str, found: &Found) -> Result<bool, StoreError> {
        let mut url = self.object_url(key);
        if let Some(generation) = found.generation {
            let _ = write!(url, "?ifGenerationMatch={generation}");
        }
        self.remove_at(url, key)
    }

    fn removes_at_once(&self) -> usize {
        1
    }

    fn list(&self, prefix: &str, page: Page<'_>) -> Result<Listing, StoreError> {
        let bucket = &self.place.bucket;
        let mut url =
            format!("{}/storage/v1/b/{bucket}/o?prefix={}&maxResults=1000", self.origin, escaped(prefix));
        url += "&fields=nextPageToken,items(name,size,updated)";
        let _ = match page {
            Page::First => Ok(()),
            Page::Next(token) => write!(url, "&pageToken={}", escaped(token)),
            Page::After(key) => write!(url, "&startOffset={}", escaped(key)),
        };
        let answer = self.ask(Request::new(Operation::List, Method::GET, url), "the bucket")?;
        let Some(mut answer) = answer else { return Ok(Listing::default()) };
        let text = answer.text(TEXT_MAX)?;
        let page: Items =
            serde_json::from_str(&text).map_err(|error| self.no_sense(Operation::List, &error))?;
        let objects = page.items.into_iter().map(|item| Object {
            key: item.name,
            len: item.size.and_then(|size| size.parse().ok()).unwrap_or(0),
            modified: item.updated.as_deref().and_then(time),
        });
        Ok(Listing {
            objects: objects.collect(),
            next: page.next_page_token.filter(|token| !token.is_empty()),
        })
    }
}

fn time(text: &str) -> Option<SystemTime> {
    Some(text.parse::<jiff::Timestamp>().ok()?.into())
}

#[cfg(test)]
mod tests {
    use desync_test_kit::servers::{Fault, WebServer};

    use super::*;

    #[test]
    fn what_is_removed_is_what_was_looked_at() {
        let server = WebServer::start();
        server.put(
            "storage/v1/b/b/o/x",
            br#"{"size": "16", "updated": "2026-01-02T03:04:05Z", "generation": "17"}"#,
        );
        let bucket = GcsBucket::open(GcsSettings {
            place: GcsLocation::parse("gs://b").unwrap(),
            location: "gs://b",
            identity: Identity::nobody(),
            server: Some(server.address().to_string()),
            options: &ClientOptions::default(),
        });
        let bucket = bucket.unwrap();
        let LookUp::There(found) = bucket.look_up("x").unwrap() else { panic!("it is there") };
        assert_eq!((found.len, found.generation), (16, Some(17)));
        assert!(bucket.remove_found("x", &found).unwrap());
        assert_eq!(server.take_seen().last().unwrap().target, "/storage/v1/b/b/o/x?ifGenerationMatch=17");
        // Somebody wrote it anew meanwhile.
        server.set_fault(Fault::Method("DELETE", 412));
        assert!(!bucket.remove_found("x", &found).unwrap());
        // Nothing else has a condition: there it is no answer.
        server.set_fault(Fault::Method("GET", 412));
        assert!(bucket.look_up("x").is_err());
        // Nor is anything removed whose generation is not understood.
        server.set_fault(Fault::None);
        server.put("storage/v1/b/b/o/x", br#"{"size": "16", "generation": "-"}"#);
        assert!(bucket.look_up("x").is_err());
    }
}
