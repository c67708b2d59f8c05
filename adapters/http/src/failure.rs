//! What a failed request means to a store: whether it may pass, and in which words it is told.
//!
//! Words never repeat what was sent: URLs and headers hold secrets.

use std::io;
use std::time::{Duration, SystemTime};

use desync_store::ErrorKind;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::{Error, Timeout};

/// A failure, before it is known at which store and of which operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) cause: String,
    /// Whether it is a sign that too much is asked at once.
    pub(crate) is_overload: bool,
}

impl Failure {
    pub(crate) fn permanent(cause: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Permanent, cause: cause.into(), is_overload: false }
    }

    pub(crate) fn transient(cause: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Transient, cause: cause.into(), is_overload: false }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => from_io(&error),
            Error::Timeout(phase) => Self { is_overload: true, ..Self::transient(timed_out(phase)) },
            Error::HostNotFound => Self::transient("host not found"),
            Error::ConnectionFailed => Self::transient("no connection"),
            Error::ConnectProxyFailed(reason) if reason.contains("407") => Self::permanent(reason),
            Error::ConnectProxyFailed(reason) => Self::transient(reason),
            // Whatever came before may have been cut or damaged on its way.
            Error::Protocol(error) => Self::transient(format!("no HTTP: {error}")),
            Error::BodyStalled => Self::transient("the body stopped"),
            Error::LargeResponseHeader(..) => Self::permanent("the header of the answer is too long"),
            Error::BadUri(_) | Error::Http(_) => Self::permanent("not a URL that can be asked for"),
            Error::InvalidProxyUrl => Self::permanent("the proxy in the environment is no URL of a proxy"),
            other => Self::permanent(other.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    /// Of reading a body.
    fn from(error: io::Error) -> Self {
        Error::from(error).into()
    }
}

fn from_io(error: &io::Error) -> Failure {
    #[cfg(feature = "tls")]
    if let Some(failure) = crate::tls::failure_of(error) {
        return failure;
    }
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            Failure { is_overload: true, ..Failure::transient("timed out") }
        }
        io::ErrorKind::UnexpectedEof => Failure::transient("the connection ended too soon"),
        // Of a connection, nearly everything may pass.
        _ => Failure::transient(error.to_string()),
    }
}

fn timed_out(phase: Timeout) -> &'static str {
    match phase {
        Timeout::Resolve => "timed out looking the host up",
        Timeout::Connect => "timed out connecting",
        Timeout::PerRead => "timed out: nothing came",
        Timeout::PerWrite => "timed out: nothing could be sent",
        _ => "timed out before the answer was complete",
    }
}

/// What a status that is no success means.
pub(crate) fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        408 | 425 | 429 => ErrorKind::Transient,
        507 => ErrorKind::NoSpace,
        501 | 505 => ErrorKind::Permanent,
        500..=599 => ErrorKind::Transient,
        _ => ErrorKind::Permanent,
    }
}

/// Whether a status says that too much is asked at once.
pub(crate) fn is_overload(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// How long the server asked to wait: seconds, or until a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defect_43_retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let asked = |text: &str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now)
        };
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:27 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let kinds = |status: u16| kind_of(StatusCode::from_u16(status).unwrap());
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(kinds(status), ErrorKind::Transient, "{status}");
        }
        for status in [301, 400, 401, 403, 405, 410, 501, 505] {
            assert_eq!(kinds(status), ErrorKind::Permanent, "{status}");
        }
        assert_eq!(kinds(507), ErrorKind::NoSpace);
        for passing in [Error::HostNotFound, Error::Timeout(Timeout::Connect), Error::ConnectionFailed] {
            assert_eq!(Failure::from(passing).kind, ErrorKind::Transient);
        }
        let secret = Failure::from(Error::BadUri("http://me:hunter2@h".into()));
        assert_eq!(secret, Failure::permanent("not a URL that can be asked for"));
    }
}
