//! A loss prepared for given shapes, types and options, and bound to buffers: what a training framework records.

use std::sync::Arc;

use crate::{
    DType, Error, Gpu, Gradients, Loss, Mining, Named, Options, Reduction, TensorType, Tuning,
    batch::{BatchPlan, BatchStep},
    chunk::{self, Chunk, Split},
    header::{FinalizeParams, FixedParams},
    pipeline::Pipeline,
    readback::{self, Range},
    regions::{RegionLayout, ScoreSplit, Scores},
    shader::{Entry, Kernel, LossVariant, Pass, Quads, Role, SpecKey},
    spec::{Anchors, CLASS_WEIGHT, Driver, Input, LossSpec, Scope, Shape, Signature, Values},
    tuning::{RowLayout, RowShape},
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
    split: Split,
    chunks: Vec<Chunk>,
    /// Of a loss of regions.
    scores: Option<(Scores, ScoreSplit)>,
    /// Of a loss of a whole batch.
    batch: Option<BatchPlan>,
    divisor: Divisor,
}

/// An input or output.
#[derive(Debug)]
pub(crate) struct Operand {
    pub name: String,
    pub ty: TensorType,
    pub access: Access,
    /// Elements from one unit of a chunk to the next, those between rows included; `None` where every item needs the
    /// whole tensor.
    pub unit: Option<u64>,
    /// Whether kernels may take four elements at once.
    pub quads: bool,
}

/// What is done with an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Read, then overwritten by its gradient.
    Overwrite,
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
        let (row_layout, tuning) = match row_shape(spec, &signature) {
            Some(shape) => {
                let (layout, tuning) = gpu.tuning().row_layout(shape);
                (Some((layout, shape)), tuning)
            }
            None => (None, item_tuning(gpu, spec, &signature)?),
        };
        let regions =
            spec.regions().map(|regions| (RegionLayout::new(&signature), Scores::new(regions, &values, &signature)));
        let variant = LossVariant {
            loss: SpecKey(spec),
            inputs: spec.all_inputs().map(|input| signature.input(input.name).map(|ty| ty.dtype)).collect(),
            compiled: values.compiled(),
            gradients: options.gradients.into(),
            rows: row_layout.map(|(layout, _)| layout),
            regions: regions.map(|(layout, _)| layout),
            statistics: options.statistics,
            per_item: options.reduction == Reduction::None,
            shared_buffers: false,
            quads: quads(spec, &signature, row_layout.map(|(layout, _)| layout)),
        };
        let divisor = Divisor::of(spec, &values, &signature, options.reduction);
        let operands = operands(spec, &signature, &options);
        let batch = match spec.all_pairs() {
            Some(_) => Some(BatchPlan::new(gpu, &values, &signature, &options, &variant, divisor.known())?),
            None => None,
        };
        let split = match regions {
            Some((layout, scores)) => layout.split(gpu, spec.name, &signature, scores)?,
            None => Split::new(spec, &signature, tuning, row_layout),
        };
        let record_size = record_size(&variant, split);
        let chunks = match batch {
            Some(_) => Vec::new(),
            None => chunk::chunks(gpu, spec, &signature, &operands, split, record_size)?,
        };
        let scores = match regions {
            Some((_, scores)) => Some((scores, scores.split(gpu, spec.name, tuning, &chunks)?)),
            None => None,
        };
        let gpu = gpu.clone();
        let plan = Plan(Arc::new(Inner {
            gpu,
            spec,
            values,
            signature,
            options,
            variant,
            operands,
            tuning,
            split,
            chunks,
            scores,
            batch,
            divisor,
        }));
        match &plan.0.batch {
            Some(batch) => {
                batch.steps.iter().try_for_each(|step| plan.pipeline(&step.kernel).map(|_| ()))?;
            }
            None => {
                plan.pipelines(&plan.0.variant)?;
            }
        }
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

    /// The inputs that have a gradient.
    pub(crate) fn differentiable(&self) -> impl Iterator<Item = (&'static Input, &TensorType)> {
        self.0.signature.differentiable()
    }

    /// Whether gradients overwrite the inputs they belong to.
    pub(crate) fn is_in_place(&self) -> bool {
        self.0.options.gradients == Gradients::InPlace
    }

    /// The inputs to bind, by name.
    pub fn inputs(&self) -> Named<TensorType> {
        self.0.signature.inputs.iter().map(|(input, ty)| (input.name.to_string(), ty.clone())).collect()
    }

    /// The outputs to bind, by name: `loss`, `grad.<input>` for each input with a gradient, unless it overwrites that
    /// input, and the statistics asked for, `log_sum_exp` and `argmax`.
    pub fn outputs(&self) -> Named<TensorType> {
        let outputs = self.0.operands.iter().filter(|operand| operand.access == Access::Write);
        outputs.map(|operand| (operand.name.clone(), operand.ty.clone())).collect()
    }

    /// Bytes of device memory that a binding of this plan takes besides inputs and outputs: for rows, a small number for
    /// each row and each workgroup, however many classes there are.
    pub fn workspace_size(&self) -> u64 {
        let batch = self.0.batch.as_ref().map_or(0, BatchPlan::size);
        workspace::size(self.partials()) + self.records_size() + batch
    }

    /// The one entry point of a kernel of a whole batch.
    fn pipeline(&self, kernel: &Kernel) -> Result<Arc<Pipeline>, Error> {
        match &kernel.pass {
            Pass::Batch(batch) => self.0.gpu.pipelines().get(&self.0.gpu, kernel, Entry::Batch(batch.entry())),
            other => unreachable!("{other:?} is no kernel of a whole batch"),
        }
    }

    fn partials(&self) -> u32 {
        let of_scores = self.0.scores.map_or(0, |(_, split)| split.dispatched);
        self.0.chunks.last().map_or(0, |chunk| chunk.first_partial + chunk.partials) + of_scores
    }

    /// Bytes of the records of rows by parts, or of regions.
    fn records_size(&self) -> u64 {
        match &self.0.scores {
            Some((scores, split)) => scores.records_size(split.parts),
            None => self.0.signature.items * record_size(&self.0.variant, self.0.split),
        }
    }

    /// The passes, in order, compiled: each for every chunk, or once.
    fn pipelines(&self, variant: &LossVariant) -> Result<Vec<(Arc<Pipeline>, Dispatch)>, Error> {
        let Inner { gpu, tuning, divisor, .. } = &*self.0;
        let kernel = |pass| Kernel { pass, workgroup_size: tuning.workgroup_size, reduce: tuning.reduce };
        let pixels_of = variant.loss.0.regions().and_then(|regions| regions.pixels_of);
        let loss = SpecKey(pixels_of.unwrap_or(variant.loss.0));
        let loss = kernel(Pass::Loss(LossVariant { loss, ..variant.clone() }));
        let finalize = kernel(Pass::Finalize);
        let last = if variant.per_item {
            Entry::FinalizeItems
        } else if self.terms().is_some() {
            Entry::FinalizeTerms
        } else {
            Entry::FinalizeLoss
        };
        let mut passes = Vec::new();
        let scores = kernel(Pass::Scores(variant.clone()));
        if let (Divisor::Measured, None) = (divisor, variant.regions) {
            passes.push((&loss, Entry::Measure, Dispatch::Partials));
            passes.push((&finalize, Entry::FinalizeDivisor, Dispatch::Once));
        }
        if variant.regions.is_some() {
            passes.push((&loss, Entry::SumRegions, Dispatch::Workgroups));
            passes.push((&scores, Entry::ScoreRegions, Dispatch::Scores));
            if variant.stores_classes() {
                passes.push((&loss, Entry::EvaluateGradients, Dispatch::Workgroups));
            }
        } else if let Some(RowLayout::Parts { .. }) = variant.rows {
            passes.push((&loss, Entry::EvaluateParts, Dispatch::Workgroups));
            passes.push((&loss, Entry::JoinRows, Dispatch::Partials));
            if variant.has_middle() {
                passes.push((&loss, Entry::EvaluateMiddles, Dispatch::Workgroups));
                passes.push((&loss, Entry::JoinMiddles, Dispatch::Partials));
            }
            if variant.stores_classes() {
                passes.push((&loss, Entry::EvaluateGradients, Dispatch::Workgroups));
            }
        } else {
            passes.push((&loss, Entry::Evaluate, Dispatch::Workgroups));
        }
        passes.push((&finalize, last, Dispatch::Once));
        let compiled = passes.into_iter();
        compiled.map(|(kernel, entry, dispatch)| Ok((gpu.pipelines().get(gpu, kernel, entry)?, dispatch))).collect()
    }

    /// Binds the plan to buffers: every input by its name, every one of [`Plan::outputs`] by its.
    ///
    /// Buffers may be parts of one buffer. Outputs must not overlap anything. The buffers need the usage `STORAGE`.
    ///
    /// Kernels load and store four elements at once, which saves up to half the time, where every tensor with a value per
    /// item of an elementwise loss, or per class of a loss of rows, has room for a multiple of four: where its buffer goes
    /// on to a multiple of 16 bytes (8 for halves) behind the tensor's start. What lies there is never changed. Without that
    /// room the elements are moved one by one, and the first such binding compiles kernels for it.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::UnexpectedTensor`], [`Error::BufferTooSmall`], [`Error::BufferUsage`],
    /// [`Error::BufferAlignment`], [`Error::BufferOverlap`], [`Error::OutOfMemory`], [`Error::DeviceLost`],
    /// [`Error::Refused`].
    pub fn bind(&self, buffers: &Named<BufferSlice<'_>>) -> Result<BoundPlan, Error> {
        let Inner { gpu, spec, signature, variant, split, chunks, .. } = &*self.0;
        let places = self.places(buffers)?;
        let shared_buffers = shares_buffers(&places);
        let quads = if places.iter().all(Place::has_room) { variant.quads } else { Quads::No };
        let variant = &LossVariant { shared_buffers, quads, ..variant.clone() };
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let workspace = gpu.buffer("workspace", workspace::size(self.partials()), usage)?;
        let records = match self.records_size() {
            0 => None,
            size => Some(gpu.buffer("the records of rows", size, wgpu::BufferUsages::STORAGE)?),
        };
        let mut steps = Vec::new();
        if let Some(batch) = &self.0.batch {
            let steps = self.bind_batch(batch, &places, shared_buffers, &workspace)?;
            return Ok(BoundPlan { plan: self.clone(), steps, workspace });
        }
        // Where there is nothing to have a loss each, there is nothing to write and nothing that could be bound.
        if signature.results() > 0 || !variant.per_item {
            let uniforms = self.uniforms()?;
            let pipelines = self.pipelines(variant)?;
            let unit = self.unit();
            let binding =
                |name: &str, chunk: Option<&Chunk>| place(&places, name).binding(chunk, unit, quads != Quads::No);
            gpu.catching(&format!("{}: binding", spec.name), |device| {
                let step = |pipeline: &Pipeline, uniform: usize, chunk: Option<&Chunk>, workgroups: u32| Step {
                    pipeline: pipeline.pipeline.clone(),
                    bind_group: bind_group(device, spec, pipeline, |role| match role {
                        Role::Params => uniforms.binding(uniform),
                        Role::Workspace => workspace.as_entire_binding(),
                        Role::Input { input, .. } => binding(input, chunk),
                        Role::Gradient { input, .. } if self.is_in_place() => binding(input, chunk),
                        Role::Gradient { input, .. } => binding(&gradient_name(input), chunk),
                        Role::Loss => binding("loss", chunk),
                        Role::LogSumExp => binding("log_sum_exp", chunk),
                        Role::Argmax => binding("argmax", chunk),
                        Role::Rows => match (&records, chunk) {
                            (Some(records), Some(chunk)) => chunk.part_of(records, record_size(variant, *split)),
                            _ => unreachable!("only rows by parts bind records"),
                        },
                        Role::Regions => match &records {
                            Some(records) => records.as_entire_binding(),
                            None => unreachable!("every loss of regions has records"),
                        },
                        Role::Batch(_) | Role::Tensor(_) | Role::HardestPositive | Role::HardestNegative => {
                            unreachable!("only kernels of a whole batch bind {role:?}")
                        }
                    }),
                    workgroups: [workgroups, 1, 1],
                };
                for (pipeline, dispatch) in &pipelines {
                    for (index, chunk) in chunks.iter().enumerate() {
                        match dispatch {
                            Dispatch::Workgroups => steps.push(step(pipeline, index, Some(chunk), chunk.workgroups)),
                            Dispatch::Partials => steps.push(step(pipeline, index, Some(chunk), chunk.partials)),
                            Dispatch::Once | Dispatch::Scores => {}
                        }
                    }
                    match (dispatch, &self.0.scores) {
                        (Dispatch::Once, _) => steps.push(step(pipeline, chunks.len(), None, 1)),
                        (Dispatch::Scores, Some((_, split))) => {
                            steps.push(step(pipeline, chunks.len() + 1, None, split.dispatched));
                        }
                        _ => {}
                    }
                }
            })?;
        }
        Ok(BoundPlan { plan: self.clone(), steps, workspace })
    }

    /// The steps of a loss of a whole batch.
    fn bind_batch(
        &self,
        batch: &BatchPlan,
        places: &[Place<'_>],
        shared_buffers: bool,
        workspace: &wgpu::Buffer,
    ) -> Result<Vec<Step>, Error> {
        let Inner { gpu, spec, values, signature, options, .. } = &*self.0;
        // Where there is nothing to have a loss each, there is nothing to write and nothing that could be bound.
        if signature.results() == 0 && options.reduction == Reduction::None {
            return Ok(Vec::new());
        }
        let buffer = |size: &u64| gpu.buffer("a whole batch", *size, wgpu::BufferUsages::STORAGE);
        let buffers = batch.sizes.iter().map(buffer).collect::<Result<Vec<_>, _>>()?;
        let blocks: Vec<Vec<u8>> = batch.steps.iter().map(|step| block(&step.params, values)).collect();
        let uniforms = Uniforms::new(gpu, &blocks)?;
        let steps = batch.steps.iter().map(|step| {
            let step = step.clone().with_shared_buffers(shared_buffers);
            Ok((self.pipeline(&step.kernel)?, step))
        });
        let steps = steps.collect::<Result<Vec<_>, Error>>()?;
        let whole = |name: &str| place(places, name).binding(None, 1, false);
        gpu.catching(&format!("{}: binding", spec.name), |device| {
            let step = |(number, (pipeline, step)): (usize, &(Arc<Pipeline>, BatchStep))| Step {
                pipeline: pipeline.pipeline.clone(),
                bind_group: bind_group(device, spec, pipeline, |role| match role {
                    Role::Params => uniforms.binding(number),
                    Role::Workspace => workspace.as_entire_binding(),
                    Role::Batch(buffer) => buffers[*buffer as usize].as_entire_binding(),
                    Role::Tensor(_) => whole(step.tensor.as_deref().unwrap_or_default()),
                    Role::Input { input, .. } => whole(input),
                    Role::Loss => whole("loss"),
                    Role::HardestPositive => whole("hardest_positive"),
                    Role::HardestNegative => whole("hardest_negative"),
                    role => unreachable!("no kernel of a whole batch binds {role:?}"),
                }),
                workgroups: step.workgroups,
            };
            steps.iter().enumerate().map(step).collect()
        })
    }

    /// The weights of the loss's two terms, if it is a sum of them.
    fn terms(&self) -> Option<[f64; 2]> {
        let terms = self.0.spec.regions()?.terms?;
        Some(terms.weights.map(|weight| self.0.values.number(weight)))
    }

    /// Items of a unit: chunks have whole ones.
    fn unit(&self) -> u64 {
        self.0.signature.class_stride.max(1)
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
        for output in places.iter().filter(|place| place.operand.access != Access::Read) {
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
        let Inner { gpu, signature, options, values, split, chunks, scores, divisor, .. } = &*self.0;
        let (measured, divisor) = match *divisor {
            Divisor::Known(divisor) => (0, divisor),
            Divisor::Measured => (1, 1.0),
        };
        // Where nothing counts, every gradient is 0.
        let scale = if divisor == 0.0 { 0.0 } else { options.gradient_scale() / divisor };
        let [pixel_weight, score_weight] = self.terms().unwrap_or([0.0, 1.0]);
        let one_upstream = signature.input("upstream").is_none_or(|ty| ty.elements() == 1);
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        let fixed = FixedParams {
            classes: signature.row as u32,
            class_stride: signature.class_stride as u32,
            row_stride: signature.row_stride(0) as u32,
            second_stride: signature.row_stride(1) as u32,
            scale: (score_weight * scale) as f32,
            term_scale: (pixel_weight * options.gradient_scale()) as f32,
            measured,
            weighted: u32::from(options.reduction == Reduction::WeightedMean),
            upstream_stride: u32::from(!one_upstream),
            last_axis: signature.last_axis as u32,
            ..FixedParams::default()
        };
        let fixed = scores.map_or(fixed, |(scores, split)| scores.params(split, fixed));
        let block = |fixed: FixedParams| block(&fixed, values);
        for chunk in chunks {
            let items = FixedParams {
                length: chunk.items,
                span: split.span,
                tally_span: split.tally_span,
                first_partial: chunk.first_partial,
                parts: split.parts,
                part_columns: split.part_columns,
                last_axis_start: (chunk.first % signature.last_axis) as u32,
                ..fixed
            };
            blocks.push(block(scores.map_or(items, |(scores, _)| scores.params_of_pixels(*split, chunk, items))));
        }
        let finalize = FinalizeParams {
            partials: self.partials(),
            measured,
            divisor: divisor as f32,
            pixel_weight: pixel_weight as f32,
            score_weight: score_weight as f32,
        };
        blocks.push(bytemuck::bytes_of(&finalize).to_vec());
        blocks.extend(scores.map(|(scores, split)| block(scores.params_of_scores(split, fixed))));
        Uniforms::new(gpu, &blocks)
    }
}

/// The fixed parameters and the loss's own.
fn block(fixed: &impl bytemuck::NoUninit, values: &Values) -> Vec<u8> {
    let mut block = bytemuck::bytes_of(fixed).to_vec();
    block.extend(values.iter().flat_map(|(param, value)| param.uniform(value).to_le_bytes()));
    block
}

/// Bytes of the records of a row by parts: the row's own and those of its parts.
fn record_size(variant: &LossVariant, split: Split) -> u64 {
    match variant.rows {
        Some(RowLayout::Parts { .. }) => (u64::from(split.parts) + 1) * workspace::RECORD_SIZE,
        _ => 0,
    }
}

impl Chunk {
    /// The chunk's part of a buffer with so many bytes for each item.
    fn part_of<'a>(&self, buffer: &'a wgpu::Buffer, size: u64) -> wgpu::BindingResource<'a> {
        let (offset, size) = (self.first * size, wgpu::BufferSize::new(u64::from(self.items) * size));
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
    }
}

/// The rows of a call of a row loss.
fn row_shape(spec: &LossSpec, signature: &Signature) -> Option<RowShape> {
    spec.rows()?;
    let Signature { items: rows, row: classes, class_stride, .. } = *signature;
    let row_strides = [signature.row_stride(0), signature.row_stride(1)];
    let walks = if spec.shader.defines("MIDDLE") { 3 } else { 2 };
    let is_half = signature.inputs.first().is_some_and(|(_, ty)| ty.dtype.is_half());
    let rows_of_words = if is_half && !row_strides[0].is_multiple_of(2) { 2 } else { 1 };
    Some(RowShape { rows, classes, class_stride: class_stride.max(1), row_strides, walks, rows_of_words })
}

/// The layout of losses without rows of classes. Of pairs a workgroup takes an item, whose rows its lanes may be too few for.
fn item_tuning(gpu: &Gpu, spec: &LossSpec, signature: &Signature) -> Result<Tuning, Error> {
    let Driver::Pairs = spec.driver else { return Ok(gpu.tuning()) };
    let tuning = gpu.tuning().for_classes(signature.row);
    let needed = chunk::pairs_of_words(signature) * chunk::pair_iterations(signature, tuning);
    let available = tuning.max_loop_iterations.into();
    if needed > available {
        let what = format!("{}: `{}`", spec.name, spec.inputs[0].name);
        return Err(gpu.limit(&what, "max_loop_iterations", needed, available));
    }
    Ok(tuning)
}

/// Whether kernels take four elements at once, where buffers have room for it.
fn quads(spec: &LossSpec, signature: &Signature, rows: Option<RowLayout>) -> Quads {
    match spec.driver {
        Driver::Boxes => return Quads::Aligned,
        Driver::Pairs if signature.row.is_multiple_of(4) => return Quads::Aligned,
        Driver::Pairs => return Quads::No,
        _ => {}
    }
    if spec.all_pairs().is_some() {
        return Quads::No;
    }
    let Some(layout) = rows else { return Quads::Anywhere };
    let is_per_class = spec.rows().is_some_and(|rows| rows.per_class);
    let strides = [signature.row_stride(0), if is_per_class { signature.row } else { signature.row_stride(1) }];
    let has_second = is_per_class || spec.second_rows().is_some();
    let is_half = signature.inputs.first().is_some_and(|(_, ty)| ty.dtype.is_half());
    if !layout.runs_along_classes() {
        Quads::No
    } else if signature.row.is_multiple_of(4) && strides.iter().all(|stride| stride.is_multiple_of(4)) {
        Quads::Aligned
    } else if !is_half && (!has_second || strides[0] % 4 == strides[1] % 4) {
        // Quads of both inputs, or of the values of all classes, begin at the same columns. Halves before and behind whole quads would share words.
        Quads::Anywhere
    } else {
        Quads::No
    }
}

/// The inputs given and the outputs.
fn operands(spec: &LossSpec, signature: &Signature, options: &Options) -> Vec<Operand> {
    let mut operands = Vec::new();
    let mut add = |name: String, ty: &TensorType, access, unit: Option<u64>, quads| {
        // A whole batch is not split.
        let unit = unit.filter(|_| spec.all_pairs().is_none());
        operands.push(Operand { name, ty: ty.clone(), access, unit, quads });
    };
    let items = signature.class_stride;
    let results = if spec.rows().is_some_and(|rows| rows.per_class) { items * signature.row } else { items };
    for (input, ty) in &signature.inputs {
        let unit = match input.shape {
            Shape::Items => Some(items),
            Shape::Rows | Shape::Boxes => Some(ty.row_stride.map_or(items * signature.row, |stride| stride as u64)),
            Shape::LastAxis | Shape::Classes | Shape::Scalar => None,
            Shape::Embeddings => Some(signature.row),
            // Scores are not split with the pixels.
            Shape::OneOrItems if spec.regions().is_some() => None,
            Shape::OneOrItems => (ty.elements() != 1).then_some(results),
        };
        let quads = spec.moves_quads_of(input);
        match options.gradients {
            Gradients::InPlace if input.differentiable => {
                add(input.name.to_string(), ty, Access::Overwrite, unit, quads);
            }
            _ => add(input.name.to_string(), ty, Access::Read, unit, quads),
        }
        if input.differentiable && matches!(options.gradients, Gradients::Write | Gradients::Add { .. }) {
            add(gradient_name(input.name), ty, Access::Write, unit, quads);
        }
    }
    let unit = (options.reduction == Reduction::None && spec.regions().is_none()).then_some(results);
    let quads = unit.is_some() && spec.moves_quads_of_losses();
    add("loss".to_string(), &signature.loss_type(options.reduction), Access::Write, unit, quads);
    let statistics = options.statistics;
    for (name, dtype, wanted) in [
        ("log_sum_exp", DType::F32, statistics.log_sum_exp),
        ("argmax", DType::I32, statistics.argmax),
        ("hardest_positive", DType::I32, statistics.hardest),
        ("hardest_negative", DType::I32, statistics.hardest),
    ] {
        if wanted {
            let ty = TensorType::new(dtype, signature.item_shape.clone());
            add(name.to_string(), &ty, Access::Write, Some(items), false);
        }
    }
    operands
}

/// The output that holds the gradient of an input.
pub(crate) fn gradient_name(input: &str) -> String {
    format!("grad.{input}")
}

impl Divisor {
    fn known(self) -> Option<f64> {
        match self {
            Divisor::Known(divisor) => Some(divisor),
            Divisor::Measured => None,
        }
    }

    fn of(spec: &LossSpec, values: &Values, signature: &Signature, reduction: Reduction) -> Self {
        let is_given = |name| signature.input(name).is_some();
        if spec.all_pairs().is_some() {
            return match reduction {
                Reduction::None | Reduction::Sum => Divisor::Known(1.0),
                Reduction::BatchMean => Divisor::Known(signature.batch as f64),
                Reduction::Mean | Reduction::WeightedMean => Divisor::Measured,
            };
        }
        if spec.regions().is_some() {
            // Every score counts; their weights are on the device.
            let is_weighted = values.word_or("scope", Scope::Class).is_per_class() && is_given(CLASS_WEIGHT.name);
            return match reduction {
                Reduction::None | Reduction::Sum => Divisor::Known(1.0),
                Reduction::BatchMean => Divisor::Known(signature.batch as f64),
                Reduction::WeightedMean if is_weighted => Divisor::Measured,
                Reduction::Mean | Reduction::WeightedMean => Divisor::Known(signature.results() as f64),
            };
        }
        // Rows may be ignored, weights are on the device.
        let is_measured = match reduction {
            Reduction::None | Reduction::Sum => return Divisor::Known(1.0),
            Reduction::BatchMean => return Divisor::Known(signature.batch as f64),
            Reduction::Mean => false,
            Reduction::WeightedMean => is_given("weight"),
        } || signature.has_labels();
        if is_measured { Divisor::Measured } else { Divisor::Known(signature.items as f64) }
    }
}

/// For what a pass has workgroups.
#[derive(Clone, Copy, Debug)]
enum Dispatch {
    /// For the spans of every chunk.
    Workgroups,
    /// For the partials of every chunk.
    Partials,
    /// For the scores of regions.
    Scores,
    /// One for the whole call.
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

    /// Whether a last quad that the tensor does not fill is in its buffer, if kernels take quads of it. It is never in
    /// another tensor, which starts at a multiple of the alignment.
    fn has_room(&self) -> bool {
        let ty = &self.operand.ty;
        let end = self.slice.offset.saturating_add(ty.dtype.size_in_quads(ty.extent()));
        !self.operand.quads || end <= self.slice.buffer.size()
    }

    /// The part of the tensor that a chunk takes, up to a whole quad if asked. The sums over all chunks take the whole of
    /// a scalar; items' own losses they leave alone.
    fn binding(&self, chunk: Option<&Chunk>, items_of_unit: u64, quads: bool) -> wgpu::BindingResource<'a> {
        let ty = &self.operand.ty;
        let (first, elements) = match (chunk, self.operand.unit) {
            (Some(chunk), Some(elements)) => {
                let units = u64::from(chunk.items) / items_of_unit;
                let first = chunk.first / items_of_unit * elements;
                // The last row has no gap behind it.
                (first, (units * elements).min(ty.extent() - first))
            }
            (None, Some(_)) => (0, 1),
            (_, None) => (0, ty.elements()),
        };
        let quads = quads && self.operand.quads;
        let size = if quads { ty.dtype.size_in_quads(elements) } else { ty.dtype.buffer_size(elements) };
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: self.slice.buffer,
            offset: self.slice.offset + first * ty.dtype.size() as u64,
            size: wgpu::BufferSize::new(size),
        })
    }
}

/// Whether an input lies in the same buffer as an output.
fn shares_buffers(places: &[Place<'_>]) -> bool {
    let (outputs, inputs): (Vec<_>, Vec<_>) = places.iter().partition(|place| place.operand.access != Access::Read);
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
    workgroups: [u32; 3],
}

/// What a run found besides the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    /// Items that counted.
    pub items: u64,
    /// How many of them have their target as the predicted class, the first of the largest logits; `None` for losses
    /// without class indices as targets.
    pub correct: Option<u64>,
    /// The two terms of a loss that is a sum of them, without their weights; `None` for others.
    pub terms: Option<[f32; 2]>,
    /// What a triplet loss of a whole batch found; `None` for other losses.
    pub mining: Option<Mining>,
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
            let [x, y, z] = step.workgroups;
            pass.dispatch_workgroups(x, y, z);
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
            let has_predictions = self.plan.spec().rows().is_some() && self.plan.0.signature.has_labels();
            let correct = has_predictions.then(|| found.correct());
            let terms = self.plan.terms().map(|_| [found.pixel_term, found.score_term]);
            let mines = self.plan.spec().all_pairs().is_some_and(|batch| batch.anchors != Anchors::Softmax);
            let mining = mines.then(|| found.mining());
            return Ok(Status { items, correct, terms, mining });
        }
        let chunk = self.plan.0.chunks.iter().rev().find(|chunk| chunk.first_partial <= found.invalid_partial);
        let first = chunk.map_or(0, |chunk| chunk.first) + u64::from(found.invalid_item);
        Err(Error::target(self.plan.spec(), count, first))
    }
}
