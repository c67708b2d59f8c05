//! A store in memory that counts what is asked of it and fails when told to. For this crate's tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::{ChunkId, DigestKind, VerifiedChunk};

use crate::{Chunk, ChunkStore, ErrorKind, Operation, StoreError};

#[derive(Default)]
pub(crate) struct FakeStore {
    name: String,
    chunks: Mutex<HashMap<ChunkId, Chunk>>,
    failure: Mutex<Option<ErrorKind>>,
    next_gets: Mutex<Option<(ErrorKind, usize)>>,
    put_failure: Mutex<Option<ErrorKind>>,
    pub(crate) delay: Mutex<Duration>,
    pub(crate) panic_on_get: Mutex<bool>,
    gets: AtomicUsize,
    has: AtomicUsize,
    puts: AtomicUsize,
    touches: AtomicUsize,
    flushes: AtomicUsize,
}

/// The chunk with these bytes, wanted by name and length.
pub(crate) fn wanted(bytes: &[u8]) -> Wanted {
    let digest = DigestKind::Sha512_256;
    Wanted { id: digest.id_of(bytes), digest, len: WantedLen::Exactly(bytes.len() as u64) }
}

pub(crate) fn chunk(bytes: &[u8]) -> Chunk {
    Chunk::from_plain(VerifiedChunk::name(DigestKind::Sha512_256, bytes.into()))
}

/// Runs `work` on `count` threads that begin at the same moment.
pub(crate) fn at_once<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (start, work) = (Barrier::new(count), &work);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

impl FakeStore {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), ..Self::default() })
    }

    pub(crate) fn with(name: &str, chunks: &[&[u8]]) -> Arc<Self> {
        let store = Self::new(name);
        chunks.iter().for_each(|bytes| store.insert(bytes));
        store
    }

    pub(crate) fn insert(&self, bytes: &[u8]) {
        let chunk = chunk(bytes);
        self.chunks.lock().unwrap().insert(chunk.id(), chunk);
    }

    pub(crate) fn fail_with(&self, kind: ErrorKind) {
        *self.failure.lock().unwrap() = Some(kind);
    }

    pub(crate) fn heal(&self) {
        *self.failure.lock().unwrap() = None;
        *self.put_failure.lock().unwrap() = None;
    }

    pub(crate) fn fail_next_gets_with(&self, kind: ErrorKind, count: usize) {
        *self.next_gets.lock().unwrap() = Some((kind, count));
    }

    pub(crate) fn fail_puts_with(&self, kind: ErrorKind) {
        *self.put_failure.lock().unwrap() = Some(kind);
    }

    pub(crate) fn gets(&self) -> usize {
        self.gets.load(Ordering::SeqCst)
    }

    pub(crate) fn has_calls(&self) -> usize {
        self.has.load(Ordering::SeqCst)
    }

    pub(crate) fn puts(&self) -> usize {
        self.puts.load(Ordering::SeqCst)
    }

    pub(crate) fn touches(&self) -> usize {
        self.touches.load(Ordering::SeqCst)
    }

    pub(crate) fn flushes(&self) -> usize {
        self.flushes.load(Ordering::SeqCst)
    }

    fn check(&self, failure: &Mutex<Option<ErrorKind>>, operation: Operation) -> Result<(), StoreError> {
        match *failure.lock().unwrap() {
            Some(kind) => Err(StoreError::new(kind, operation, &self.name, "told to fail")),
            None => Ok(()),
        }
    }
}

impl ChunkStore for FakeStore {
    fn location(&self) -> String {
        self.name.clone()
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        let delay = *self.delay.lock().unwrap();
        std::thread::sleep(delay);
        let panics = *self.panic_on_get.lock().unwrap();
        assert!(!panics, "told to panic");
        self.check(&self.failure, Operation::Get)?;
        if let Some((kind, left)) = &mut *self.next_gets.lock().unwrap()
            && *left > 0
        {
            *left -= 1;
            return Err(StoreError::new(*kind, Operation::Get, &self.name, "told to fail"));
        }
        let found = self.chunks.lock().unwrap().get(&wanted.id).cloned();
        found.ok_or_else(|| StoreError::missing(Operation::Get, &self.name, &wanted.id))
    }

    fn get_at_once(&self, wanted: &Wanted) -> Option<Chunk> {
        self.check(&self.failure, Operation::Get).ok()?;
        self.chunks.lock().unwrap().get(&wanted.id).cloned()
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.has.fetch_add(1, Ordering::SeqCst);
        let delay = *self.delay.lock().unwrap();
        std::thread::sleep(delay);
        self.check(&self.failure, Operation::Has)?;
        Ok(self.chunks.lock().unwrap().contains_key(id))
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        self.check(&self.put_failure, Operation::Put)?;
        self.chunks.lock().unwrap().insert(chunk.id(), chunk.clone());
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        self.check(&self.put_failure, Operation::Flush)
    }

    fn touch(&self, _id: &ChunkId) {
        self.touches.fetch_add(1, Ordering::SeqCst);
    }
}
