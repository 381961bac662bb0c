//! Losses of Burn's tensors.

use burn::{
    backend::{BackendTensor, Cube, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, TensorMetadata},
    tensor::{DType, Int, Tensor},
};
use wgloss::{Gradients, Loss, Options, Reduction, Statistics};

use crate::{
    Error, Inputs,
    backend::{Lazy, Tracked},
    backward::{Gradient, MOST_PARENTS, tracked},
    device::shared,
    error::granted,
    input::Given,
    launch::{CORRECT, OwnLoss, Pass, Prepared},
    reduction::IntoReduction,
};

/// A loss of Burn's tensors and what else its kernel has found: all on the device.
#[derive(Clone, Debug)]
pub struct Evaluated {
    loss: &'static str,
    value: DispatchTensor,
    statistics: Vec<(String, DispatchTensor)>,
}

/// The loss of these inputs; of those that belong to a graph of Burn's autodiff, a node of it.
///
/// Every differentiable input that requires gradients gets its own from the kernel that computes the loss. With the
/// reduction `none`, and where one of them is f16, whose gradients have to be scaled before they are rounded, it is the
/// same kernel in the backward pass. Where no input requires gradients, only the loss is computed.
///
/// # Errors
/// [`Error::Loss`] for whatever [`wgloss::Plan::new`] refuses; [`Error::Backend`], [`Error::NotShared`],
/// [`Error::Devices`], [`Error::DType`], [`Error::Empty`], [`Error::Repeated`], [`Error::Parents`].
pub fn try_evaluate(
    loss: &dyn Loss,
    inputs: Inputs,
    reduction: impl IntoReduction,
    statistics: Statistics,
) -> Result<Evaluated, Error> {
    let spec = loss.spec();
    let mut given: Vec<Given> = Vec::new();
    for (name, input) in inputs.0 {
        if name == wgloss::spec::UPSTREAM.name {
            // Burn's autodiff has it.
            let known = spec.inputs.iter().map(|input| input.name.to_string()).collect();
            return Err(wgloss::Error::UnexpectedTensor { loss: spec.name, tensor: name, known }.into());
        }
        if given.iter().any(|given| given.name == name) {
            return Err(Error::Repeated { loss: spec.name, tensor: name });
        }
        given.push(Given::new(spec.name, &name, input)?);
    }
    let Some(first) = given.first() else {
        let tensor = spec.inputs.first().map_or("an input", |input| input.name).to_string();
        return Err(wgloss::Error::MissingTensor { loss: spec.name, tensor }.into());
    };
    if let Some(empty) = given.iter().find(|given| given.tensor.shape.num_elements() == 0) {
        let (tensor, shape) = (empty.name.clone(), empty.tensor.shape.to_vec());
        return Err(Error::Empty { loss: spec.name, tensor, shape });
    }
    let device = first.tensor.device();
    if let Some(other) = given.iter().find(|other| other.tensor.device() != device) {
        let (tensor, found) = (other.name.clone(), format!("{:?}", other.tensor.device()));
        return Err(Error::Devices { loss: spec.name, tensor, found, expected: format!("{device:?}") });
    }

    let is_differentiable = |name: &str| spec.input(name).is_some_and(|input| input.differentiable);
    let has_gradient = |given: &Given| given.tracked.is_some() && is_differentiable(&given.name);
    let names: Vec<String> = given.iter().filter(|given| has_gradient(given)).map(|given| given.name.clone()).collect();
    if names.len() > MOST_PARENTS {
        return Err(Error::Parents { loss: spec.name, found: names.len(), most: MOST_PARENTS });
    }
    let reduction = reduction.into_reduction();
    let is_f16 = |given: &Given| given.tensor.dtype == DType::F16;
    let is_later = !names.is_empty()
        && (reduction == Reduction::None || given.iter().any(|given| has_gradient(given) && is_f16(given)));
    let forward = if names.is_empty() || is_later { Gradients::Skip } else { Gradients::Write };
    let options = Options { gradients: forward, statistics, ..Options::new(reduction) };
    let own = OwnLoss { spec, values: loss.values() };
    let prepared = Prepared { shared: shared(&device)?, loss: own, options, pass: Pass::Forward };
    let backward = Prepared { options: Options::new(reduction), pass: Pass::Backward, ..prepared.clone() };

    let tensors: Vec<(String, Lazy)> = given.iter().map(|given| (given.name.clone(), given.tensor.clone())).collect();
    if is_later {
        // What the backward pass is to do is checked here.
        backward.plan(&given.iter().map(|given| (given.name.clone(), given.ty())).collect())?;
    }
    let mut results = prepared.launch(tensors.clone())?;
    let mut take = |name: &str| {
        let place = results.iter().position(|(found, _)| found == name);
        place.map(|place| results.swap_remove(place).1)
    };
    let value = take("loss").ok_or_else(|| Error::NoResult { loss: spec.name, tensor: "loss".to_string() })?;
    let context = given.iter().fold(DispatchAutodiffContext::Disabled, |context, given| context.merge(given.context));
    let value = if names.is_empty() {
        untracked(value, context)
    } else {
        let gradient = if is_later {
            Gradient::Later { prepared: backward, inputs: tensors, names: names.clone() }
        } else {
            let gradients = names.iter().filter_map(|name| take(&format!("grad.{name}"))).collect();
            Gradient::Kept { prepared, gradients }
        };
        let parents = given.into_iter().filter(|given| names.contains(&given.name));
        let parents = parents.filter_map(|given| given.tracked).collect();
        of_graph(tracked(value, gradient, parents), context)
    };
    let is_statistic = |(name, _): &(String, Lazy)| !name.starts_with("grad.");
    let statistics = results.into_iter().filter(is_statistic);
    let statistics = statistics.map(|(name, tensor)| {
        let tensor = match tensor.dtype().is_float() {
            true => untracked(tensor, context),
            false => {
                DispatchTensor { kind: DispatchTensorKind::Cube(BackendTensor::<Cube>::Int(tensor)), autodiff: context }
            }
        };
        (name, tensor)
    });
    Ok(Evaluated { loss: spec.name, value, statistics: statistics.collect() })
}

/// [`try_evaluate`] as Burn's own functions are.
///
/// # Panics
/// With the text of the error that [`try_evaluate`] gives.
#[track_caller]
pub fn evaluate(loss: &dyn Loss, inputs: Inputs, reduction: impl IntoReduction, statistics: Statistics) -> Evaluated {
    granted(try_evaluate(loss, inputs, reduction, statistics))
}

impl Evaluated {
    /// The loss: of rank 1 with one value, or with the reduction `none` a value per item.
    ///
    /// # Errors
    /// [`Error::Rank`].
    pub fn try_loss<const D: usize>(&self) -> Result<Tensor<D>, Error> {
        self.ranked::<D>("loss", &self.value)?;
        Ok(Tensor::from_dispatch(self.value.clone()))
    }

    /// [`Evaluated::try_loss`] as Burn's own functions are.
    ///
    /// # Panics
    /// With the text of the error that [`Evaluated::try_loss`] gives.
    #[track_caller]
    pub fn loss<const D: usize>(&self) -> Tensor<D> {
        granted(self.try_loss())
    }

    /// How many items have their target as the predicted class, `[1]`: of losses with class indices.
    ///
    /// # Errors
    /// [`Error::NoResult`].
    pub fn try_correct(&self) -> Result<Tensor<1, Int>, Error> {
        self.try_indices(CORRECT)
    }

    /// The log-sum-exp of each row, which [`Statistics`] has to ask for.
    ///
    /// # Errors
    /// [`Error::NoResult`], [`Error::Rank`].
    pub fn try_log_sum_exp<const D: usize>(&self) -> Result<Tensor<D>, Error> {
        self.try_floats("log_sum_exp")
    }

    /// The entropy of each row's softmax, which [`Statistics`] has to ask for.
    ///
    /// # Errors
    /// [`Error::NoResult`], [`Error::Rank`].
    pub fn try_entropy<const D: usize>(&self) -> Result<Tensor<D>, Error> {
        self.try_floats("entropy")
    }

    /// The log-probability of each row's target, which [`Statistics`] has to ask for.
    ///
    /// # Errors
    /// [`Error::NoResult`], [`Error::Rank`].
    pub fn try_log_prob<const D: usize>(&self) -> Result<Tensor<D>, Error> {
        self.try_floats("log_prob")
    }

    /// The predicted class of each row, which [`Statistics`] has to ask for.
    ///
    /// # Errors
    /// [`Error::NoResult`], [`Error::Rank`].
    pub fn try_argmax<const D: usize>(&self) -> Result<Tensor<D, Int>, Error> {
        self.try_indices("argmax")
    }

    /// Where the clip of a policy binds, which [`Statistics`] has to ask for.
    ///
    /// # Errors
    /// [`Error::NoResult`], [`Error::Rank`].
    pub fn try_clipped<const D: usize>(&self) -> Result<Tensor<D>, Error> {
        self.try_floats("clipped")
    }

    /// The divergence of each token from the reference of a policy, which [`Statistics`] has to ask for.
    ///
    /// # Errors
    /// [`Error::NoResult`], [`Error::Rank`].
    pub fn try_kl<const D: usize>(&self) -> Result<Tensor<D>, Error> {
        self.try_floats("kl")
    }

    /// The rows that each anchor has mined, which [`Statistics`] has to ask for: the hardest positives, then negatives.
    ///
    /// # Errors
    /// [`Error::NoResult`].
    pub fn try_hardest(&self) -> Result<[Tensor<1, Int>; 2], Error> {
        Ok([self.try_indices("hardest_positive")?, self.try_indices("hardest_negative")?])
    }

    fn try_floats<const D: usize>(&self, name: &str) -> Result<Tensor<D>, Error> {
        let tensor = self.statistic(name)?;
        self.ranked::<D>(name, tensor)?;
        Ok(Tensor::from_dispatch(tensor.clone()))
    }

    fn try_indices<const D: usize>(&self, name: &str) -> Result<Tensor<D, Int>, Error> {
        let tensor = self.statistic(name)?;
        self.ranked::<D>(name, tensor)?;
        Ok(Tensor::from_dispatch(tensor.clone()))
    }

    fn statistic(&self, name: &str) -> Result<&DispatchTensor, Error> {
        let found = self.statistics.iter().find(|(found, _)| found == name).map(|(_, tensor)| tensor);
        found.ok_or_else(|| Error::NoResult { loss: self.loss, tensor: name.to_string() })
    }

    fn ranked<const D: usize>(&self, name: &str, tensor: &DispatchTensor) -> Result<(), Error> {
        let shape = tensor.shape().to_vec();
        match shape.len() == D {
            true => Ok(()),
            false => Err(Error::Rank { loss: self.loss, tensor: name.to_string(), shape, rank: D }),
        }
    }
}

/// A tensor that no gradient goes through, of the same device as the inputs.
fn untracked(tensor: Lazy, context: DispatchAutodiffContext) -> DispatchTensor {
    match context {
        DispatchAutodiffContext::Disabled => {
            DispatchTensor { kind: DispatchTensorKind::Cube(BackendTensor::<Cube>::Float(tensor)), autodiff: context }
        }
        DispatchAutodiffContext::Enabled(_) => of_graph(Tracked::new(tensor), context),
    }
}

fn of_graph(tensor: Tracked, context: DispatchAutodiffContext) -> DispatchTensor {
    let inner = DispatchTensorKind::Cube(BackendTensor::<Cube>::Autodiff(tensor));
    DispatchTensor { kind: DispatchTensorKind::Autodiff(Box::new(inner)), autodiff: context }
}
