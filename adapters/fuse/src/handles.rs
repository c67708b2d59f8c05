//! What is remembered of each open file or directory, by the number that the kernel was given for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::FileHandle;

/// Open files or directories. Clones are the same ones.
pub(crate) struct Handles<T>(Arc<Mutex<Open<T>>>);

struct Open<T> {
    next: u64,
    by_number: HashMap<u64, Arc<T>>,
}

impl<T> Clone for Handles<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Handles<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Open { next: 1, by_number: HashMap::new() })))
    }

    /// A number for what was opened.
    pub(crate) fn open(&self, value: T) -> FileHandle {
        let mut open = self.open_ones();
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, Arc::new(value));
        FileHandle(number)
    }

    /// What was opened under this number.
    pub(crate) fn get(&self, handle: FileHandle) -> Option<Arc<T>> {
        self.open_ones().by_number.get(&handle.0).map(Arc::clone)
    }

    /// Forgets it.
    pub(crate) fn close(&self, handle: FileHandle) {
        self.open_ones().by_number.remove(&handle.0);
    }

    fn open_ones(&self) -> MutexGuard<'_, Open<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
