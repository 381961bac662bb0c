//! From device memory to host memory.

use futures_intrusive::channel::shared::oneshot_channel;

use crate::{Error, Gpu};

/// A range of a buffer to read; offset and size are multiples of 4.
pub(crate) struct Range<'a> {
    pub buffer: &'a wgpu::Buffer,
    pub offset: u64,
    pub size: u64,
}

/// Starts the copies of `ranges` and gives a future of their bytes, in order.
///
/// On native platforms a thread of its own waits for the device, so that the future blocks no executor.
pub(crate) async fn read(gpu: &Gpu, ranges: &[Range<'_>]) -> Result<Vec<Vec<u8>>, Error> {
    let staging = copy_to_staging(gpu, ranges)?;
    let (sender, receiver) = oneshot_channel();
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        // Nobody listens any more if the future was dropped.
        let _ = sender.send(result);
    });
    #[cfg(not(target_arch = "wasm32"))]
    std::thread::spawn({
        let device = gpu.device().clone();
        // A failed wait shows as a failed mapping.
        move || drop(device.poll(wgpu::PollType::wait_indefinitely()))
    });
    let mapped = receiver.receive().await;
    bytes_of(gpu, ranges, &staging, matches!(mapped, Some(Ok(()))))
}

/// The bytes that [`read`] gives, waiting for them in this thread.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn read_blocking(gpu: &Gpu, ranges: &[Range<'_>]) -> Result<Vec<Vec<u8>>, Error> {
    let staging = copy_to_staging(gpu, ranges)?;
    let (sender, receiver) = oneshot_channel();
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        let _ = sender.send(result);
    });
    // A failed wait shows as a failed mapping.
    drop(gpu.device().poll(wgpu::PollType::wait_indefinitely()));
    let mapped = pollster::block_on(receiver.receive());
    bytes_of(gpu, ranges, &staging, matches!(mapped, Some(Ok(()))))
}

fn copy_to_staging(gpu: &Gpu, ranges: &[Range<'_>]) -> Result<wgpu::Buffer, Error> {
    let size = ranges.iter().map(|range| range.size).sum();
    let staging = gpu.buffer("readback", size, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST)?;
    gpu.catching("readback", |device| {
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("readback") });
        let mut start = 0;
        for range in ranges.iter().filter(|range| range.size > 0) {
            encoder.copy_buffer_to_buffer(range.buffer, range.offset, &staging, start, range.size);
            start += range.size;
        }
        gpu.queue().submit([encoder.finish()]);
    })?;
    Ok(staging)
}

fn bytes_of(gpu: &Gpu, ranges: &[Range<'_>], staging: &wgpu::Buffer, mapped: bool) -> Result<Vec<Vec<u8>>, Error> {
    gpu.check()?;
    let lost = || Error::DeviceLost { reason: "a buffer could not be mapped".to_string() };
    if !mapped {
        return Err(lost());
    }
    let bytes = staging.get_mapped_range(..).map_err(|_| lost())?;
    let mut start = 0;
    let parts = ranges.iter().map(|range| {
        let end = start + range.size as usize;
        let part = bytes[start..end].to_vec();
        start = end;
        part
    });
    Ok(parts.collect())
}
