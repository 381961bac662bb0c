//! How runs went: what each leaves on the device until somebody asks.

use std::collections::VecDeque;

use wgloss::{BufferSlice, Gpu, Plan, Status};

use crate::{Error, backend::wgpu};

/// Runs whose status is kept.
const SLOTS: u64 = 1024;

/// The statuses of the last runs, on the device.
#[derive(Debug)]
pub struct Statuses {
    buffer: wgpu::Buffer,
    /// The slot of the next run.
    next: u64,
    /// The plans of the runs since the last check, the oldest first.
    runs: VecDeque<Plan>,
    /// Runs whose status was lost to later ones.
    lost: u64,
    /// Why the first run since the last check failed that did, whose results nobody may have asked for.
    failure: Option<Error>,
}

/// How the runs of losses on a device went.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Checked {
    /// Each run's loss and status, the oldest first.
    pub runs: Vec<(&'static str, Status)>,
    /// Runs before them that nothing is known of any more.
    pub lost: u64,
}

impl Statuses {
    pub fn new(gpu: &Gpu) -> Self {
        let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("statuses of losses"),
            size: SLOTS * Plan::STATUS_SIZE,
            usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Statuses { buffer, next: 0, runs: VecDeque::new(), lost: 0, failure: None }
    }

    /// Records that the status of a run is kept.
    pub fn keep(&mut self, encoder: &mut wgpu::CommandEncoder, plan: &Plan, status: BufferSlice<'_>) {
        let place = self.next * Plan::STATUS_SIZE;
        encoder.copy_buffer_to_buffer(status.buffer, status.offset, &self.buffer, place, Plan::STATUS_SIZE);
        self.next = (self.next + 1) % SLOTS;
        self.runs.push_back(plan.clone());
        if self.runs.len() as u64 > SLOTS {
            self.runs.pop_front();
            self.lost += 1;
        }
    }

    /// Keeps why a run failed.
    pub fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// The statuses since the last call, or why a run failed.
    pub fn take(&mut self, gpu: &Gpu) -> Result<Checked, Error> {
        let runs = std::mem::take(&mut self.runs);
        let lost = std::mem::take(&mut self.lost);
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if runs.is_empty() {
            return Ok(Checked { runs: Vec::new(), lost });
        }
        let bytes = read(gpu, &self.buffer)?;
        let size = Plan::STATUS_SIZE as usize;
        let first = (self.next + SLOTS - runs.len() as u64) % SLOTS;
        let status = |(run, plan): (usize, &Plan)| {
            let place = ((first + run as u64) % SLOTS) as usize * size;
            Ok((plan.spec().name, plan.status(&bytes[place..place + size])?))
        };
        Ok(Checked { runs: runs.iter().enumerate().map(status).collect::<Result<_, wgloss::Error>>()?, lost })
    }
}

/// The bytes of a buffer.
fn read(gpu: &Gpu, buffer: &wgpu::Buffer) -> Result<Vec<u8>, Error> {
    let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("statuses of losses, read"),
        size: buffer.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
    gpu.queue().submit([encoder.finish()]);
    let (sender, receiver) = std::sync::mpsc::channel();
    staging.map_async(wgpu::MapMode::Read, .., move |mapped| {
        // Nobody listens where the wait has failed.
        let _ = sender.send(mapped.is_ok());
    });
    let waited = gpu.device().poll(wgpu::PollType::wait_indefinitely());
    // Another thread that polls may have taken the call that is received here, and not made it yet.
    if waited.is_err() || receiver.recv() != Ok(true) {
        return Err(Error::Burn { reason: "the device was lost while statuses were read".to_string() });
    }
    let mapped = staging.get_mapped_range(..).map_err(|error| Error::Burn { reason: error.to_string() })?;
    Ok(mapped.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once() {
        let device = crate::device().unwrap();
        let gpu = crate::gpu(&device).unwrap();
        let mut statuses = Statuses::new(&gpu);
        let failure = |reason: &str| Error::Burn { reason: reason.to_string() };
        statuses.fail(failure("first"));
        statuses.fail(failure("second"));
        assert_eq!(statuses.take(&gpu).unwrap_err().to_string(), "Burn: first");
        assert_eq!(statuses.take(&gpu).unwrap(), Checked::default());
    }
}
