//! Concurrent requests for one chunk share one call and its answer, be it a result or an error.
//!
//! Nothing is remembered once the call is over.
//!
//! Invariants
//! - A call that panics fails those who wait for it; it does not leave them waiting (test:
//!   `a_panic_frees_those_who_wait`).

use core::hash::Hash;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use desync_core::ChunkId;
use desync_core::chunk_source::{Wanted, WantedLen};

use crate::{Chunk, ChunkStore, ErrorKind, Operation, StoreError};

/// A store whose concurrent requests for one chunk are made once.
pub struct Dedup<S> {
    store: S,
    gets: Flights<(ChunkId, WantedLenKey), Chunk>,
    unverified: Flights<(ChunkId, WantedLenKey), Chunk>,
    lookups: Flights<ChunkId, bool>,
}

/// A wanted length that can be part of a key: exact or not, and the number.
type WantedLenKey = (bool, u64);

impl<S: ChunkStore> Dedup<S> {
    /// Shares concurrent requests to `store`.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store, gets: Flights::default(), unverified: Flights::default(), lookups: Flights::default() }
    }
}

impl<S: ChunkStore> ChunkStore for Dedup<S> {
    fn location(&self) -> String {
        self.store.location()
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.gets.share(key(wanted), || self.store.get(wanted))
    }

    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.unverified.share(key(wanted), || self.store.get_unverified(wanted))
    }

    fn get_at_once(&self, wanted: &Wanted) -> Option<Chunk> {
        self.store.get_at_once(wanted)
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.lookups.share(*id, || self.store.has(id))
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        self.store.put(chunk)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.store.flush()
    }

    fn touch(&self, id: &ChunkId) {
        self.store.touch(id);
    }
}

/// Whoever expects another length may get another answer.
const fn key(wanted: &Wanted) -> (ChunkId, WantedLenKey) {
    (wanted.id, (matches!(wanted.len, WantedLen::Exactly(_)), wanted.len.max()))
}

/// Calls under way, by what they ask for.
struct Flights<K, T>(Mutex<HashMap<K, Arc<Flight<T>>>>);

/// One call under way.
struct Flight<T> {
    answer: Mutex<Option<Result<T, StoreError>>>,
    answered: Condvar,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self { answer: Mutex::new(None), answered: Condvar::new() }
    }
}

impl<K: Eq + Hash + Copy, T: Clone> Flights<K, T> {
    /// The answer of `call`, or of a call for the same that is under way.
    fn share(&self, key: K, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let flight = match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key) {
            Entry::Occupied(under_way) => Err(Arc::clone(under_way.get())),
            Entry::Vacant(free) => Ok(Arc::clone(free.insert(Arc::default()))),
        };
        match flight {
            Err(under_way) => under_way.wait(),
            Ok(own) => {
                let landing = Landing { flights: self, key, flight: own };
                landing.with(call())
            }
        }
    }
}

impl<T: Clone> Flight<T> {
    fn wait(&self) -> Result<T, StoreError> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*answer {
                Some(answer) => return answer.clone(),
                None => answer = self.answered.wait(answer).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Ends a flight, also when the call panics.
struct Landing<'f, K: Eq + Hash + Copy, T: Clone> {
    flights: &'f Flights<K, T>,
    key: K,
    flight: Arc<Flight<T>>,
}

impl<K: Eq + Hash + Copy, T: Clone> Landing<'_, K, T> {
    fn with(self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        *self.flight.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
        answer
    }
}

impl<K: Eq + Hash + Copy, T: Clone> Drop for Landing<'_, K, T> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.flight.answer.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| {
            Err(StoreError::new(ErrorKind::Permanent, Operation::Get, "store", "the request was abandoned"))
        });
        // Nobody finds the flight any more. Waking nobody would cost a call of the system.
        if Arc::strong_count(&self.flight) > 1 {
            self.flight.answered.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fake::{FakeStore, at_once, wanted};

    fn slow() -> (Dedup<Arc<FakeStore>>, Arc<FakeStore>) {
        let store = FakeStore::with("slow", &[b"x", b"y"]);
        *store.delay.lock().unwrap() = Duration::from_millis(150);
        (Dedup::new(Arc::clone(&store)), store)
    }

    #[test]
    fn defect_68_concurrent_requests_share_one_call() {
        let (dedup, store) = slow();
        for answer in at_once(8, |_| dedup.get(&wanted(b"x"))) {
            assert_eq!(answer.unwrap().plain().unwrap().bytes(), b"x");
        }
        assert_eq!(store.gets(), 1);
        assert!(at_once(8, |_| dedup.has(&wanted(b"x").id)).into_iter().all(|answer| answer.unwrap()));
        assert_eq!(store.has_calls(), 1);
        // Nothing is remembered.
        dedup.get(&wanted(b"x")).unwrap();
        assert_eq!(store.gets(), 2);
    }

    #[test]
    fn errors_are_shared_and_forgotten() {
        let (dedup, store) = slow();
        store.fail_with(ErrorKind::Transient);
        for answer in at_once(4, |_| dedup.get(&wanted(b"x"))) {
            assert_eq!(answer.unwrap_err().kind, ErrorKind::Transient);
        }
        assert_eq!(store.gets(), 1);
        store.heal();
        assert!(dedup.get(&wanted(b"x")).is_ok());
    }

    #[test]
    fn different_requests_do_not_wait_for_each_other() {
        let (dedup, store) = slow();
        let loose = Wanted { len: WantedLen::AtMost(9), ..wanted(b"x") };
        let requests = [wanted(b"x"), wanted(b"y"), loose];
        at_once(3, |number| dedup.get(&requests[number]).unwrap());
        assert_eq!(store.gets(), 3);
    }

    #[test]
    fn a_panic_frees_those_who_wait() {
        let (dedup, store) = slow();
        *store.panic_on_get.lock().unwrap() = true;
        let answers = at_once(4, |_| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dedup.get(&wanted(b"x")))).ok()
        });
        assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), store.gets());
        assert!(answers.into_iter().flatten().all(|answer| answer.is_err()));
        *store.panic_on_get.lock().unwrap() = false;
        assert!(dedup.get(&wanted(b"x")).is_ok());
    }
}
