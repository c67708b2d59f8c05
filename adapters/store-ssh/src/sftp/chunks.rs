//! Chunks in a directory behind an SFTP server, named as in a local directory.
//!
//! A chunk is written beside its place, synced if the server can, and renamed. Temporary files have the names
//! that local stores give them, so that whoever prunes the directory takes away what was left behind; those
//! of Go desync, which are a chunk's name with digits behind, are recognised too.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_core::format::chunk_name::parse_file_name;
use desync_store::{Backend, Budget, Bytes, ErrorKind, Listed, Operation, PrunableBackend, StoreError};

use super::packet::Attributes;
use super::session::{Entry, Session};
use super::{root, sessions, temporary};
use crate::sessions::{Failure, Sessions};
use crate::{Programs, SshTarget};

/// What the names of temporary files begin with, as in a local store.
const TEMPORARY_PREFIX: &str = ".tmp-cacnk.";
/// What names of leftovers begin with, whoever left them.
const LEFTOVER_PREFIX: &[u8] = b".tmp-cacnk";

/// Chunks behind an SFTP server.
pub struct SftpStore {
    sessions: Sessions<Session>,
    root: String,
    location: String,
    budget: Arc<Budget>,
}

/// A regular file in the directory of a prefix.
struct Found {
    path: String,
    name: String,
    attributes: Attributes,
}

impl SftpStore {
    /// The store at `target`, called `location` in messages. Nobody logs in yet.
    #[must_use]
    pub fn new(
        target: SshTarget,
        programs: Programs,
        location: &str,
        silence: Option<Duration>,
        budget: Arc<Budget>,
    ) -> Self {
        let root = root(&target);
        Self { sessions: sessions(target, programs, silence), root, location: location.to_owned(), budget }
    }

    fn path_of(&self, id: &ChunkId, form: StorageForm) -> String {
        format!("{}/{}", self.root, form.path_of(id))
    }

    fn request<T>(
        &self,
        operation: Operation,
        ask: impl FnMut(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.sessions.request(ask).map_err(|failure| failure.of(operation, &self.location))
    }

    /// Calls `found` for each regular file in the directories of prefixes, over one session, until it answers
    /// `false`.
    fn walk(&self, found: &mut dyn FnMut(Found) -> Result<bool, StoreError>) -> Result<(), StoreError> {
        let list = |directory: &str| {
            self.request(Operation::List, |session| {
                let mut entries = Vec::new();
                session.list(directory, &mut |entry: Entry| {
                    entries.push(entry);
                    true
                })?;
                Ok(entries)
            })
        };
        for directory in list(&self.root)? {
            let Some(prefix) = text(&directory).filter(|name| is_prefix(name)) else { continue };
            if !directory.attributes.is_directory() {
                continue;
            }
            for entry in list(&format!("{}/{prefix}", self.root))? {
                let Some(name) = text(&entry).filter(|_| entry.attributes.is_file()) else { continue };
                let path = format!("{}/{prefix}/{name}", self.root);
                if !found(Found { path, name: name.to_owned(), attributes: entry.attributes })? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn text(entry: &Entry) -> Option<&str> {
    std::str::from_utf8(&entry.name).ok()
}

fn is_prefix(name: &str) -> bool {
    name.len() == 4 && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn modified(attributes: Attributes) -> Option<SystemTime> {
    let seconds = Duration::from_secs(attributes.modified?.into());
    Some(SystemTime::UNIX_EPOCH + seconds)
}

/// Whether a file was left by a writer that died, or belongs to one that lives.
fn is_temporary(name: &str) -> bool {
    let of_go = || {
        let rest =
            parse_file_name(name)?.extension.strip_prefix(StorageForm::Compressed.extension().as_str());
        let digits = rest.unwrap_or(parse_file_name(name)?.extension);
        Some(!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()))
    };
    name.as_bytes().starts_with(LEFTOVER_PREFIX) || of_go().unwrap_or(false)
}

impl Backend for SftpStore {
    fn location(&self) -> &str {
        &self.location
    }

    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError> {
        // The length is known only when the bytes are on their way: the longest possible is set aside.
        let mut reservation = self.budget.reserve(len_max, &self.location)?;
        let path = self.path_of(id, form);
        let read = self.request(Operation::Get, |session| session.read_file(&path, len_max));
        let bytes = match read.map_err(|error| error.on(id)) {
            Err(error) if error.kind == ErrorKind::Invalid => {
                return Err(StoreError::invalid(&self.location, id, error.cause));
            }
            read => read?.ok_or_else(|| StoreError::missing(Operation::Get, &self.location, id))?,
        };
        reservation.used(bytes.len() as u64);
        Ok(bytes.into())
    }

    fn exists(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        let path = self.path_of(id, form);
        let found =
            self.request(Operation::Has, |session| session.stat(&path)).map_err(|error| error.on(id))?;
        // An empty file is not a chunk.
        Ok(found.is_some_and(|found| found.is_file() && found.size != Some(0)))
    }

    fn write(&self, id: &ChunkId, form: StorageForm, stored: &[u8]) -> Result<(), StoreError> {
        let path = self.path_of(id, form);
        let directory = format!("{}/{}", self.root, &id.to_hex()[..4]);
        let written = self.request(Operation::Put, |session| {
            write(session, &directory, &path, &temporary(TEMPORARY_PREFIX), |session, handle, path| {
                session.write_all(handle, path, 0, stored)
            })
        });
        written.map_err(|error| error.on(id))
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn as_prunable(&self) -> Option<&dyn PrunableBackend> {
        Some(self)
    }
}

/// Writes a file under another name, then gives it its own. What fails leaves nothing behind, if it can.
pub(super) fn write(
    session: &mut Session,
    directory: &str,
    path: &str,
    name: &str,
    fill: impl FnOnce(&mut Session, &super::session::Handle, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let temporary = format!("{directory}/{name}");
    let handle = match session.create(&temporary)? {
        Some(handle) => handle,
        None => {
            session.make_directory(directory)?;
            let missing = || Failure::Refused(ErrorKind::Permanent, format!("{directory} cannot be made"));
            session.create(&temporary)?.ok_or_else(missing)?
        }
    };
    let written = fill(session, &handle, &temporary);
    let written = match written {
        Ok(()) => session.finish(&handle, &temporary).and_then(|()| session.rename(&temporary, path)),
        Err(failure @ Failure::Refused(..)) => session.close_unheard(&handle).and(Err(failure)),
        broken => broken,
    };
    if matches!(written, Err(Failure::Refused(..))) {
        session.remove(&temporary)?;
    }
    written
}

impl PrunableBackend for SftpStore {
    fn list(
        &self,
        form: StorageForm,
        found: &mut dyn FnMut(Listed) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.walk(&mut |file| {
            let Some(parsed) = parse_file_name(&file.name) else { return Ok(true) };
            // A stray in another directory is no chunk: no look-up would find it.
            let in_place = parsed.lower_case && file.path.ends_with(form.path_of(&parsed.id).as_str());
            if !in_place || parsed.form() != Some(form) {
                return Ok(true);
            }
            let stored_len = file.attributes.size.unwrap_or(0);
            found(Listed { id: parsed.id, stored_len, modified: modified(file.attributes) })
        })
    }

    fn remove(&self, id: &ChunkId, form: StorageForm) -> Result<(), StoreError> {
        let path = self.path_of(id, form);
        match self
            .request(Operation::Remove, |session| session.remove(&path))
            .map_err(|error| error.on(id))?
        {
            true => Ok(()),
            false => Err(StoreError::missing(Operation::Remove, &self.location, id)),
        }
    }

    fn remove_leftovers(&self, older_than: SystemTime) -> Result<u64, StoreError> {
        let mut leftovers = Vec::new();
        self.walk(&mut |file| {
            let is_old = modified(file.attributes).is_some_and(|modified| modified < older_than);
            if is_old && is_temporary(&file.name) {
                leftovers.push(file.path);
            }
            Ok(true)
        })?;
        let mut removed = 0;
        for path in leftovers {
            removed += u64::from(self.request(Operation::Remove, |session| session.remove(&path))?);
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use desync_core::DigestKind;

    use super::*;

    #[test]
    fn defect_51_leftovers_of_either_program_are_known() {
        let hex = DigestKind::Sha256.id_of(b"x").to_hex();
        for name in [".tmp-cacnk.123", ".tmp-cacnk7", &format!("{hex}.cacnk8242"), &format!("{hex}99")] {
            assert!(is_temporary(name), "{name}");
        }
        for name in
            [&*hex, &format!("{hex}.cacnk"), &format!("{hex}.cacnk.aes-256-gcm-01234567"), "x.caibx", "12"]
        {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
