//! The first two levels of the API: losses of host tensors and of device tensors.

use crate::{
    Error, Gpu, HostTensor, Loss, Named, Options, Tensor,
    plan::{BoundPlan, Plan},
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

impl Plan {
    /// Binds the plan to input tensors and to new tensors, zeroed, for its outputs: for those who bring no buffers of
    /// their own.
    ///
    /// ```
    /// use wgloss::{DType, Gpu, HostTensor, Mse, Named, Plan, Reduction, Tensor, TensorType};
    /// let gpu = Gpu::new_blocking()?;
    /// let ty = TensorType::new(DType::F32, [3]);
    /// let plan = Plan::new(&gpu, &Mse, &Named::new().with("prediction", ty.clone()).with("target", ty.clone()), Reduction::Sum)?;
    /// let (prediction, target) = (Tensor::zeros(&gpu, ty.clone())?, Tensor::zeros(&gpu, ty)?);
    /// let output = plan.bind_tensors(&Named::new().with("prediction", prediction.clone()).with("target", target))?;
    /// for step in 0..3 {
    ///     prediction.write(&[0.0, 0.0, step as f32])?;
    ///     let mut encoder = gpu.device().create_command_encoder(&Default::default());
    ///     output.record(&mut encoder);
    ///     gpu.queue().submit([encoder.finish()]);
    ///     assert_eq!(output.read_blocking()?.loss.item(), f64::from(step * step));
    /// }
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Plan::bind`], and [`Error::OtherDevice`], [`Error::Shape`] or [`Error::DType`] for a tensor that is
    /// not what the plan was made for.
    pub fn bind_tensors(&self, inputs: &Named<Tensor>) -> Result<Output, Error> {
        for (name, tensor) in inputs.iter() {
            self.expect(name, tensor)?;
        }
        let mut outputs = Named::<Tensor>::new();
        for (name, ty) in self.outputs().iter() {
            outputs = outputs.with(name, Tensor::zeros(self.gpu(), ty.clone())?);
        }
        let tensors = inputs.iter().chain(outputs.iter());
        let bound = self.bind(&tensors.map(|(name, tensor)| (name.to_string(), tensor.slice())).collect())?;
        let (mut loss, mut gradients) = (None, Named::new());
        for (name, tensor) in outputs.iter() {
            match name.strip_prefix("grad.") {
                Some(input) => gradients = gradients.with(input, tensor.clone()),
                None => loss = Some(tensor.clone()),
            }
        }
        match loss {
            Some(loss) => Ok(Output { loss, gradients, bound }),
            None => unreachable!("every plan has the output `loss`"),
        }
    }

    fn expect(&self, name: &str, tensor: &Tensor) -> Result<(), Error> {
        let loss = self.spec().name;
        if !tensor.gpu().is_same_device(self.gpu()) {
            return Err(Error::OtherDevice { loss, tensor: name.to_string() });
        }
        // `bind` refuses names that the plan does not have.
        let Some((input, ty)) = self.input(name) else { return Ok(()) };
        if tensor.dtype() != ty.dtype {
            let (tensor, found) = (format!("{loss}: `{name}`"), tensor.dtype());
            return Err(Error::DType { tensor, expected: ty.dtype.to_string(), found });
        }
        if tensor.shape() != ty.shape {
            let (expected, found) = (format!("{:?}", ty.shape), tensor.shape().to_vec());
            return Err(Error::Shape { loss, tensor: input.name, expected, found });
        }
        Ok(())
    }
}

/// Evaluates a loss of device tensors by name.
pub(crate) fn run(gpu: &Gpu, loss: &dyn Loss, inputs: &Named<Tensor>, options: Options) -> Result<Output, Error> {
    let plan = Plan::new(gpu, loss, &inputs.map(|tensor| tensor.ty().clone()), options)?;
    let output = plan.bind_tensors(inputs)?;
    gpu.catching(plan.spec().name, |device| {
        let mut encoder =
            device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(plan.spec().name) });
        output.record(&mut encoder);
        gpu.queue().submit([encoder.finish()]);
    })?;
    Ok(output)
}

/// The tensors on the device.
pub(crate) fn upload(gpu: &Gpu, inputs: &Named<HostTensor<'_>>) -> Result<Named<Tensor>, Error> {
    inputs.iter().map(|(name, host)| Ok((name.to_string(), Tensor::from_host(gpu, host)?))).collect()
}

impl Output {
    /// Records loss and gradients of what the input tensors hold when the commands run. Allocates nothing, submits
    /// nothing, waits for nothing.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        self.bound.record(encoder);
    }

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
