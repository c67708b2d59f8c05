//! The requests that wait for their answer: urgent ones first, else in order of arrival.
//!
//! The thread that reads fills it, the thread that writes empties it, so that both directions are served at
//! once. Bounded: when it is full reading waits, and the peer's pipe fills up.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use desync_core::ChunkId;
use desync_core::protocol::Priority;

/// Requests that may wait: half of what casync reads ahead.
const WAITING_MAX: usize = 16 << 10;

/// Requests, and how their stream ended.
pub(crate) struct RequestQueue<E> {
    waiting: Mutex<Waiting<E>>,
    changed: Condvar,
}

struct Waiting<E> {
    urgent: VecDeque<ChunkId>,
    others: VecDeque<ChunkId>,
    end: Option<Result<(), E>>,
    abandoned: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<E> {
    Answer(ChunkId),
    /// Nothing waits: what was written should be sent now.
    Nothing,
    /// No request will come any more.
    End(Result<(), E>),
}

impl<E> RequestQueue<E> {
    pub(crate) const fn new() -> Self {
        let waiting =
            Waiting { urgent: VecDeque::new(), others: VecDeque::new(), end: None, abandoned: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    /// Adds a request, waiting for room; whether anybody will answer it.
    pub(crate) fn push(&self, id: ChunkId, priority: Priority) -> bool {
        let is_full = |waiting: &mut Waiting<E>| !waiting.abandoned && waiting.len() >= WAITING_MAX;
        let mut waiting =
            self.changed.wait_while(self.lock(), is_full).unwrap_or_else(PoisonError::into_inner);
        match priority {
            Priority::High => waiting.urgent.push_back(id),
            Priority::Low => waiting.others.push_back(id),
        }
        self.changed.notify_all();
        !waiting.abandoned
    }

    /// Says that no more requests will come. An error is acted upon at once, before what waits.
    pub(crate) fn end(&self, end: Result<(), E>) {
        self.lock().end = Some(end);
        self.changed.notify_all();
    }

    /// Says that nobody will answer any more.
    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
        self.changed.notify_all();
    }

    /// The next request, if one waits already.
    pub(crate) fn try_next(&self) -> Next<E> {
        let next = self.lock().next();
        // There is room now.
        self.changed.notify_all();
        next
    }

    /// The next request or the end, waiting for it.
    pub(crate) fn wait_next(&self) -> Next<E> {
        let is_idle = |waiting: &mut Waiting<E>| waiting.len() == 0 && waiting.end.is_none();
        drop(self.changed.wait_while(self.lock(), is_idle));
        self.try_next()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<E>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Waiting<E> {
    fn len(&self) -> usize {
        self.urgent.len() + self.others.len()
    }

    fn next(&mut self) -> Next<E> {
        if let Some(Err(error)) = self.end.take_if(|end| end.is_err()) {
            return Next::End(Err(error));
        }
        if let Some(id) = self.urgent.pop_front().or_else(|| self.others.pop_front()) {
            return Next::Answer(id);
        }
        self.end.take().map_or(Next::Nothing, Next::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ChunkId {
        ChunkId([n; 32])
    }

    #[test]
    fn urgent_requests_come_first_and_errors_before_all() {
        let queue = RequestQueue::<&str>::new();
        for (n, priority) in
            [(1, Priority::Low), (2, Priority::High), (3, Priority::Low), (4, Priority::High)]
        {
            assert!(queue.push(id(n), priority));
        }
        assert_eq!(queue.wait_next(), Next::Answer(id(2)));
        assert_eq!(queue.try_next(), Next::Answer(id(4)));
        queue.end(Ok(()));
        assert_eq!([queue.wait_next(), queue.wait_next()], [Next::Answer(id(1)), Next::Answer(id(3))]);
        assert_eq!(queue.wait_next(), Next::End(Ok(())));
        assert_eq!(queue.try_next(), Next::Nothing);
        queue.push(id(5), Priority::High);
        queue.end(Err("x"));
        assert_eq!(queue.wait_next(), Next::End(Err("x")));
    }

    #[test]
    fn a_full_queue_waits_until_there_is_room_or_nobody_is_left() {
        let queue = RequestQueue::<()>::new();
        std::thread::scope(|scope| {
            let pusher = scope.spawn(|| (0..3 * WAITING_MAX).all(|n| queue.push(id(n as u8), Priority::Low)));
            for n in 0..WAITING_MAX + 7 {
                assert_eq!(queue.wait_next(), Next::Answer(id(n as u8)));
                assert!(queue.lock().len() <= WAITING_MAX);
            }
            queue.abandon();
            assert!(!pusher.join().unwrap());
        });
    }
}
