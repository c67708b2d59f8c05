//! Chunks and indexes as objects below a prefix: `<prefix><4 hex>/<64 hex><extension>` and `<prefix><name>`.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_core::format::chunk_name::parse_file_name;
use desync_http::{Body, StatusCode};
use desync_store::{
    Backend, Bytes, ErrorKind, IndexBackend, IndexBody, Listed, Operation, PrunableBackend, StoreError,
    UseNotes,
};

use crate::{LookUp, Object, Objects, Page};

#[cfg(test)]
mod tests;

/// What Go desync says chunks are, whatever form they have.
const CHUNK_TYPE: &str = "application/zstd";
const INDEX_TYPE: &str = "application/octet-stream";

/// Chunks in object storage.
pub struct ObjectStore<O> {
    objects: O,
    prefix: String,
    /// Done once it was told that look-ups are denied.
    denied: Once,
    notes: UseNotes,
}

/// Indexes in object storage.
pub struct ObjectIndexes<O> {
    objects: O,
    prefix: String,
}

impl<O: Objects> ObjectStore<O> {
    /// Chunks whose keys begin with `prefix`, which is empty or ends with `/`.
    #[must_use]
    pub const fn new(objects: O, prefix: String) -> Self {
        Self { objects, prefix, denied: Once::new(), notes: UseNotes::new() }
    }

    fn key(&self, id: &ChunkId, form: StorageForm) -> String {
        format!("{}{}", self.prefix, form.path_of(id))
    }

    /// Those of the objects that somebody has begun to rely on after `since`, as far as the server knows now.
    fn used(&self, keys: &[String], since: SystemTime) -> Result<HashSet<String>, StoreError> {
        let mut used = HashSet::new();
        let (Some(first), Some(last)) = (keys.iter().min(), keys.iter().max()) else { return Ok(used) };
        // Without its last character, the first comes after it.
        let mut page = self.objects.list(&self.prefix, Page::After(&first[..first.len() - 1]))?;
        loop {
            // A page may be empty and not the last.
            let is_last = page.objects.last().is_some_and(|object| object.key >= *last);
            used.extend(
                page.objects
                    .into_iter()
                    .filter(|found| is_used(found.modified, since))
                    .map(|found| found.key),
            );
            match page.next.filter(|_| !is_last) {
                Some(next) => page = self.objects.list(&self.prefix, Page::Next(&next))?,
                None => return Ok(used),
            }
        }
    }

    /// The chunk that an object is, if it is one of this form in its place.
    fn listed(&self, object: &Object, form: StorageForm) -> Option<Listed> {
        let path = object.key.strip_prefix(&self.prefix)?;
        let parsed = parse_file_name(path.rsplit('/').next()?)?;
        let in_place = parsed.form() == Some(form) && form.path_of(&parsed.id).as_str() == path;
        in_place.then_some(Listed { id: parsed.id, stored_len: object.len, modified: object.modified })
    }
}

impl<O: Objects> Backend for ObjectStore<O> {
    fn location(&self) -> &str {
        self.objects.location()
    }

    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError> {
        let answer = self.objects.get(&self.key(id, form), 0, len_max).map_err(|error| error.on(id))?;
        let answer = answer.ok_or_else(|| StoreError::missing(Operation::Get, self.location(), id))?;
        answer.bytes().map(Bytes::from).map_err(|error| match error.kind {
            ErrorKind::Invalid => StoreError::invalid(self.location(), id, error.cause),
            _ => error.on(id),
        })
    }

    fn exists(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        // An empty object is no chunk.
        let found = self.objects.look_up(&self.key(id, form)).and_then(LookUp::is_there);
        found.map_err(|error| error.on(id))
    }

    fn rely_on(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        let key = self.key(id, form);
        match self.objects.look_up(&key).map_err(|error| error.on(id))? {
            // Whoever may write and not look stores again what is there: the same bytes.
            LookUp::Denied(error) => {
                self.denied.call_once(|| log::warn!("{error}: chunks are stored without looking for them"));
                Ok(false)
            }
            LookUp::There(found) if found.len > 0 => {
                let renew = || self.objects.renew(&key, CHUNK_TYPE, &found);
                self.notes.keep(found.modified, renew).map_err(|error| error.on(id))
            }
            LookUp::There(_) | LookUp::Missing => Ok(false),
        }
    }

    fn use_is_noted_for(&self) -> Duration {
        UseNotes::STAND_FOR
    }

    fn write(&self, id: &ChunkId, form: StorageForm, stored: &[u8]) -> Result<(), StoreError> {
        let put = self.objects.put(&self.key(id, form), CHUNK_TYPE, Body::Bytes(stored));
        put.map_err(|error| error.on(id))
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn as_prunable(&self) -> Option<&dyn PrunableBackend> {
        Some(self)
    }
}

impl<O: Objects> PrunableBackend for ObjectStore<O> {
    fn list(
        &self,
        form: StorageForm,
        found: &mut dyn FnMut(Listed) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut token = None;
        loop {
            let page = self.objects.list(&self.prefix, token.as_deref().map_or(Page::First, Page::Next))?;
            for listed in page.objects.iter().filter_map(|object| self.listed(object, form)) {
                if !found(listed)? {
                    return Ok(());
                }
            }
            match page.next {
                Some(next) => token = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn remove(&self, id: &ChunkId, form: StorageForm) -> Result<(), StoreError> {
        self.objects.remove(&[self.key(id, form)]).map_err(|error| error.on(id))
    }

    fn remove_many(&self, ids: &[ChunkId], form: StorageForm, since: SystemTime) -> Result<u64, StoreError> {
        // Looked at once more: it is long since they were listed.
        let mut keys: Vec<_> = ids.iter().map(|id| self.key(id, form)).collect();
        if let [key] = &keys[..] {
            match self.objects.look_up(key)? {
                LookUp::There(found) if is_used(found.modified, since) => return Ok(0),
                LookUp::There(found) => return self.objects.remove_found(key, &found).map(u64::from),
                LookUp::Missing => return Ok(0),
                // Whoever may list and remove need not be allowed to read.
                LookUp::Denied(_) => {}
            }
        }
        let used = self.used(&keys, since)?;
        keys.retain(|key| !used.contains(key));
        keys.chunks(self.objects.removes_at_once()).try_for_each(|keys| self.objects.remove(keys))?;
        Ok(keys.len() as u64)
    }

    fn removes_at_once(&self) -> usize {
        self.objects.removes_at_once()
    }

    fn remove_leftovers(&self, _older_than: SystemTime) -> Result<u64, StoreError> {
        // An upload that broke off leaves nothing.
        Ok(0)
    }
}

fn is_used(modified: Option<SystemTime>, since: SystemTime) -> bool {
    modified.is_some_and(|modified| modified > since)
}

impl<O: Objects> ObjectIndexes<O> {
    /// Indexes whose keys begin with `prefix`, which is empty or ends with `/`.
    #[must_use]
    pub const fn new(objects: O, prefix: String) -> Self {
        Self { objects, prefix }
    }
}

impl<O: Objects> IndexBackend for ObjectIndexes<O> {
    fn location(&self) -> &str {
        self.objects.location()
    }

    fn read(&self, name: &str, offset: u64) -> Result<IndexBody, StoreError> {
        let Some(answer) = self.objects.get(&format!("{}{name}", self.prefix), offset, 0)? else {
            let cause = format!("object {name} missing from store");
            return Err(self.objects.error(ErrorKind::Missing, Operation::Get, cause));
        };
        let version = answer.header("etag").map(str::to_owned);
        let offset = if answer.status() == StatusCode::PARTIAL_CONTENT { offset } else { 0 };
        Ok(IndexBody { bytes: Box::new(answer.into_reader()?), offset, version })
    }

    fn write(&self, name: &str, bytes: &mut dyn Read, len: u64) -> Result<(), StoreError> {
        self.objects.put(&format!("{}{name}", self.prefix), INDEX_TYPE, Body::Reader(bytes, len))
    }
}
