//! A loss prepared for given shapes, types and options, and bound to buffers: what a training framework records.

use std::sync::Arc;

use crate::{
    Error, Gpu, Gradients, Loss, Named, Options, Reduction, TensorType, Tuning,
    chunk::{self, Chunk},
    header::{FinalizeParams, FixedParams},
    pipeline::Pipeline,
    readback::{self, Range},
    shader::{Entry, Kernel, LossVariant, Pass, Role, SpecKey},
    signature::Signature,
    spec::{Driver, Input, LossSpec, Shape, Values},
    workspace::{self, WorkspaceHeader},
};

/// A place in a buffer: the buffer and an offset in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BufferSlice<'a> {
    /// The buffer.
    pub buffer: &'a wgpu::Buffer,
    /// Where the tensor starts; a multiple of the adapter's `min_storage_buffer_offset_alignment`.
    pub offset: u64,
}

impl<'a> From<&'a wgpu::Buffer> for BufferSlice<'a> {
    fn from(buffer: &'a wgpu::Buffer) -> Self {
        BufferSlice { buffer, offset: 0 }
    }
}

impl<'a> From<(&'a wgpu::Buffer, u64)> for BufferSlice<'a> {
    fn from((buffer, offset): (&'a wgpu::Buffer, u64)) -> Self {
        BufferSlice { buffer, offset }
    }
}

/// A loss prepared for given shapes, types and options: checked, split and compiled.
///
/// Made once, bound to buffers with [`Plan::bind`], recorded every step. A changed parameter or upstream value needs
/// another plan, but compiles nothing.
///
/// ```
/// use wgloss::{BufferSlice, DType, Gpu, Huber, Named, Plan, Reduction, TensorType};
/// let gpu = Gpu::new_blocking()?; // or Gpu::from_device(device, queue)
/// let ty = TensorType::new(DType::F32, [1024]);
/// let plan = Plan::new(&gpu, &Huber { delta: 0.5 }, &Named::new().with("prediction", ty.clone()).with("target", ty), Reduction::Mean)?;
///
/// // The caller's own buffers, one allocation with offsets if need be.
/// let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
///     label: None,
///     size: 3 * 4096 + 256,
///     usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
///     mapped_at_creation: false,
/// });
/// let bound = plan.bind(
///     &Named::<BufferSlice>::new()
///         .with("prediction", (&buffer, 0))
///         .with("target", (&buffer, 4096))
///         .with("grad.prediction", (&buffer, 8192))
///         .with("loss", (&buffer, 12288)),
/// )?;
///
/// let mut encoder = gpu.device().create_command_encoder(&Default::default());
/// bound.record(&mut encoder); // no allocation, no submit, no wait
/// gpu.queue().submit([encoder.finish()]);
/// assert_eq!(bound.read_status_blocking()?.items, 1024);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gpu: Gpu,
    spec: &'static LossSpec,
    values: Values,
    signature: Signature,
    options: Options,
    variant: LossVariant,
    operands: Vec<Operand>,
    tuning: Tuning,
    chunks: Vec<Chunk>,
    divisor: Divisor,
}

/// An input or output.
#[derive(Debug)]
pub(crate) struct Operand {
    pub name: String,
    pub ty: TensorType,
    pub is_output: bool,
    /// Elements that belong to one item; `None` where every item needs the whole tensor.
    pub per_item: Option<u64>,
}

/// What the reduction divides by.
#[derive(Clone, Copy, Debug)]
enum Divisor {
    Known(f64),
    /// The device finds it: the rows or the weights that count.
    Measured,
}

impl Plan {
    /// Prepares a loss for inputs of these types.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::Option`], [`Error::MissingTensor`], [`Error::UnexpectedTensor`],
    /// [`Error::Shape`], [`Error::DType`], [`Error::UpstreamReduction`], [`Error::Limit`], [`Error::Shader`],
    /// [`Error::DeviceLost`].
    pub fn new(
        gpu: &Gpu,
        loss: &dyn Loss,
        inputs: &Named<TensorType>,
        options: impl Into<Options>,
    ) -> Result<Plan, Error> {
        gpu.check()?;
        let (spec, options) = (loss.spec(), options.into());
        let values = Values::new(spec, loss.values())?;
        let signature = Signature::new(spec, &values, inputs, &options)?;
        let variant = LossVariant {
            loss: SpecKey(spec),
            inputs: spec.all_inputs().map(|input| signature.input(input.name).map(|ty| ty.dtype)).collect(),
            gradients: options.gradients.into(),
            per_item: options.reduction == Reduction::None,
            shared_buffers: false,
        };
        let divisor = Divisor::of(spec, &signature, options.reduction);
        let operands = operands(&signature, &options);
        let tuning = chunk::layout(gpu, spec, &signature)?;
        let chunks = chunk::chunks(gpu, spec, &signature, &operands, tuning)?;
        let inner =
            Inner { gpu: gpu.clone(), spec, values, signature, options, variant, operands, tuning, chunks, divisor };
        let plan = Plan(Arc::new(inner));
        plan.pipelines(false)?;
        Ok(plan)
    }

    /// The loss's entry in the catalogue.
    pub fn spec(&self) -> &'static LossSpec {
        self.0.spec
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.0.gpu
    }

    /// The input of that name and its type.
    pub(crate) fn input(&self, name: &str) -> Option<(&'static Input, &TensorType)> {
        self.0.signature.inputs.iter().find(|(input, _)| input.name == name).map(|(input, ty)| (*input, ty))
    }

    /// The outputs to bind, by name: `loss`, and `grad.<input>` for each input with a gradient.
    pub fn outputs(&self) -> Named<TensorType> {
        let outputs = self.0.operands.iter().filter(|operand| operand.is_output);
        outputs.map(|operand| (operand.name.clone(), operand.ty.clone())).collect()
    }

    /// Bytes of device memory that a binding of this plan takes besides inputs and outputs.
    pub fn workspace_size(&self) -> u64 {
        workspace::size(self.partials())
    }

    fn partials(&self) -> u32 {
        self.0.chunks.last().map_or(0, |chunk| chunk.first_partial + chunk.workgroups)
    }

    /// The passes, in order, compiled: each for every chunk, or once.
    fn pipelines(&self, shared_buffers: bool) -> Result<Vec<(Arc<Pipeline>, Dispatch)>, Error> {
        let Inner { gpu, variant, tuning, divisor, .. } = &*self.0;
        let kernel = |pass| Kernel { pass, workgroup_size: tuning.workgroup_size, reduce: tuning.reduce };
        let loss = kernel(Pass::Loss(LossVariant { shared_buffers, ..variant.clone() }));
        let finalize = kernel(Pass::Finalize);
        let last = if variant.per_item { Entry::FinalizeItems } else { Entry::FinalizeLoss };
        let mut passes = Vec::new();
        if let Divisor::Measured = divisor {
            passes.push((&loss, Entry::Measure, Dispatch::Chunks));
            passes.push((&finalize, Entry::FinalizeDivisor, Dispatch::Once));
        }
        passes.push((&loss, Entry::Evaluate, Dispatch::Chunks));
        passes.push((&finalize, last, Dispatch::Once));
        let compiled = passes.into_iter();
        compiled.map(|(kernel, entry, dispatch)| Ok((gpu.pipelines().get(gpu, kernel, entry)?, dispatch))).collect()
    }

    /// Binds the plan to buffers: every input by its name, every one of [`Plan::outputs`] by its.
    ///
    /// Buffers may be parts of one buffer. Outputs must not overlap anything. The buffers need the usage `STORAGE`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::UnexpectedTensor`], [`Error::BufferTooSmall`], [`Error::BufferUsage`],
    /// [`Error::BufferAlignment`], [`Error::BufferOverlap`], [`Error::OutOfMemory`], [`Error::DeviceLost`],
    /// [`Error::Refused`].
    pub fn bind(&self, buffers: &Named<BufferSlice<'_>>) -> Result<BoundPlan, Error> {
        let Inner { gpu, spec, signature, variant, chunks, .. } = &*self.0;
        let places = self.places(buffers)?;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let workspace = gpu.buffer("workspace", self.workspace_size(), usage)?;
        let mut steps = Vec::new();
        // Where there are no items to have a loss each, there is nothing to write and nothing that could be bound.
        if signature.items > 0 || !variant.per_item {
            let uniforms = self.uniforms()?;
            let pipelines = self.pipelines(shares_buffers(&places))?;
            gpu.catching(&format!("{}: binding", spec.name), |device| {
                let step = |pipeline: &Pipeline, uniform: usize, chunk: Option<&Chunk>| Step {
                    pipeline: pipeline.pipeline.clone(),
                    bind_group: bind_group(device, spec, pipeline, |role| match role {
                        Role::Params => uniforms.binding(uniform),
                        Role::Workspace => workspace.as_entire_binding(),
                        Role::Input { input, .. } => place(&places, input).binding(chunk),
                        Role::Gradient { input, .. } => place(&places, &gradient_name(input)).binding(chunk),
                        Role::Loss => place(&places, "loss").binding(chunk),
                    }),
                    workgroups: chunk.map_or(1, |chunk| chunk.workgroups),
                };
                for (pipeline, dispatch) in &pipelines {
                    match dispatch {
                        Dispatch::Chunks => {
                            steps.extend(chunks.iter().enumerate().map(|(i, chunk)| step(pipeline, i, Some(chunk))));
                        }
                        Dispatch::Once => steps.push(step(pipeline, chunks.len(), None)),
                    }
                }
            })?;
        }
        Ok(BoundPlan { plan: self.clone(), steps, workspace })
    }

    /// Where each input and output lies, checked.
    fn places<'a>(&'a self, buffers: &Named<BufferSlice<'a>>) -> Result<Vec<Place<'a>>, Error> {
        let Inner { gpu, spec, operands, .. } = &*self.0;
        let known: Vec<String> = operands.iter().map(|operand| operand.name.clone()).collect();
        buffers.expect_only(spec, &known)?;
        let alignment = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
        let mut places: Vec<Place<'a>> = Vec::new();
        for operand in operands {
            let (loss, tensor) = (spec.name, operand.name.clone());
            let Some(&slice) = buffers.get(&tensor) else {
                return Err(Error::MissingTensor { loss, tensor });
            };
            let (offset, needed) = (slice.offset, operand.ty.buffer_size());
            let available = slice.buffer.size().saturating_sub(offset);
            if needed > available {
                return Err(Error::BufferTooSmall { loss, tensor, offset, needed, available });
            }
            if offset % alignment != 0 {
                return Err(Error::BufferAlignment { loss, tensor, offset, alignment });
            }
            let (needed, found) = (wgpu::BufferUsages::STORAGE, slice.buffer.usage());
            if !found.contains(needed) {
                return Err(Error::BufferUsage { loss, tensor, needed, found });
            }
            places.push(Place { operand, slice });
        }
        for output in places.iter().filter(|place| place.operand.is_output) {
            for other in places.iter().filter(|other| other.operand.name != output.operand.name) {
                if output.overlaps(other) {
                    let (loss, output, other) = (spec.name, output.operand.name.clone(), other.operand.name.clone());
                    return Err(Error::BufferOverlap { loss, output, other });
                }
            }
        }
        Ok(places)
    }

    /// The parameters of each chunk, then those of the sums over all of them.
    fn uniforms(&self) -> Result<Uniforms, Error> {
        let Inner { gpu, signature, options, values, chunks, divisor, .. } = &*self.0;
        let (measured, divisor) = match *divisor {
            Divisor::Known(divisor) => (0, divisor),
            Divisor::Measured => (1, 1.0),
        };
        // Where nothing counts, every gradient is 0.
        let scale = if divisor == 0.0 { 0.0 } else { options.gradient_scale() / divisor };
        let one_upstream = signature.input("upstream").is_none_or(|ty| ty.elements() == 1);
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        for chunk in chunks {
            let fixed = FixedParams {
                length: chunk.items,
                span: chunk.span,
                classes: signature.row as u32,
                first_partial: chunk.first_partial,
                scale: scale as f32,
                measured,
                weighted: u32::from(options.reduction == Reduction::WeightedMean),
                upstream_stride: u32::from(!one_upstream),
                last_axis: signature.last_axis as u32,
                last_axis_start: (chunk.first % signature.last_axis) as u32,
            };
            let mut block = bytemuck::bytes_of(&fixed).to_vec();
            block.extend(values.iter().flat_map(|(param, value)| param.uniform(value).to_le_bytes()));
            blocks.push(block);
        }
        let finalize = FinalizeParams { partials: self.partials(), measured, divisor: divisor as f32, reserved: 0 };
        blocks.push(bytemuck::bytes_of(&finalize).to_vec());
        Uniforms::new(gpu, &blocks)
    }
}

/// The inputs given and the outputs.
fn operands(signature: &Signature, options: &Options) -> Vec<Operand> {
    let mut operands = Vec::new();
    for (input, ty) in &signature.inputs {
        let per_item = match input.shape {
            Shape::Items => Some(1),
            Shape::Rows => Some(signature.row),
            Shape::LastAxis | Shape::Classes => None,
            Shape::OneOrItems => (ty.elements() != 1).then_some(1),
        };
        operands.push(Operand { name: input.name.to_string(), ty: ty.clone(), is_output: false, per_item });
        if input.differentiable && options.gradients != Gradients::Skip {
            operands.push(Operand { name: gradient_name(input.name), ty: ty.clone(), is_output: true, per_item });
        }
    }
    let per_item = (options.reduction == Reduction::None).then_some(1);
    let ty = signature.loss_type(options.reduction);
    operands.push(Operand { name: "loss".to_string(), ty, is_output: true, per_item });
    operands
}

/// The output that holds the gradient of an input.
pub(crate) fn gradient_name(input: &str) -> String {
    format!("grad.{input}")
}

impl Divisor {
    fn of(spec: &LossSpec, signature: &Signature, reduction: Reduction) -> Self {
        match (reduction, spec.driver) {
            (Reduction::None | Reduction::Sum, _) => Divisor::Known(1.0),
            (Reduction::BatchMean, _) => Divisor::Known(signature.batch as f64),
            // Rows may be ignored, weights are on the device.
            (Reduction::Mean | Reduction::WeightedMean, Driver::Rows(_)) => Divisor::Measured,
            (Reduction::WeightedMean, _) if signature.input("weight").is_some() => Divisor::Measured,
            (Reduction::Mean | Reduction::WeightedMean, Driver::Elementwise) => Divisor::Known(signature.items as f64),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Dispatch {
    Chunks,
    Once,
}

/// Where an input or output lies.
struct Place<'a> {
    operand: &'a Operand,
    slice: BufferSlice<'a>,
}

impl<'a> Place<'a> {
    fn overlaps(&self, other: &Place<'_>) -> bool {
        let end = |place: &Place<'_>| place.slice.offset + place.operand.ty.buffer_size();
        self.slice.buffer == other.slice.buffer && self.slice.offset < end(other) && other.slice.offset < end(self)
    }

    /// The part of the tensor that a chunk takes. The sums over all chunks take the whole of a scalar; items' own
    /// losses they leave alone.
    fn binding(&self, chunk: Option<&Chunk>) -> wgpu::BindingResource<'a> {
        let ty = &self.operand.ty;
        let (first, elements) = match (chunk, self.operand.per_item) {
            (Some(chunk), Some(per_item)) => (chunk.first * per_item, u64::from(chunk.items) * per_item),
            (None, Some(_)) => (0, 1),
            (_, None) => (0, ty.elements()),
        };
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: self.slice.buffer,
            offset: self.slice.offset + first * ty.dtype.size() as u64,
            size: wgpu::BufferSize::new(ty.dtype.buffer_size(elements)),
        })
    }
}

/// Whether an input lies in the same buffer as an output.
fn shares_buffers(places: &[Place<'_>]) -> bool {
    let (outputs, inputs): (Vec<_>, Vec<_>) = places.iter().partition(|place| place.operand.is_output);
    inputs.iter().any(|input| outputs.iter().any(|output| input.slice.buffer == output.slice.buffer))
}

fn place<'a, 'b>(places: &'b [Place<'a>], name: &str) -> &'b Place<'a> {
    match places.iter().find(|place| place.operand.name == name) {
        Some(place) => place,
        None => unreachable!("a kernel binds nothing but the operands of its plan, `{name}` is none"),
    }
}

fn bind_group<'a>(
    device: &wgpu::Device,
    spec: &LossSpec,
    pipeline: &Pipeline,
    resource: impl Fn(&Role) -> wgpu::BindingResource<'a>,
) -> wgpu::BindGroup {
    let entries: Vec<_> = pipeline
        .bindings
        .iter()
        .zip(0..)
        .map(|(binding, number)| wgpu::BindGroupEntry { binding: number, resource: resource(&binding.role) })
        .collect();
    let label = Some(spec.name);
    device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout: &pipeline.layout, entries: &entries })
}

/// Blocks of parameters, in one buffer.
struct Uniforms {
    buffer: wgpu::Buffer,
    stride: u64,
    size: u64,
}

impl Uniforms {
    fn new(gpu: &Gpu, blocks: &[Vec<u8>]) -> Result<Self, Error> {
        // WGSL rounds the size of a uniform struct up to its alignment; 16 covers every one.
        let size = blocks.iter().map(Vec::len).max().unwrap_or(0).next_multiple_of(16);
        let stride = size.next_multiple_of(gpu.limits().min_uniform_buffer_offset_alignment as usize);
        let mut bytes = vec![0; stride * blocks.len()];
        for (block, place) in blocks.iter().zip(bytes.chunks_mut(stride)) {
            place[..block.len()].copy_from_slice(block);
        }
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.buffer("parameters", bytes.len() as u64, usage)?;
        gpu.catching("parameters", |_| gpu.queue().write_buffer(&buffer, 0, &bytes))?;
        Ok(Uniforms { buffer, stride: stride as u64, size: size as u64 })
    }

    fn binding(&self, block: usize) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: block as u64 * self.stride,
            size: wgpu::BufferSize::new(self.size),
        })
    }
}

/// A plan bound to buffers, ready to be recorded any number of times.
#[derive(Clone, Debug)]
pub struct BoundPlan {
    plan: Plan,
    steps: Vec<Step>,
    workspace: wgpu::Buffer,
}

/// One dispatch.
#[derive(Clone, Debug)]
struct Step {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    workgroups: u32,
}

/// What a run found besides the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Items that counted.
    pub items: u64,
}

impl BoundPlan {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Records loss and gradients as one compute pass. Allocates nothing, submits nothing, waits for nothing.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let label = Some(self.plan.spec().name);
        self.record_in(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None }));
    }

    /// Records loss and gradients into the caller's compute pass.
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        for step in &self.steps {
            pass.set_pipeline(&step.pipeline);
            pass.set_bind_group(0, &step.bind_group, &[]);
            pass.dispatch_workgroups(step.workgroups, 1, 1);
        }
    }

    /// How the last submitted run went.
    ///
    /// # Errors
    /// [`Error::Target`] if targets were out of range, [`Error::DeviceLost`].
    pub async fn read_status(&self) -> Result<Status, Error> {
        let read = readback::read(&self.plan.0.gpu, &[self.status_range()]).await?;
        self.status(&read.concat())
    }

    /// [`BoundPlan::read_status`], waiting for it.
    ///
    /// # Errors
    /// As [`BoundPlan::read_status`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_status_blocking(&self) -> Result<Status, Error> {
        let read = readback::read_blocking(&self.plan.0.gpu, &[self.status_range()])?;
        self.status(&read.concat())
    }

    pub(crate) fn status_range(&self) -> Range<'_> {
        Range { buffer: &self.workspace, offset: 0, size: WorkspaceHeader::SIZE }
    }

    /// The status in the bytes of [`BoundPlan::status_range`].
    pub(crate) fn status(&self, bytes: &[u8]) -> Result<Status, Error> {
        let found: WorkspaceHeader = bytemuck::pod_read_unaligned(bytes);
        let (items, count) = (found.items(), found.invalid());
        if count == 0 {
            return Ok(Status { items });
        }
        let chunk = self.plan.0.chunks.iter().rev().find(|chunk| chunk.first_partial <= found.invalid_partial);
        let first = chunk.map_or(0, |chunk| chunk.first) + u64::from(found.invalid_item);
        Err(Error::Target { loss: self.plan.spec().name, count, first })
    }
}
