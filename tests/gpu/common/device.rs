//! What tests do with a device.

use wgloss::{Gpu, HostTensor, Named, Tensor};

/// The tensors on the device.
pub fn uploaded(gpu: &Gpu, inputs: &Named<HostTensor<'_>>) -> Named<Tensor> {
    inputs.map(|host| Tensor::from_host(gpu, host).unwrap())
}

/// Submits what is recorded.
pub fn submit(gpu: &Gpu, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
    let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    record(&mut encoder);
    gpu.queue().submit([encoder.finish()]);
}
