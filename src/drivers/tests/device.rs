//! Programs run on a device step by step, by texts that a test changes, in memory that it can read.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
};

use crate::{
    Gpu, TensorType,
    gpu::{pipeline::layout_entries, readback},
    kernel::{CALL, FIRST_TENSOR, Kernel},
    program::{Place, Program, Step, uniform_size},
};

/// What a program runs in: its scratches, from zeros, and the tensors of its call.
pub(super) struct Memory {
    scratch: Vec<wgpu::Buffer>,
    tensors: BTreeMap<String, wgpu::Buffer>,
}

/// A device, and what is compiled for it of the program at hand.
pub(super) struct Device<'a> {
    gpu: &'a Gpu,
    pipelines: HashMap<(usize, &'static str), wgpu::ComputePipeline>,
}

/// How a test changes the steps of a program.
pub(super) trait Change {
    /// The text of a step's kernel.
    fn text(&self, step: &Step) -> String;

    /// What is bound behind the tensors of a step, for writing.
    fn bound(&self, _number: usize, _step: &Step) -> Option<wgpu::BufferBinding<'_>> {
        None
    }
}

impl<'a> Device<'a> {
    pub fn new(gpu: &'a Gpu) -> Self {
        Device { gpu, pipelines: HashMap::new() }
    }

    pub fn buffer(&self, bytes: &[u8]) -> wgpu::Buffer {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::UNIFORM;
        let size = bytes.len().next_multiple_of(16).max(16);
        let buffer = self.gpu.buffer("a test", size as u64, usage).expect("there is memory");
        self.gpu.queue().write_buffer(&buffer, 0, &[bytes, &vec![0; size - bytes.len()]].concat());
        buffer
    }

    /// The memory of a program whose tensors hold this.
    pub fn memory(
        &self,
        program: &Program,
        tensors: impl IntoIterator<Item = (String, TensorType)>,
        contents: impl Fn(&str, &TensorType) -> Vec<u8>,
    ) -> Memory {
        let scratch = program.scratch.iter().map(|scratch| self.buffer(&vec![0; scratch.size as usize])).collect();
        let tensor = |(name, ty): (String, TensorType)| {
            let buffer = self.buffer(&contents(&name, &ty));
            (name, buffer)
        };
        Memory { scratch, tensors: tensors.into_iter().map(tensor).collect() }
    }

    /// Everything that is in a memory, with what messages call it.
    pub fn read(&self, program: &Program, memory: &Memory) -> Vec<(String, Vec<u8>)> {
        let scratch = program.scratch.iter().map(|scratch| scratch.label.to_string()).zip(&memory.scratch);
        let tensors = memory.tensors.iter().map(|(name, buffer)| (name.clone(), buffer));
        let (names, buffers): (Vec<_>, Vec<_>) = scratch.chain(tensors).unzip();
        names.into_iter().zip(self.bytes_of(&buffers)).collect()
    }

    pub fn bytes_of(&self, buffers: &[&wgpu::Buffer]) -> Vec<Vec<u8>> {
        let ranges: Vec<_> =
            buffers.iter().map(|buffer| readback::Range { buffer, offset: 0, size: buffer.size() }).collect();
        readback::read_blocking(self.gpu, &ranges).expect("what was left can be read")
    }

    /// Runs a program, whose kernels have these values of `params`.
    pub fn run(
        &mut self,
        program: &Program,
        memory: &Memory,
        params: impl Fn(&Kernel) -> Vec<u8>,
        change: &impl Change,
    ) {
        // A kernel is known by its place in memory, which the next program's may have.
        self.pipelines.clear();
        let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (number, step) in program.steps.iter().enumerate() {
            let more = change.bound(number, step);
            let pipeline = self.pipeline(step, more.is_some(), change);
            let whole = |buffer| wgpu::BufferBinding { buffer, offset: 0, size: None };
            let part = |buffer, range: &Range<u64>| wgpu::BufferBinding {
                buffer,
                offset: range.start,
                size: wgpu::BufferSize::new(range.end - range.start),
            };
            let params = step.params.clone().unwrap_or_else(|| params(&step.kernel));
            let uniforms: Vec<_> = step
                .kernel
                .uniforms()
                .map(|binding| {
                    let mut bytes = if binding == CALL { step.call.bytes() } else { params.clone() };
                    bytes.resize(uniform_size(bytes.len()), 0);
                    (binding, self.buffer(&bytes))
                })
                .collect();
            let places = step.bound.iter().map(|place| match place {
                Place::Scratch(index, range) => part(&memory.scratch[*index], range),
                Place::Tensor(name, range) => part(&memory.tensors[name], range),
            });
            let bound = uniforms.iter().map(|(binding, buffer)| (*binding, whole(buffer)));
            let bound = bound.chain((FIRST_TENSOR..).zip(places.chain(more)));
            let entries: Vec<_> = bound
                .map(|(binding, buffer)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(buffer),
                })
                .collect();
            let bind_group = self.gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(step.entry),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            let [x, y, z] = step.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
        self.gpu.queue().submit([encoder.finish()]);
    }

    fn pipeline(&mut self, step: &Step, has_more: bool, change: &impl Change) -> wgpu::ComputePipeline {
        let gpu = self.gpu;
        let key = (Arc::as_ptr(&step.kernel) as usize, step.entry);
        let make = || {
            let text = change.text(step);
            let mut entries = layout_entries(&step.kernel);
            if has_more {
                entries.push(wgpu::BindGroupLayoutEntry {
                    binding: FIRST_TENSOR + step.kernel.tensors.len() as u32,
                    visibility: wgpu::ShaderStages::COMPUTE,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Storage { read_only: false },
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                });
            }
            gpu.catching(step.entry, |device| {
                let source = wgpu::ShaderSource::Wgsl(text.into());
                let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
                let layout = device
                    .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
                let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: None,
                    bind_group_layouts: &[Some(&layout)],
                    ..Default::default()
                });
                device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some(step.entry),
                    layout: Some(&layout),
                    module: &module,
                    entry_point: Some(step.entry),
                    // As the crate has it: zeroing has a barrier.
                    compilation_options: wgpu::PipelineCompilationOptions {
                        zero_initialize_workgroup_memory: false,
                        ..Default::default()
                    },
                    cache: None,
                })
            })
            .unwrap_or_else(|error| panic!("{}: {error}", step.entry))
        };
        self.pipelines.entry(key).or_insert_with(make).clone()
    }
}
