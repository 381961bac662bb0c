//! A loss prepared for given shapes, types and options, and bound to buffers: what a training framework records.

mod bind;
mod bound;

pub use bound::{BoundPlan, Status};

use std::sync::Arc;

use crate::{
    Error, Gpu, Loss, Named, Options, Signature, TensorType,
    dispatch::Compiled,
    drivers::{Call, CallTensor, Role, extras, program},
    extra::Extra,
    program::workspace::WorkspaceHeader,
    spec::{Input, LossSpec, Values},
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
/// let types = Named::new().with("prediction", ty.clone()).with("target", ty);
/// let plan = Plan::new(&gpu, &Huber { delta: 0.5 }, &types, Reduction::Mean)?;
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
    values: Values,
    signature: Signature,
    options: Options,
    tensors: Vec<CallTensor>,
    compiled: Compiled,
}

impl Plan {
    /// Prepares a loss for inputs of these types.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::Option`], [`Error::MissingTensor`], [`Error::UnexpectedTensor`],
    /// [`Error::Shape`], [`Error::DType`], [`Error::UpstreamReduction`], [`Error::Divisor`],
    /// [`Error::DivisorReduction`], [`Error::Limit`], [`Error::Shader`], [`Error::DeviceLost`].
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
        gpu.machine().check(spec.name)?;
        let call = Call {
            machine: gpu.machine(),
            values: &values,
            signature: &signature,
            options: &options,
            roomy: true,
            panels: None,
        };
        let tensors = call.tensors();
        let compiled = Compiled::new(gpu, spec.name, program(&call)?)?;
        Ok(Plan(Arc::new(Inner { gpu: gpu.clone(), values, signature, options, tensors, compiled })))
    }

    /// The loss's entry in the catalogue.
    pub fn spec(&self) -> &'static LossSpec {
        self.0.values.spec()
    }

    /// The parameters' values.
    pub(crate) fn values(&self) -> &Values {
        &self.0.values
    }

    /// The inputs given and what they amount to.
    pub(crate) fn signature(&self) -> &Signature {
        &self.0.signature
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
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

    /// The call that the plan is for, with buffers that have room or not; see [`Call::roomy`].
    fn call(&self, roomy: bool) -> Call<'_> {
        let Inner { gpu, values, signature, options, .. } = &*self.0;
        Call { machine: gpu.machine(), values, signature, options, roomy, panels: None }
    }

    /// Whether gradients are added to what is there.
    pub(crate) fn adds(&self) -> bool {
        self.call(true).adds()
    }

    /// Whether gradients overwrite the inputs they belong to.
    pub(crate) fn is_in_place(&self) -> bool {
        self.call(true).is_in_place()
    }

    /// What a run has found besides loss and items.
    fn extras(&self, found: &WorkspaceHeader) -> Vec<Extra> {
        extras(&self.call(true), found)
    }

    /// The inputs to bind, by name.
    pub fn inputs(&self) -> Named<TensorType> {
        self.0.signature.inputs.iter().map(|(input, ty)| (input.name.to_string(), ty.clone())).collect()
    }

    /// The outputs to bind, by name: `loss`, `grad.<input>` for each input with a gradient, unless it overwrites that
    /// input, and the statistics asked for, such as `log_sum_exp` and `argmax`.
    pub fn outputs(&self) -> Named<TensorType> {
        let is_output = |tensor: &&CallTensor| tensor.role.is_output() && !matches!(tensor.role, Role::Overwritten(_));
        self.0.tensors.iter().filter(is_output).map(|tensor| (tensor.name.clone(), tensor.ty.clone())).collect()
    }

    /// Bytes of device memory that a binding of this plan takes besides inputs and outputs: for rows, a small number
    /// for each row and each workgroup, however many classes there are.
    pub fn workspace_size(&self) -> u64 {
        self.0.compiled.program.scratch_size()
    }
}
