//! The trait that every loss has, and losses chosen by name.

use std::fmt;

use crate::{
    Error, Evaluation, Gpu, HostTensor, Named, Options, Output, Tensor, evaluation, losses,
    spec::{LossSpec, Value, Values},
};

/// A loss with its parameters, and the ways to evaluate it.
///
/// Host slices in, host values out:
///
/// ```
/// use wgloss::{Gpu, Loss, Mse, Reduction};
/// let gpu = Gpu::new_blocking()?;
/// let result = Mse.eval(&gpu, &[2.5_f32, 0.0, 2.1, 7.8], &[3.0_f32, -0.5, 2.0, 8.0], Reduction::Mean)?;
/// approx::assert_abs_diff_eq!(result.loss.item(), 0.1375, epsilon = 1e-6);
/// println!("{:?}", result.gradients.get("prediction"));
/// # Ok::<(), wgloss::Error>(())
/// ```
///
/// Optional inputs by name, and options besides the reduction:
///
/// ```
/// use wgloss::{BceWithLogits, Gpu, HostTensor, Loss, Named, Options, Reduction};
/// let gpu = Gpu::new_blocking()?;
/// let inputs = Named::<HostTensor>::new()
///     .with("logits", HostTensor::new(&[0.3_f32, -1.2, 2.0, 0.1, 0.4, -3.0], [2, 3])?)
///     .with("target", HostTensor::new(&[1.0_f32, 0.0, 1.0, 0.0, 0.0, 1.0], [2, 3])?)
///     .with("pos_weight", &[1.0_f32, 2.0, 0.5]);
/// let options = Options { upstream: 0.1, ..Options::new(Reduction::Sum) };
/// let result = BceWithLogits::default().eval_with(&gpu, &inputs, options)?;
/// assert_eq!(result.items, 6);
/// # Ok::<(), wgloss::Error>(())
/// ```
///
/// Losses of several types in one list; a `Box<dyn Loss>` and a `&dyn Loss` are losses themselves:
///
/// ```
/// use wgloss::{AnyLoss, Error, Gpu, Huber, Loss, Mse, Reduction};
/// let gpu = Gpu::new_blocking()?;
/// let mae = AnyLoss::new("mae", &[])?;
/// let losses: Vec<Box<dyn Loss>> = vec![Box::new(Mse), Box::new(Huber { delta: 1.0 }), Box::new(mae)];
/// for loss in &losses {
///     let result = loss.eval(&gpu, &[1.0_f32, 4.0], &[1.0_f32, 1.0], Reduction::Sum)?;
///     println!("{}: {}", loss.spec().name, result.loss.item());
/// }
///
/// fn validate(gpu: &Gpu, loss: &dyn Loss) -> Result<f64, Error> {
///     // The methods are those of the reference, so it is borrowed once more.
///     Ok((&loss).eval(gpu, &[1.0_f32], &[3.0_f32], Reduction::Mean)?.loss.item())
/// }
/// assert_eq!(validate(&gpu, &Mse)?, 4.0);
/// # Ok::<(), wgloss::Error>(())
/// ```
pub trait Loss {
    /// The loss's entry in the catalogue.
    fn spec(&self) -> &'static LossSpec;

    /// The parameters' values, in the order of `spec().params`.
    fn values(&self) -> Vec<Value>;

    /// Loss and gradients of host tensors, for a loss with two required inputs, in the order of its spec.
    ///
    /// # Errors
    /// The errors of [`Plan::new`](crate::Plan::new) and [`Output::read`].
    #[cfg(not(target_arch = "wasm32"))]
    fn eval<'a, 'b>(
        &self,
        gpu: &Gpu,
        first: impl Into<HostTensor<'a>>,
        second: impl Into<HostTensor<'b>>,
        options: impl Into<Options>,
    ) -> Result<Evaluation, Error>
    where
        Self: Sized,
    {
        let (first, second) = (first.into(), second.into());
        self.eval_with(gpu, &pair(self.spec(), first.view(), second.view()), options)
    }

    /// Loss and gradients of host tensors by name: every input of the loss, optional ones, `mask` and `upstream`
    /// included. With [`Gradients::Add`](crate::Gradients::Add) also what gradients are added to, `grad.<input>`: the
    /// sums are the gradients of the evaluation.
    ///
    /// # Errors
    /// The errors of [`Plan::new`](crate::Plan::new) and [`Output::read`].
    #[cfg(not(target_arch = "wasm32"))]
    fn eval_with(
        &self,
        gpu: &Gpu,
        inputs: &Named<HostTensor<'_>>,
        options: impl Into<Options>,
    ) -> Result<Evaluation, Error>
    where
        Self: Sized,
    {
        let output = self.run_with(gpu, &evaluation::upload(gpu, inputs)?, options)?;
        output.read_blocking().map_err(|error| output.located(error, inputs))
    }

    /// [`Loss::eval_with`] as a future.
    ///
    /// # Errors
    /// The errors of [`Loss::eval_with`].
    fn eval_async(
        &self,
        gpu: &Gpu,
        inputs: &Named<HostTensor<'_>>,
        options: impl Into<Options>,
    ) -> impl Future<Output = Result<Evaluation, Error>>
    where
        Self: Sized,
    {
        let output = evaluation::upload(gpu, inputs).and_then(|inputs| self.run_with(gpu, &inputs, options));
        async move {
            let output = output?;
            output.read().await.map_err(|error| output.located(error, inputs))
        }
    }

    /// Submits loss and gradients of device tensors, for a loss with two required inputs; the results stay on the
    /// device.
    ///
    /// # Errors
    /// The errors of [`Plan::new`](crate::Plan::new) and [`Plan::bind`](crate::Plan::bind), and [`Error::OtherDevice`].
    fn run(&self, gpu: &Gpu, first: &Tensor, second: &Tensor, options: impl Into<Options>) -> Result<Output, Error>
    where
        Self: Sized,
    {
        self.run_with(gpu, &pair(self.spec(), first.clone(), second.clone()), options)
    }

    /// [`Loss::run`] with every input by name, and of the outputs `loss`, `grad.<input>` and the statistics those that
    /// are to be written into tensors of the caller's. With [`Gradients::Add`](crate::Gradients::Add) the gradients
    /// have to be among them.
    ///
    /// ```
    /// use wgloss::{Gpu, Gradients, Loss, Mae, Mse, Named, Options, Reduction, Tensor};
    /// let gpu = Gpu::new_blocking()?;
    /// let tensor = |values: &[f32]| Tensor::from_host(&gpu, values);
    /// let inputs = Named::new().with("prediction", tensor(&[1.0, 3.0])?).with("target", tensor(&[0.0, 0.0])?);
    /// let first = Mse.run_with(&gpu, &inputs, Reduction::Sum)?;
    /// let both = inputs.with("grad.prediction", first.gradients.get("prediction").unwrap().clone());
    /// let options = Options { gradients: Gradients::Add { weight: 0.5 }, ..Options::new(Reduction::Sum) };
    /// let sum = Mae.run_with(&gpu, &both, options)?.read_blocking()?;
    /// assert_eq!(sum.gradients.get("prediction").unwrap().to_f64(), [2.5, 6.5]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// The errors of [`Loss::run`].
    fn run_with(&self, gpu: &Gpu, inputs: &Named<Tensor>, options: impl Into<Options>) -> Result<Output, Error>
    where
        Self: Sized,
    {
        evaluation::run(gpu, self, inputs, options.into())
    }
}

impl<L: Loss + ?Sized> Loss for &L {
    fn spec(&self) -> &'static LossSpec {
        (**self).spec()
    }

    fn values(&self) -> Vec<Value> {
        (**self).values()
    }
}

impl<L: Loss + ?Sized> Loss for Box<L> {
    fn spec(&self) -> &'static LossSpec {
        (**self).spec()
    }

    fn values(&self) -> Vec<Value> {
        (**self).values()
    }
}

/// Two inputs under the names of the first two; a loss that has only one refuses the second.
fn pair<T>(spec: &LossSpec, first: T, second: T) -> Named<T> {
    let name = |index: usize| spec.inputs.get(index).map_or("a second input", |input| input.name);
    Named::new().with(name(0), first).with(name(1), second)
}

/// A loss chosen by its name, with parameters given as text: what the command line uses.
///
/// ```
/// use wgloss::AnyLoss;
/// let huber = AnyLoss::new("huber", &[("delta", "0.5")])?;
/// assert!(AnyLoss::new("huber", &[("delta", "-1")]).is_err());
/// assert_eq!(huber.to_string(), "huber delta=0.5");
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone)]
pub struct AnyLoss(Values);

impl AnyLoss {
    /// The loss of that name with `settings` (`key`, `value`) in place of defaults.
    ///
    /// # Errors
    /// [`Error::UnknownLoss`], [`Error::UnknownParameter`], [`Error::RepeatedParameter`], [`Error::Parameter`].
    pub fn new(name: &str, settings: &[(&str, &str)]) -> Result<Self, Error> {
        AnyLoss::of(losses::find(name)?, settings)
    }

    /// The loss of that spec, with `settings` in place of defaults.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`], [`Error::RepeatedParameter`], [`Error::Parameter`].
    pub fn of(spec: &'static LossSpec, settings: &[(&str, &str)]) -> Result<Self, Error> {
        Ok(AnyLoss(spec.values(settings)?))
    }
}

impl Loss for AnyLoss {
    fn spec(&self) -> &'static LossSpec {
        self.0.spec()
    }

    fn values(&self) -> Vec<Value> {
        self.0.iter().map(|(_, value)| value).collect()
    }
}

/// The name and the parameters, as on the command line.
impl fmt::Display for AnyLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AnyLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyLoss({self})")
    }
}
