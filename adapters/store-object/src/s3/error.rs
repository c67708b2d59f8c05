//! What S3's errors mean.
//!
//! An answer that is an error has a document with a code; one to HEAD has none, and the status has to do.

use desync_http::{Answer, StatusCode};
use desync_store::{ErrorKind, StoreError};

/// Longest document that is read: an error is short, unless it is none.
const DOCUMENT_MAX: u64 = 64 << 10;

/// How much of a server's words is repeated.
const WORDS_MAX: usize = 200;

/// An answer that is no success.
pub(super) enum Refused {
    /// There is no such object.
    NoSuchKey,
    /// The request was for another region: this one.
    OtherRegion(String),
    /// Who asks may not look the object up.
    Denied(StoreError),
    /// Anything else.
    Failed(StoreError),
}

impl Refused {
    /// Reads an answer. `what` is the object it was about.
    pub(super) fn new(mut answer: Answer, bucket: &str, what: &str) -> Self {
        let status = answer.status();
        let region = answer.header("x-amz-bucket-region").map(str::to_owned);
        let document = answer.text(DOCUMENT_MAX).unwrap_or_default();
        let code = element(&document, "Code").unwrap_or_default();
        let hint = element(&document, "Region").map(str::to_owned).or(region).filter(|hint| !hint.is_empty());
        if let Some(region) = hint.filter(|_| is_about_region(status, code)) {
            return Self::OtherRegion(region);
        }
        match code {
            "NoSuchKey" => return Self::NoSuchKey,
            "" if status == StatusCode::NOT_FOUND => return Self::NoSuchKey,
            "NoSuchBucket" => {
                let cause = format!("bucket '{bucket}' does not exist");
                return Self::Failed(answer.failure(ErrorKind::Permanent, cause));
            }
            "" => return Self::Failed(answer.refused(what)),
            _ => {}
        }
        let words = element(&document, "Message").unwrap_or_default();
        let words: String = words.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
        let cause = format!("{what}: {code} ({}): {words}", status.as_u16());
        let failure = answer.failure(kind_of(status, code), cause);
        Self::Failed(failure)
    }
}

fn is_about_region(status: StatusCode, code: &str) -> bool {
    matches!(code, "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" | "PermanentRedirect")
        || (code.is_empty() && matches!(status.as_u16(), 301 | 400))
}

/// Whether an error may pass. Some codes say so with a status that does not.
fn kind_of(status: StatusCode, code: &str) -> ErrorKind {
    match code {
        "RequestTimeout"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestThrottled"
        | "InternalError"
        | "ServiceUnavailable"
        | "OperationAborted"
        | "RequestTimeTooSkewed" => ErrorKind::Transient,
        "QuotaExceeded" | "XMinioStorageFull" | "EntityTooLarge" => ErrorKind::NoSpace,
        _ if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => ErrorKind::Transient,
        _ if status == StatusCode::TOO_MANY_REQUESTS => ErrorKind::Transient,
        _ => ErrorKind::Permanent,
    }
}

/// The text of the first element of this name. Documents of errors are flat, and nothing in them is trusted.
fn element<'d>(document: &'d str, name: &str) -> Option<&'d str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_flat_documents() {
        let document =
            "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>gone </Message><Key/></Error>";
        assert_eq!(element(document, "Code"), Some("NoSuchKey"));
        assert_eq!(element(document, "Message"), Some("gone"));
        assert_eq!(element(document, "Region"), None);
        assert_eq!(element("<Code>", "Code"), None);
    }

    #[test]
    fn throttling_passes_and_denial_does_not() {
        assert_eq!(kind_of(StatusCode::BAD_REQUEST, "RequestTimeout"), ErrorKind::Transient);
        assert_eq!(kind_of(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"), ErrorKind::Transient);
        assert_eq!(kind_of(StatusCode::BAD_GATEWAY, "x"), ErrorKind::Transient);
        assert_eq!(kind_of(StatusCode::FORBIDDEN, "AccessDenied"), ErrorKind::Permanent);
        assert_eq!(kind_of(StatusCode::NOT_IMPLEMENTED, "NotImplemented"), ErrorKind::Permanent);
    }
}
