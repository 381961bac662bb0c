//! Futures that a caller does not wait for.

use std::task::{Context, Poll, Waker};

/// Starts a future and does not wait for it.
pub fn started<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let mut future = Box::pin(future);
    let first = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    async {
        match first {
            Poll::Ready(value) => value,
            Poll::Pending => future.await,
        }
    }
}
