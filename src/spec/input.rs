//! The tensors that a loss takes.

use std::{
    collections::HashMap,
    fmt,
    sync::{LazyLock, Mutex, PoisonError},
};

use super::{Activation, Values};
use crate::{DType, Reduction};

/// An input tensor of a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Its name in calls, files, messages and shaders.
    pub name: &'static str,
    /// Whether the loss gives a gradient for it.
    pub differentiable: bool,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it holds: floats of any storage type, or indices.
    pub kind: Kind,
    /// Which shape it must have.
    pub shape: Shape,
    /// The values it may have.
    pub domain: Domain,
    /// Whether, of inputs that are broadcast, it may lack the last axis of the first input: one value for each of the
    /// rows along that axis.
    pub may_lack_last_axis: bool,
    /// Whether it must have one value at least. Of other inputs nothing may be given, which has no loss.
    pub needs_values: bool,
    /// What it is where it may be given as indices (i32) instead.
    pub as_indices: Option<&'static Input>,
    /// Whether there is one like it for each layer: a name that ends in `.0` and belongs to the first of them, as that
    /// of `features.0`; that of the next is `features.1`.
    pub per_layer: bool,
    /// What every value is where an optional input was left out.
    pub absent: f32,
}

impl Input {
    /// A required floating input that has a gradient.
    pub const fn differentiable(name: &'static str, shape: Shape, domain: Domain) -> Self {
        Input { differentiable: true, ..Input::constant(name, shape, domain) }
    }

    /// A required floating input without a gradient.
    pub const fn constant(name: &'static str, shape: Shape, domain: Domain) -> Self {
        Input {
            name,
            differentiable: false,
            optional: false,
            kind: Kind::Float,
            shape,
            domain,
            may_lack_last_axis: false,
            needs_values: false,
            as_indices: None,
            per_layer: false,
            absent: 1.0,
        }
    }

    /// An optional floating input without a gradient; left out, it counts as 1 everywhere.
    pub const fn optional(name: &'static str, shape: Shape) -> Self {
        Input { optional: true, ..Input::constant(name, shape, Domain::Weight) }
    }

    /// The same of which there is one for each layer.
    pub const fn of_each_layer(self) -> Self {
        Input { per_layer: true, ..self }
    }

    /// A required input of labels, which may be floats or i32.
    pub const fn label(name: &'static str, domain: Domain) -> Self {
        Input { kind: Kind::Label, ..Input::constant(name, Shape::Items, domain) }
    }

    /// A required input of class indices.
    pub const fn classes(name: &'static str, shape: Shape) -> Self {
        Input { kind: Kind::Index, ..Input::constant(name, shape, Domain::Class) }
    }

    /// Whether it is an index that an item has, such as its class.
    pub(crate) fn is_index_of_item(&self) -> bool {
        self.kind == Kind::Index && self.shape != Shape::ItemRows
    }

    /// The same input without a gradient.
    pub(crate) fn frozen(&'static self) -> &'static Input {
        /// Every input is made once, as long as the program runs.
        static MADE: LazyLock<Mutex<HashMap<usize, &'static Input>>> = LazyLock::new(Mutex::default);
        let make = || -> &'static Input { Box::leak(Box::new(Input { differentiable: false, ..*self })) };
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(std::ptr::from_ref(self).addr()).or_insert_with(make)
    }

    /// Whether it may be given with a reduction: what divides a sum goes with that alone.
    ///
    /// ```
    /// use wgloss::{Reduction, spec::{DIVISOR, UPSTREAM}};
    /// assert!(DIVISOR.goes_with(Reduction::Sum) && !DIVISOR.goes_with(Reduction::Mean));
    /// assert!(UPSTREAM.goes_with(Reduction::Mean));
    /// ```
    pub fn goes_with(&self, reduction: Reduction) -> bool {
        self.name != DIVISOR.name || reduction == Reduction::Sum
    }

    /// The input as it is where a tensor of this type is given for it.
    pub fn given_as(&'static self, dtype: DType) -> &'static Self {
        self.as_indices.filter(|_| dtype == DType::I32).unwrap_or(self)
    }
}

/// The gradient of what comes after the loss: one value, or (with [`Reduction::None`](crate::Reduction::None)) one per
/// item. Every loss takes it; it multiplies every gradient, not the loss.
pub const UPSTREAM: Input = Input { domain: Domain::Real, ..Input::optional("upstream", Shape::OneOrItems) };

/// What a sum is divided by, with its gradients, where only the device knows it: a single value above 0. Every loss
/// that has the reduction [`Sum`](crate::Reduction::Sum) takes it, with that alone; see
/// [`Options::divisor`](crate::Options::divisor).
pub const DIVISOR: Input = Input { domain: Domain::Divisor, ..Input::optional("divisor", Shape::Scalar) };

/// One weight per item, of either sign: multiplies the item's loss and gradient.
pub const WEIGHT: Input = Input { domain: Domain::SignedWeight, ..Input::optional("weight", Shape::Items) };

/// Which items are there, of any storage type: an item whose value is 0 is left out. It does not count, nothing of it
/// is checked, nothing of it, not even a NaN, reaches anything else, and its gradients are 0. Of whole batches a row is
/// left out as an anchor and as what anchors are compared with. Every loss takes it but those that are
/// made of others, whose items are of several kinds.
pub const MASK: Input = Input { kind: Kind::Mask, domain: Domain::Mask, ..Input::optional("mask", Shape::Items) };

/// Where each sequence of tokens begins, and behind the last one the number of tokens.
pub const OFFSETS: Input =
    Input { kind: Kind::Index, ..Input::constant("offsets", Shape::Offsets(1), Domain::Offsets) };

/// Which tokens are there: those whose value is 0 add nothing to their sequence and do not count in its length.
pub const TOKEN_MASK: Input =
    Input { kind: Kind::Mask, domain: Domain::Mask, ..Input::optional("token_mask", Shape::Tokens) };

/// One weight per class.
pub const CLASS_WEIGHT: Input =
    Input { domain: Domain::ClassWeight, ..Input::optional("class_weight", Shape::Classes) };

/// One weight per class of a head.
pub const HEAD_CLASS_WEIGHT: Input = Input { shape: Shape::HeadClasses, ..CLASS_WEIGHT };

/// One offset per class of a head.
pub const HEAD_CLASS_OFFSET: Input = Input { shape: Shape::HeadClasses, ..CLASS_OFFSET };

/// One weight per row of hidden states, whose head has the name `weight`.
pub const ITEM_WEIGHT: Input = Input { domain: Domain::SignedWeight, ..Input::optional("item_weight", Shape::Items) };

/// One offset per class, which is added to its logit as the loss sees it; 0 where it is left out.
pub const CLASS_OFFSET: Input =
    Input { domain: Domain::Real, absent: 0.0, ..Input::optional("class_offset", Shape::Classes) };

/// Classes of each row that a row loss passes over, a bit each: 32 in a value, the first one the lowest.
pub(crate) const CLASSES_LEFT_OUT: Input =
    Input { kind: Kind::Index, ..Input::constant("left_out", Shape::ItemRows, Domain::Mask) };

/// One weight per layer.
pub const LAYER_WEIGHTS: Input =
    Input { differentiable: true, domain: Domain::Real, ..Input::optional("layer_weights", Shape::Layers) };

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Floating values: f32, f16 or bf16.
    Float,
    /// Indices: i32.
    Index,
    /// Labels: floating values or i32.
    Label,
    /// What is there, and 0 for what is not: floating values or i32.
    Mask,
}

/// The shape an input must have, in terms of the loss's first input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Elementwise: the common shape of the inputs, or one that is broadcast to it as PyTorch does. Rows and boxes: one
    /// each.
    Items,
    /// `[N, C]` or `[N, C, d1, …]`: a row of C classes per item.
    Rows,
    /// `[N, K]`: K values per item, at least one and no more than it has classes. All inputs of this shape have the
    /// same K.
    ItemRows,
    /// `[N, 4]` or `[N, d1, …, 4]`: a box per item, x1 y1 x2 y2.
    Boxes,
    /// `[N, D]`: an embedding per item.
    Embeddings,
    /// A single value.
    Scalar,
    /// `[C]`: one per class.
    Classes,
    /// `[C]`: one per position on the last axis of the inputs' common shape.
    LastAxis,
    /// `[1]`, or one per item.
    OneOrItems,
    /// A shape of its own, of losses that are sums.
    Own,
    /// A shape of its own but for the first axis, which is that of the first input.
    OwnOfBatch,
    /// `[N, C, …]` of its own.
    OwnRows,
    /// `[K]`: one per layer.
    Layers,
    /// The shape of the input of that name, which comes before.
    Like(&'static str),
    /// `[N, d…, H]`: of each item a row of hidden states of its own length.
    Hidden,
    /// `[V, H]`: a row of a head for each class, as long as the hidden states of that name.
    Head(&'static str),
    /// `[V]`: one per class of the heads.
    HeadClasses,
    /// `[N, d…, V]`: one per class of the heads and item.
    HeadRows,
    /// `[T]`: one per token.
    Tokens,
    /// `[T, V]`: a row of V classes per token.
    TokenRows,
    /// `[S·B + 1]`: where each of the sequences begins, of which an item has so many.
    Offsets(u8),
}

/// How far rounding may bring a probability, or its logarithm, beyond the ends of what it may be.
pub(crate) const SLACK: f64 = 1e-6;

/// The values that make sense for an input. Those that are said to be checked are checked by the kernels: an item
/// outside contributes nothing, is counted, and reading the result is an error. The others say what parity checks draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// Any value.
    Real,
    /// The logarithm of a rate: any value whose exponential is finite.
    LogRate,
    /// The logarithm of a scale, whose exponential f32 must hold: at most 88.7; checked.
    LogScale,
    /// The logarithm of a variance by which losses are divided: a finite number whose negative has an exponential that
    /// f32 holds, −88.7 or above; checked, NaN and infinities too.
    LogVariance,
    /// 0 or above: rates, variances; checked.
    NonNegative,
    /// Non-negative counts.
    Count,
    /// In [0, 1]; checked. What rounding has brought beyond an end, up to 1e-6, counts as that end.
    Probability,
    /// At most 0, or what rounding makes of that, up to 1e-6; checked.
    LogProbability,
    /// −1 or 1; checked.
    Sign,
    /// Non-negative weights.
    Weight,
    /// Weights of either sign.
    SignedWeight,
    /// What a sum is divided by: finite and above 0. Kernels do not check it, but reading the result is an error if it
    /// is something else.
    Divisor,
    /// A class index in 0..C, or the loss's `ignore_index`; checked.
    Class,
    /// Class indices in 0..C, of an item no one twice; checked.
    DistinctClasses,
    /// Non-negative weights of classes; checked. One below 0 puts every row out of range, and of pixels its class.
    ClassWeight,
    /// A box with x1 ≤ x2 and y1 ≤ y2; checked.
    TargetBox,
    /// 1 where two rows are similar, 0 where they are not; checked.
    Similar,
    /// Any whole number: rows of the same one belong together.
    Label,
    /// Anything: 0 leaves an item out.
    Mask,
    /// From 0, not falling, the number of tokens last; checked.
    Offsets,
    /// Depends on a true-or-false parameter: its name, the domain where it is true, and where it is false.
    Where(&'static str, &'static Domain, &'static Domain),
    /// Depends on a parameter that is a word: its name, the word, the domain where it is that, and where it is another.
    WhereIs(&'static str, &'static str, &'static Domain, &'static Domain),
    /// Probabilities where the parameter `activation` is `none`, then checked; otherwise any value.
    Activated,
}

impl Domain {
    /// Whether kernels check values against the domain, under some parameter values at least.
    pub fn is_checked(self) -> bool {
        match self {
            Domain::NonNegative
            | Domain::LogScale
            | Domain::LogVariance
            | Domain::Probability
            | Domain::LogProbability
            | Domain::Sign
            | Domain::Class
            | Domain::DistinctClasses
            | Domain::ClassWeight
            | Domain::TargetBox
            | Domain::Similar
            | Domain::Offsets
            | Domain::Activated => true,
            Domain::Where(_, on, off) | Domain::WhereIs(_, _, on, off) => on.is_checked() || off.is_checked(),
            _ => false,
        }
    }

    /// Whether a value is one of the domain, with so many classes, or kernels do not check it. NaN is never outside but
    /// of logarithms of variances: it flows through to the loss. Boxes, which are checked as a whole, are not asked
    /// here, nor whether a class is named twice.
    pub(crate) fn contains(self, x: f64, classes: u64) -> bool {
        match self {
            Domain::Probability => (-SLACK..=1.0 + SLACK).contains(&x) || x.is_nan(),
            Domain::LogProbability => x <= SLACK || x.is_nan(),
            Domain::NonNegative => x >= 0.0 || x.is_nan(),
            Domain::LogScale => (x.exp() as f32).is_finite() || x.is_nan(),
            Domain::LogVariance => x.is_finite() && ((-x).exp() as f32).is_finite(),
            Domain::Sign => x.abs() == 1.0 || x.is_nan(),
            Domain::Similar => x == 0.0 || x == 1.0 || x.is_nan(),
            Domain::Class | Domain::DistinctClasses => (0.0..classes as f64).contains(&x),
            Domain::ClassWeight => x >= 0.0 || x.is_nan(),
            _ => true,
        }
    }

    /// The domain under these parameter values: never one that depends on them.
    pub fn resolve(self, values: &Values) -> Domain {
        match self {
            Domain::Activated if values.word_or("activation", Activation::Softmax) == Activation::None => {
                Domain::Probability
            }
            Domain::Activated => Domain::Real,
            Domain::Where(param, on, off) => (if values.flag(param) { on } else { off }).resolve(values),
            Domain::WhereIs(param, word, on, off) => {
                (if values.is_word(param, word) { on } else { off }).resolve(values)
            }
            domain => domain,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Domain::Real => "any",
            Domain::LogRate => "logarithms of rates",
            Domain::LogScale => "at most 88.7, its exponential finite",
            Domain::LogVariance => "finite, −88.7 or above",
            Domain::NonNegative => "0 or above",
            Domain::Count => "counts, 0 or above",
            Domain::Probability => "in [0, 1]",
            Domain::LogProbability => "at most 0",
            Domain::Sign => "−1 or 1",
            Domain::Weight | Domain::ClassWeight => "0 or above",
            Domain::SignedWeight => "any, also below 0",
            Domain::Divisor => "finite, above 0",
            Domain::Class => "0 to C − 1",
            Domain::DistinctClasses => "0 to C − 1, none twice in a row",
            Domain::Activated => "in [0, 1] with activation=none, else any",
            Domain::TargetBox => "x1 ≤ x2 and y1 ≤ y2",
            Domain::Similar => "0 or 1",
            Domain::Label => "any label",
            Domain::Mask => "0 leaves the item out",
            Domain::Offsets => "0 first, not falling, the number of tokens last",
            Domain::WhereIs(param, word, on, off) => return write!(f, "{on} with {param}={word}, else {off}"),
            Domain::Where(flag, on, off) => return write!(f, "{on} with {flag}, else {off}"),
        })
    }
}
