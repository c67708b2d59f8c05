//! Objects in a bucket: requests signed and sent, answers understood.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use desync_http::{
    Answer, Body, Client, ClientOptions, Endpoint, HeaderName, HeaderValue, Method, Request, StatusCode,
    header,
};
use desync_store::{ErrorKind, Operation, StoreError};
use rusty_s3::actions::{DeleteObjectsResponse, ListObjectsV2, ObjectIdentifier};
use rusty_s3::{Bucket, Credentials, S3Action as _};
use url::Url;

use super::error::Refused;
use super::{S3Location, Source};
use crate::escape::escaped;
use crate::{Found, Listing, LookUp, Object, Objects, Page};

/// How long a signature is good for: longer than any attempt lasts.
const SIGNED_FOR: Duration = Duration::from_secs(3600);

/// Longest page of a listing: a thousand keys of the longest, escaped.
const PAGE_MAX: u64 = 8 << 20;

/// What the region is called where nobody says.
const DEFAULT_REGION: &str = "us-east-1";

/// Objects that one request may remove.
const REMOVES_AT_ONCE: usize = 1000;

/// Headers that make a PUT a copy.
const COPY_SOURCE: &str = "x-amz-copy-source";
const METADATA_DIRECTIVE: &str = "x-amz-metadata-directive";

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// How a bucket is reached.
pub struct S3Settings<'a> {
    /// Where it is.
    pub place: S3Location,
    /// The same for messages, secrets left out.
    pub location: &'a str,
    /// Who asks.
    pub source: Source,
    /// How servers are reached.
    pub options: &'a ClientOptions,
}

/// A bucket.
pub struct S3Bucket {
    client: Client,
    place: S3Location,
    source: Source,
    /// With the region as it is known so far.
    bucket: Mutex<Arc<Bucket>>,
}

/// A request, but for its body.
struct Ask<'a> {
    operation: Operation,
    method: Method,
    /// What it is about, for messages.
    what: &'a str,
    headers: Vec<(HeaderName, HeaderValue)>,
    body_max: u64,
    sign: &'a dyn Fn(&Bucket, Option<&Credentials>) -> Url,
}

impl S3Bucket {
    /// Opens a bucket. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// Options that cannot be met; see [`Client::new`].
    pub fn open(settings: S3Settings<'_>) -> Result<Self, StoreError> {
        let S3Settings { place, location, source, options } = settings;
        let failed = |cause: String| StoreError::new(ErrorKind::Permanent, Operation::Open, location, cause);
        let endpoint = Endpoint::parse(&place.origin()).map_err(|error| failed(error.to_string()))?;
        let client = Client::new(&endpoint, location, options)?;
        let region = source.region().or_else(|| place.region_of_host()).unwrap_or(DEFAULT_REGION);
        let bucket = bucket(&place, region).map_err(failed)?;
        Ok(Self { client, place, source, bucket: Mutex::new(Arc::new(bucket)) })
    }

    /// Sends a request; `None` if there is no such object.
    fn ask(&self, ask: &Ask<'_>, body: Body<'_>) -> Result<Option<Answer>, StoreError> {
        let done = self.in_its_region(ask, body)?;
        self.or_none(ask.operation, done)
    }

    fn or_none(
        &self,
        operation: Operation,
        done: Result<Answer, Refused>,
    ) -> Result<Option<Answer>, StoreError> {
        match done {
            Ok(answer) => Ok(Some(answer)),
            Err(Refused::NoSuchKey) => Ok(None),
            Err(Refused::Denied(error) | Refused::Failed(error)) => Err(error),
            Err(Refused::OtherRegion(region)) => {
                let cause = format!("sent from region to region, at last to {region}");
                Err(self.error(ErrorKind::Permanent, operation, cause))
            }
        }
    }

    /// Sends a request. If the server says that the bucket is in another region, it is asked there.
    fn in_its_region(&self, ask: &Ask<'_>, body: Body<'_>) -> Result<Result<Answer, Refused>, StoreError> {
        let again = match &body {
            Body::None => Some(Body::None),
            Body::Bytes(bytes) => Some(Body::Bytes(bytes)),
            Body::Reader(..) => None,
        };
        let region = match self.once(ask, body)? {
            Err(Refused::OtherRegion(region)) => region,
            done => return Ok(done),
        };
        self.move_to(ask.operation, &region)?;
        // A body that was read is sent by whoever tries again.
        let Some(body) = again else {
            let cause = format!("the bucket is in the region {region}");
            return Err(self.error(ErrorKind::Transient, ask.operation, cause));
        };
        self.once(ask, body)
    }

    fn once(&self, ask: &Ask<'_>, body: Body<'_>) -> Result<Result<Answer, Refused>, StoreError> {
        let credentials = self.source.now();
        let credentials = credentials
            .map_err(|error| self.error(ErrorKind::Permanent, ask.operation, error.to_string()))?;
        let bucket = self.bucket();
        let url = (ask.sign)(&bucket, credentials.as_deref());
        let mut request = Request::new(ask.operation, ask.method.clone(), url.into()).with_body(body);
        request.headers.clone_from(&ask.headers);
        let answer = self.client.send(request.reading(ask.body_max))?;
        if answer.status().is_success() {
            return Ok(Ok(answer));
        }
        if ask.method == Method::HEAD && answer.status() == StatusCode::FORBIDDEN {
            let cause = format!("access to {} is denied, or it is not there and listing is denied", ask.what);
            return Ok(Err(Refused::Denied(answer.failure(ErrorKind::Permanent, cause))));
        }
        Ok(Err(Refused::new(answer, &self.place.bucket, ask.what)))
    }

    fn bucket(&self) -> Arc<Bucket> {
        Arc::clone(&self.bucket.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn move_to(&self, operation: Operation, region: &str) -> Result<(), StoreError> {
        log::debug!("{}: the bucket is in the region {region}", self.location());
        let failed = |cause| self.error(ErrorKind::Permanent, operation, cause);
        let moved = bucket(&self.place, region).map_err(failed)?;
        *self.bucket.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(moved);
        Ok(())
    }

    fn remove_one(&self, key: &str) -> Result<(), StoreError> {
        let sign =
            |bucket: &Bucket, who: Option<&Credentials>| bucket.delete_object(who, key).sign(SIGNED_FOR);
        let ask = Ask {
            operation: Operation::Remove,
            method: Method::DELETE,
            what: key,
            headers: Vec::new(),
            body_max: 0,
            sign: &sign,
        };
        self.ask(&ask, Body::None).map(|_| ())
    }

    fn remove_many(&self, keys: &[String]) -> Result<(), StoreError> {
        let objects: Vec<_> = keys.iter().map(|key| ObjectIdentifier::new(key.clone())).collect();
        let action = |bucket: &Bucket, who: Option<&Credentials>| {
            let mut action = bucket.delete_objects(who, objects.iter());
            action.set_quiet(true);
            action.sign(SIGNED_FOR)
        };
        let bucket = self.bucket();
        let mut body = bucket.delete_objects(None, objects.iter());
        body.set_quiet(true);
        let (body, md5) = body.body_with_md5();
        let md5 = HeaderValue::from_str(&md5).expect("base64 is plain ASCII");
        let xml = HeaderValue::from_static("application/xml");
        let ask = Ask {
            operation: Operation::Remove,
            method: Method::POST,
            what: "chunks",
            headers: vec![(CONTENT_MD5, md5), (header::CONTENT_TYPE, xml)],
            body_max: 0,
            sign: &action,
        };
        let Some(mut answer) = self.ask(&ask, Body::Bytes(body.as_bytes()))? else { return Ok(()) };
        let text = answer.text(PAGE_MAX)?;
        let parsed = DeleteObjectsResponse::parse(&text);
        let parsed = parsed.map_err(|error| {
            let cause = format!("the answer to a removal makes no sense: {error}");
            self.error(ErrorKind::Permanent, Operation::Remove, cause)
        })?;
        match parsed.errors.first() {
            None => Ok(()),
            Some(first) => {
                let cause = format!("{}: {}: {}", first.key, first.code, first.message);
                Err(self.error(ErrorKind::Permanent, Operation::Remove, cause))
            }
        }
    }
}

fn bucket(place: &S3Location, region: &str) -> Result<Bucket, String> {
    let made = Bucket::new(place.endpoint.clone(), place.style(), place.bucket.clone(), region.to_owned());
    made.map_err(|error| format!("bucket '{}': {error}", place.bucket))
}

impl Objects for S3Bucket {
    fn location(&self) -> &str {
        self.client.location()
    }

    fn get(&self, key: &str, offset: u64, body_max: u64) -> Result<Option<Answer>, StoreError> {
        let sign = |bucket: &Bucket, who: Option<&Credentials>| bucket.get_object(who, key).sign(SIGNED_FOR);
        let mut headers = Vec::new();
        if offset > 0 {
            let range = HeaderValue::from_str(&format!("bytes={offset}-")).expect("digits are plain ASCII");
            headers.push((header::RANGE, range));
        }
        let ask =
            Ask { operation: Operation::Get, method: Method::GET, what: key, headers, body_max, sign: &sign };
        self.ask(&ask, Body::None)
    }

    fn look_up(&self, key: &str) -> Result<LookUp, StoreError> {
        let sign = |bucket: &Bucket, who: Option<&Credentials>| bucket.head_object(who, key).sign(SIGNED_FOR);
        let ask = Ask {
            operation: Operation::Has,
            method: Method::HEAD,
            what: key,
            headers: Vec::new(),
            body_max: 0,
            sign: &sign,
        };
        let done = match self.in_its_region(&ask, Body::None)? {
            Err(Refused::Denied(error)) => return Ok(LookUp::Denied(error)),
            done => done,
        };
        let Some(answer) = self.or_none(ask.operation, done)? else { return Ok(LookUp::Missing) };
        // A server that does not tell a length has something.
        let len = answer.header("content-length").and_then(|len| len.parse().ok()).unwrap_or(1);
        let modified = answer.header("last-modified").and_then(http_time);
        // A copy onto itself has the same tag: a removal could not be bound to it.
        Ok(LookUp::There(Found { len, modified, generation: None }))
    }

    fn renew(&self, key: &str, content_type: &'static str, found: &Found) -> Result<bool, StoreError> {
        // A copy onto itself is allowed only if what is said about the object is replaced.
        let path: Vec<_> = key.split('/').map(escaped).collect();
        let source = format!("/{}/{}", self.place.bucket, path.join("/"));
        let what = [(COPY_SOURCE, source.as_str()), (METADATA_DIRECTIVE, "REPLACE")];
        let sign = |bucket: &Bucket, who: Option<&Credentials>| {
            let mut action = bucket.put_object(who, key);
            for (name, value) in what {
                action.headers_mut().insert(name, value);
            }
            action.sign(SIGNED_FOR)
        };
        let header = |(name, value): (&'static str, &str)| {
            let value = HeaderValue::from_str(value).expect("escaped text is plain ASCII");
            (HeaderName::from_static(name), value)
        };
        let mut headers: Vec<_> = what.into_iter().map(header).collect();
        headers.push((header::CONTENT_TYPE, HeaderValue::from_static(content_type)));
        let ask = Ask {
            operation: Operation::Has,
            method: Method::PUT,
            what: key,
            headers,
            body_max: 0,
            sign: &sign,
        };
        let Some(mut answer) = self.ask(&ask, Body::Bytes(&[]))? else { return Ok(false) };
        // What fails after the head was sent is told in the body.
        let is_copied = answer.text(PAGE_MAX)?.contains("CopyObjectResult");
        match self.look_up(key)? {
            LookUp::There(now) if now.len == found.len && is_copied => Ok(true),
            LookUp::There(now) if now.len == found.len => {
                let cause = format!("{key}: an answer to a copy that makes no sense");
                Err(self.error(ErrorKind::Transient, Operation::Has, cause))
            }
            // There are servers that empty what they copy onto itself, or know nothing of copies and store what came:
            // nothing. Whoever asks has the bytes, and stores them at once.
            _ => Ok(false),
        }
    }

    fn put(&self, key: &str, content_type: &'static str, body: Body<'_>) -> Result<(), StoreError> {
        let sign = |bucket: &Bucket, who: Option<&Credentials>| bucket.put_object(who, key).sign(SIGNED_FOR);
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        let ask = Ask {
            operation: Operation::Put,
            method: Method::PUT,
            what: key,
            headers,
            body_max: 0,
            sign: &sign,
        };
        match self.ask(&ask, body)? {
            Some(_) => Ok(()),
            None => Err(self.error(ErrorKind::Permanent, Operation::Put, format!("{key}: 404 Not Found"))),
        }
    }

    fn remove(&self, keys: &[String]) -> Result<(), StoreError> {
        match keys {
            [] => Ok(()),
            [key] => self.remove_one(key),
            keys => self.remove_many(keys),
        }
    }

    fn removes_at_once(&self) -> usize {
        REMOVES_AT_ONCE
    }

    fn list(&self, prefix: &str, page: Page<'_>) -> Result<Listing, StoreError> {
        let sign = |bucket: &Bucket, who: Option<&Credentials>| {
            let mut action = bucket.list_objects_v2(who);
            action.with_prefix(prefix);
            match page {
                Page::First => {}
                Page::Next(token) => action.with_continuation_token(token),
                Page::After(key) => action.with_start_after(key),
            }
            action.sign(SIGNED_FOR)
        };
        let ask = Ask {
            operation: Operation::List,
            method: Method::GET,
            what: "the bucket",
            headers: Vec::new(),
            body_max: 0,
            sign: &sign,
        };
        let failed = |kind, cause: String| self.error(kind, Operation::List, cause);
        let missing =
            || failed(ErrorKind::Permanent, format!("bucket '{}' does not exist", self.place.bucket));
        let text = self.ask(&ask, Body::None)?.ok_or_else(missing)?.text(PAGE_MAX)?;
        let page = ListObjectsV2::parse_response(&text).map_err(|error| {
            failed(ErrorKind::Transient, format!("a listing that makes no sense: {error}"))
        })?;
        let objects = page.contents.into_iter().map(|object| Object {
            len: object.size.unwrap_or(0),
            modified: object.last_modified.as_deref().and_then(time),
            key: object.key,
        });
        Ok(Listing { objects: objects.collect(), next: page.next_continuation_token })
    }
}

/// The time in a header.
fn http_time(text: &str) -> Option<SystemTime> {
    Some(jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?.into())
}

/// The time in a listing.
fn time(text: &str) -> Option<SystemTime> {
    Some(text.parse::<jiff::Timestamp>().ok()?.into())
}
