//! Operations prepared for given tensors, and bound to buffers.

use std::sync::Arc;

use super::{
    Operation,
    walk::{Walk, Work},
};
use crate::{
    BufferSlice, Error, Gpu, Named, Tensor, TensorType,
    dispatch::{Bindable, Compiled, Dispatches, Located},
    gpu::readback::{self, Range},
};

/// An operation prepared for tensors of given types: checked and compiled.
///
/// Made once, bound to buffers with [`OpPlan::bind`], recorded every step.
#[derive(Clone, Debug)]
pub struct OpPlan<O>(Arc<Inner<O>>);

#[derive(Debug)]
struct Inner<O> {
    gpu: Gpu,
    operation: O,
    tensors: Vec<(String, TensorType)>,
}

impl<O: Operation> OpPlan<O> {
    pub(super) fn new(gpu: &Gpu, operation: &O, tensors: &Named<TensorType>) -> Result<Self, Error> {
        gpu.check()?;
        operation.check()?;
        gpu.machine().check(O::NAME)?;
        let names: Vec<String> = tensors.iter().map(|(name, _)| name.to_string()).collect();
        if names.is_empty() {
            return Err(Error::NoTensors { operation: O::NAME });
        }
        tensors.expect_only(O::NAME, &names)?;
        for (name, ty) in tensors.iter() {
            expect_operand::<O>(name, ty)?;
        }
        let tensors: Vec<_> = tensors.iter().map(|(name, ty)| (name.to_string(), ty.clone())).collect();
        O::check_tensors(&tensors)?;
        let plan = OpPlan(Arc::new(Inner { gpu: gpu.clone(), operation: operation.clone(), tensors }));
        // Compiles what bindings with room for whole quads need; the pipelines stay with the device.
        let work = plan.work(vec![true; plan.0.tensors.len()], Vec::new())?;
        Compiled::new(gpu, O::NAME, work.program)?;
        Ok(plan)
    }

    /// The operation.
    pub fn operation(&self) -> &O {
        &self.0.operation
    }

    /// The tensors to bind, by name.
    pub fn tensors(&self) -> Named<TensorType> {
        self.0.tensors.iter().cloned().collect()
    }

    fn work(&self, roomy: Vec<bool>, outputs: Vec<&'static str>) -> Result<Work, Error> {
        let Inner { gpu, operation, tensors } = &*self.0;
        operation.work(&Walk { name: O::NAME, machine: gpu.machine(), tensors, roomy, outputs })
    }

    /// Binds the plan to buffers: every tensor by its name, and the operation's outputs, such as `total_norm` of
    /// [`ClipGradNorm`](super::ClipGradNorm), where they are wanted in a buffer.
    ///
    /// Buffers may be parts of one buffer. What is written must not overlap anything. The buffers need the usage
    /// `STORAGE`. Four elements are loaded and stored at once where a tensor's buffer goes on to a multiple of 16 bytes
    /// (8 for halves) behind the tensor's start; what lies there is never changed.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::UnexpectedTensor`], [`Error::BufferTooSmall`], [`Error::BufferUsage`],
    /// [`Error::BufferAlignment`], [`Error::BufferOverlap`], [`Error::OutOfMemory`], [`Error::DeviceLost`],
    /// [`Error::Refused`].
    pub fn bind(&self, buffers: &Named<BufferSlice<'_>>) -> Result<BoundOp<O>, Error> {
        let Inner { gpu, tensors, .. } = &*self.0;
        let outputs: Vec<&'static str> =
            O::OUTPUTS.iter().filter(|output| buffers.get(output).is_some()).copied().collect();
        let bindable = |name, ty: &TensorType, is_written| Bindable { name, size: ty.buffer_size(), is_written };
        let own = tensors.iter().map(|(name, ty)| bindable(name, ty, O::writes(name)));
        let told = outputs.iter().map(|name| bindable(name, &O::output(name, tensors), true));
        let located = Located::new(gpu, O::NAME, own.chain(told), buffers)?;
        let has_room = |(name, ty): &(String, TensorType)| {
            let BufferSlice { buffer, offset } = located.slice(name);
            offset + ty.dtype.size_in_quads(ty.elements()) <= buffer.size()
        };
        let work = self.work(tensors.iter().map(has_room).collect(), outputs.clone())?;
        let (first_partials, told) = (work.first_partials, work.told);
        let program = if located.share_buffers() { work.program.with_shared_buffers() } else { work.program };
        let compiled = Compiled::new(gpu, O::NAME, program)?;
        // Operations have no parameters but the words of their steps.
        let dispatches = compiled.bind(gpu, O::NAME, &located, |_| Vec::new())?;
        let bound = BoundOp { plan: self.clone(), dispatches, first_partials, told };
        let beginning = self.operation().beginning();
        if !beginning.is_empty() {
            bound.begin(&beginning)?;
        }
        Ok(bound)
    }

    /// Binds the plan to tensors: see [`OpPlan::bind`].
    ///
    /// # Errors
    /// The errors of [`OpPlan::bind`], and [`Error::OtherDevice`], [`Error::DType`] or [`Error::Operand`] for a tensor
    /// that is not what the plan was made for.
    pub fn bind_tensors(&self, tensors: &Named<Tensor>) -> Result<BoundOp<O>, Error> {
        for (name, tensor) in tensors.iter() {
            if !tensor.gpu().is_same_device(&self.0.gpu) {
                return Err(Error::OtherDevice { loss: O::NAME, tensor: name.to_string() });
            }
            let known = self.0.tensors.iter().find(|(known, _)| known == name).map(|(_, ty)| ty.clone());
            let output = || O::OUTPUTS.contains(&name).then(|| O::output(name, &self.0.tensors));
            // `bind` refuses names that the operation does not have.
            let Some(ty) = known.or_else(output) else { continue };
            if tensor.dtype() != ty.dtype {
                let (tensor, found) = (format!("{}: `{name}`", O::NAME), tensor.dtype());
                return Err(Error::DType { tensor, expected: ty.dtype.to_string(), found });
            }
            if tensor.ty().elements() != ty.elements() || tensor.ty().stride_of_rows() != ty.stride_of_rows() {
                let (rule, found) = (format!("have {} elements side by side", ty.elements()), tensor.ty());
                return Err(refused::<O>(name, rule, found));
            }
        }
        self.bind(&tensors.iter().map(|(name, tensor)| (name.to_string(), tensor.slice())).collect())
    }
}

/// That an operation can take a tensor of this type.
fn expect_operand<O: Operation>(name: &str, ty: &TensorType) -> Result<(), Error> {
    if !ty.dtype.is_float() {
        let (tensor, expected) = (format!("{}: `{name}`", O::NAME), "f32, f16 or bf16".to_string());
        return Err(Error::DType { tensor, expected, found: ty.dtype });
    }
    if O::OUTPUTS.contains(&name) {
        return Err(refused::<O>(name, "have another name than the output".to_string(), ty));
    }
    if ty.stride_of_rows().is_some() {
        return Err(refused::<O>(name, "have its rows side by side".to_string(), ty));
    }
    if !ty.is_countable() {
        let rule = format!("have at most {} elements, empty axes counted as 1", TensorType::MOST_ELEMENTS);
        return Err(refused::<O>(name, rule, ty));
    }
    Ok(())
}

fn refused<O: Operation>(name: &str, rule: String, ty: &TensorType) -> Error {
    let stride = ty.row_stride.map_or_else(String::new, |stride| format!(" with a row stride of {stride}"));
    let found = format!("{} {:?}{stride}", ty.dtype, ty.shape);
    Error::Operand { operation: O::NAME, tensor: name.to_string(), rule, found }
}

/// An operation bound to buffers, ready to be recorded any number of times.
#[derive(Clone, Debug)]
pub struct BoundOp<O> {
    plan: OpPlan<O>,
    dispatches: Dispatches,
    first_partials: Vec<u32>,
    told: u64,
}

impl<O: Operation> BoundOp<O> {
    /// The plan.
    pub fn plan(&self) -> &OpPlan<O> {
        &self.plan
    }

    /// Records the operation as one compute pass, for what the tensors hold when the commands run. Allocates nothing,
    /// submits nothing, waits for nothing.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        self.dispatches.record(encoder);
    }

    /// Records the operation into the caller's compute pass.
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.dispatches.record_in(pass);
    }

    /// What the last submitted run tells.
    ///
    /// # Errors
    /// [`Error::Target`] for values that the operation does not allow, [`Error::DeviceLost`], [`Error::OutOfMemory`].
    pub async fn read(&self) -> Result<O::Report, Error> {
        self.report(&readback::read(&self.plan.0.gpu, &[self.range()]).await?.concat())
    }

    /// [`BoundOp::read`], waiting for it.
    ///
    /// # Errors
    /// As [`BoundOp::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self) -> Result<O::Report, Error> {
        self.report(&readback::read_blocking(&self.plan.0.gpu, &[self.range()])?.concat())
    }

    /// Puts bytes at the beginning of the workspace, before anything that is submitted later.
    pub(super) fn begin(&self, bytes: &[u8]) -> Result<(), Error> {
        let gpu = &self.plan.0.gpu;
        gpu.catching(O::NAME, |_| gpu.queue().write_buffer(self.range().buffer, 0, bytes))
    }

    pub(super) fn range(&self) -> Range<'_> {
        self.dispatches.workspace(self.told)
    }

    /// What the bytes of [`BoundOp::range`] say.
    pub(super) fn report(&self, bytes: &[u8]) -> Result<O::Report, Error> {
        O::report(bytes, &self.plan.0.tensors, &self.first_partials)
    }
}
