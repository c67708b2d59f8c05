//! The two seams: what an edge of the world implements, and what everybody else uses.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use desync_core::chunk_source::Wanted;
use desync_core::format::StorageForm;
use desync_core::{ChunkId, VerifiedChunk};

use crate::{Chunk, ErrorKind, StoreError};

/// For so long a note that somebody relies on a chunk need not be renewed, where it is the time of a file: builds that
/// follow each other would write the inode of every chunk each time.
pub const USE_IS_NOTED_FOR: Duration = Duration::from_secs(600);

/// An edge of the world that keeps stored chunk bytes by name. Knows nothing of compression, digests,
/// retries or other stores. Called from many threads.
pub trait Backend: Send + Sync {
    /// The location as the user gave it, secrets left out; for messages.
    fn location(&self) -> &str;

    /// The stored bytes of a chunk, at most `len_max` of them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Missing`] if it is not there, `Invalid` if longer than `len_max`.
    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError>;

    /// As [`Backend::read`], if the bytes can be had without waiting, be it for a disk, a network or another thread.
    /// `None` says nothing about the chunk.
    fn read_at_once(&self, _id: &ChunkId, _form: StorageForm, _len_max: u64) -> Option<Bytes> {
        None
    }

    /// Whether the chunk is there. An empty file is not a chunk. Any failure to find out is an error.
    fn exists(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError>;

    /// Whether the chunk is there; if it is, notes that somebody relies on it from now on, unless that was noted less
    /// than [`Backend::use_is_noted_for`] ago. Stores that are pruned by age keep it for a while then.
    fn rely_on(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        self.exists(id, form)
    }

    /// How long a note that somebody relies on a chunk stands before it is renewed. Whoever prunes by age keeps chunks
    /// this much longer.
    fn use_is_noted_for(&self) -> Duration {
        USE_IS_NOTED_FOR
    }

    /// Keeps stored bytes under the chunk's name. They may become visible and durable only at
    /// [`Backend::flush`]; never visible before durable.
    fn write(&self, id: &ChunkId, form: StorageForm, stored: &[u8]) -> Result<(), StoreError>;

    /// Returns once everything written before is visible and durable. There is nothing to do where that is so once
    /// [`Backend::write`] returns, as it is where a server has acknowledged the bytes.
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Notes that a chunk was used, for stores that age by use. Failures do not matter.
    fn touch(&self, _id: &ChunkId, _form: StorageForm) {}

    /// Whether chunks can be written.
    fn is_writable(&self) -> bool {
        true
    }

    /// Whether stored bytes cross a network, which may damage or cut them without telling: a read that gave
    /// what is no chunk is then worth a second one.
    fn is_remote(&self) -> bool {
        false
    }

    /// The wider interface of stores that can list and remove, if this is one.
    fn as_prunable(&self) -> Option<&dyn PrunableBackend> {
        None
    }
}

/// A chunk found by listing a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: ChunkId,
    /// Length of the stored bytes.
    pub stored_len: u64,
    /// When it was stored or last used, where the store knows.
    pub modified: Option<SystemTime>,
}

/// A backend whose chunks can be listed and removed.
pub trait PrunableBackend: Backend {
    /// Calls `found` for each chunk of this form, in no order, until it answers `false`. Foreign names are
    /// passed over.
    fn list(
        &self,
        form: StorageForm,
        found: &mut dyn FnMut(Listed) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError>;

    /// As [`PrunableBackend::list`], for who wants the names only: where that is cheaper.
    fn list_ids(
        &self,
        form: StorageForm,
        found: &mut dyn FnMut(ChunkId) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.list(form, &mut |listed| found(listed.id))
    }

    /// When a chunk was stored or relied upon last, for stores whose listings do not tell; `None` if nobody knows.
    fn last_used(&self, _id: &ChunkId, _form: StorageForm) -> Result<Option<SystemTime>, StoreError> {
        Ok(None)
    }

    /// Removes a chunk; `Missing` if it is not there, where the store can tell.
    fn remove(&self, id: &ChunkId, form: StorageForm) -> Result<(), StoreError>;

    /// Removes a chunk unless it was stored or relied upon after `since`; says whether it was removed. Stores
    /// that do not know remove it. `Missing` if it is not there.
    fn remove_unless_used(
        &self,
        id: &ChunkId,
        form: StorageForm,
        _since: SystemTime,
    ) -> Result<bool, StoreError> {
        self.remove(id, form).map(|()| true)
    }

    /// Removes chunks, at most [`PrunableBackend::removes_at_once`], but for those that were stored or relied
    /// upon after `since`; says how many are gone, those that were not there among them.
    fn remove_many(&self, ids: &[ChunkId], form: StorageForm, since: SystemTime) -> Result<u64, StoreError> {
        ids.iter().try_fold(0, |gone, id| match self.remove_unless_used(id, form, since) {
            Ok(removed) => Ok(gone + u64::from(removed)),
            Err(error) if error.kind == ErrorKind::Missing => Ok(gone + 1),
            Err(error) => Err(error),
        })
    }

    /// How many chunks are removed as fast as one.
    fn removes_at_once(&self) -> usize {
        1
    }

    /// Removes what writers that died left behind and that is older than `older_than`; returns how many.
    fn remove_leftovers(&self, older_than: SystemTime) -> Result<u64, StoreError>;
}

/// A store of chunks as everybody but its backend sees it. Called from many threads.
pub trait ChunkStore: Send + Sync {
    /// The location as the user gave it, secrets left out; members of a composition joined.
    fn location(&self) -> String;

    /// A chunk. Its plain bytes are there and verified, unless the store was told to skip that.
    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError>;

    /// A chunk to be verified by the caller, who does that for many side by side: perhaps only its stored
    /// bytes, which may be anything. Whoever finds them bad asks [`ChunkStore::get`], which knows what is to be
    /// done about damage.
    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.get(wanted)
    }

    /// What [`ChunkStore::get`] gives, if it can be had without waiting and without work worth a thread: a server
    /// need not hand such a request over. `None` says nothing about the chunk.
    fn get_at_once(&self, _wanted: &Wanted) -> Option<Chunk> {
        None
    }

    /// Whether the chunk is there. Any failure to find out is an error.
    fn has(&self, id: &ChunkId) -> Result<bool, StoreError>;

    /// Whether the chunk is there; see [`Backend::rely_on`] for what it notes.
    fn rely_on(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.has(id)
    }

    /// Keeps a chunk; see [`Backend::write`] for when it becomes visible.
    fn put(&self, chunk: &Chunk) -> Result<(), StoreError>;

    /// Keeps a chunk of which the caller has the plain bytes, without copying them where the store can.
    fn put_plain(&self, chunk: VerifiedChunk<&[u8]>) -> Result<(), StoreError> {
        self.put(&Chunk::from_plain(chunk.copied()))
    }

    /// Keeps a chunk, and returns once it is visible and durable.
    fn put_durably(&self, chunk: &Chunk) -> Result<(), StoreError> {
        self.put(chunk)?;
        self.flush()
    }

    /// Returns once everything put before is visible and durable.
    fn flush(&self) -> Result<(), StoreError>;

    /// Notes that a chunk was used; see [`Backend::touch`].
    fn touch(&self, _id: &ChunkId) {}
}

/// Whatever leads to a store is one: references and shared pointers.
impl<P: Deref<Target: ChunkStore> + Send + Sync> ChunkStore for P {
    fn location(&self) -> String {
        (**self).location()
    }
    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        (**self).get(wanted)
    }
    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        (**self).get_unverified(wanted)
    }
    fn get_at_once(&self, wanted: &Wanted) -> Option<Chunk> {
        (**self).get_at_once(wanted)
    }
    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        (**self).has(id)
    }
    fn rely_on(&self, id: &ChunkId) -> Result<bool, StoreError> {
        (**self).rely_on(id)
    }
    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        (**self).put(chunk)
    }
    fn put_plain(&self, chunk: VerifiedChunk<&[u8]>) -> Result<(), StoreError> {
        (**self).put_plain(chunk)
    }
    fn put_durably(&self, chunk: &Chunk) -> Result<(), StoreError> {
        (**self).put_durably(chunk)
    }
    fn flush(&self) -> Result<(), StoreError> {
        (**self).flush()
    }
    fn touch(&self, id: &ChunkId) {
        (**self).touch(id);
    }
}

impl<B: Backend + ?Sized> Backend for Arc<B> {
    fn location(&self) -> &str {
        (**self).location()
    }
    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError> {
        (**self).read(id, form, len_max)
    }
    fn read_at_once(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Option<Bytes> {
        (**self).read_at_once(id, form, len_max)
    }
    fn exists(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        (**self).exists(id, form)
    }
    fn rely_on(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        (**self).rely_on(id, form)
    }
    fn use_is_noted_for(&self) -> Duration {
        (**self).use_is_noted_for()
    }
    fn write(&self, id: &ChunkId, form: StorageForm, stored: &[u8]) -> Result<(), StoreError> {
        (**self).write(id, form, stored)
    }
    fn flush(&self) -> Result<(), StoreError> {
        (**self).flush()
    }
    fn touch(&self, id: &ChunkId, form: StorageForm) {
        (**self).touch(id, form);
    }
    fn is_writable(&self) -> bool {
        (**self).is_writable()
    }
    fn is_remote(&self) -> bool {
        (**self).is_remote()
    }
    fn as_prunable(&self) -> Option<&dyn PrunableBackend> {
        (**self).as_prunable()
    }
}
