//! Verified plain bytes from a store, whatever the store was told to skip: one by one, or many side by side.
//!
//! Invariant: a chunk that is wrong among many is asked for once more by itself, so that stores do about damage
//! what they do anyway (test: `one_that_is_damaged_is_asked_for_again`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use desync_core::VerifiedChunk;
use desync_core::chunk_source::{ChunkSource, Wanted};
use desync_core::digest::HashKernel;
use desync_store::{ChunkStore, Opener, PlainBytes, StoreError};

/// Plain bytes that are gathered before they are verified, unless a single chunk is longer.
pub(crate) const GATHERED_LEN_MAX: u64 = 4 << 20;

/// How long chunks are gathered. Where that takes longer, the store is what everybody waits for, and what has
/// come is of more use in its place.
pub(crate) const GATHERING_TIME_MAX: Duration = Duration::from_millis(50);

/// A verified chunk whose bytes threads can share.
pub(crate) type Fetched = VerifiedChunk<PlainBytes>;

/// A store from which only verified chunks come. One for each worker.
pub(crate) struct Fetcher<'a> {
    store: &'a dyn ChunkStore,
    location: String,
    opener: Arc<Opener>,
    hash: HashKernel,
    /// Chunks that will be asked for, in this order.
    coming: VecDeque<Wanted>,
    /// The first of those, fetched ahead.
    ready: VecDeque<(Wanted, Result<Fetched, StoreError>)>,
}

impl<'a> Fetcher<'a> {
    pub(crate) fn new(store: &'a dyn ChunkStore, hash: HashKernel) -> Self {
        Self::with_opener(store, hash, Arc::default())
    }

    /// One that uses decoders which others use, too.
    pub(crate) fn with_opener(store: &'a dyn ChunkStore, hash: HashKernel, opener: Arc<Opener>) -> Self {
        let (coming, ready) = (VecDeque::new(), VecDeque::new());
        Self { store, location: store.location(), opener, hash, coming, ready }
    }

    /// Tells which chunks will be asked for next, so that they can be fetched and verified together.
    pub(crate) fn announce(&mut self, wanted: impl Iterator<Item = Wanted>) {
        self.ready.clear();
        self.coming.clear();
        self.coming.extend(wanted);
    }

    /// Whether the next of the chunks announced is here already.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Fetches the next of the chunks announced, as many as can be had soon.
    fn fetch_ahead(&mut self) {
        let start = Instant::now();
        // One index names all its chunks by one digest.
        let Some(digest) = self.coming.front().map(|wanted| wanted.digest) else { return };
        let mut opening = self.opener.together(self.hash, digest, &self.location);
        let (mut added, mut failed, mut len) = (Vec::new(), None, 0);
        while let Some(wanted) = self.coming.pop_front() {
            match self.store.get_unverified(&wanted) {
                Ok(chunk) => opening.add(&chunk, &wanted),
                Err(error) => {
                    // What is asked for after it may never be needed.
                    failed = Some((wanted, Err(error)));
                    break;
                }
            }
            added.push(wanted);
            len += wanted.len.max();
            let enough = added.len() >= self.hash.batch_len() || len >= GATHERED_LEN_MAX;
            if enough || start.elapsed() >= GATHERING_TIME_MAX {
                break;
            }
        }
        let pairs = added.into_iter().zip(opening.finish());
        let verified = pairs.map(|(wanted, chunk)| (wanted, chunk.or_else(|_| self.fetch_alone(&wanted))));
        let verified: Vec<_> = verified.collect();
        self.ready.extend(verified);
        self.ready.extend(failed);
    }

    /// A chunk, decoded and hashed here if the store has not done so.
    fn fetch_alone(&self, wanted: &Wanted) -> Result<Fetched, StoreError> {
        let chunk = [(self.store.get(wanted)?, *wanted)];
        let opened = self.opener.open_many(self.hash, wanted.digest, &chunk, &self.location);
        opened.into_iter().next().expect("one chunk gives one result")
    }
}

impl ChunkSource for Fetcher<'_> {
    type Error = StoreError;
    type Bytes = PlainBytes;

    /// The chunks announced come fastest in the order announced; others may be asked for in between.
    fn fetch(&mut self, wanted: &Wanted) -> Result<Fetched, StoreError> {
        if self.ready.is_empty() && self.coming.front() == Some(wanted) {
            self.fetch_ahead();
        }
        match self.ready.pop_front_if(|(ready, _)| ready == wanted) {
            Some((_, answer)) => answer,
            None => self.fetch_alone(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use desync_core::ChunkId;
    use desync_store::{Chunk, ErrorKind, Operation};

    use super::*;
    use crate::testing::{EIGHT, directory_store, fill, index_of, wanted_of};

    /// A store whose unverified answers are wrong for one chunk, and that notes what it is asked.
    struct Damaged<'a> {
        inner: &'a dyn ChunkStore,
        damaged: Wanted,
        heals: bool,
        asked: Mutex<Vec<(&'static str, ChunkId)>>,
    }

    impl ChunkStore for Damaged<'_> {
        fn location(&self) -> String {
            self.inner.location()
        }
        fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
            self.asked.lock().unwrap().push(("get", wanted.id));
            if self.heals {
                return self.inner.get(wanted);
            }
            Err(StoreError::new(ErrorKind::Invalid, Operation::Get, "store", "damaged for good"))
        }
        fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
            self.asked.lock().unwrap().push(("unverified", wanted.id));
            let chunk = self.inner.get_unverified(wanted)?;
            let form = desync_core::format::StorageForm::Compressed;
            let other = Chunk::from_stored(wanted.id, form, b"anything"[..].into());
            Ok(if *wanted == self.damaged { other } else { chunk })
        }
        fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
            self.inner.has(id)
        }
        fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
            self.inner.put(chunk)
        }
        fn flush(&self) -> Result<(), StoreError> {
            self.inner.flush()
        }
    }

    fn with_damage(heals: bool, body: impl FnOnce(&[Wanted], &Damaged<'_>, &[u8])) {
        let blob: Vec<u8> = (0..320_u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        let room = tempfile::tempdir().unwrap();
        let (store, _) = directory_store(room.path());
        fill(&store, &blob, &index);
        let wanted = wanted_of(&index);
        let store = Damaged { inner: &store, damaged: wanted[11], heals, asked: Mutex::default() };
        body(&wanted, &store, &blob);
    }

    #[test]
    fn one_that_is_damaged_is_asked_for_again() {
        with_damage(true, |wanted, store, blob| {
            let mut fetcher = Fetcher::new(store, EIGHT);
            fetcher.announce(wanted.iter().copied());
            let fetched: Vec<u8> =
                wanted.iter().flat_map(|wanted| fetcher.fetch(wanted).unwrap().bytes().to_vec()).collect();
            assert!(fetched == blob);
            let asked = store.asked.lock().unwrap();
            let alone: Vec<_> = asked.iter().filter(|(how, _)| *how == "get").collect();
            assert_eq!(alone, [&("get", wanted[11].id)]);
            assert_eq!(asked.len(), wanted.len() + 1);
        });
    }

    #[test]
    fn damage_for_good_is_told_of_that_chunk_alone() {
        with_damage(false, |wanted, store, blob| {
            let mut fetcher = Fetcher::new(store, EIGHT);
            fetcher.announce(wanted.iter().copied());
            for (wanted, bytes) in wanted.iter().zip(blob.chunks(64)) {
                match fetcher.fetch(wanted) {
                    Ok(chunk) => assert!(chunk.bytes() == bytes && *wanted != store.damaged),
                    Err(error) => {
                        assert!(error.to_string().contains("damaged for good"));
                        assert_eq!(*wanted, store.damaged);
                    }
                }
            }
        });
    }

    #[test]
    fn chunks_that_were_not_announced_come_too() {
        with_damage(true, |wanted, store, blob| {
            let mut fetcher = Fetcher::new(store, EIGHT);
            fetcher.announce(wanted[..10].iter().copied());
            assert!(fetcher.fetch(&wanted[15]).unwrap().bytes() == &blob[15 * 64..16 * 64]);
            assert!(fetcher.fetch(&wanted[0]).unwrap().bytes() == &blob[..64]);
            assert!(fetcher.fetch(&wanted[15]).unwrap().bytes() == &blob[15 * 64..16 * 64]);
            assert!(fetcher.fetch(&wanted[1]).unwrap().bytes() == &blob[64..128]);
        });
    }
}
