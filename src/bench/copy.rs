//! The kernel that losses are measured against: nothing moves as many bytes faster.

use crate::{Error, Gpu};

/// Copies bytes from one buffer to another, laid out like the losses: a workgroup owns a contiguous span, its lanes
/// interleave inside it, and a lane moves sixteen bytes at a time.
#[derive(Debug)]
pub struct Copy {
    pipeline: wgpu::ComputePipeline,
    /// The dispatches, one for each part that a binding holds, with its workgroups.
    parts: Vec<(wgpu::BindGroup, u32)>,
}

impl Copy {
    /// A copy that reads half of `moved` bytes and writes as many.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn new(gpu: &Gpu, moved: u64) -> Result<Copy, Error> {
        let tuning = gpu.tuning();
        let size = (moved / 2).next_multiple_of(16).max(16);
        let [source, copy] = ["the source of a copy", "a copy"].map(|what| {
            // Zeros that nobody wrote may all lie in one page of the host's memory.
            let buffer = gpu.buffer(what, size, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST)?;
            let ones = vec![0x3f; size.min(1 << 20) as usize];
            gpu.catching(what, |_| {
                for offset in (0..size).step_by(ones.len()) {
                    gpu.queue().write_buffer(&buffer, offset, &ones[..ones.len().min((size - offset) as usize)]);
                }
            })?;
            Ok::<_, Error>(buffer)
        });
        let (source, copy) = (source?, copy?);

        let part = gpu.limits().max_storage_buffer_binding_size.min(size) / 256 * 256;
        let part = if part == 0 { size } else { part };
        let span = (part / 16).div_ceil(tuning.workgroups.into()).max(4 * u64::from(tuning.workgroup_size));
        let source_text = format!(
            "@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
            @group(0) @binding(1) var<storage, read_write> copy: array<vec4<f32>>;
            @compute @workgroup_size({width})
            fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
                let first = workgroup.x * {span}u;
                let end = min(first + {span}u, arrayLength(&source));
                for (var i = first + lane; i < end; i += {width}u) {{
                    copy[i] = source[i];
                }}
            }}",
            width = tuning.workgroup_size,
        );
        gpu.catching("the copy kernel", |device| {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some("copy"),
                source: wgpu::ShaderSource::Wgsl(source_text.into()),
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("copy"),
                layout: None,
                module: &module,
                entry_point: None,
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            });
            let binding = |buffer, offset, binding| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset,
                    size: wgpu::BufferSize::new(part.min(size - offset)),
                }),
            };
            let group = |offset| {
                let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some("copy"),
                    layout: &pipeline.get_bind_group_layout(0),
                    entries: &[binding(&source, offset, 0), binding(&copy, offset, 1)],
                });
                (bind_group, (part.min(size - offset) / 16).div_ceil(span) as u32)
            };
            let parts = (0..size).step_by(part as usize).map(group).collect();
            Copy { pipeline, parts }
        })
    }

    /// Records the copy into a pass.
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        for (bind_group, workgroups) in &self.parts {
            pass.set_bind_group(0, bind_group, &[]);
            pass.dispatch_workgroups(*workgroups, 1, 1);
        }
    }
}
