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
mod call;
mod choices;
mod comparison;
mod conditioning;
mod distances;
mod divergences;
mod divisor;
mod generative;
mod gram;
mod linear;
mod metric_learning;
mod multiclass;
mod ops;
mod pairs;
mod policies;
mod preferences;
mod regions;
mod regression;
mod rows;
mod segmentation;
mod sequences;
mod softmax;
mod sum;
mod tasks;

pub use binary::*;
pub use boxes::*;
pub use choices::Doubts;
pub use divergences::*;
pub use generative::*;
pub use metric_learning::*;
pub use multiclass::*;
pub use ops::*;
pub use pairs::*;
pub use policies::*;
pub use preferences::*;
pub use regression::*;
pub use rows::*;
pub use segmentation::*;
pub use tasks::*;

pub use crate::spec::{Anchor, AnchorTerm, Doubt, Item, Pixel, Reference, RegionReference, Score, Sums, Term, Told};
#[cfg(feature = "parity")]
pub(crate) use multiclass::seen;
pub use softmax::*;

use call::Call;
use divisor::{Divisor, reciprocal};

#[cfg(feature = "parity")]
use crate::spec::Column;
use crate::{
    Error, Hardest, HostTensor, Loss, Mining, Named, Options, Reduction, Statistics, out_of_range, spec::Values,
};

/// What [`evaluate`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The loss: one value, or with [`Reduction::None`] one per item, or one per class of every item.
    pub loss: Vec<f64>,
    /// The terms of a loss that is a weighted sum of two, each reduced but not weighted; empty for others.
    pub terms: Vec<f64>,
    /// What the rounding error of each term is relative to.
    pub term_magnitudes: Vec<f64>,
    /// The shape of `loss`; empty for one value.
    pub shape: Vec<usize>,
    /// The shape of the statistics, which have one value per item.
    pub item_shape: Vec<usize>,
    /// How many items counted: all but the ignored ones. Of regions the scores, all of which count.
    pub items: u64,
    /// The gradient of every differentiable input, in the order of the spec; empty with
    /// [`Gradients::Skip`](crate::Gradients::Skip). With [`Gradients::Add`](crate::Gradients::Add) it is what is added,
    /// its weight included.
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
    /// The entropy of the softmax of every item's logits; empty unless asked for.
    pub entropy: Vec<f64>,
    /// What the rounding error of each entropy is relative to.
    pub entropy_magnitudes: Vec<f64>,
    /// The log-probability of every item's target, 0 where it does not count; empty unless asked for.
    pub log_prob: Vec<f64>,
    /// 1 for every item on which the clip of a policy binds, 0 for others; empty unless asked for.
    pub clipped: Vec<f64>,
    /// How far the ratio of each is from where that is otherwise, relative to what its rounding error is relative to.
    pub clip_margins: Vec<f64>,
    /// The divergence of every token from the reference of a policy, 0 where it does not count; empty unless asked for.
    pub kl: Vec<f64>,
    /// What the rounding error of each divergence is relative to.
    pub kl_magnitudes: Vec<f64>,
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
    /// What a weighted mean was divided by, where items have weights; `None` for others.
    pub weight_sum: Option<f64>,
    /// What the rounding error of that is relative to: the sum of the weights' sizes.
    pub weight_magnitude: f64,
    /// What may be otherwise where rounding decides what a loss chooses or on which side of a kink an item is.
    pub doubts: Doubts,
}

impl Evaluation {
    /// The evaluation of a sum of nothing.
    fn nothing() -> Self {
        Evaluation {
            loss: vec![0.0],
            terms: Vec::new(),
            term_magnitudes: Vec::new(),
            shape: Vec::new(),
            item_shape: Vec::new(),
            items: 0,
            gradients: Vec::new(),
            gradient_magnitudes: Vec::new(),
            magnitude: 0.0,
            loss_magnitudes: Vec::new(),
            log_sum_exp: Vec::new(),
            entropy: Vec::new(),
            entropy_magnitudes: Vec::new(),
            log_prob: Vec::new(),
            clipped: Vec::new(),
            clip_margins: Vec::new(),
            kl: Vec::new(),
            kl_magnitudes: Vec::new(),
            argmax: Vec::new(),
            correct: None,
            mining: None,
            hardest: None,
            condition: 0.0,
            weight_sum: None,
            weight_magnitude: 0.0,
            doubts: Doubts::default(),
        }
    }

    /// The evaluation with what is asked for of what is told of each item.
    fn telling(self, told: &[Told], statistics: Statistics) -> Self {
        let of_each = |is_asked: bool, of: fn(&Told) -> f64| -> Vec<f64> {
            if is_asked { told.iter().map(of).collect() } else { Vec::new() }
        };
        Evaluation {
            clipped: of_each(statistics.clipped, |told| told.clipped),
            clip_margins: of_each(statistics.clipped, |told| told.clip_margin),
            kl: of_each(statistics.kl, |told| told.kl),
            kl_magnitudes: of_each(statistics.kl, |told| told.kl_magnitude),
            ..self
        }
    }
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
/// [`Error::Target`] if items have values out of range; [`Error::Divisor`] if the sum cannot be divided by the input
/// `divisor`; [`Error::Parameter`] and [`Error::ParameterCount`] for the
/// loss's parameters; [`Error::MissingTensor`], [`Error::UnexpectedTensor`], [`Error::Shape`], [`Error::DType`],
/// [`Error::RowStride`], [`Error::UpstreamReduction`], [`Error::PerClassReduction`], [`Error::TermsReduction`],
/// [`Error::Statistic`] and [`Error::Option`] if inputs or options do not fit the loss; [`Error::NoReference`] for a
/// loss without a reference.
pub fn evaluate(loss: &dyn Loss, inputs: &Named<HostTensor<'_>>, options: &Options) -> Result<Evaluation, Error> {
    let call = Call::new(loss, inputs, options)?;
    let evaluation = match call.reference {
        Reference::Elementwise(loss) | Reference::Rows(loss) | Reference::Boxes(loss) | Reference::Pairs(loss) => {
            of_items(&call, loss, options)
        }
        Reference::Closure(loss) => of_items(&call, loss.0, options),
        Reference::Regions(reference) => regions::evaluate(&call, reference, options),
        Reference::AllPairs(loss) => all_pairs::evaluate(&call, loss, options),
        Reference::Sum => sum::evaluate(&call, inputs, options),
        Reference::Layers => sum::evaluate_layers(&call, inputs, options),
        Reference::Gram => gram::evaluate(&call, options),
        Reference::Linear => linear::evaluate(&call, inputs, options),
        Reference::Sequences => sequences::evaluate(&call, inputs, options),
        Reference::None => Err(Error::NoReference { loss: call.values.spec().name }),
    };
    evaluation.map_err(|error| out_of_range::located(error, &call.values, &call.signature, inputs))
}

/// What [`evaluate`] gives of terms that come from elsewhere: `terms` has one for each item, made of the values of the
/// inputs and of the mask.
#[cfg(feature = "parity")]
pub(crate) fn evaluate_terms(
    loss: &dyn Loss,
    inputs: &Named<HostTensor<'_>>,
    options: &Options,
    terms: impl FnOnce(&[Column], &Column, usize) -> Result<Vec<Term>, Error>,
) -> Result<Evaluation, Error> {
    let call = Call::new(loss, inputs, options)?;
    let terms = terms(&call.inputs, &call.mask, call.items().len())?;
    of_items(&call, |item, _| terms[item.index].clone(), options)
}

/// Loss and gradients where every item has a term of its own.
fn of_items(call: &Call, loss: impl Fn(&Item<'_>, &Values) -> Term, options: &Options) -> Result<Evaluation, Error> {
    let counted = call.counted()?;
    let divisor = Divisor::of_items(call, &counted, options);
    let scale = divisor.reciprocal();

    let mut losses = vec![0.0; call.signature.result_shape.iter().product()];
    let (mut sum, mut magnitude, mut loss_magnitudes) = (0.0, 0.0, losses.clone());
    let (names, zeros): (Vec<_>, Vec<_>) = call.no_gradients(options).into_iter().unzip();
    let [mut gradients, mut gradient_magnitudes, mut doubts] = [zeros.clone(), zeros.clone(), zeros];
    let mut told = vec![Told::NOTHING; call.items().len()];
    let shared = broadcast::shared_axes(&call.signature);
    for &item in &counted {
        let term = call.term(&loss, item).map(|x| call.weight.at(item) * x);
        told[item] = term.told;
        call.put(&term.loss, item, &mut losses);
        sum += term.loss.iter().sum::<f64>();
        magnitude += term.magnitude.unwrap_or_else(|| term.loss.iter().map(|x| x.abs()).sum());
        let size = largest_finite(term.loss.iter().copied().chain(term.magnitude));
        call.put(&vec![size; term.loss.len()], item, &mut loss_magnitudes);
        let term = term.map(|x| scale * call.upstream(item) * options.gradient_scale() * x);
        let add = |tensors: &mut [Vec<f64>], index: usize, part: &[f64]| match &shared[index] {
            Some(axes) => tensors[index][broadcast::place(item, axes, &call.signature.item_shape)] += part[0],
            None => call.put(part, item, &mut tensors[index]),
        };
        let row = call.signature.row as usize;
        for (index, part) in term.gradients.chunks(row).enumerate().take(gradients.len()) {
            let size = largest_finite(part.iter().chain(term.gradient_magnitudes.get(index)).copied());
            add(&mut gradients, index, part);
            add(&mut gradient_magnitudes, index, &vec![size; part.len()]);
        }
        for (index, part) in term.doubts.chunks(row).enumerate().take(gradients.len()) {
            add(&mut doubts, index, part);
        }
    }
    if doubts.iter().flatten().all(|&doubt| doubt == 0.0) {
        doubts.clear();
    }

    let statistics = options.statistics;
    let of_each = |is_asked: bool, of_item: &dyn Fn(usize) -> f64| -> Vec<f64> {
        if is_asked { call.items().map(of_item).collect() } else { Vec::new() }
    };
    let evaluation = Evaluation {
        loss: if options.reduction == Reduction::None { losses } else { vec![scale * sum] },
        shape: call.signature.loss_type(options.reduction).shape,
        item_shape: call.signature.item_shape.clone(),
        items: counted.len() as u64,
        gradients: names.into_iter().zip(gradients).collect(),
        gradient_magnitudes,
        magnitude: scale.abs() * magnitude,
        loss_magnitudes,
        log_sum_exp: of_each(statistics.log_sum_exp, &|item| call.log_sum_exp(item)),
        entropy: of_each(statistics.entropy, &|item| call.entropy(item)),
        entropy_magnitudes: of_each(statistics.entropy, &|item| call.entropy_magnitude(item)),
        log_prob: of_each(statistics.log_prob, &|item| call.log_prob(item)),
        argmax: if statistics.argmax { call.items().map(|item| call.argmax(item)).collect() } else { Vec::new() },
        correct: call.correct(&counted),
        doubts: Doubts { gradients: doubts, predicted: call.doubtful_predictions(), ..Doubts::default() },
        ..Evaluation::nothing()
    };
    Ok(divisor.of_evaluation(evaluation.telling(&told, statistics), call, options))
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
