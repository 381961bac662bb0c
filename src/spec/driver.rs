//! The drivers: the entry points that losses share, and what their losses differ in.

use super::{Activation, FocalForm, LossSpec, Values};
use crate::{Loss, Reduction};

/// The shared entry points (a file in `shaders/drivers/`) that a loss's hooks are joined to.
#[derive(Clone, Copy, Debug)]
pub enum Driver {
    /// One item per element; every input has the same shape.
    Elementwise,
    /// One item per row of classes.
    Rows(Rows),
    /// One item per score, of the overlap of a region with its target: of a class, a sample, both or all.
    Regions(Regions),
    /// One item per box of four corners.
    Boxes,
    /// One item per row of embeddings, of each input one.
    Pairs,
    /// Every embedding of a batch with every other.
    AllPairs(AllPairs),
    /// Other losses, each of inputs of its own, which has no list of items.
    Sum(Sum),
    /// Another loss at each of any number of layers, which has no list of items.
    Layers(Layers),
    /// One item per entry of the difference of two Gram matrices, of which no list is kept.
    Gram,
    /// One item per row of hidden states, of which a head makes the logits of another loss, never stored whole.
    Linear(Linear),
    /// One item per sequence of tokens, or per pair of them.
    Sequences(Sequences),
    /// One item per row of classes, of which some have values of their own.
    TopK(TopK),
}

/// What row losses differ in besides their hooks.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// The inputs whose softmax it needs: the first one, that and the second, or none.
    pub softmax_of: &'static [&'static str],
    /// What a mean divides by.
    pub mean_over: MeanOver,
    /// Whether the result is one value per class, which no reduction reduces, rather than one per row.
    pub per_class: bool,
    /// The least number of classes.
    pub least_classes: fn(&Values) -> usize,
    /// The groups of functions that its hook file has besides the two that every loss has.
    pub hooks: &'static [RowHooks],
}

/// A group of functions that the hook file of a row loss may have. One that it has not comes from
/// `shaders/drivers/rows/hooks/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowHooks {
    /// `class_sums` and `shift_sums`: two sums over the classes in the first walk.
    Sums,
    /// `middle_sums`: four sums in a walk of their own, of what only the finished softmax tells.
    Middle,
    /// `distance_of`, `seen_logit` and `slope_of`: logits that the loss sees otherwise than they are stored.
    Logits,
    /// `class_value`: a value per class, of functions that have one.
    Values,
    /// `rises_apart`: two softmaxes whose sums keep the digits of their difference.
    Excess,
    /// `USES_ENTROPY`: whether the loss reads the row's entropy.
    Entropy,
    /// `item_outcome` in place of `row_outcome`: it gets the row's index too, by which it loads the inputs of one value
    /// a row that are the loss's own.
    OwnValues,
}

impl Rows {
    /// A loss that needs the softmax of `logits`; a mean divides by the rows that count.
    pub const SOFTMAX: Self =
        Rows { softmax_of: &["logits"], mean_over: MeanOver::Rows, per_class: false, least_classes: |_| 1, hooks: &[] };

    /// Whether the hook file has these functions.
    pub(crate) fn has(self, hooks: RowHooks) -> bool {
        self.hooks.contains(&hooks)
    }
}

/// A loss of rows whose logits heads make of hidden states: logits = hidden·weightᵀ + bias.
///
/// Its parameters are those of the row loss, and by choice `logit_scale`, which all logits are multiplied with,
/// `temperature`, by which they are divided after a softcap, and `shift`, by how many places the target of a row lies
/// behind it in its sequence, the last axis of the items.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// The loss of the logits.
    pub rows: &'static LossSpec,
    /// What makes them: of `logits` the first, which is trained, and where there is a second of `teacher_logits`.
    pub heads: &'static [Head],
    /// The input that is the row loss's `target`.
    pub target: &'static str,
    /// Of a head whose logits are cosines: the parameter `scale` is what these are multiplied with.
    pub cosine: Option<Cosine>,
}

impl Linear {
    /// A loss of this row loss whose logits one head makes.
    pub const fn of(rows: &'static LossSpec) -> Self {
        Linear { rows, heads: &[Head::TRAINED], target: "target", cosine: None }
    }
}

/// A head whose rows, as those it is held to, are brought to unit length first.
#[derive(Clone, Copy, Debug)]
pub struct Cosine {
    /// What makes the target's cosine harder to reach, by the parameter `margin`.
    pub margin: Margin,
    /// So many rows of the head belong to a class, which has the cosine of the nearest.
    pub centers: u32,
    /// A factor of all logits besides `scale`.
    pub factor: f32,
}

/// What a margin does to the cosine of a row's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Margin {
    /// Nothing.
    None,
    /// It is taken away from the cosine.
    OfCosine,
    /// It is added to the angle.
    OfAngle,
}

/// The names of the inputs that rows of logits are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The hidden states, `[N, d…, H]`.
    pub hidden: &'static str,
    /// A row for each class, `[V, H]`.
    pub weight: &'static str,
    /// A value for each class, `[V]`, which is optional.
    pub bias: Option<&'static str>,
}

impl Head {
    /// The head that is trained.
    pub const TRAINED: Self = Head { hidden: "hidden", weight: "weight", bias: Some("bias") };
    /// The head of embeddings, a row for each class.
    pub const OF_EMBEDDINGS: Self = Head { hidden: "embeddings", weight: "weight", bias: None };
    /// The teacher's.
    pub const TEACHER: Self = Head { hidden: "teacher_hidden", weight: "teacher_weight", bias: Some("teacher_bias") };
}

/// What the mean of a row loss divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeanOver {
    /// The rows that count.
    Rows,
    /// The sum of the target classes' weights over the rows that count.
    ClassWeights,
}

/// What losses of regions differ in besides their hooks.
#[derive(Clone, Copy, Debug)]
pub struct Regions {
    /// Of a loss that is a sum of two means, one over the pixels and one over the scores. Others have the reduction
    /// asked for.
    pub terms: Option<Terms>,
}

impl Regions {
    /// Whether the pixels' term is one of each class by itself, by its sigmoid, and not of the softmax of all.
    pub(crate) fn has_elementwise_term(values: &Values) -> bool {
        let is_sigmoid = values.word_or("activation", Activation::Softmax) == Activation::Sigmoid;
        is_sigmoid || values.word_or("focal_form", FocalForm::Softmax) == FocalForm::Sigmoid
    }
}

/// The terms of a loss of regions that has a term for each pixel.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The names of the terms: of the pixels', and of the scores'.
    pub names: [&'static str; 2],
    /// The parameters that are their weights.
    pub weights: [&'static str; 2],
    /// What the mean over the pixels divides by where their targets are class indices and their term is of a softmax;
    /// otherwise by their number, times that of the classes where the term is one of each.
    pub mean_over: MeanOver,
}

/// What losses of a whole batch differ in besides their hooks.
#[derive(Clone, Copy, Debug)]
pub struct AllPairs {
    /// Which embeddings are compared with which, and which of them belong together.
    pub relation: Relation,
    /// How an anchor's values become its loss.
    pub anchors: Anchors,
}

/// Which embeddings are compared with which, and which of them belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Every row of `embeddings` with every other; rows of the same label are positives.
    Labelled,
    /// Every row of `[z_i; z_j]`, `[2N, D]`, with every other; the positive is the row of the same number in the other
    /// half.
    Views,
    /// Every row of `query` with every row of `key`; the positive is the row of the same number.
    Paired,
    /// Every row of `query` with every row of `key`, and the other way round; positives are rows of the same number.
    PairedBothWays,
}

/// How an anchor's values with all other rows become its loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchors {
    /// Similarities become a cross-entropy over all other rows. Items are anchors.
    Softmax,
    /// Of the distances the largest to a positive and the smallest to a negative count. Items are anchors.
    Hardest,
    /// Distances are sorted. Items are pairs or triplets, of which no list is kept.
    Sorted,
}

/// A loss that is a sum of others. Each is reduced by itself, over its own items.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// Its parts, two or three of them. Values of the first alone may be checked.
    pub parts: &'static [Part],
    /// The reductions that make sense for it.
    pub reductions: &'static [Reduction],
}

/// A part of a loss that is a sum.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// What results call it.
    pub name: &'static str,
    /// The loss that it is under the parameters of the sum.
    pub loss: fn(&Values) -> Box<dyn Loss>,
    /// Which inputs of the sum the required ones of the part are, in their order.
    pub inputs: &'static [&'static str],
    /// The parameter that is its weight; 1 without one.
    pub weight: Option<&'static str>,
}

/// A loss that is another one at each of any number of layers, weighted. Each layer is reduced by itself.
#[derive(Clone, Copy, Debug)]
pub struct Layers {
    /// The loss at a layer. Its inputs are those of each layer, in their order; none of their values are checked.
    pub loss: fn(&Values) -> Box<dyn Loss>,
}

impl Part {
    /// Its weight in the sum.
    pub(crate) fn weight(&self, values: &Values) -> f64 {
        self.weight.map_or(1.0, |weight| values.number(weight))
    }
}

/// What losses of sequences of tokens differ in: an elementwise loss of what the log-probabilities of a sequence's
/// tokens have together.
#[derive(Clone, Copy, Debug)]
pub struct Sequences {
    /// The loss of items under the parameters of the whole. Its other inputs are those of the whole.
    pub head: fn(&Values) -> Box<dyn Loss>,
    /// Which of its inputs sequences make: of pairs those of the first half of the sequences, then of the second.
    pub made: &'static [&'static str],
    /// Which of its inputs are the numbers of their tokens, in the same order: as many, or none where those are of no
    /// use under the parameters.
    pub lengths: fn(&Values) -> &'static [&'static str],
    /// Whether sequences have the mean of their tokens, and not the sum.
    pub averages: fn(&Values) -> bool,
    /// Whether the first input is `logits`, of which a `target` has the log-probability, and not `log_prob` itself.
    pub takes_logits: bool,
    /// Whether these logits are those of a head: the first inputs are `hidden` and `weight` then.
    pub takes_hidden: bool,
}

/// A loss of logits beside a teacher that gives K classes of a row, by index, with the logarithms of their
/// probabilities: another loss, of these classes and, as the parameter `tail` says, of all others together.
#[derive(Clone, Copy, Debug)]
pub struct TopK {
    /// The row loss that it is under the parameters of the whole, with all logits of a teacher.
    pub loss: fn(&Values) -> Box<dyn Loss>,
}
