//! From names to buffers: where the tensors of a plan lie, checked, and the bind groups of its steps.

use std::{collections::HashMap, ops::Range};

use super::{BoundPlan, BufferSlice, Compiled, Inner, Plan, bound::Dispatch};
use crate::{
    Error, Gpu, Named,
    drivers::{CallTensor, room},
    gpu::pipeline::Pipeline,
    kernel::{CALL, FIRST_TENSOR},
    program::{Place, Step, WORKSPACE, uniform_size},
    spec::Values,
};

impl Plan {
    /// Binds the plan to buffers: every input by its name, every one of [`Plan::outputs`] by its.
    ///
    /// Buffers may be parts of one buffer. Outputs must not overlap anything. The buffers need the usage `STORAGE`.
    /// They have to be of the device of the plan's [`Gpu`]: wgpu itself refuses those of another device, and panics at
    /// those of another [`wgpu::Instance`], which it cannot tell from its own.
    ///
    /// Kernels load and store four elements at once, which saves up to half the time, where every tensor with a value
    /// per item of an elementwise loss, or per class of a loss of rows, has room for a multiple of four: where its
    /// buffer goes on to a multiple of 16 bytes (8 for halves) behind the tensor's start. What lies there is never
    /// changed. Without that room the elements are moved one by one, and the first such binding compiles kernels for
    /// it.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::UnexpectedTensor`], [`Error::BufferTooSmall`], [`Error::BufferUsage`],
    /// [`Error::BufferAlignment`], [`Error::BufferOverlap`], [`Error::OutOfMemory`], [`Error::DeviceLost`],
    /// [`Error::Refused`].
    pub fn bind(&self, buffers: &Named<BufferSlice<'_>>) -> Result<BoundPlan, Error> {
        let Inner { gpu, compiled, .. } = &*self.0;
        let tensors = self.located(buffers)?;
        let has_room = compiled.program.steps.iter().flat_map(|step| &step.bound).all(|place| tensors.has_room(place));
        if has_room && !tensors.share_buffers() {
            return self.bound(compiled, &tensors);
        }
        let program = match has_room {
            true => room(&self.spec().driver).program(&self.call(true))?,
            false => room(&self.spec().driver).program(&self.call(false))?,
        };
        let program = if tensors.share_buffers() { program.with_shared_buffers() } else { program };
        self.bound(&Compiled::new(gpu, self.spec().name, program)?, &tensors)
    }

    /// The steps of a program, bound to buffers.
    fn bound(&self, compiled: &Compiled, tensors: &Located<'_>) -> Result<BoundPlan, Error> {
        let gpu = &self.0.gpu;
        let Compiled { program, pipelines } = compiled;
        let mut scratch = Vec::new();
        for (index, memory) in program.scratch.iter().enumerate() {
            let read_back = if index == WORKSPACE { wgpu::BufferUsages::COPY_SRC } else { wgpu::BufferUsages::empty() };
            scratch.push(gpu.buffer(memory.label, memory.size, wgpu::BufferUsages::STORAGE | read_back)?);
        }
        let uniforms = Uniforms::new(gpu, self, &program.steps)?;
        let resource = |place: &Place| match place {
            Place::Scratch(index, range) => resource(&scratch[*index], 0, range),
            Place::Tensor(name, range) => {
                let BufferSlice { buffer, offset } = tensors.slice(name);
                resource(buffer, offset, range)
            }
        };
        let steps = gpu.catching(&format!("{}: binding", self.spec().name), |device| {
            let steps = program.steps.iter().zip(pipelines).enumerate();
            let dispatch = |(number, (step, pipeline)): (usize, (&Step, &Pipeline))| {
                let uniforms = step.kernel.uniforms().map(|binding| (binding, uniforms.resource(number, binding)));
                let bound = (FIRST_TENSOR..).zip(step.bound.iter().map(resource));
                let entries: Vec<_> = uniforms
                    .chain(bound)
                    .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
                    .collect();
                let label = Some(self.spec().name);
                let layout = &pipeline.layout;
                Dispatch {
                    pipeline: pipeline.pipeline.clone(),
                    bind_group: device.create_bind_group(&wgpu::BindGroupDescriptor {
                        label,
                        layout,
                        entries: &entries,
                    }),
                    workgroups: step.workgroups,
                }
            };
            steps.map(dispatch).collect()
        })?;
        Ok(BoundPlan::new(self.clone(), steps, scratch.swap_remove(WORKSPACE)))
    }

    /// Where each input and output lies, checked.
    fn located<'a>(&'a self, buffers: &Named<BufferSlice<'a>>) -> Result<Located<'a>, Error> {
        let Inner { gpu, tensors, .. } = &*self.0;
        let spec = self.spec();
        let known: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
        buffers.expect_only(spec, &known)?;
        let alignment = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
        let mut located: Vec<(&CallTensor, BufferSlice<'a>)> = Vec::new();
        for operand in tensors {
            let (loss, tensor) = (spec.name, operand.name.clone());
            let Some(&slice) = buffers.get(&tensor) else {
                return Err(Error::MissingTensor { loss, tensor });
            };
            let (offset, needed) = (slice.offset, operand.ty.buffer_size());
            let available = slice.buffer.size().saturating_sub(offset);
            if needed > available || offset > slice.buffer.size() {
                return Err(Error::BufferTooSmall { loss, tensor, offset, needed, available });
            }
            if offset % alignment != 0 {
                return Err(Error::BufferAlignment { loss, tensor, offset, alignment });
            }
            let (needed, found) = (wgpu::BufferUsages::STORAGE, slice.buffer.usage());
            if !found.contains(needed) {
                return Err(Error::BufferUsage { loss, tensor, needed, found });
            }
            located.push((operand, slice));
        }
        let located = Located(located);
        if let Some((output, other)) = located.overlapping() {
            let (loss, output, other) = (spec.name, output.name.clone(), other.name.clone());
            return Err(Error::BufferOverlap { loss, output, other });
        }
        Ok(located)
    }
}

/// Bytes of a buffer from an offset on; all of an empty one, because nothing cannot be bound.
fn resource<'a>(buffer: &'a wgpu::Buffer, offset: u64, range: &Range<u64>) -> wgpu::BindingResource<'a> {
    let size = wgpu::BufferSize::new(range.end - range.start);
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: offset + range.start, size })
}

/// Where the tensors of a plan lie.
struct Located<'a>(Vec<(&'a CallTensor, BufferSlice<'a>)>);

impl<'a> Located<'a> {
    fn slice(&self, name: &str) -> BufferSlice<'a> {
        match self.0.iter().find(|(tensor, _)| tensor.name == name) {
            Some((_, slice)) => *slice,
            None => unreachable!("a step binds nothing but the tensors of its call, `{name}` is none"),
        }
    }

    /// Whether a buffer goes on to the end of what a step takes of its tensor: a last quad may be longer than that. It
    /// is never in another tensor, which starts at a multiple of the alignment.
    fn has_room(&self, place: &Place) -> bool {
        match place {
            Place::Scratch(..) => true,
            Place::Tensor(name, range) => {
                let BufferSlice { buffer, offset } = self.slice(name);
                offset.saturating_add(range.end) <= buffer.size()
            }
        }
    }

    /// An output that overlaps another tensor, and that.
    fn overlapping(&self) -> Option<(&'a CallTensor, &'a CallTensor)> {
        let range =
            |(tensor, slice): &(&CallTensor, BufferSlice<'_>)| slice.offset..slice.offset + tensor.ty.buffer_size();
        let outputs = self.0.iter().filter(|(tensor, _)| tensor.role.is_output());
        outputs.clone().find_map(|output| {
            let overlaps = |other: &&(&CallTensor, BufferSlice<'_>)| {
                let (a, b) = (range(output), range(other));
                other.0.name != output.0.name && other.1.buffer == output.1.buffer && a.start < b.end && b.start < a.end
            };
            self.0.iter().find(overlaps).map(|other| (output.0, other.0))
        })
    }

    /// Whether an input lies in the same buffer as an output.
    fn share_buffers(&self) -> bool {
        let (outputs, inputs): (Vec<_>, Vec<_>) = self.0.iter().partition(|(tensor, _)| tensor.role.is_output());
        inputs.iter().any(|(_, input)| outputs.iter().any(|(_, output)| input.buffer == output.buffer))
    }
}

/// The uniforms of all steps in one buffer, each block once.
struct Uniforms {
    buffer: wgpu::Buffer,
    /// Where `call` and `params` of each step lie.
    blocks: Vec<[Range<u64>; 2]>,
}

/// The values of a step's uniform `params`.
fn params_of(step: &Step, values: &Values) -> Vec<u8> {
    step.params.clone().unwrap_or_else(|| step.kernel.bytes_of_params(values))
}

impl Uniforms {
    fn new(gpu: &Gpu, plan: &Plan, steps: &[Step]) -> Result<Self, Error> {
        let alignment = gpu.limits().min_uniform_buffer_offset_alignment as usize;
        let mut bytes: Vec<u8> = Vec::new();
        let mut known: HashMap<Vec<u8>, Range<u64>> = HashMap::new();
        let mut place = |block: Vec<u8>| {
            known
                .entry(block)
                .or_insert_with_key(|block| {
                    let start = bytes.len().next_multiple_of(alignment);
                    let end = start + uniform_size(block.len());
                    bytes.resize(start, 0);
                    bytes.extend(block);
                    bytes.resize(end, 0);
                    start as u64..end as u64
                })
                .clone()
        };
        let values = &plan.0.values;
        let blocks = steps.iter().map(|step| [place(step.call.bytes()), place(params_of(step, values))]).collect();
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.buffer("the parameters", bytes.len() as u64, usage)?;
        gpu.catching("the parameters", |_| gpu.queue().write_buffer(&buffer, 0, &bytes))?;
        Ok(Uniforms { buffer, blocks })
    }

    fn resource(&self, step: usize, binding: u32) -> wgpu::BindingResource<'_> {
        let [call, params] = &self.blocks[step];
        resource(&self.buffer, 0, if binding == CALL { call } else { params })
    }
}
