//! A kernel as an operation of Burn's: queued with its other work, run in order, over its own buffers.

use std::{fmt, sync::Arc};

use burn::backend::{
    Shape,
    fusion::{
        ExecutionError,
        custom::{CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorIr},
    },
};
use burn_cubecl::{
    CubeBackend,
    cubecl::wgpu::WgpuResource,
    fusion::{CubeFusionHandle, FusionCubeRuntime},
    kernel::into_contiguous,
    tensor::CubeTensor,
};
use wgloss::{
    BufferSlice, Loss, Named, Options, Plan, TensorType,
    spec::{LossSpec, Shape as InputShape, Value},
};

use crate::{
    Error,
    backend::{Lazy, Server},
    device::{Shared, locked},
    input::{burn_dtype, tensor_type},
};

/// A loss by its entry and its parameters.
#[derive(Clone)]
pub struct OwnLoss {
    pub spec: &'static LossSpec,
    pub values: Vec<Value>,
}

/// The name and the parameters: all of the entry would fill the page that shows a module.
impl fmt::Debug for OwnLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec.name)?;
        let params = self.spec.params.iter().zip(&self.values);
        params.into_iter().try_for_each(|(param, value)| write!(f, " {}={value}", param.name))
    }
}

impl Loss for OwnLoss {
    fn spec(&self) -> &'static LossSpec {
        self.spec
    }

    fn values(&self) -> Vec<Value> {
        self.values.clone()
    }
}

/// A loss with its options on a device.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub shared: Arc<Shared>,
    pub loss: OwnLoss,
    pub options: Options,
    pub pass: Pass,
}

/// What a loss is computed for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pass {
    /// Its value. How that went is what a check tells.
    Forward,
    /// Its gradients only, behind a forward pass of the same items.
    Backward,
}

impl Prepared {
    /// The plan for inputs of these types, and its key.
    pub fn plan(&self, types: &Named<TensorType>) -> Result<(String, Plan), wgloss::Error> {
        let OwnLoss { spec, values } = &self.loss;
        // By its place: a loss of another crate may have a name that stands in the catalogue too.
        let key = format!("{:p} {values:?} {:?} {types:?}", *spec, self.options);
        let make = || Plan::new(&self.shared.gpu, &self.loss, types, self.options);
        let plan = locked(&self.shared.plans).get_or(key.clone(), make)?;
        Ok((key, plan))
    }

    /// Queues the loss of these inputs; gives its results by name, not computed yet. Of the right predictions, if the
    /// loss counts them, there is the result `correct`.
    pub fn launch(&self, inputs: Vec<(String, Lazy)>) -> Result<Vec<(String, Lazy)>, Error> {
        let types =
            inputs.iter().map(|(name, tensor)| (name.clone(), tensor_type(tensor.dtype, &tensor.shape))).collect();
        let (_, plan) = self.plan(&types)?;
        let mut results = plan.outputs();
        if plan.counts_correct() {
            results = results.with(CORRECT, TensorType::new(wgloss::DType::I32, [1]));
        }
        let client = inputs[0].1.client.clone();
        let inputs: Vec<(String, TensorIr)> =
            inputs.into_iter().map(|(name, tensor)| (name, tensor.into_ir())).collect();
        let result = |(name, ty): (&str, &TensorType)| {
            // Burn has no tensors of rank 0.
            let shape = Shape::from(if ty.shape.is_empty() { vec![1] } else { ty.shape.clone() });
            (name.to_string(), TensorIr::uninit(client.create_empty_handle(), shape, burn_dtype(ty.dtype)))
        };
        let outputs: Vec<(String, TensorIr)> = results.iter().map(result).collect();
        let irs = |tensors: &[(String, TensorIr)]| tensors.iter().map(|(_, ir)| ir.clone()).collect::<Vec<_>>();
        let ir = CustomOpIr::new("wgloss_loss", &irs(&inputs), &irs(&outputs));
        let names: Vec<String> = outputs.iter().map(|(name, _)| name.clone()).collect();
        let operation = LossOperation { prepared: self.clone(), inputs, outputs };
        let tensors = client.register(StreamId::current(), OperationIr::Custom(ir), operation);
        Ok(names.into_iter().zip(tensors).collect())
    }
}

/// The result with the number of right predictions.
pub const CORRECT: &str = "correct";

/// A loss in Burn's queue.
#[derive(Debug)]
struct LossOperation {
    prepared: Prepared,
    inputs: Vec<(String, TensorIr)>,
    outputs: Vec<(String, TensorIr)>,
}

impl Operation<FusionCubeRuntime> for LossOperation {
    fn execute(&self, handles: &mut HandleContainer<CubeFusionHandle>) -> Result<(), ExecutionError> {
        self.run(handles).map_err(|error| failure(&self.prepared.shared, error))
    }
}

impl LossOperation {
    fn run(&self, handles: &mut HandleContainer<CubeFusionHandle>) -> Result<(), Error> {
        let Prepared { shared, loss, pass, .. } = &self.prepared;
        let inputs: Vec<(&str, CubeTensor, TensorType)> = self
            .inputs
            .iter()
            .map(|(name, ir)| {
                // A gradient lies as its input does, and Burn takes it for dense.
                let has_gradient = self.outputs.iter().any(|(output, _)| output.strip_prefix("grad.") == Some(name));
                let may_stride = !has_gradient
                    && loss.spec.rows().is_some()
                    && loss.spec.input(name).is_some_and(|input| input.shape == InputShape::Rows);
                let (tensor, ty) = laid_out(resolved(ir, handles), may_stride);
                (name.as_str(), tensor, ty)
            })
            .collect();
        let types = inputs.iter().map(|(name, _, ty)| (name.to_string(), ty.clone())).collect();
        let (key, plan) = self.prepared.plan(&types)?;

        let like = &inputs[0].1;
        let outputs: Vec<(&str, CubeTensor)> =
            self.outputs.iter().map(|(name, ir)| (name.as_str(), allocated(like, ir))).collect();
        let (correct, results): (Vec<_>, Vec<_>) = outputs.iter().partition(|(name, _)| *name == CORRECT);
        let bound_tensors = inputs.iter().map(|(name, tensor, _)| (*name, tensor));
        let bound_tensors = bound_tensors.chain(results.iter().map(|(name, tensor)| (*name, tensor)));
        let places =
            bound_tensors.map(|(name, tensor)| Ok((name, Held::new(tensor)?))).collect::<Result<Vec<_>, Error>>()?;
        let correct = correct.iter().map(|(_, tensor)| Held::new(tensor)).collect::<Result<Vec<_>, Error>>()?;
        flush(inputs.iter().map(|(_, tensor, _)| tensor))?;

        let key = (key, places.iter().map(|(_, held)| held.place()).collect());
        let bind = || plan.bind(&places.iter().map(|(name, held)| (name.to_string(), held.slice())).collect());
        let bound = locked(&shared.bound).get_or(key, bind)?;
        let gpu = &shared.gpu;
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        bound.record(&mut encoder);
        if let (Some(count), Some(held)) = (bound.correct_slice(), correct.first()) {
            let (buffer, offset) = held.place();
            encoder.copy_buffer_to_buffer(count.buffer, count.offset, &buffer, offset, 4);
        }
        // Held until the submit: whoever reads statuses then finds this one.
        let mut statuses = locked(&shared.statuses);
        if *pass == Pass::Forward {
            statuses.keep(&mut encoder, bound.plan(), bound.status_slice());
        }
        gpu.queue().submit([encoder.finish()]);
        drop(statuses);
        for ((_, ir), (_, tensor)) in self.outputs.iter().zip(outputs) {
            publish(ir, tensor, handles);
        }
        Ok(())
    }
}

/// Submits what Burn has recorded so far, ahead of what is submitted next: in the stream that memory is taken from now,
/// and in those that the tensors are from.
pub fn flush<'a>(tensors: impl Iterator<Item = &'a CubeTensor> + Clone) -> Result<(), Error> {
    let mut flushed = Vec::new();
    for tensor in tensors {
        for stream in [StreamId::current(), tensor.handle.stream] {
            if !flushed.contains(&stream) {
                stream.executes(|| tensor.client.flush()).map_err(burn_error)?;
                flushed.push(stream);
            }
        }
    }
    Ok(())
}

/// A place in one of Burn's buffers.
pub struct Held {
    buffer: wgloss::wgpu::Buffer,
    offset: u64,
    /// What keeps Burn from moving it, and from giving it to anything else.
    _guard: Box<dyn std::any::Any>,
}

impl Held {
    pub fn new(tensor: &CubeTensor) -> Result<Self, Error> {
        let guard = tensor.client.get_resource::<Server>(tensor.handle.clone()).map_err(burn_error)?;
        let WgpuResource { buffer, offset, .. } = guard.resource();
        let (buffer, offset) = (buffer.clone(), *offset);
        Ok(Held { buffer, offset, _guard: Box::new(guard) })
    }

    pub fn slice(&self) -> BufferSlice<'_> {
        BufferSlice { buffer: &self.buffer, offset: self.offset }
    }

    pub fn place(&self) -> (wgloss::wgpu::Buffer, u64) {
        (self.buffer.clone(), self.offset)
    }
}

/// The tensor in the queue's hands.
pub fn resolved(ir: &TensorIr, handles: &mut HandleContainer<CubeFusionHandle>) -> CubeTensor {
    match ir.dtype.is_float() {
        true => handles.get_float_tensor::<CubeBackend>(ir),
        false => handles.get_int_tensor::<CubeBackend>(ir),
    }
}

pub fn publish(ir: &TensorIr, tensor: CubeTensor, handles: &mut HandleContainer<CubeFusionHandle>) {
    match ir.dtype.is_float() {
        true => handles.register_float_tensor::<CubeBackend>(&ir.id, tensor),
        false => handles.register_int_tensor::<CubeBackend>(&ir.id, tensor),
    }
}

/// The tensor as kernels take it, and its type: a matrix of rows with gaps between them as it is, where the loss can
/// take one; what else has gaps, copied by Burn.
pub fn laid_out(tensor: CubeTensor, may_stride: bool) -> (CubeTensor, TensorType) {
    let ty = |tensor: &CubeTensor| tensor_type(tensor.dtype, tensor.meta.shape());
    if may_stride && !tensor.meta.is_tiled() && !tensor.is_contiguous() {
        let (shape, strides) = (tensor.meta.shape().to_vec(), tensor.meta.strides().to_vec());
        if let (&[_, columns], &[row_stride, 1]) = (&shape[..], &strides[..])
            && row_stride >= columns
        {
            let ty = ty(&tensor).with_row_stride(row_stride);
            return (tensor, ty);
        }
    }
    let tensor = into_contiguous(tensor);
    let ty = ty(&tensor);
    (tensor, ty)
}

/// Memory of Burn's for a result.
pub fn allocated(like: &CubeTensor, ir: &TensorIr) -> CubeTensor {
    let size = tensor_type(ir.dtype, &ir.shape).buffer_size().max(4);
    let handle = like.client.empty(size as usize);
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), ir.shape.clone(), handle, ir.dtype)
}

pub fn burn_error(error: impl std::fmt::Display) -> Error {
    Error::Burn { reason: error.to_string() }
}

/// A failure as Burn tells it to who reads the results, kept for who checks.
pub fn failure(shared: &Shared, error: Error) -> ExecutionError {
    let told = ExecutionError::generic(error.to_string());
    locked(&shared.statuses).fail(error);
    told
}
