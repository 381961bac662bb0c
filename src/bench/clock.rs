//! How long a device takes.

use std::time::{Duration, Instant};

use super::ClockKind;
use crate::{
    Error, Gpu,
    gpu::readback::{self, Range},
};

/// Measures device time: by timestamps that the device writes, where it has them, else from submission until the device
/// is done.
#[derive(Debug)]
pub struct Clock {
    gpu: Gpu,
    timestamps: Option<Timestamps>,
}

/// The place where the device writes when a pass begins and ends.
#[derive(Debug)]
struct Timestamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    /// Seconds of a tick.
    period: f64,
}

impl Clock {
    /// The clock of this device.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn new(gpu: &Gpu) -> Result<Clock, Error> {
        let timestamps = match gpu.device().features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            true => Some(Timestamps::new(gpu)?),
            false => None,
        };
        Ok(Clock { gpu: gpu.clone(), timestamps })
    }

    /// The kind of clock.
    pub fn kind(&self) -> ClockKind {
        match self.timestamps {
            Some(_) => ClockKind::Timestamps,
            None => ClockKind::SubmitToDone,
        }
    }

    /// How long the device takes for what `record` records.
    ///
    /// # Errors
    /// [`Error::Refused`] where the commands are invalid, [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn time(&self, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) -> Result<Duration, Error> {
        let Clock { gpu, timestamps } = self;
        let commands = gpu.catching("a timed pass", |device| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("timed") });
            let timestamp_writes = timestamps.as_ref().map(|timestamps| wgpu::ComputePassTimestampWrites {
                query_set: &timestamps.queries,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            });
            let descriptor = wgpu::ComputePassDescriptor { label: Some("timed"), timestamp_writes };
            record(&mut encoder.begin_compute_pass(&descriptor));
            if let Some(Timestamps { queries, resolved, .. }) = timestamps {
                encoder.resolve_query_set(queries, 0..2, resolved, 0);
            }
            encoder.finish()
        })?;
        let waited = gpu.catching("a timed pass", |device| {
            let start = Instant::now();
            gpu.queue().submit([commands]);
            device.poll(wgpu::PollType::wait_indefinitely()).map(|_| start.elapsed())
        })?;
        match (waited, timestamps) {
            (Err(error), _) => Err(Error::DeviceLost { reason: error.to_string() }),
            (Ok(_), Some(timestamps)) => timestamps.read(gpu),
            (Ok(waited), None) => Ok(waited),
        }
    }
}

impl Timestamps {
    fn new(gpu: &Gpu) -> Result<Self, Error> {
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = gpu.buffer("timestamps", 16, usage)?;
        let queries = gpu.catching("timestamps", |device| {
            device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            })
        })?;
        Ok(Timestamps { queries, resolved, period: f64::from(gpu.queue().get_timestamp_period()) * 1e-9 })
    }

    fn read(&self, gpu: &Gpu) -> Result<Duration, Error> {
        let read = readback::read_blocking(gpu, &[Range { buffer: &self.resolved, offset: 0, size: 16 }])?.concat();
        let [start, end]: [u64; 2] = bytemuck::pod_read_unaligned(&read);
        Ok(Duration::from_secs_f64(end.saturating_sub(start) as f64 * self.period))
    }
}
