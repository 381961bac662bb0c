//! How item losses become the result.

use std::{fmt, str::FromStr};

use crate::Error;

/// How the losses of the items become the result. Always named by the caller, never a default.
///
/// An *item* is an element for elementwise losses, a row for row losses and a score for losses of regions. The gradient
/// is that of the reduced loss. Where nothing counts, a mean is 0 with zero gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// One loss per item; the gradient is that of the sum, so each item's gradient stands alone.
    None,
    /// The sum over items, divided by [`Options::divisor`](crate::Options::divisor) and the input
    /// [`DIVISOR`](crate::spec::DIVISOR) where these are given.
    Sum,
    /// The sum divided by the number of items that count; for `cross_entropy` and `nll` by Σ w_y, the sum of their
    /// targets' class weights, which without class weights is the same.
    Mean,
    /// The [`Mean`](Reduction::Mean) with each item's `weight` as a factor in the divisor, too: the sum of the weights
    /// that count, or Σ w_y·weight; the mean itself where no `weight` is given. For losses of regions, the sum of the
    /// scores' class weights. Weights may be below 0; where their sum is not above 0, loss and gradients are 0, and
    /// [`Evaluation::weight_sum`](crate::Evaluation::weight_sum) tells it.
    WeightedMean,
    /// The sum divided by the first axis, N.
    BatchMean,
}

impl Reduction {
    /// Every reduction.
    pub const ALL: [Reduction; 5] =
        [Reduction::None, Reduction::Sum, Reduction::Mean, Reduction::WeightedMean, Reduction::BatchMean];

    /// The name used on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Reduction::None => "none",
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::WeightedMean => "weighted_mean",
            Reduction::BatchMean => "batch_mean",
        }
    }
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reduction {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Reduction::ALL
            .into_iter()
            .find(|reduction| reduction.name() == name)
            .ok_or_else(|| Error::UnknownReduction { found: name.to_string() })
    }
}
