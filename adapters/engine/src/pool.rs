//! Workers on threads, fed and drained by one coordinator, which may be the only worker itself.
//!
//! The coordinator (the calling thread) submits jobs and takes results; it alone bounds how many are on
//! their way, so nothing can deadlock on a full queue. Results come in the order the workers finish;
//! [`ordered`] puts them in the order of the jobs.
//!
//! Invariants
//! - No worker outlives [`Pool::run`] (scoped threads).
//! - A failed, cancelled or panicking run never waits for jobs nobody will do: what is still queued is
//!   dropped, and the coordinator hears of a lost worker instead of waiting for it (test:
//!   `a_lost_worker_is_noticed`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::{Context, Error};

/// How long a coordinator waits before it looks at the cancel switch again.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// The coordinator's side of a set of workers that turn `J`s into `R`s.
pub(crate) struct Pool<'a, J, R> {
    context: &'a Context<'a>,
    hands: Hands<'a, J, R>,
    submitted: u64,
    in_flight: usize,
}

/// Who does the jobs.
enum Hands<'a, J, R> {
    Threads {
        jobs: Sender<(u64, J)>,
        done: Receiver<Done<R>>,
    },
    /// The coordinator itself, when it would wait.
    Own {
        jobs: VecDeque<(u64, J)>,
        worker: Worker<'a, J, R>,
    },
}

type Worker<'a, J, R> = Box<dyn FnMut(J) -> Result<R, Error> + 'a>;

enum Done<R> {
    Finished(u64, Result<R, Error>),
    WorkerLost,
}

/// Tells the coordinator if a worker's thread ends by a panic.
struct LostNotice<R>(Sender<Done<R>>);

impl<R> Drop for LostNotice<R> {
    fn drop(&mut self) {
        if thread::panicking() {
            // The coordinator may be gone already; then nobody needs to know.
            let _ = self.0.send(Done::WorkerLost);
        }
    }
}

impl<'a, J: Send, R: Send> Pool<'a, J, R> {
    /// Starts `context.workers` workers, each with its own state from `new_worker`, and runs `coordinate`
    /// on this thread. All workers have ended when it returns.
    pub(crate) fn run<W, T>(
        context: &'a Context<'a>,
        new_worker: impl Fn() -> W,
        coordinate: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error>
    where
        W: FnMut(J) -> Result<R, Error> + Send,
    {
        let (jobs, queue) = unbounded();
        let (finished, done) = unbounded();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for started in 0..context.workers.get() {
                let (queue, finished, worker, stop) = (queue.clone(), finished.clone(), new_worker(), &stop);
                let run = move || work(worker, &queue, finished, stop);
                match thread::Builder::new().spawn_scoped(scope, run) {
                    Ok(_) => {}
                    // Fewer workers do the same work; none cannot.
                    Err(error) if started > 0 => {
                        log::warn!("going on with {started} workers: {error}");
                        break;
                    }
                    Err(error) => return Err(Error::Unsupported(format!("cannot start a thread: {error}"))),
                }
            }
            drop(finished);
            let hands = Hands::Threads { jobs, done };
            let mut pool = Pool { context, hands, submitted: 0, in_flight: 0 };
            let result = coordinate(&mut pool);
            // Queued jobs of a finished or failed run are of no use to anybody.
            stop.store(true, Ordering::Relaxed);
            result
        })
    }

    /// The same, but a single worker needs no thread: for coordinators that only hand out work that keeps a
    /// processor busy. Two threads in turn wake each other, and fetch what the other has in its caches.
    pub(crate) fn run_busy<W, T>(
        context: &'a Context<'a>,
        new_worker: impl Fn() -> W,
        coordinate: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error>
    where
        W: FnMut(J) -> Result<R, Error> + Send + 'a,
    {
        if context.workers.get() > 1 {
            return Self::run(context, new_worker, coordinate);
        }
        let hands = Hands::Own { jobs: VecDeque::new(), worker: Box::new(new_worker()) };
        coordinate(&mut Pool { context, hands, submitted: 0, in_flight: 0 })
    }

    /// Hands a job to the workers and returns its number: 0, 1, 2 …
    pub(crate) fn submit(&mut self, job: J) -> u64 {
        let number = self.submitted;
        self.submitted += 1;
        self.in_flight += 1;
        match &mut self.hands {
            // Fails only if every worker is gone, which `recv` reports.
            Hands::Threads { jobs, .. } => drop(jobs.send((number, job))),
            Hands::Own { jobs, .. } => jobs.push_back((number, job)),
        }
        number
    }

    /// Jobs submitted whose results have not been taken.
    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The next result, with the number of its job, in the order the workers finish.
    pub(crate) fn recv(&mut self) -> Result<(u64, R), Error> {
        loop {
            self.context.cancel.check()?;
            let done = match &mut self.hands {
                Hands::Threads { done, .. } => done.recv_timeout(CANCEL_POLL),
                Hands::Own { jobs, worker } => match jobs.pop_front() {
                    Some((number, job)) => Ok(Done::Finished(number, worker(job))),
                    None => Err(RecvTimeoutError::Disconnected),
                },
            };
            match done {
                Ok(done) => return self.accept(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(worker_lost()),
            }
        }
    }

    /// A result that is there already, if any.
    pub(crate) fn try_recv(&mut self) -> Result<Option<(u64, R)>, Error> {
        self.context.cancel.check()?;
        let done = match &self.hands {
            Hands::Threads { done, .. } => done.try_recv().ok(),
            Hands::Own { .. } => None,
        };
        done.map(|done| self.accept(done)).transpose()
    }

    fn accept(&mut self, done: Done<R>) -> Result<(u64, R), Error> {
        match done {
            Done::Finished(number, result) => {
                self.in_flight -= 1;
                Ok((number, result?))
            }
            Done::WorkerLost => Err(worker_lost()),
        }
    }
}

fn worker_lost() -> Error {
    Error::Unsupported("internal error: a worker thread ended unexpectedly".into())
}

fn work<J, R>(
    mut worker: impl FnMut(J) -> Result<R, Error>,
    queue: &Receiver<(u64, J)>,
    finished: Sender<Done<R>>,
    stop: &AtomicBool,
) {
    let notice = LostNotice(finished);
    while let Ok((number, job)) = queue.recv() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if notice.0.send(Done::Finished(number, worker(job))).is_err() {
            break;
        }
    }
}

/// Runs `work` on each job of `feed` and hands the results to `collect` in the order of the jobs.
///
/// At most `in_flight_max` results wait or are being made at a time, so that memory stays bounded.
///
/// # Errors
/// The first of `feed`, `work` or `collect`; [`Error::Interrupted`].
pub fn ordered<J, R, W>(
    context: &Context<'_>,
    in_flight_max: usize,
    feed: impl Iterator<Item = Result<J, Error>>,
    new_worker: impl Fn() -> W,
    mut collect: impl FnMut(R) -> Result<(), Error>,
) -> Result<(), Error>
where
    J: Send,
    R: Send,
    W: FnMut(J) -> Result<R, Error> + Send,
{
    let mut feed = feed.fuse();
    Pool::run(context, new_worker, |pool| {
        let mut waiting = InOrder::new();
        loop {
            while pool.in_flight() + waiting.len() < in_flight_max.max(1) {
                match feed.next() {
                    Some(job) => pool.submit(job?),
                    None => break,
                };
            }
            if pool.in_flight() == 0 {
                return Ok(());
            }
            let (number, result) = pool.recv()?;
            waiting.insert(number, result);
            while let Some(result) = waiting.pop() {
                collect(result)?;
            }
        }
    })
}

/// Results that wait for their turn: inserted in any order, popped in the order of their numbers.
pub(crate) struct InOrder<R> {
    next: u64,
    slots: VecDeque<Option<R>>,
    filled: usize,
}

impl<R> InOrder<R> {
    pub(crate) const fn new() -> Self {
        Self { next: 0, slots: VecDeque::new(), filled: 0 }
    }

    /// Results that wait.
    pub(crate) const fn len(&self) -> usize {
        self.filled
    }

    /// Keeps the result of job `number`, which has not been inserted before.
    pub(crate) fn insert(&mut self, number: u64, result: R) {
        let place = usize::try_from(number - self.next).expect("results in flight fit memory");
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, || None);
        }
        self.slots[place] = Some(result);
        self.filled += 1;
    }

    /// The next result in order, if it is there.
    pub(crate) fn pop(&mut self) -> Option<R> {
        let result = self.slots.front_mut()?.take()?;
        self.slots.pop_front();
        self.next += 1;
        self.filled -= 1;
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Kernels, NoProgress};
    use std::num::NonZeroUsize;

    fn with_context<T>(workers: usize, body: impl FnOnce(&Context<'_>, &Cancel) -> T) -> T {
        let cancel = Cancel::default();
        let workers = NonZeroUsize::new(workers).unwrap();
        body(&Context { workers, progress: &NoProgress, cancel: &cancel, kernels: Kernels::SCALAR }, &cancel)
    }

    #[test]
    fn results_keep_the_order_of_the_jobs() {
        for workers in [1, 2, 3, 10] {
            let mut seen = Vec::new();
            with_context(workers, |context, _| {
                let jobs = (0..1000u64).map(Ok);
                let work = || {
                    |n: u64| {
                        if n.is_multiple_of(97) {
                            thread::sleep(Duration::from_millis(1));
                        }
                        Ok(n * 2)
                    }
                };
                ordered(context, 7, jobs, work, |n| {
                    seen.push(n);
                    Ok(())
                })
            })
            .unwrap();
            assert_eq!(seen, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn first_error_ends_the_run() {
        let result = with_context(4, |context, _| {
            let work = || |n: u64| if n == 5 { Err(Error::Unsupported("five".into())) } else { Ok(n) };
            ordered(context, 4, (0..u64::MAX).map(Ok), work, |_| Ok(()))
        });
        assert_eq!(result.unwrap_err().to_string(), "five");
    }

    #[test]
    fn cancelling_is_an_error() {
        let result = with_context(2, |context, cancel| {
            ordered(
                context,
                4,
                (0..u64::MAX).map(Ok),
                || |n: u64| Ok(n),
                |n| {
                    if n == 100 {
                        cancel.cancel();
                    }
                    Ok(())
                },
            )
        });
        assert!(matches!(result, Err(Error::Interrupted)));
    }

    #[test]
    fn a_lost_worker_is_noticed() {
        let panicked = std::panic::catch_unwind(|| {
            with_context(2, |context, _| {
                let work = || {
                    |n: u64| {
                        assert_ne!(n, 3);
                        Ok(n)
                    }
                };
                ordered(context, 4, (0..10u64).map(Ok), work, |_| Ok(()))
            })
        });
        // The scope passes the worker's panic on, after the coordinator has stopped waiting.
        assert!(panicked.is_err());
    }
}
