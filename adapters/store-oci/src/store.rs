//! Chunks as artifacts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_core::format::chunk_name::parse_file_name;
use desync_http::ClientOptions;
use desync_store::{Backend, Bytes, ErrorKind, Listed, Operation, PrunableBackend, StoreError, UseNotes};

use crate::manifest::{EMPTY_BLOB, digest_of};
use crate::registry::Registry;
use crate::{Credentials, InvalidManifest, Manifest, OciLocation};

/// Chunks in a repository of a registry.
pub struct OciStore {
    registry: Registry,
    /// Whether the blob is there that stands for a config.
    has_config: AtomicBool,
    notes: UseNotes,
}

impl OciStore {
    /// The store at `place`, called `location` in messages. Nothing is asked of the registry yet.
    ///
    /// # Errors
    /// Options that cannot be met; see [`desync_http::Client::new`].
    pub fn open(
        place: OciLocation,
        location: &str,
        credentials: Credentials,
        options: &ClientOptions,
    ) -> Result<Self, StoreError> {
        let registry = Registry::open(place, location, credentials, options)?;
        Ok(Self { registry, has_config: AtomicBool::new(false), notes: UseNotes::new() })
    }

    /// The manifest of a chunk with its digest; `None` if there is none, or that of something else.
    fn manifest(
        &self,
        operation: Operation,
        id: &ChunkId,
        form: StorageForm,
    ) -> Result<Option<(Manifest, String)>, StoreError> {
        let found = self.registry.manifest(operation, &tag(id, form)).map_err(|error| error.on(id))?;
        let Some((bytes, digest)) = found else { return Ok(None) };
        match Manifest::parse(&bytes) {
            Ok(manifest) => Ok(Some((manifest, digest))),
            Err(InvalidManifest::Foreign) => Ok(None),
            Err(error) => Err(StoreError::invalid(self.location(), id, error)),
        }
    }

    /// Removes a chunk if its manifest is such; says whether it did.
    fn remove_if(
        &self,
        id: &ChunkId,
        form: StorageForm,
        is_such: impl FnOnce(&Manifest) -> bool,
    ) -> Result<bool, StoreError> {
        let manifest = self.manifest(Operation::Remove, id, form)?;
        let (manifest, digest) = manifest.ok_or_else(|| self.missing(Operation::Remove, id))?;
        if !is_such(&manifest) {
            return Ok(false);
        }
        match self.registry.remove(&digest).map_err(|error| error.on(id))? {
            true => Ok(true),
            false => Err(self.missing(Operation::Remove, id)),
        }
    }

    fn missing(&self, operation: Operation, id: &ChunkId) -> StoreError {
        StoreError::missing(operation, self.location(), id)
    }

    fn ensure_config(&self) -> Result<(), StoreError> {
        if self.has_config.load(Ordering::Relaxed) {
            return Ok(());
        }
        if !self.registry.has_blob(&digest_of(EMPTY_BLOB))? {
            self.registry.put_blob(EMPTY_BLOB)?;
        }
        self.has_config.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The tag of a chunk: its name.
fn tag(id: &ChunkId, form: StorageForm) -> String {
    format!("{}{}", id.to_hex(), form.extension())
}

impl Backend for OciStore {
    fn location(&self) -> &str {
        self.registry.location()
    }

    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError> {
        let manifest = self.manifest(Operation::Get, id, form)?;
        let (manifest, _) = manifest.ok_or_else(|| self.missing(Operation::Get, id))?;
        let invalid = |cause: &dyn std::fmt::Display| StoreError::invalid(self.location(), id, cause);
        let (digest, size) = manifest.blob().map_err(|error| invalid(&error))?;
        if size > len_max {
            return Err(invalid(&format_args!("its blob has {size} bytes, {len_max} at most are possible")));
        }
        let stored = self.registry.blob(digest, size).map_err(|error| match error.kind {
            ErrorKind::Invalid => invalid(&error.cause),
            _ => error.on(id),
        })?;
        let stored = stored.ok_or_else(|| self.missing(Operation::Get, id))?;
        if stored.len() as u64 == size { Ok(stored.into()) } else { Err(invalid(&"its blob is too short")) }
    }

    fn exists(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        Ok(self.manifest(Operation::Has, id, form)?.is_some())
    }

    fn rely_on(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        let Some((manifest, _)) = self.manifest(Operation::Has, id, form)? else { return Ok(false) };
        let noted = manifest.used();
        let renew = || {
            // The tag moves to a manifest of another digest: a prune that saw the old one removes that.
            self.registry.put_manifest(&tag(id, form), &manifest.used_now().bytes()).map(|()| true)
        };
        self.notes.keep(noted, renew).map_err(|error| error.on(id))
    }

    fn use_is_noted_for(&self) -> Duration {
        UseNotes::STAND_FOR
    }

    fn write(&self, id: &ChunkId, form: StorageForm, stored: &[u8]) -> Result<(), StoreError> {
        let tag = tag(id, form);
        let write = || {
            self.ensure_config()?;
            self.registry.put_blob(stored)?;
            self.registry.put_manifest(&tag, &Manifest::new(&tag, stored).bytes())
        };
        write().map_err(|error: StoreError| error.on(id))
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn as_prunable(&self) -> Option<&dyn PrunableBackend> {
        Some(self)
    }
}

impl PrunableBackend for OciStore {
    fn list(
        &self,
        form: StorageForm,
        found: &mut dyn FnMut(Listed) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        // All pages before the first is acted upon: a list that changes may leave out what follows.
        let (mut ids, mut page) = (Vec::new(), None);
        loop {
            let tags = self.registry.tags(page.as_deref())?;
            ids.extend(tags.tags.iter().filter_map(|tag| {
                let parsed = parse_file_name(tag).filter(|parsed| parsed.lower_case)?;
                (parsed.form() == Some(form)).then_some(parsed.id)
            }));
            match tags.next {
                Some(next) if page.as_ref() != Some(&next) => page = Some(next),
                _ => break,
            }
        }
        for id in ids {
            if !found(Listed { id, stored_len: 0, modified: None })? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn last_used(&self, id: &ChunkId, form: StorageForm) -> Result<Option<SystemTime>, StoreError> {
        Ok(self.manifest(Operation::List, id, form)?.and_then(|(manifest, _)| manifest.used()))
    }

    fn remove(&self, id: &ChunkId, form: StorageForm) -> Result<(), StoreError> {
        self.remove_if(id, form, |_| true).map(|_| ())
    }

    fn remove_unless_used(
        &self,
        id: &ChunkId,
        form: StorageForm,
        since: SystemTime,
    ) -> Result<bool, StoreError> {
        self.remove_if(id, form, |manifest| manifest.used().is_none_or(|used| used <= since))
    }

    fn remove_leftovers(&self, _older_than: SystemTime) -> Result<u64, StoreError> {
        // Blobs that nothing names are the registry's to collect.
        Ok(0)
    }
}
