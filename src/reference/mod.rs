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

mod all_pairs;
mod binary;
mod boxes;
mod broadcast;
mod choices;
mod comparison;
mod conditioning;
mod distances;
mod metric_learning;
mod multiclass;
mod pairs;
mod regions;
mod regression;
mod rows;
mod segmentation;
mod softmax;

pub use binary::*;
pub use boxes::*;
pub use choices::Doubts;
pub use metric_learning::*;
pub use multiclass::*;
pub use pairs::*;
pub use regression::*;
pub use rows::*;
pub use segmentation::*;

pub use crate::spec::{Anchor, AnchorTerm, Doubt, Item, Pixel, Reference, RegionReference, Score, Sums, Term};
pub use softmax::*;

use std::ops::Range;

use crate::{
    Error, Gradients, Hardest, HostTensor, Loss, Mining, Named, Options, Reduction, Signature, Statistics, TensorType,
    out_of_range,
    spec::{Column, Domain, Input, Kind, MASK, MeanOver, Rows, SLACK, Shape, UPSTREAM, Values, WEIGHT},
};

/// What [`evaluate`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The loss: one value, or with [`Reduction::None`] one per item, or one per class of every item.
    pub loss: Vec<f64>,
    /// The terms of a loss that is a weighted sum of two, each reduced but not weighted; empty for others.
    pub terms: Vec<f64>,
    /// The shape of `loss`; empty for one value.
    pub shape: Vec<usize>,
    /// How many items counted: all but the ignored ones. Of regions the scores, all of which count.
    pub items: u64,
    /// The gradient of every differentiable input, in the order of the spec; empty with [`Gradients::Skip`].
    /// With [`Gradients::Add`] it is what is added, its weight included.
    pub gradients: Vec<(&'static str, Vec<f64>)>,
    /// Of every gradient, in the same order and shape, what the rounding error of each value is relative to: the
    /// largest gradient of its item or, where these are differences, the largest of their terms.
    pub gradient_magnitudes: Vec<Vec<f64>>,
    /// The reduction of the items' absolute losses, with [`Reduction::None`] their sum:
    /// what the rounding errors of a sum of losses of both signs are relative to. With terms, their weighted sum.
    /// Where an item's loss is a difference of larger terms, theirs take its place.
    pub magnitude: f64,
    /// The same of each item, in the shape of the unreduced loss.
    pub loss_magnitudes: Vec<f64>,
    /// The log-sum-exp of every item's logits as the loss sees them; empty unless asked for.
    pub log_sum_exp: Vec<f64>,
    /// The class that every item predicts, −1 for none; empty unless asked for.
    pub argmax: Vec<i32>,
    /// How many items that count predict their target's class; `None` for losses without such a target.
    pub correct: Option<u64>,
    /// What a triplet loss of a whole batch found; `None` for other losses.
    pub mining: Option<Mining>,
    /// The rows that each anchor has mined; `None` unless asked for.
    pub hardest: Option<Hardest<Vec<i32>>>,
    /// The largest magnitude of what is exponentiated, where that is itself rounded: an error of a logit is one
    /// relative to its exponential. 0 for other losses.
    pub condition: f64,
    /// What may be otherwise where rounding decides what a triplet loss of a whole batch chooses; nothing for other
    /// losses.
    pub doubts: Doubts,
}

/// The loss and its gradients in f64.
///
/// An item that the `mask` leaves out is not looked at.
/// Inputs of any storage type are widened exactly. Reductions, weights, upstream and options mean what they mean on the
/// GPU. An item with a NaN in an input has a NaN loss and NaN gradients. For an infinite input, the loss and each
/// gradient is the limit of its formula there: an infinity shows, unless the limit is finite. Where the loss has no
/// limit, as ∞ − ∞, all is NaN. In rows a logit of −∞ masks its class, which is the limit too; +∞ or NaN makes the row
/// NaN. A corner of a box or an element of an embedding that is infinite makes
/// all of the item NaN. Of regions, NaN flows into the scores that it belongs to, and from there to the gradients. Of a
/// whole batch, an embedding that is not finite makes all anchors NaN that it is compared with, and all their pairs and
/// triplets count.
///
/// # Errors
/// [`Error::Target`] if items have values out of range; [`Error::Parameter`] and [`Error::ParameterCount`] for the
/// loss's parameters; [`Error::MissingTensor`], [`Error::UnexpectedTensor`], [`Error::Shape`], [`Error::DType`],
/// [`Error::RowStride`], [`Error::UpstreamReduction`], [`Error::PerClassReduction`], [`Error::TermsReduction`],
/// [`Error::Statistic`] and [`Error::Option`] if inputs or options do not fit the loss.
pub fn evaluate(loss: &dyn Loss, inputs: &Named<HostTensor<'_>>, options: &Options) -> Result<Evaluation, Error> {
    let call = Call::new(loss, inputs, options)?;
    let evaluation = match call.reference {
        Reference::Elementwise(loss) => of_items(&call, |item| call.element_term(loss, item), options),
        Reference::Rows(loss) => of_items(&call, |item| call.row_term(loss, item), options),
        Reference::Boxes(loss) | Reference::Pairs(loss) => {
            of_items(&call, |item| call.finite_term(loss, item), options)
        }
        Reference::Regions(reference) => regions::evaluate(&call, reference, options),
        Reference::AllPairs(loss) => all_pairs::evaluate(&call, loss, options),
    };
    evaluation.map_err(|error| out_of_range::located(error, &call.values, &call.signature, inputs))
}

/// Loss and gradients where every item has a term of its own.
fn of_items(call: &Call, term: impl Fn(usize) -> Term, options: &Options) -> Result<Evaluation, Error> {
    let counted = call.counted()?;
    let scale = reciprocal(match options.reduction {
        Reduction::None | Reduction::Sum => 1.0,
        Reduction::Mean => counted.iter().map(|&item| call.mass(item)).sum(),
        Reduction::WeightedMean => counted.iter().map(|&item| call.mass(item) * call.weight.at(item)).sum(),
        Reduction::BatchMean => call.signature.batch as f64,
    });

    let mut losses = vec![0.0; call.signature.result_shape.iter().product()];
    let (mut sum, mut magnitude, mut loss_magnitudes) = (0.0, 0.0, losses.clone());
    let mut gradients = call.no_gradients(options);
    let shared = broadcast::shared_axes(&call.signature);
    let mut gradient_magnitudes: Vec<Vec<f64>> = gradients.iter().map(|(_, zeros)| zeros.clone()).collect();
    for &item in &counted {
        let term = term(item).map(|x| call.weight.at(item) * x);
        call.put(&term.loss, item, &mut losses);
        sum += term.loss.iter().sum::<f64>();
        magnitude += term.magnitude.unwrap_or_else(|| term.loss.iter().map(|x| x.abs()).sum());
        let size = largest_finite(term.loss.iter().copied().chain(term.magnitude));
        call.put(&vec![size; term.loss.len()], item, &mut loss_magnitudes);
        let term = term.map(|x| scale * call.upstream(item) * options.gradient_scale() * x);
        let parts = term.gradients.chunks(call.signature.row as usize);
        for (index, part) in parts.enumerate().take(gradients.len()) {
            let size = largest_finite(part.iter().chain(term.gradient_magnitudes.get(index)).copied());
            let (gradient, magnitudes) = (&mut gradients[index].1, &mut gradient_magnitudes[index]);
            if let Some(axes) = &shared[index] {
                let place = broadcast::place(item, axes, &call.signature.item_shape);
                gradient[place] += part[0];
                magnitudes[place] += size;
            } else {
                call.put(part, item, gradient);
                call.put(&vec![size; part.len()], item, magnitudes);
            }
        }
    }

    let Statistics { log_sum_exp, argmax, .. } = options.statistics;
    Ok(Evaluation {
        loss: if options.reduction == Reduction::None { losses } else { vec![scale * sum] },
        terms: Vec::new(),
        shape: call.signature.loss_type(options.reduction).shape,
        items: counted.len() as u64,
        gradients,
        gradient_magnitudes,
        magnitude: scale.abs() * magnitude,
        loss_magnitudes,
        log_sum_exp: if log_sum_exp { call.items().map(|item| call.log_sum_exp(item)).collect() } else { Vec::new() },
        argmax: if argmax { call.items().map(|item| call.argmax(item)).collect() } else { Vec::new() },
        correct: call.correct(&counted),
        mining: None,
        hardest: None,
        condition: 0.0,
        doubts: Doubts::default(),
    })
}

/// A checked call with its inputs' values.
struct Call {
    reference: Reference,
    values: Values,
    signature: Signature,
    /// The loss's own inputs, in the order of the spec.
    inputs: Vec<Column>,
    weight: Column,
    mask: Column,
    upstream: Column,
}

/// The values of an input by item. Probabilities that rounding has brought beyond an end are that end.
fn column(input: &Input, given: Option<&HostTensor<'_>>, values: &Values, signature: &Signature) -> Column {
    let per_class = match input.shape {
        Shape::Rows | Shape::Classes | Shape::Boxes | Shape::Embeddings => true,
        Shape::OneOrItems => values.spec().is_per_class(),
        Shape::Items | Shape::LastAxis | Shape::Scalar => false,
    };
    let width = if per_class { signature.row as usize } else { 1 };
    // What is left out is 1, and a class any.
    let absent = if input.kind == Kind::Index { 0.0 } else { 1.0 };
    let given = given.map_or(vec![absent], HostTensor::to_f64);
    let by_item = |index| given[place(index / width, index % width, width, signature)];
    let is_of_no_row = signature.items == 0 && values.spec().rows().is_some();
    let values_by_item = match input.shape {
        // Rows that there are not have no classes, however many each would have.
        _ if given.len() == 1 && is_of_no_row => Vec::new(),
        _ if given.len() == 1 => vec![given[0]; width],
        Shape::Classes if given.len() == width => given,
        _ => match signature.broadcast_axes(input.name) {
            Some(axes) => broadcast::places(&axes, signature).map(|place| given[place]).collect(),
            None if width == 1 => given,
            None => (0..given.len()).map(by_item).collect(),
        },
    };
    let domain = input.domain.resolve(values);
    let within = |x: f64| match domain {
        Domain::Probability if (-SLACK..=1.0 + SLACK).contains(&x) => x.clamp(0.0, 1.0),
        _ => x,
    };
    let values = values_by_item.into_iter().map(within).collect();
    Column { name: input.name, domain, width, values }
}

impl Call {
    fn new(loss: &dyn Loss, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Self, Error> {
        let spec = loss.spec();
        let values = Values::new(spec, loss.values())?;
        let signature = Signature::new(spec, &values, &given.map(|tensor| tensor.ty().clone()), options)?;
        let column_of = |input: &'static Input| {
            let tensor = given.get(input.name);
            let input = tensor.map_or(input, |tensor| input.given_as(tensor.dtype()));
            column(input, tensor, &values, &signature)
        };
        let inputs = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).map(column_of).collect();
        let (weight, mask, upstream) = (column_of(&WEIGHT), column_of(&MASK), column_of(&UPSTREAM));
        Ok(Call { reference: spec.reference, values, signature, inputs, weight, mask, upstream })
    }

    /// The indices of the items that count.
    fn counted(&self) -> Result<Vec<usize>, Error> {
        let (mut counted, mut count, mut first) = (Vec::new(), 0, None);
        for item in self.items().filter(|&item| self.is_kept(item) && !self.is_ignored(item)) {
            match self.out_of_range(item) {
                0 => counted.push(item),
                bad => {
                    first.get_or_insert(item as u64);
                    count += bad;
                }
            }
        }
        match first {
            None => Ok(counted),
            Some(first) => Err(out_of_range::error(&self.values, &self.signature, count, first)),
        }
    }

    fn is_kept(&self, item: usize) -> bool {
        self.mask.at(item) != 0.0
    }

    fn is_ignored(&self, item: usize) -> bool {
        let ignored = || f64::from(self.values.integer("ignore_index"));
        self.signature.has_labels() && self.values.has("ignore_index") && self.item(item)["target"] == ignored()
    }

    /// How much of an item is out of range: the whole, or of a pixel whose target is no bad index, how many classes.
    fn out_of_range(&self, item: usize) -> u64 {
        // Where a row is NaN by another of its values, none of its logarithms is out of range.
        let is_poisoned =
            matches!(self.reference, Reference::Rows(_)) && self.inputs[0].part(item).iter().copied().any(is_poison);
        if !self.inputs.iter().all(|input| has_upright_boxes(input.domain, input.part(item))) {
            return 1;
        }
        let is_bad = |input: &Column, class: usize| {
            let is_excused = is_poisoned && input.domain == Domain::LogProbability;
            input.part(item).get(class).is_some_and(|&x| !is_excused && !input.domain.contains(x, self.signature.row))
        };
        let is_out = |class: usize| self.inputs.iter().any(|input| is_bad(input, class));
        let names_a_class = || !self.inputs.iter().any(|input| input.domain == Domain::Class && is_bad(input, 0));
        let mut classes = 0..self.signature.row as usize;
        match self.reference {
            Reference::Regions(_) if names_a_class() => classes.filter(|&class| is_out(class)).count() as u64,
            _ => u64::from(classes.any(is_out)),
        }
    }

    fn items(&self) -> Range<usize> {
        0..self.signature.items as usize
    }

    fn item(&self, index: usize) -> Item<'_> {
        Item { inputs: &self.inputs, upstream: &self.upstream, index }
    }

    /// Loss and gradients of an element that counts, apart from weight, reduction and upstream.
    fn element_term(&self, loss: fn(&Item<'_>, &Values) -> Term, index: usize) -> Term {
        let item = self.item(index);
        let term = loss(&item, &self.values);
        if item.any(f64::is_nan) || term.loss[0].is_nan() { term.map(|_| f64::NAN) } else { term }
    }

    /// The term of a row: NaN where a logit is NaN or +∞.
    fn row_term(&self, loss: fn(&Item<'_>, &Values) -> Term, index: usize) -> Term {
        let item = self.item(index);
        let term = loss(&item, &self.values);
        if item.any(is_poison) { term.map(|_| f64::NAN) } else { term }
    }

    /// The term of a box, or of a pair or triplet of rows: NaN where a value is not finite or the loss is not known.
    fn finite_term(&self, loss: fn(&Item<'_>, &Values) -> Term, index: usize) -> Term {
        let item = self.item(index);
        let term = loss(&item, &self.values);
        if item.any(|x| !x.is_finite()) || term.loss[0].is_nan() { term.map(|_| f64::NAN) } else { term }
    }

    /// A gradient of 0 for each input that is to have one.
    fn no_gradients(&self, options: &Options) -> Vec<(&'static str, Vec<f64>)> {
        match options.gradients {
            Gradients::Skip => Vec::new(),
            Gradients::Write | Gradients::InPlace | Gradients::Add { .. } => {
                let zeros = |(input, ty): (&Input, &TensorType)| (input.name, vec![0.0; ty.elements() as usize]);
                self.signature.differentiable().map(zeros).collect()
            }
        }
    }

    /// What an item that counts adds to the divisor of a mean, apart from its weight.
    fn mass(&self, item: usize) -> f64 {
        match self.rows() {
            Some(Rows { mean_over: MeanOver::ClassWeights, .. }) => {
                let item = self.item(item);
                item.row("class_weight")[item.class()]
            }
            _ => 1.0,
        }
    }

    /// What the gradients of an item are multiplied with; those of a function per class have it in them.
    fn upstream(&self, item: usize) -> f64 {
        if self.values.spec().is_per_class() { 1.0 } else { self.upstream.at(item) }
    }

    /// Puts what an item has of a tensor, one value or one per class, where it belongs.
    fn put(&self, part: &[f64], item: usize, tensor: &mut [f64]) {
        for (class, &x) in part.iter().enumerate() {
            tensor[place(item, class, part.len(), &self.signature)] = x;
        }
    }

    fn log_sum_exp(&self, item: usize) -> f64 {
        let logits = self.inputs[0].part(item);
        let seen = multiclass::seen(logits, &self.values);
        if logits.iter().copied().any(is_poison) { f64::NAN } else { softmax::ln_sum_exp(&seen) }
    }

    fn argmax(&self, item: usize) -> i32 {
        argmax(self.inputs[0].part(item)).map_or(-1, |class| class as i32)
    }

    fn correct(&self, counted: &[usize]) -> Option<u64> {
        let is_correct = |item| argmax(self.inputs[0].part(item)) == Some(self.item(item).class());
        self.signature.has_labels().then(|| counted.iter().filter(|&&item| is_correct(item)).count() as u64)
    }

    fn rows(&self) -> Option<Rows> {
        self.values.spec().rows()
    }
}

/// Where an item's value for a class lies in a tensor with an axis of classes, `[N, classes, d…]`.
fn place(item: usize, class: usize, classes: usize, signature: &Signature) -> usize {
    let inner = signature.class_stride as usize;
    (item / inner * classes + class) * inner + item % inner
}

/// The first of the largest values of a row without NaN and +∞.
fn argmax(row: &[f64]) -> Option<usize> {
    let first_largest = (0..row.len()).reduce(|best, class| if row[class] > row[best] { class } else { best });
    first_largest.filter(|_| !row.iter().copied().any(is_poison))
}

/// 1/divisor as a factor: where there is nothing to divide by, the result is 0, but what is NaN stays NaN. Weights
/// whose sum no normal f32 holds are nothing.
fn reciprocal(divisor: f64) -> f64 {
    if divisor.abs() < f64::from(f32::MIN_POSITIVE) { 0.0 } else { divisor.recip() }
}

/// Whether a box of the domain has its corners in order; true for other values, and where a corner is NaN.
fn has_upright_boxes(domain: Domain, values: &[f64]) -> bool {
    !matches!((domain, values), (Domain::TargetBox, &[x1, y1, x2, y2]) if x2 < x1 || y2 < y1)
}

/// Whether a value in a row leaves nothing of it: −∞ only masks a class.
fn is_poison(x: f64) -> bool {
    x.is_nan() || x == f64::INFINITY
}

/// factor·x, where 0 of what is infinite is 0.
fn weighed(factor: f64, x: f64) -> f64 {
    if factor == 0.0 { 0.0 } else { factor * x }
}

/// The sum of values, from 0: that of nothing is not −0.
fn total(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, x| sum + x)
}

/// The largest finite magnitude.
fn largest_finite(values: impl Iterator<Item = f64>) -> f64 {
    values.map(f64::abs).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
