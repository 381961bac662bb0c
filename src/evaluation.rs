//! The first two levels of the API: losses of host tensors and of device tensors.

use crate::{
    Error, Extra, Gpu, HostTensor, Loss, Mining, Named, Options, Tensor, TensorType,
    drivers::{gradient_name, room},
    gpu::readback,
    out_of_range,
    plan::{BoundPlan, Plan},
    spec::LossSpec,
};

/// Loss and gradients in host memory.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The loss: a scalar, or one value per item with [`Reduction::None`](crate::Reduction::None). Always f32.
    pub loss: HostTensor<'static>,
    /// How many items counted.
    pub items: u64,
    /// The gradient of each differentiable input, by the input's name, in its shape and type.
    pub gradients: Named<HostTensor<'static>>,
    /// The statistics asked for, by name; see [`Statistics`](crate::Statistics).
    pub statistics: Named<HostTensor<'static>>,
    /// What the loss's driver tells besides; the methods give each by its name.
    pub extras: Vec<Extra>,
}

impl Evaluation {
    /// A loss of so many items, without gradients, statistics and extras: for those who read the buffers of a
    /// [`Plan`] themselves.
    pub fn new(loss: HostTensor<'static>, items: u64) -> Self {
        Evaluation { loss, items, gradients: Named::new(), statistics: Named::new(), extras: Vec::new() }
    }

    /// How many of the items that counted have their target as the predicted class; `None` for losses without class
    /// indices as targets.
    pub fn correct(&self) -> Option<u64> {
        Extra::correct(&self.extras)
    }

    /// The terms of a loss that is a sum of two, by name and without their weights; empty for others.
    pub fn terms(&self) -> Named<f32> {
        Extra::terms(&self.extras)
    }

    /// What a triplet loss of a whole batch found; `None` for other losses.
    pub fn mining(&self) -> Option<Mining> {
        Extra::mining(&self.extras)
    }

    /// What a [`WeightedMean`](crate::Reduction::WeightedMean) was divided by, where a `weight` is given: the sum of
    /// the weights that count. Where that is 0 or below there is no such mean, and loss and gradients are 0; `None` for
    /// other reductions.
    pub fn weight_sum(&self) -> Option<f32> {
        Extra::weight_sum(&self.extras)
    }

    /// The log-sum-exp of each row, if [`Statistics::log_sum_exp`](crate::Statistics) asks for it.
    pub fn log_sum_exp(&self) -> Option<&HostTensor<'static>> {
        self.statistics.get("log_sum_exp")
    }

    /// The predicted class of each row, if [`Statistics::argmax`](crate::Statistics) asks for it.
    pub fn argmax(&self) -> Option<&HostTensor<'static>> {
        self.statistics.get("argmax")
    }

    /// The entropy of each row's softmax, if [`Statistics::entropy`](crate::Statistics) asks for it.
    pub fn entropy(&self) -> Option<&HostTensor<'static>> {
        self.statistics.get("entropy")
    }

    /// The log-probability of each row's target, if [`Statistics::log_prob`](crate::Statistics) asks for it.
    pub fn log_prob(&self) -> Option<&HostTensor<'static>> {
        self.statistics.get("log_prob")
    }

    /// The rows that each anchor has mined, if [`Statistics::hardest`](crate::Statistics) asks for them.
    pub fn hardest(&self) -> Option<Hardest<&HostTensor<'static>>> {
        hardest(&self.statistics)
    }

    /// Where the clip of a policy binds, if [`Statistics::clipped`](crate::Statistics) asks for it.
    pub fn clipped(&self) -> Option<&HostTensor<'static>> {
        self.statistics.get("clipped")
    }

    /// The divergence of each token from the reference, if [`Statistics::kl`](crate::Statistics) asks for it.
    pub fn kl(&self) -> Option<&HostTensor<'static>> {
        self.statistics.get("kl")
    }

    /// The part of the items that count on which the clip binds, if [`Statistics::clipped`](crate::Statistics) asks for
    /// it; 0 if none counts.
    pub fn clip_fraction(&self) -> Option<f64> {
        self.clipped().map(|clipped| self.mean_of(clipped))
    }

    /// The mean divergence from the reference of the tokens that count, if [`Statistics::kl`](crate::Statistics) asks
    /// for it; 0 if none counts.
    pub fn mean_kl(&self) -> Option<f64> {
        self.kl().map(|kl| self.mean_of(kl))
    }

    /// The mean over the items that count of a statistic that is 0 of all others.
    fn mean_of(&self, statistic: &HostTensor<'_>) -> f64 {
        statistic.to_f64().iter().sum::<f64>() / self.items.max(1) as f64
    }
}

/// The rows mined, among statistics.
fn hardest<T>(statistics: &Named<T>) -> Option<Hardest<&T>> {
    let (positive, negative) = (statistics.get("hardest_positive")?, statistics.get("hardest_negative")?);
    Some(Hardest { positive, negative })
}

/// The rows that each anchor of `triplet_batch_hard` has mined, `[N]`, i32: −1 for an anchor that does not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Hardest<T> {
    /// The positive that is the farthest.
    pub positive: T,
    /// The negative that is the nearest.
    pub negative: T,
}

/// Loss and gradients in device memory: nothing is read back until [`Output::read`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output {
    /// The loss: a scalar, or one value per item with [`Reduction::None`](crate::Reduction::None). Always f32.
    pub loss: Tensor,
    /// The gradient of each differentiable input, by the input's name, in its shape and type.
    /// With [`Gradients::InPlace`](crate::Gradients::InPlace) that is the input's own tensor.
    pub gradients: Named<Tensor>,
    /// The statistics asked for, by name; see [`Statistics`](crate::Statistics).
    pub statistics: Named<Tensor>,
    bound: BoundPlan,
}

impl Plan {
    /// Binds the plan to tensors: every input by its name, and of [`Plan::outputs`] those that are to be written to or,
    /// with [`Gradients::Add`](crate::Gradients::Add), added to, by theirs. For other outputs there are new tensors,
    /// zeroed.
    ///
    /// ```
    /// use wgloss::{DType, Gpu, HostTensor, Mse, Named, Plan, Reduction, Tensor, TensorType};
    /// let gpu = Gpu::new_blocking()?;
    /// let ty = TensorType::new(DType::F32, [3]);
    /// let types = Named::new().with("prediction", ty.clone()).with("target", ty.clone());
    /// let plan = Plan::new(&gpu, &Mse, &types, Reduction::Sum)?;
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
    /// The errors of [`Plan::bind`], and [`Error::OtherDevice`], [`Error::Shape`] or [`Error::DType`] for a tensor that
    /// is not what the plan was made for. [`Error::MissingTensor`] too for gradients that are to be added to nothing.
    pub fn bind_tensors(&self, tensors: &Named<Tensor>) -> Result<Output, Error> {
        let types = self.outputs();
        for (name, tensor) in tensors.iter() {
            self.expect(name, tensor, &types)?;
        }
        let mut outputs = Named::<Tensor>::new();
        for (name, ty) in types.iter() {
            let output = match tensors.get(name) {
                Some(tensor) => tensor.clone(),
                None if self.adds() && name.starts_with("grad.") => {
                    return Err(Error::MissingTensor { loss: self.spec().name, tensor: name.to_string() });
                }
                None => Tensor::zeros(self.gpu(), ty.clone())?,
            };
            outputs = outputs.with(name, output);
        }
        let inputs = tensors.iter().filter(|(name, _)| types.get(name).is_none());
        let all = inputs.chain(outputs.iter()).map(|(name, tensor)| (name.to_string(), tensor.slice()));
        let bound = self.bind(&all.collect())?;
        let output = |name: &str| outputs.get(name).cloned();
        let Some(loss) = output("loss") else { unreachable!("every plan has the output `loss`") };
        let mut gradients = Named::new();
        for (input, _) in self.differentiable() {
            let tensor =
                if self.is_in_place() { tensors.get(input.name) } else { outputs.get(&gradient_name(input.name)) };
            if let Some(tensor) = tensor {
                gradients = gradients.with(input.name, tensor.clone());
            }
        }
        let is_statistic = |name: &str| name != "loss" && !name.starts_with("grad.");
        let statistics = outputs.iter().filter(|(name, _)| is_statistic(name));
        let statistics = statistics.map(|(name, tensor)| (name.to_string(), tensor.clone())).collect();
        Ok(Output { loss, gradients, statistics, bound })
    }

    /// That a tensor is what the plan was made for, which has outputs of these types.
    fn expect(&self, name: &str, tensor: &Tensor, outputs: &Named<TensorType>) -> Result<(), Error> {
        let loss = self.spec().name;
        if !tensor.gpu().is_same_device(self.gpu()) {
            return Err(Error::OtherDevice { loss, tensor: name.to_string() });
        }
        // `bind` refuses names that the plan does not have.
        let Some(ty) = self.input(name).map(|(_, ty)| ty).or(outputs.get(name)) else { return Ok(()) };
        if tensor.dtype() != ty.dtype {
            let (tensor, found) = (format!("{loss}: `{name}`"), tensor.dtype());
            return Err(Error::DType { tensor, expected: ty.dtype.to_string(), found });
        }
        if tensor.shape() != ty.shape {
            let found = tensor.shape().to_vec();
            let of_input = self.input(name.strip_prefix("grad.").unwrap_or(name));
            let place = if self.input(name).is_none() { format!(" in `{name}`") } else { String::new() };
            let (tensor, expected) =
                (of_input.map_or("loss", |(input, _)| input.name), format!("{:?}{place}", ty.shape));
            return Err(Error::Shape { loss, tensor, expected, found });
        }
        Ok(())
    }
}

/// Evaluates a loss of device tensors by name, outputs that are given among them.
pub(crate) fn run(gpu: &Gpu, loss: &dyn Loss, tensors: &Named<Tensor>, options: Options) -> Result<Output, Error> {
    let types = tensors.iter().filter(|(name, _)| !is_output(loss.spec(), name));
    let types = types.map(|(name, tensor)| (name.to_string(), tensor.ty().clone())).collect();
    let plan = Plan::new(gpu, loss, &types, options)?;
    let output = plan.bind_tensors(tensors)?;
    gpu.catching(plan.spec().name, |device| {
        let mut encoder =
            device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(plan.spec().name) });
        output.record(&mut encoder);
        gpu.queue().submit([encoder.finish()]);
    })?;
    Ok(output)
}

/// Whether a loss has an output of that name.
fn is_output(spec: &LossSpec, name: &str) -> bool {
    let statistics = room(&spec.driver).statistics(spec);
    let mut of_rows = statistics.iter().flat_map(|statistic| statistic.tensors);
    match name.strip_prefix("grad.") {
        Some(input) => spec.input(input).is_some_and(|input| input.differentiable),
        None => name == "loss" || of_rows.any(|(known, _)| *known == name),
    }
}

/// The tensors on the device.
pub(crate) fn upload(gpu: &Gpu, inputs: &Named<HostTensor<'_>>) -> Result<Named<Tensor>, Error> {
    inputs.iter().map(|(name, host)| Ok((name.to_string(), Tensor::from_host(gpu, host)?))).collect()
}

impl Output {
    /// The plan bound to these tensors and to the inputs.
    pub fn bound(&self) -> &BoundPlan {
        &self.bound
    }

    /// Records loss and gradients of what the input tensors hold when the commands run. Allocates nothing, submits
    /// nothing, waits for nothing.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        self.bound.record(encoder);
    }

    /// Loss, count and gradients, once the device has computed them.
    ///
    /// # Errors
    /// [`Error::Target`] if targets were out of range, [`Error::Divisor`] for an input `divisor` that is none,
    /// [`Error::DeviceLost`], [`Error::OutOfMemory`].
    pub async fn read(&self) -> Result<Evaluation, Error> {
        let ranges: Vec<_> = self.tensors().map(Tensor::range).chain([self.bound.status_range()]).collect();
        self.evaluation(readback::read(self.loss.gpu(), &ranges).await?)
    }

    /// [`Output::read`], waiting for it.
    ///
    /// # Errors
    /// The errors of [`Output::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self) -> Result<Evaluation, Error> {
        let ranges: Vec<_> = self.tensors().map(Tensor::range).chain([self.bound.status_range()]).collect();
        self.evaluation(readback::read_blocking(self.loss.gpu(), &ranges)?)
    }

    /// The error with the first value out of range, where it is one of values out of range; the inputs are those that
    /// the device has.
    pub(crate) fn located(&self, error: Error, inputs: &Named<HostTensor<'_>>) -> Error {
        let plan = self.bound.plan();
        out_of_range::located(error, plan.values(), plan.signature(), inputs)
    }

    /// The log-sum-exp of each row, if [`Statistics::log_sum_exp`](crate::Statistics) asks for it.
    pub fn log_sum_exp(&self) -> Option<&Tensor> {
        self.statistics.get("log_sum_exp")
    }

    /// The predicted class of each row, if [`Statistics::argmax`](crate::Statistics) asks for it.
    pub fn argmax(&self) -> Option<&Tensor> {
        self.statistics.get("argmax")
    }

    /// The entropy of each row's softmax, if [`Statistics::entropy`](crate::Statistics) asks for it.
    pub fn entropy(&self) -> Option<&Tensor> {
        self.statistics.get("entropy")
    }

    /// The log-probability of each row's target, if [`Statistics::log_prob`](crate::Statistics) asks for it.
    pub fn log_prob(&self) -> Option<&Tensor> {
        self.statistics.get("log_prob")
    }

    /// The rows that each anchor has mined, if [`Statistics::hardest`](crate::Statistics) asks for them.
    pub fn hardest(&self) -> Option<Hardest<&Tensor>> {
        hardest(&self.statistics)
    }

    /// Where the clip of a policy binds, if [`Statistics::clipped`](crate::Statistics) asks for it.
    pub fn clipped(&self) -> Option<&Tensor> {
        self.statistics.get("clipped")
    }

    /// The divergence of each token from the reference, if [`Statistics::kl`](crate::Statistics) asks for it.
    pub fn kl(&self) -> Option<&Tensor> {
        self.statistics.get("kl")
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let named = self.gradients.iter().chain(self.statistics.iter()).map(|(_, tensor)| tensor);
        std::iter::once(&self.loss).chain(named)
    }

    /// The evaluation from the bytes of the tensors and the status.
    fn evaluation(&self, read: Vec<Vec<u8>>) -> Result<Evaluation, Error> {
        let mut read = read.into_iter();
        let mut host = |tensor: &Tensor| tensor.host(read.next().unwrap_or_default());
        let loss = host(&self.loss)?;
        let mut named = |tensors: &Named<Tensor>| -> Result<Named<HostTensor<'static>>, Error> {
            tensors.iter().map(|(name, tensor)| Ok((name.to_string(), host(tensor)?))).collect()
        };
        let (gradients, statistics) = (named(&self.gradients)?, named(&self.statistics)?);
        let status = self.bound.status(&read.next().unwrap_or_default())?;
        let (items, extras) = (status.items, status.extras().to_vec());
        Ok(Evaluation { loss, items, gradients, statistics, extras })
    }
}
