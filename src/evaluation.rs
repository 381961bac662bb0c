//! The first two levels of the API: losses of host tensors and of device tensors.

use crate::{
    Error, Gpu, HostTensor, Loss, Named, Options, Tensor,
    plan::{BoundPlan, BufferSlice, Plan},
    readback,
};

/// Loss and gradients in host memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The loss: a scalar, or one value per item with [`Reduction::None`](crate::Reduction::None). Always f32.
    pub loss: HostTensor<'static>,
    /// How many items counted.
    pub items: u64,
    /// The gradient of each differentiable input, by the input's name, in its shape and type.
    pub gradients: Named<HostTensor<'static>>,
}

/// Loss and gradients in device memory: nothing is read back until [`Output::read`].
#[derive(Clone, Debug)]
pub struct Output {
    /// The loss: a scalar, or one value per item with [`Reduction::None`](crate::Reduction::None). Always f32.
    pub loss: Tensor,
    /// The gradient of each differentiable input, by the input's name, in its shape and type.
    pub gradients: Named<Tensor>,
    bound: BoundPlan,
}

/// Evaluates a loss of device tensors by name.
pub(crate) fn run(gpu: &Gpu, loss: &dyn Loss, inputs: &Named<Tensor>, options: Options) -> Result<Output, Error> {
    for (name, tensor) in inputs.iter() {
        if !tensor.gpu().is_same_device(gpu) {
            return Err(Error::OtherDevice { loss: loss.spec().name, tensor: name.to_string() });
        }
    }
    let plan = Plan::new(gpu, loss, &inputs.map(|tensor| tensor.ty().clone()), options)?;
    let mut outputs = Named::<Tensor>::new();
    for (name, ty) in plan.outputs().iter() {
        outputs = outputs.with(name, Tensor::zeros(gpu, ty.clone())?);
    }
    let tensors = inputs.iter().chain(outputs.iter());
    let buffers: Named<BufferSlice<'_>> = tensors.map(|(name, tensor)| (name.to_string(), tensor.slice())).collect();
    let bound = plan.bind(&buffers)?;
    gpu.catching(plan.spec().name, |device| {
        let mut encoder =
            device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(plan.spec().name) });
        bound.record(&mut encoder);
        gpu.queue().submit([encoder.finish()]);
    })?;

    let mut gradients = Named::new();
    let mut result = None;
    for (name, tensor) in outputs.iter() {
        match name.strip_prefix("grad.") {
            Some(input) => gradients = gradients.with(input, tensor.clone()),
            None => result = Some(tensor.clone()),
        }
    }
    match result {
        Some(loss) => Ok(Output { loss, gradients, bound }),
        None => unreachable!("every plan has the output `loss`"),
    }
}

/// The tensors on the device.
pub(crate) fn upload(gpu: &Gpu, inputs: &Named<HostTensor<'_>>) -> Result<Named<Tensor>, Error> {
    inputs.iter().map(|(name, host)| Ok((name.to_string(), Tensor::from_host(gpu, host)?))).collect()
}

impl Output {
    /// Loss, count and gradients, once the device has computed them.
    ///
    /// # Errors
    /// [`Error::Target`] if targets were out of range, [`Error::DeviceLost`], [`Error::OutOfMemory`].
    pub async fn read(&self) -> Result<Evaluation, Error> {
        let ranges: Vec<_> = self.tensors().map(Tensor::range).chain([self.bound.status_range()]).collect();
        self.evaluation(readback::read(self.loss.gpu(), &ranges).await?)
    }

    /// [`Output::read`], waiting for it.
    ///
    /// # Errors
    /// As [`Output::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self) -> Result<Evaluation, Error> {
        let ranges: Vec<_> = self.tensors().map(Tensor::range).chain([self.bound.status_range()]).collect();
        self.evaluation(readback::read_blocking(self.loss.gpu(), &ranges)?)
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.loss).chain(self.gradients.iter().map(|(_, tensor)| tensor))
    }

    /// The evaluation from the bytes of the tensors and the status.
    fn evaluation(&self, read: Vec<Vec<u8>>) -> Result<Evaluation, Error> {
        let mut read = read.into_iter();
        let mut next = || read.next().unwrap_or_default();
        let loss = self.loss.host(next())?;
        let gradients: Result<Named<_>, Error> =
            self.gradients.iter().map(|(name, tensor)| Ok((name.to_string(), tensor.host(next())?))).collect();
        let status = self.bound.status(&next())?;
        Ok(Evaluation { loss, items: status.items, gradients: gradients? })
    }
}
