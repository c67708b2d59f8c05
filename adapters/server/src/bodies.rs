//! Reading request bodies: each bounded in length and time, all together in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Unit in which memory is lent, in bytes.
const UNIT: u64 = 1 << 10;

/// The slowest that a body may come, in bytes a second, beside [`PATIENCE`].
const RATE_MIN: u64 = 4 << 10;

/// What any body may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The memory that bodies share.
pub(crate) struct Bodies {
    len_max: u64,
    patience: Duration,
    budget: Arc<Semaphore>,
    budget_units: u32,
}

/// A body, and its share of the memory while it is there.
pub(crate) struct BoundedBody {
    pub(crate) bytes: Vec<u8>,
    _share: OwnedSemaphorePermit,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("request body longer than {0} bytes")]
    TooLong(u64),
    #[error("request body came too slowly")]
    TooSlow,
    #[error("{0}")]
    Broken(axum::Error),
}

impl Bodies {
    /// Bodies of up to `len_max` bytes, `budget` bytes of them in memory at once. A longer one than that has
    /// the memory to itself.
    pub(crate) fn new(len_max: u64, budget: u64) -> Self {
        let budget_units = u32::try_from(budget.div_ceil(UNIT)).unwrap_or(u32::MAX >> 4).max(1);
        Self {
            len_max,
            patience: PATIENCE,
            budget: Arc::new(Semaphore::new(budget_units as usize)),
            budget_units,
        }
    }

    /// The whole body of a request.
    pub(crate) async fn read(&self, request: Request<Body>) -> Result<BoundedBody, BodyError> {
        let declared = request.headers().get(CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
        if declared.is_some_and(|len: u64| len > self.len_max) {
            return Err(BodyError::TooLong(self.len_max));
        }
        let len = declared.unwrap_or(self.len_max);
        let patience = self.patience + Duration::from_secs(len / RATE_MIN);
        let read = self.collect(declared.unwrap_or(0), request.into_body().into_data_stream());
        tokio::time::timeout(patience, read).await.unwrap_or(Err(BodyError::TooSlow))
    }

    /// Takes a share of the memory for what is declared, and more as more comes.
    async fn collect(&self, declared: u64, mut pieces: BodyDataStream) -> Result<BoundedBody, BodyError> {
        let mut share = self.lend(declared).await;
        let mut bytes = Vec::with_capacity(usize::try_from(declared).unwrap_or(0));
        while let Some(piece) = pieces.next().await {
            let piece: Bytes = piece.map_err(BodyError::Broken)?;
            let len = (bytes.len() + piece.len()) as u64;
            if len > self.len_max {
                return Err(BodyError::TooLong(self.len_max));
            }
            let units =
                self.units(len).saturating_sub(u32::try_from(share.num_permits()).unwrap_or(u32::MAX));
            if units > 0 {
                share.merge(self.lend(u64::from(units) * UNIT).await);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(BoundedBody { bytes, _share: share })
    }

    fn units(&self, len: u64) -> u32 {
        u32::try_from(len.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.budget_units)
    }

    async fn lend(&self, len: u64) -> OwnedSemaphorePermit {
        let share = Arc::clone(&self.budget).acquire_many_owned(self.units(len)).await;
        share.unwrap_or_else(|_| unreachable!("the budget is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn request(body: impl Into<Body>) -> Request<Body> {
        Request::new(body.into())
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn bodies_are_bounded_with_and_without_a_declared_length() {
        run(async {
            let bodies = Bodies::new(10, 1 << 20);
            assert_eq!(bodies.read(request("0123456789")).await.unwrap().bytes, b"0123456789");
            assert!(matches!(bodies.read(request("0123456789a")).await, Err(BodyError::TooLong(10))));
            let mut lying = request("");
            lying.headers_mut().insert(CONTENT_LENGTH, "11".parse().unwrap());
            assert!(matches!(bodies.read(lying).await, Err(BodyError::TooLong(10))));
        });
    }

    #[test]
    fn all_bodies_together_stay_within_the_budget() {
        run(async {
            let bodies = Bodies { patience: SHORT, ..Bodies::new(10_000, 4096) };
            let first = bodies.read(request(vec![0; 3000])).await.unwrap();
            // The second has to wait for the first, and time is up before.
            assert!(matches!(bodies.read(request(vec![0; 3000])).await, Err(BodyError::TooSlow)));
            drop(first);
            // A body beyond the budget has it to itself.
            assert_eq!(bodies.read(request(vec![0; 9000])).await.unwrap().bytes.len(), 9000);
            assert_eq!(bodies.budget.available_permits(), 4);
        });
    }

    #[test]
    fn a_body_that_never_comes_is_given_up() {
        run(async {
            let bodies = Bodies { patience: SHORT, ..Bodies::new(4000, 4096) };
            let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
            assert!(matches!(
                bodies.read(request(Body::from_stream(endless))).await,
                Err(BodyError::TooSlow)
            ));
        });
    }
}
