//! Losses that are made while the program runs, of hooks in WGSL as a text.

mod annotations;
mod builder;
mod check;
mod fault;
mod inputs;
mod known;
mod words;

use std::fmt;

pub use builder::CustomLossBuilder;
pub use fault::CustomFault;

use crate::{
    Error, Loss,
    spec::{LossSpec, Rule, Value, Values},
};

/// A loss of your own: a hook in WGSL, and from there a loss like any other.
///
/// ```
/// use wgloss::{CustomLoss, Gpu, Loss, Reduction};
///
/// let charbonnier = CustomLoss::new(
///     "charbonnier",
///     "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
///         let e = p - t;
///         let root = sqrt(e * e + params.epsilon * params.epsilon);
///         return vec2<f32>(root, e / root);
///     }",
///     &[("epsilon", 1e-3)],
/// )?;
/// let gpu = Gpu::new_blocking()?;
/// let wide = charbonnier.with("epsilon", 4.0)?;
/// let result = wide.eval(&gpu, &[4.0_f32, 1.0], &[1.0_f32, 1.0], Reduction::Sum)?;
/// approx::assert_abs_diff_eq!(result.loss.item(), 5.0 + 4.0, epsilon = 1e-6);
/// assert_eq!(result.gradients.get("prediction").unwrap().to_f64(), [f64::from(3_f32 / 5.0), 0.0]);
/// # Ok::<(), wgloss::Error>(())
/// ```
///
/// [`CustomLoss::elementwise`] and [`CustomLoss::rows`] say more of a loss: rules for its parameters, other inputs, and
/// the same formula in f64, which parity checks the kernel against. Without one, parity checks gradients against
/// differences of the loss itself.
///
/// What hooks get and give is told in `shaders/README.md`. They are compiled for a test when the loss is made, before
/// there is a device: what is wrong is an error with its line and column in your text.
///
/// What a loss is made of stays in memory until the program ends, once for all losses that are made of the same. A
/// value of a parameter makes no other loss.
#[derive(Clone)]
pub struct CustomLoss(Values);

impl CustomLoss {
    /// A loss with these parameters, any finite numbers with their defaults: of elements, where the text has a
    /// `loss_and_grad`, and of rows, where it has a `row_outcome`. Its inputs are those of
    /// [`elementwise`](CustomLoss::elementwise) and [`rows`](CustomLoss::rows).
    ///
    /// # Errors
    /// Those of [`CustomLossBuilder::build`].
    pub fn new(name: &str, wgsl: &str, params: &[(&str, f32)]) -> Result<Self, Error> {
        let loss = CustomLossBuilder::of_hooks(name, wgsl);
        params.iter().fold(loss, |loss, (name, default)| loss.param(name, *default)).build()
    }

    /// Begins a loss of elements, `fn loss_and_grad(p: f32, t: f32) -> vec2<f32>`, with the inputs `prediction` ∂ and
    /// `target`.
    pub fn elementwise(name: &str, wgsl: &str) -> CustomLossBuilder {
        CustomLossBuilder::elementwise(name, wgsl)
    }

    /// Begins a loss of rows, `fn row_outcome(row: Row) -> Outcome` and
    /// `fn class_gradient(row: Row, cell: Cell) -> f32`, with the inputs `logits` ∂ and `target`, class indices.
    pub fn rows(name: &str, wgsl: &str) -> CustomLossBuilder {
        CustomLossBuilder::rows(name, wgsl)
    }

    /// Begins a loss that says itself what it has, in comments of its text; `file` is what messages call that. This is
    /// the form that the command `wgloss` reads.
    ///
    /// ```
    /// use wgloss::{CustomLoss, Loss};
    /// let quartic = "
    /// // param scale = 1.5 above 0
    /// // target at least 0
    /// fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    ///     let x = (p - t) / params.scale;
    ///     return vec2<f32>(x * x * x * x, 4.0 * x * x * x / params.scale);
    /// }";
    /// let loss = CustomLoss::annotated("quartic", "quartic.wgsl", quartic)?.build()?;
    /// assert_eq!(loss.to_string(), "quartic scale=1.5");
    /// assert!(loss.with("scale", 0.0).is_err());
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    ///
    /// `// param NAME = VALUE` is a number, or with `true` or `false` a flag. `above 0`, `at least 0` and `from 0 to 1`
    /// behind a number say what else it may be. `// target` and `at least 0`, `from 0 to 1` or `-1 or 1` say what the
    /// target of elements is checked to be.
    ///
    /// # Errors
    /// [`Error::Custom`] with a [`CustomFault::Annotation`].
    pub fn annotated(name: &str, file: &str, wgsl: &str) -> Result<CustomLossBuilder, Error> {
        annotations::read(CustomLossBuilder::of_hooks(name, wgsl).file(file), wgsl)
            .map_err(|fault| Error::Custom { loss: name.to_string(), fault: Box::new(fault) })
    }

    /// The loss with another value of a parameter, which compiles nothing.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`], [`Error::Parameter`].
    pub fn with(&self, name: &str, value: impl Into<Value>) -> Result<Self, Error> {
        let spec = self.0.spec();
        let index = spec.params.iter().position(|param| param.name == name).ok_or_else(|| Error::UnknownParameter {
            loss: spec.name,
            parameter: name.to_string(),
            known: spec.params.iter().map(|param| param.name).collect(),
        })?;
        let mut values = self.values();
        values[index] = match (value.into(), spec.params[index].rule) {
            (
                Value::Integer(i),
                Rule::Finite | Rule::Positive | Rule::NonNegative | Rule::Unit | Rule::BelowHalf | Rule::Part,
            ) => Value::Number(i as f32),
            (value, _) => value,
        };
        Ok(CustomLoss(Values::new(spec, values)?))
    }
}

impl Loss for CustomLoss {
    fn spec(&self) -> &'static LossSpec {
        self.0.spec()
    }

    fn values(&self) -> Vec<Value> {
        self.0.iter().map(|(_, value)| value).collect()
    }
}

/// The name and the parameters, as on the command line.
impl fmt::Display for CustomLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CustomLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomLoss({self})")
    }
}
