//! An answer: its status and headers, and its body, which is read within bounds or not at all.

use std::io::{self, Read};
use std::time::SystemTime;

use desync_store::{ErrorKind, Operation, Reservation, StoreError};
use ureq::http::{HeaderMap, Response, StatusCode};

use crate::failure::{Failure, is_overload, kind_of, retry_after};
use crate::gate::Permit;

/// How much of a body of unknown length is asked of the budget at a time.
const STEP: u64 = 64 << 10;

/// How much of what a server says about an error is read.
const EXPLANATION_MAX: u64 = 8 << 10;

/// How much of that is repeated to the user.
const TOLD_MAX: usize = 200;

/// A server's answer. Dropping it without reading the body gives the connection up.
pub struct Answer {
    pub(crate) response: Response<ureq::Body>,
    pub(crate) location: String,
    pub(crate) operation: Operation,
    pub(crate) permit: Permit,
    /// Of [`crate::Request::body_max`].
    pub(crate) body_max: u64,
    pub(crate) reservation: Reservation,
}

impl Answer {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// The whole body, if it is no longer than the request allows.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is longer, and what happens to connections.
    pub fn bytes(self) -> Result<Vec<u8>, StoreError> {
        let len_max = self.body_max;
        let too_long = |at: &Self, len: &dyn std::fmt::Display| {
            at.error(
                ErrorKind::Invalid,
                format!("the answer has {len} bytes, {len_max} at most are possible"),
            )
        };
        let len = self.response.body().content_length();
        if let Some(len) = len.filter(|len| *len > len_max) {
            return Err(too_long(&self, &len));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len.unwrap_or(0)).unwrap_or(0));
        let over = self.error(ErrorKind::Invalid, String::new());
        let mut reader = self.into_reader()?;
        reader
            .by_ref()
            .take(len_max.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| reader.error(error))?;
        if bytes.len() as u64 > len_max {
            let cause = format!("the answer has more than the {len_max} bytes that are possible");
            return Err(StoreError { cause, ..over });
        }
        Ok(bytes)
    }

    /// The body, read as it comes, however long it is; counts against the budget.
    ///
    /// # Errors
    /// [`ErrorKind::OverBudget`] if its length is known and more than is left.
    pub fn into_reader(self) -> Result<BodyReader, StoreError> {
        let len = self.response.body().content_length();
        let Self { response, location, operation, permit, mut reservation, .. } = self;
        if let Some(len) = len {
            reservation.settle(len, &location)?;
        }
        let body = response.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(BodyReader { body, reservation, left: len, location, operation, permit })
    }

    /// The beginning of the body as text, for what is not data: explanations, listings, tokens. Does not count
    /// against the budget.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is longer than `len_max`, and what happens to connections.
    pub fn text(&mut self, len_max: u64) -> Result<String, StoreError> {
        let mut bytes = Vec::new();
        let mut body = self.response.body_mut().with_config().limit(u64::MAX).reader().take(len_max + 1);
        body.read_to_end(&mut bytes).map_err(|error| self.failed(error.into()))?;
        if bytes.len() as u64 > len_max {
            return Err(self.error(ErrorKind::Invalid, format!("the answer has more than {len_max} bytes")));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The error that an answer with a status of failure is. `what` names the object that was asked for.
    #[must_use]
    pub fn refused(mut self, what: &str) -> StoreError {
        let status = self.status();
        let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
        let mut cause = format!("unexpected status code {}{reason} from {what}", status.as_u16());
        if let Some(explanation) = self.explanation() {
            cause = format!("{cause}: {explanation}");
        }
        self.failure(kind_of(status), cause)
    }

    /// The error of this kind, with what the answer says about trying again.
    #[must_use]
    pub fn failure(&self, kind: ErrorKind, cause: String) -> StoreError {
        if is_overload(self.status()) {
            self.permit.overloaded();
        }
        self.error(kind, cause).after(retry_after(self.headers(), SystemTime::now()))
    }

    /// What the server says in words, if it is one line that people can read.
    fn explanation(&mut self) -> Option<String> {
        let is_text = self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let text = self.text(EXPLANATION_MAX).ok().filter(|_| is_text)?;
        let line = text.lines().next()?.trim();
        let shown: String = line.chars().filter(|c| !c.is_control()).take(TOLD_MAX).collect();
        Some(shown).filter(|shown| !shown.is_empty())
    }

    fn error(&self, kind: ErrorKind, cause: String) -> StoreError {
        StoreError::new(kind, self.operation, &self.location, cause)
    }

    fn failed(&self, failure: Failure) -> StoreError {
        if failure.is_overload {
            self.permit.overloaded();
        }
        self.error(failure.kind, failure.cause)
    }
}

/// A body on its way. Its errors wrap a [`StoreError`].
pub struct BodyReader {
    body: ureq::BodyReader<'static>,
    reservation: Reservation,
    /// Bytes that must still come, if the server said how many.
    left: Option<u64>,
    location: String,
    operation: Operation,
    permit: Permit,
}

impl BodyReader {
    /// The store's error in an error of reading.
    fn error(&self, error: io::Error) -> StoreError {
        match error.downcast::<StoreError>() {
            Ok(own) => own,
            Err(error) => StoreError::new(ErrorKind::Transient, self.operation, &self.location, error),
        }
    }

    /// Has room in the budget for at least one byte; says for how many.
    fn room(&mut self) -> io::Result<u64> {
        if self.left.is_none() && self.reservation.unused() == 0 {
            self.reservation.add(STEP, &self.location).map_err(io::Error::other)?;
        }
        Ok(if self.left.is_none() { self.reservation.unused() } else { u64::MAX }.max(1))
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.room()?).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.body.read(&mut buffer[..room]).map_err(|error| {
            let failure = Failure::from(error);
            if failure.is_overload {
                self.permit.overloaded();
            }
            io::Error::other(StoreError::new(failure.kind, self.operation, &self.location, failure.cause))
        })?;
        self.reservation.used(count as u64);
        self.left = self.left.map(|left| left.saturating_sub(count as u64));
        if count == 0 && room > 0 && self.left.is_some_and(|left| left > 0) {
            let cause = "the body ended too soon";
            let short = StoreError::new(ErrorKind::Transient, self.operation, &self.location, cause);
            return Err(io::Error::other(short));
        }
        Ok(count)
    }
}
