//! The CPU reference: every loss in f64, in the form a textbook gives it, written independently of the kernels.
//!
//! It is the truth that kernels are checked against, and what `--adapter cpu` runs. One short function per loss, of the
//! loss's own name, gives the loss and the gradients of one item; [`evaluate`] does what all losses share: checks,
//! weights, reductions, upstream.
//!
//! ```
//! use wgloss::{HostTensor, Named, Reduction, losses::Mse, reference};
//!
//! let inputs = Named::new()
//!     .with("prediction", HostTensor::from(&[2.5_f32, 0.0, 2.0, 8.0]))
//!     .with("target", HostTensor::from(&[3.0_f32, -0.5, 2.0, 7.0]));
//! let result = reference::evaluate(&Mse, &inputs, &Reduction::Mean.into())?;
//! assert_eq!(result.loss, [0.375]);
//! assert_eq!(result.gradients, [("prediction", vec![-0.25, 0.25, 0.0, 0.5])]);
//! # Ok::<(), wgloss::Error>(())
//! ```

mod binary;
mod multiclass;
mod regression;
mod rows;

pub use binary::*;
pub use multiclass::*;
pub use regression::*;
pub use rows::*;

use std::ops::{Index, Range};

use crate::{
    Error, Gradients, HostTensor, Loss, Named, Options, Reduction,
    signature::Signature,
    spec::{Domain, Input, Shape, UPSTREAM, Values, WEIGHT},
};

/// The reference of one loss, by driver.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// Loss and gradients of one element.
    Elementwise(fn(&Item<'_>, &Values) -> Term),
    /// Loss and gradients of one row.
    Rows(fn(&Item<'_>, &Values) -> Term),
}

/// The values of one item's inputs, by name: `item["prediction"]`, `item.row("logits")`. An optional input that was
/// left out is 1.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    inputs: &'a [Column],
    index: usize,
}

impl Index<&str> for Item<'_> {
    type Output = f64;

    fn index(&self, name: &str) -> &f64 {
        &self.row(name)[0]
    }
}

impl Item<'_> {
    /// The item's row of an input that has one value per class.
    pub fn row(&self, name: &str) -> &[f64] {
        match self.inputs.iter().find(|column| column.name == name) {
            Some(column) => column.part(self.index),
            None => unreachable!("no input is called {name}"),
        }
    }

    fn any(&self, is: fn(f64) -> bool) -> bool {
        self.inputs.iter().any(|column| column.part(self.index).iter().any(|&x| is(x)))
    }
}

/// The loss of one item and its gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The loss.
    pub loss: f64,
    /// The gradients of the differentiable inputs in the order of the spec: one value each for an element, one per
    /// class for a row.
    pub gradients: Vec<f64>,
}

impl Term {
    /// A loss and its gradients.
    pub fn new(loss: f64, gradients: impl Into<Vec<f64>>) -> Self {
        Term { loss, gradients: gradients.into() }
    }

    /// `f` of the loss and of every gradient.
    fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        self.loss = f(self.loss);
        self.gradients.iter_mut().for_each(|gradient| *gradient = f(*gradient));
        self
    }
}

/// What [`evaluate`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The loss: one value, or with [`Reduction::None`] one per item.
    pub loss: Vec<f64>,
    /// The shape of `loss`; empty for one value.
    pub shape: Vec<usize>,
    /// How many items counted: all but the ignored ones.
    pub items: u64,
    /// The gradient of every differentiable input, in the order of the spec; empty with [`Gradients::Skip`].
    /// With [`Gradients::Add`] it is what is added, its weight included.
    pub gradients: Vec<(&'static str, Vec<f64>)>,
    /// The reduction of the items' absolute losses, with [`Reduction::None`] their sum:
    /// what the rounding errors of a sum of losses of both signs are relative to.
    pub magnitude: f64,
}

/// The loss and its gradients in f64.
///
/// Inputs of any storage type are widened exactly. Reductions, weights, upstream and options mean what they mean on the
/// GPU. An item with a NaN in an input has a NaN loss and NaN gradients; for an infinite input, each of them is what
/// the formula gives, or NaN where that would be finite: infinity is never hidden. Rows differ in that a logit of −∞
/// masks its class; +∞ or NaN makes the row NaN.
///
/// # Errors
/// [`Error::Target`] if items have values out of range; [`Error::Parameter`] and [`Error::ParameterCount`] for the
/// loss's parameters; [`Error::MissingTensor`], [`Error::UnexpectedTensor`], [`Error::Shape`], [`Error::DType`],
/// [`Error::UpstreamReduction`] and [`Error::Option`] if inputs or options do not fit the loss.
pub fn evaluate(loss: &dyn Loss, inputs: &Named<HostTensor<'_>>, options: &Options) -> Result<Evaluation, Error> {
    let call = Call::new(loss, inputs, options)?;
    let counted = call.counted()?;

    let divisor = match options.reduction {
        Reduction::None | Reduction::Sum => 1.0,
        Reduction::Mean => counted.len() as f64,
        Reduction::WeightedMean => counted.iter().map(|&item| call.weight.at(item)).sum(),
        Reduction::BatchMean => call.signature.batch as f64,
    };
    // A factor rather than a quotient: where there is nothing to divide by, the result is 0, but what is NaN stays NaN.
    let scale = if divisor == 0.0 { 0.0 } else { divisor.recip() };

    let mut losses = vec![0.0; call.signature.items as usize];
    let (mut sum, mut magnitude) = (0.0, 0.0);
    let mut gradients: Vec<_> = match options.gradients {
        Gradients::Skip => Vec::new(),
        Gradients::Write | Gradients::InPlace | Gradients::Add { .. } => {
            call.signature.differentiable().map(|(input, ty)| (input.name, vec![0.0; ty.elements() as usize])).collect()
        }
    };
    for &item in &counted {
        let term = call.term(item).map(|x| call.weight.at(item) * x);
        losses[item] = term.loss;
        sum += term.loss;
        magnitude += term.loss.abs();
        let factor = scale * call.upstream.at(item) * options.gradient_scale();
        let parts = term.gradients.chunks(call.signature.row as usize);
        for ((_, gradient), part) in gradients.iter_mut().zip(parts) {
            for (slot, x) in gradient[span(item, part.len())].iter_mut().zip(part) {
                *slot = factor * x;
            }
        }
    }

    let loss = if options.reduction == Reduction::None { losses } else { vec![scale * sum] };
    let shape = call.signature.loss_type(options.reduction).shape;
    Ok(Evaluation { loss, shape, items: counted.len() as u64, gradients, magnitude: scale.abs() * magnitude })
}

/// A checked call with its inputs' values.
struct Call {
    reference: Reference,
    values: Values,
    signature: Signature,
    /// The loss's own inputs, in the order of the spec.
    inputs: Vec<Column>,
    weight: Column,
    upstream: Column,
}

/// The values of one input. Every item has a part of `width` of them; where there are fewer parts than items they
/// repeat, as a value per position on the last axis does, or a single value.
#[derive(Debug)]
struct Column {
    name: &'static str,
    domain: Domain,
    width: usize,
    values: Vec<f64>,
}

impl Column {
    fn part(&self, item: usize) -> &[f64] {
        let parts = self.values.len() / self.width;
        &self.values[span(item % parts, self.width)]
    }

    fn at(&self, item: usize) -> f64 {
        self.part(item)[0]
    }
}

/// Where the part of an item lies among parts of equal width.
fn span(item: usize, width: usize) -> Range<usize> {
    item * width..(item + 1) * width
}

/// Whether an item takes part.
enum Standing {
    Counts,
    Ignored,
    OutOfRange,
}

impl Call {
    fn new(loss: &dyn Loss, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Self, Error> {
        let spec = loss.spec();
        let values = Values::new(spec, loss.values())?;
        let signature = Signature::new(spec, &values, &given.map(|tensor| tensor.ty().clone()), options)?;
        let column = |input: &Input| Column {
            name: input.name,
            domain: input.domain.resolve(&values),
            width: if input.shape == Shape::Rows { signature.row as usize } else { 1 },
            values: given.get(input.name).map_or(vec![1.0], HostTensor::to_f64),
        };
        let inputs = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).map(column).collect();
        let (weight, upstream) = (column(&WEIGHT), column(&UPSTREAM));
        Ok(Call { reference: spec.reference, values, signature, inputs, weight, upstream })
    }

    /// The indices of the items that count.
    fn counted(&self) -> Result<Vec<usize>, Error> {
        let (mut counted, mut out_of_range) = (Vec::new(), Vec::new());
        for item in 0..self.signature.items as usize {
            match self.standing(item) {
                Standing::Counts => counted.push(item),
                Standing::Ignored => {}
                Standing::OutOfRange => out_of_range.push(item),
            }
        }
        match out_of_range.first() {
            None => Ok(counted),
            Some(&first) => {
                let (loss, count) = (self.values.spec().name, out_of_range.len() as u64);
                Err(Error::Target { loss, count, first: first as u64 })
            }
        }
    }

    fn standing(&self, item: usize) -> Standing {
        for input in &self.inputs {
            let x = input.at(item);
            // NaN is not out of range: it flows through to the loss.
            let in_range = match input.domain {
                Domain::Probability => (0.0..=1.0).contains(&x) || x.is_nan(),
                Domain::Sign => x.abs() == 1.0 || x.is_nan(),
                Domain::Class if x == f64::from(self.values.integer("ignore_index")) => return Standing::Ignored,
                Domain::Class => (0.0..self.signature.row as f64).contains(&x),
                _ => true,
            };
            if !in_range {
                return Standing::OutOfRange;
            }
        }
        Standing::Counts
    }

    /// Loss and gradients of an item that counts, apart from weight, reduction and upstream.
    fn term(&self, index: usize) -> Term {
        let item = Item { inputs: &self.inputs, index };
        match self.reference {
            Reference::Elementwise(loss) => {
                let term = loss(&item, &self.values);
                if item.any(f64::is_nan) {
                    term.map(|_| f64::NAN)
                } else if item.any(f64::is_infinite) {
                    term.map(|x| if x.is_finite() { f64::NAN } else { x })
                } else {
                    term
                }
            }
            Reference::Rows(loss) => {
                let term = loss(&item, &self.values);
                if item.any(|x| x.is_nan() || x == f64::INFINITY) { term.map(|_| f64::NAN) } else { term }
            }
        }
    }
}
