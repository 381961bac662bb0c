//! What tests do with a device.

use std::task::{Context, Poll, Waker};

use wgloss::{Gpu, HostTensor, Named, Tensor};

/// The tensors on the device.
pub fn uploaded(gpu: &Gpu, inputs: &Named<HostTensor<'_>>) -> Named<Tensor> {
    inputs.map(|host| Tensor::from_host(gpu, host).unwrap())
}

/// A buffer of the caller's own.
pub fn buffer(gpu: &Gpu, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    gpu.device().create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}

/// Submits what is recorded.
pub fn submit(gpu: &Gpu, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
    let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    record(&mut encoder);
    gpu.queue().submit([encoder.finish()]);
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
