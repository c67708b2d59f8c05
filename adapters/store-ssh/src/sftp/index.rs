//! Indexes in a directory behind an SFTP server.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use desync_store::{Budget, ErrorKind, IndexBackend, IndexBody, Operation, Reservation, StoreError};

use super::chunks::write;
use super::session::{Handle, Session};
use super::{root, sessions, temporary};
use crate::sessions::{Failure, Sessions};
use crate::{Programs, SshTarget};

/// What the names of indexes that are being written begin with.
const TEMPORARY_PREFIX: &str = ".tmp-index.";

/// Bytes that are written at once.
const PART: usize = 256 << 10;

/// Indexes behind an SFTP server.
pub struct SftpIndexes(Arc<Place>);

struct Place {
    sessions: Sessions<Session>,
    root: String,
    location: String,
    budget: Arc<Budget>,
}

impl SftpIndexes {
    /// The indexes at `target`, called `location` in messages. Nobody logs in yet.
    #[must_use]
    pub fn new(
        target: SshTarget,
        programs: Programs,
        location: &str,
        silence: Option<Duration>,
        budget: Arc<Budget>,
    ) -> Self {
        let root = root(&target);
        let sessions = sessions(target, programs, silence);
        Self(Arc::new(Place { sessions, root, location: location.to_owned(), budget }))
    }
}

impl IndexBackend for SftpIndexes {
    fn location(&self) -> &str {
        &self.0.location
    }

    fn read(&self, name: &str, offset: u64) -> Result<IndexBody, StoreError> {
        let place = &self.0;
        let path = format!("{}/{name}", place.root);
        let found = place.sessions.request(|session| session.stat(&path));
        let found = found.map_err(|failure| failure.of(Operation::Get, &place.location))?;
        let Some(found) = found else {
            let cause = format_args!("object {name} missing from store");
            return Err(StoreError::new(ErrorKind::Missing, Operation::Get, &place.location, cause));
        };
        let len = found.size.unwrap_or(0).saturating_sub(offset);
        let reservation = place.budget.reserve(len, &place.location)?;
        let version = Some(format!("{:?} {:?}", found.size, found.modified));
        let body = Body { place: Arc::clone(place), path, offset, reservation, ready: io::Cursor::default() };
        Ok(IndexBody { bytes: Box::new(body), offset, version })
    }

    fn write(&self, name: &str, bytes: &mut dyn Read, _len: u64) -> Result<(), StoreError> {
        let place = &self.0;
        let path = format!("{}/{name}", place.root);
        // The reader begins anew only with the whole upload: over one session, once.
        let bytes = Mutex::new(Some(bytes));
        let written = place.sessions.request(|session| {
            let bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner).take();
            let bytes = bytes.ok_or_else(|| Failure::Broken("the session ended during an upload".into()))?;
            write(session, &place.root, &path, &temporary(TEMPORARY_PREFIX), |session, handle, path| {
                copy(session, handle, path, bytes)
            })
        });
        written.map_err(|failure| failure.of(Operation::Put, &place.location))
    }
}

fn copy(session: &mut Session, handle: &Handle, path: &str, mut bytes: &mut dyn Read) -> Result<(), Failure> {
    let (mut offset, mut part) = (0, Vec::new());
    loop {
        part.clear();
        let read = (&mut bytes).take(PART as u64).read_to_end(&mut part);
        let count = read.map_err(|error| Failure::Refused(ErrorKind::Permanent, error.to_string()))?;
        if count == 0 {
            return Ok(());
        }
        session.write_all(handle, path, offset, &part)?;
        offset += count as u64;
    }
}

/// An index read part by part, each over whichever session is free.
struct Body {
    place: Arc<Place>,
    path: String,
    offset: u64,
    reservation: Reservation,
    ready: io::Cursor<Vec<u8>>,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.ready.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        let Self { place, path, offset, reservation, ready } = self;
        let part = place.sessions.request(|session| session.read_part(path, *offset));
        let part = part.map_err(|failure| io::Error::other(failure.of(Operation::Get, &place.location)))?;
        *offset += part.len() as u64;
        let beyond = (part.len() as u64).saturating_sub(reservation.unused());
        reservation.add(beyond, &place.location).map_err(io::Error::other)?;
        reservation.used(part.len() as u64);
        *ready = io::Cursor::new(part);
        ready.read(buffer)
    }
}
