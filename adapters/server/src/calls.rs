//! Store calls, which wait for disks and networks, away from the threads that serve connections.

/// Makes a call on a thread that may wait. As many run at once as the runtime has such threads.
///
/// # Panics
/// If the call does.
pub(crate) async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(call).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("the runtime ended under a request: {error}"),
        },
    }
}
