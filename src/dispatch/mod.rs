//! What becomes of a program on a device: its kernels are compiled, its places bound to buffers, its steps recorded.
//! Plans of losses and of operations stand on it.

mod located;
mod recorded;
mod uniforms;

pub(crate) use located::{Bindable, Located};
pub(crate) use recorded::{Dispatch, Dispatches};

use std::sync::Arc;

use crate::{
    BufferSlice, Error, Gpu,
    gpu::pipeline::Pipeline,
    kernel::{FIRST_TENSOR, Kernel},
    program::{Place, Program, Step, WORKSPACE},
};
use uniforms::{Uniforms, resource};

/// A program and the pipeline of each of its steps.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub program: Program,
    pipelines: Vec<Pipeline>,
}

impl Compiled {
    /// Compiles what is not compiled yet. `name` is what messages and labels call the program.
    pub fn new(gpu: &Gpu, name: &'static str, program: Program) -> Result<Self, Error> {
        program.check(name, gpu.machine())?;
        // The entry points of a kernel come from one module; of many panels the kernels are few.
        let mut kernels: Vec<(&Arc<Kernel>, Vec<&'static str>)> = Vec::new();
        let mut places = Vec::with_capacity(program.steps.len());
        for step in &program.steps {
            let known = kernels.iter().position(|(kernel, _)| Arc::ptr_eq(kernel, &step.kernel));
            let kernel = known.unwrap_or_else(|| {
                kernels.push((&step.kernel, Vec::new()));
                kernels.len() - 1
            });
            let entries = &mut kernels[kernel].1;
            let entry = entries.iter().position(|entry| *entry == step.entry).unwrap_or_else(|| {
                entries.push(step.entry);
                entries.len() - 1
            });
            places.push((kernel, entry));
        }
        let compile = |(kernel, entries): &(&Arc<Kernel>, Vec<_>)| gpu.pipelines().get(gpu, name, kernel, entries);
        let compiled = kernels.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
        let pipelines = places.into_iter().map(|(kernel, entry)| compiled[kernel][entry].clone()).collect();
        Ok(Compiled { program, pipelines })
    }

    /// The program's steps bound to buffers, with scratch and uniforms of their own. `params` gives the bytes of a
    /// kernel's uniform `params`.
    pub fn bind(
        &self,
        gpu: &Gpu,
        name: &'static str,
        tensors: &Located<'_>,
        params: impl Fn(&Kernel) -> Vec<u8>,
    ) -> Result<Dispatches, Error> {
        let Compiled { program, pipelines } = self;
        let mut scratch = Vec::new();
        for (index, memory) in program.scratch.iter().enumerate() {
            // The host reads from the workspace, and may write to its beginning.
            let copied = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
            let copied = if index == WORKSPACE { copied } else { wgpu::BufferUsages::empty() };
            scratch.push(gpu.buffer(memory.label, memory.size, wgpu::BufferUsages::STORAGE | copied)?);
        }
        let uniforms = Uniforms::new(gpu, &program.steps, params)?;
        let resource = |place: &Place| match place {
            Place::Scratch(index, range) => resource(&scratch[*index], 0, range),
            Place::Tensor(name, range) => {
                let BufferSlice { buffer, offset } = tensors.slice(name);
                resource(buffer, offset, range)
            }
        };
        let steps = gpu.catching(&format!("{name}: binding"), |device| {
            let steps = program.steps.iter().zip(pipelines).enumerate();
            let dispatch = |(number, (step, pipeline)): (usize, (&Step, &Pipeline))| {
                let uniforms = step.kernel.uniforms().map(|binding| (binding, uniforms.resource(number, binding)));
                let bound = (FIRST_TENSOR..).zip(step.bound.iter().map(resource));
                let entries: Vec<_> = uniforms
                    .chain(bound)
                    .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
                    .collect();
                let (label, layout) = (Some(name), &pipeline.layout);
                let group = wgpu::BindGroupDescriptor { label, layout, entries: &entries };
                Dispatch {
                    #[cfg(feature = "bench")]
                    kernel: step.entry,
                    pipeline: pipeline.pipeline.clone(),
                    bind_group: device.create_bind_group(&group),
                    workgroups: step.workgroups,
                }
            };
            steps.map(dispatch).collect()
        })?;
        Ok(Dispatches::new(name, steps, scratch.swap_remove(WORKSPACE)))
    }
}
