//! Requests to a registry: manifests, blobs, tags.
//!
//! Source: OCI distribution specification 1.1.

use desync_http::{
    Answer, Body, Client, ClientOptions, HeaderName, HeaderValue, Method, Request, StatusCode, header,
};
use desync_store::{ErrorKind, Operation, StoreError};
use serde::Deserialize;

use crate::auth::{Actions, Auth};
use crate::manifest::{MANIFEST_TYPE, digest_of};
use crate::{Credentials, OciLocation};

/// Longest manifest that is read.
const MANIFEST_MAX: u64 = 4 << 20;

/// Longest page of tags that is read: a thousand of them are a tenth of it.
const TAGS_MAX: u64 = 4 << 20;

/// Tags on a page.
const PAGE: u32 = 1000;

/// The digest of a manifest, by the registry's word.
const DIGEST: &str = "docker-content-digest";

/// One repository of a registry.
pub(crate) struct Registry {
    client: Client,
    place: OciLocation,
    auth: Auth,
}

/// A request, but for who asks.
struct Ask<'a> {
    operation: Operation,
    actions: Actions,
    method: Method,
    url: &'a str,
    header: Option<(HeaderName, HeaderValue)>,
    body: Option<&'a [u8]>,
    body_max: u64,
}

/// Some of the tags.
pub(crate) struct Tags {
    pub(crate) tags: Vec<String>,
    /// Where the next are.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

impl Registry {
    pub(crate) fn open(
        place: OciLocation,
        location: &str,
        credentials: Credentials,
        options: &ClientOptions,
    ) -> Result<Self, StoreError> {
        let client = Client::new(&place.endpoint, location, options)?;
        let auth = Auth::new(credentials, &place.repository);
        Ok(Self { client, place, auth })
    }

    pub(crate) fn location(&self) -> &str {
        self.client.location()
    }

    /// The manifest with this tag, and its digest; `None` if there is none.
    pub(crate) fn manifest(
        &self,
        operation: Operation,
        tag: &str,
    ) -> Result<Option<(Vec<u8>, String)>, StoreError> {
        let actions = if operation == Operation::Remove { Actions::Delete } else { Actions::Pull };
        let url = self.url(&format!("manifests/{tag}"));
        let ask = Ask {
            header: Some((header::ACCEPT, HeaderValue::from_static(MANIFEST_TYPE))),
            ..Ask::new(operation, actions, Method::GET, &url)
        };
        let mut answer = self.ask(&ask)?;
        match answer.status() {
            StatusCode::OK => {
                let bytes = answer.text(MANIFEST_MAX)?.into_bytes();
                let digest = digest_of(&bytes);
                if answer.header(DIGEST).is_some_and(|told| told.starts_with("sha256:") && told != digest) {
                    let cause = format!("the manifest of {tag} was damaged on its way");
                    return Err(StoreError::new(ErrorKind::Transient, operation, self.location(), cause));
                }
                Ok(Some((bytes, digest)))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(answer.refused(tag)),
        }
    }

    /// A blob of at most `len_max` bytes; `None` if there is none.
    pub(crate) fn blob(&self, digest: &str, len_max: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let url = self.url(&format!("blobs/{digest}"));
        let ask = Ask { body_max: len_max, ..Ask::new(Operation::Get, Actions::Pull, Method::GET, &url) };
        let answer = self.ask(&ask)?;
        match answer.status() {
            StatusCode::OK => answer.bytes().map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(answer.refused(digest)),
        }
    }

    pub(crate) fn has_blob(&self, digest: &str) -> Result<bool, StoreError> {
        let url = self.url(&format!("blobs/{digest}"));
        let answer = self.ask(&Ask::new(Operation::Put, Actions::Push, Method::HEAD, &url))?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(answer.refused(digest)),
        }
    }

    pub(crate) fn put_blob(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let url = self.url("blobs/uploads/");
        let begin = Ask { body: Some(&[]), ..Ask::new(Operation::Put, Actions::Push, Method::POST, &url) };
        let begun = self.ask(&begin)?;
        let target = begun.header("location").map(str::to_owned);
        let Some(target) = target.filter(|_| begun.status() == StatusCode::ACCEPTED) else {
            return Err(begun.refused("the upload of a blob"));
        };
        drop(begun);
        let Some(target) = desync_http::resolve(&url, &target) else {
            let cause = "the registry names no place for an upload";
            return Err(StoreError::new(ErrorKind::Permanent, Operation::Put, self.location(), cause));
        };
        let joint = if target.contains('?') { '&' } else { '?' };
        let target = format!("{target}{joint}digest={}", digest_of(bytes));
        let put = Ask {
            header: Some((header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))),
            body: Some(bytes),
            ..Ask::new(Operation::Put, Actions::Push, Method::PUT, &target)
        };
        self.created(&put, "a blob")
    }

    pub(crate) fn put_manifest(&self, tag: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let url = self.url(&format!("manifests/{tag}"));
        let put = Ask {
            header: Some((header::CONTENT_TYPE, HeaderValue::from_static(MANIFEST_TYPE))),
            body: Some(bytes),
            ..Ask::new(Operation::Put, Actions::Push, Method::PUT, &url)
        };
        self.created(&put, tag)
    }

    fn created(&self, put: &Ask<'_>, what: &str) -> Result<(), StoreError> {
        let answer = self.ask(put)?;
        if answer.status() == StatusCode::CREATED { Ok(()) } else { Err(answer.refused(what)) }
    }

    /// Removes the manifest of this digest; answers whether it was there.
    pub(crate) fn remove(&self, digest: &str) -> Result<bool, StoreError> {
        let url = self.url(&format!("manifests/{digest}"));
        let answer = self.ask(&Ask::new(Operation::Remove, Actions::Delete, Method::DELETE, &url))?;
        match answer.status() {
            StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(answer.refused(digest)),
        }
    }

    /// The first tags, or those at `page`.
    pub(crate) fn tags(&self, page: Option<&str>) -> Result<Tags, StoreError> {
        let first = self.url("tags/list") + &format!("?n={PAGE}");
        let url = page.unwrap_or(&first);
        let mut answer = self.ask(&Ask::new(Operation::List, Actions::Pull, Method::GET, url))?;
        // A repository without tags is one that is not there.
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Tags { tags: Vec::new(), next: None });
        }
        if answer.status() != StatusCode::OK {
            return Err(answer.refused("the list of tags"));
        }
        let next = answer.header("link").and_then(next_page).and_then(|next| desync_http::resolve(url, next));
        let text = answer.text(TAGS_MAX)?;
        let read: TagList = serde_json::from_str(&text).map_err(|error| {
            let cause = format!("a list of tags that makes no sense: {error}");
            StoreError::new(ErrorKind::Transient, Operation::List, self.location(), cause)
        })?;
        Ok(Tags { tags: read.tags.unwrap_or_default(), next })
    }

    fn url(&self, path: &str) -> String {
        self.place.endpoint.url_of(path)
    }

    /// Sends a request, once more after the registry said how it wants to know who asks.
    fn ask(&self, ask: &Ask<'_>) -> Result<Answer, StoreError> {
        let sent = self.auth.granted(ask.actions);
        let answer = self.send(ask, sent.clone())?;
        if answer.status() == StatusCode::UNAUTHORIZED
            && self.auth.meet(&self.client, &answer, ask.actions, sent.as_ref())?
        {
            drop(answer);
            return self.send(ask, self.auth.granted(ask.actions));
        }
        Ok(answer)
    }

    fn send(&self, ask: &Ask<'_>, granted: Option<HeaderValue>) -> Result<Answer, StoreError> {
        let mut request = Request::new(ask.operation, ask.method.clone(), ask.url.to_owned());
        request.headers.extend(ask.header.clone());
        if let Some(granted) = granted
            && !desync_http::is_other_origin(&self.place.endpoint.origin(), ask.url)
        {
            request.headers.push((header::AUTHORIZATION, granted));
        }
        let body = ask.body.map_or(Body::None, Body::Bytes);
        self.client.send(request.with_body(body).reading(ask.body_max))
    }
}

impl<'a> Ask<'a> {
    const fn new(operation: Operation, actions: Actions, method: Method, url: &'a str) -> Self {
        Self { operation, actions, method, url, header: None, body: None, body_max: 0 }
    }
}

/// The target of `rel="next"` in a header `Link`.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|entry| {
        let (target, parameters) = entry.trim().strip_prefix('<')?.split_once('>')?;
        let is_next =
            parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let link = "</first>; rel=\"first\", </v2/r/tags/list?last=x&n=1000>; rel=\"next\"";
        assert_eq!(next_page(link), Some("/v2/r/tags/list?last=x&n=1000"));
        assert_eq!(next_page("</x>; rel=\"prev\""), None);
        assert_eq!(next_page("nonsense"), None);
    }
}
