//! What a caller may bring: buffers of its own, and futures that it does not wait for.

use std::task::{Context, Poll, Waker};

use wgloss::Gpu;

/// A buffer of the caller's own.
pub fn buffer(gpu: &Gpu, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    gpu.device().create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}

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
