//! Contexts that are costly to make and serve one thread at a time: kept and lent again.

use core::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Idle contexts. As many are made as are ever in use at once.
#[derive(Debug)]
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

/// A context on loan; goes back when dropped.
pub(crate) struct Loan<'p, T> {
    pool: &'p Pool<T>,
    context: Option<T>,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Lends an idle context, or a new one.
    pub(crate) fn lend(&self, make: impl FnOnce() -> T) -> Loan<'_, T> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Loan { pool: self, context: Some(idle.unwrap_or_else(make)) }
    }
}

impl<T> Deref for Loan<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.context.as_ref().expect("only dropping takes the context out")
    }
}

impl<T> DerefMut for Loan<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.context.as_mut().expect("only dropping takes the context out")
    }
}

impl<T> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        // Whoever panicked may have left the context half-way: it is not lent again.
        if !std::thread::panicking() {
            self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).extend(self.context.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_lent_again() {
        let pool = Pool::new();
        let mut made = 0;
        for _ in 0..10 {
            pool.lend(|| made += 1);
        }
        assert_eq!(made, 1);
        let first = pool.lend(|| unreachable!("one is idle"));
        pool.lend(|| made += 1);
        drop(first);
        assert_eq!(made, 2);
    }
}
