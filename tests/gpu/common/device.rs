//! What tests do with a device.

use wgloss::{Adapter, Gpu, HostTensor, Named, Tensor};

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

/// What the driver holds for the device.
pub fn held(gpu: &Gpu) -> [isize; 6] {
    let hal = gpu.device().get_internal_counters().hal;
    [
        &hal.buffers,
        &hal.buffer_memory,
        &hal.memory_allocations,
        &hal.bind_groups,
        &hal.compute_pipelines,
        &hal.shader_modules,
    ]
    .map(|counter| counter.read())
}

/// A device that no other test counts on.
pub fn opened_again(gpu: &Gpu) -> Gpu {
    let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).expect("it was found before");
    adapter.open_blocking().expect("it was opened before")
}
