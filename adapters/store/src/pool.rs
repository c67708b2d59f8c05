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

    /// Lends an idle context, or a new one if that can be made.
    pub(crate) fn lend<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Loan<'_, T>, E> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Loan { pool: self, context: Some(idle.map_or_else(make, Ok)?) })
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
        let mut make = || {
            made += 1;
            if made < 3 { Ok(made) } else { Err("no more") }
        };
        for _ in 0..10 {
            assert_eq!(*pool.lend(&mut make).ok().unwrap(), 1);
        }
        let first = pool.lend(&mut make).ok().unwrap();
        let second = pool.lend(&mut make).ok().unwrap();
        assert_eq!((*first, *second), (1, 2));
        assert_eq!(pool.lend(&mut make).err(), Some("no more"));
        drop(first);
        assert_eq!(pool.lend(&mut make).map(|loan| *loan), Ok(1));
    }
}
