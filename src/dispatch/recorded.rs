//! Bound steps, ready to be recorded any number of times.

use crate::gpu::readback::Range;

/// The steps of a program, bound to buffers.
#[derive(Clone, Debug)]
pub(crate) struct Dispatches {
    name: &'static str,
    steps: Vec<Dispatch>,
    workspace: wgpu::Buffer,
}

/// One dispatch.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    /// The entry point of its kernel.
    #[cfg(feature = "bench")]
    pub kernel: &'static str,
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    pub workgroups: [u32; 3],
}

impl Dispatch {
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        let [x, y, z] = self.workgroups;
        pass.dispatch_workgroups(x, y, z);
    }
}

impl Dispatches {
    pub(super) fn new(name: &'static str, steps: Vec<Dispatch>, workspace: wgpu::Buffer) -> Self {
        Dispatches { name, steps, workspace }
    }

    /// Records the steps as one compute pass. Allocates nothing, submits nothing, waits for nothing.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let label = Some(self.name);
        self.record_in(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None }));
    }

    /// Records the steps into a compute pass.
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.steps.iter().for_each(|step| step.record_in(pass));
    }

    /// The steps, in their order.
    #[cfg(feature = "bench")]
    pub fn steps(&self) -> &[Dispatch] {
        &self.steps
    }

    /// The first bytes of the workspace, to read.
    pub fn workspace(&self, size: u64) -> Range<'_> {
        Range { buffer: &self.workspace, offset: 0, size }
    }
}
