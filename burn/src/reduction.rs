//! Reductions by their names here and in Burn.

use burn::nn::loss::Reduction as BurnReduction;
use wgloss::Reduction;

/// A reduction: [`wgloss::Reduction`], or Burn's [`Reduction`](BurnReduction), whose `Auto` is the mean.
pub trait IntoReduction {
    /// The reduction.
    fn into_reduction(self) -> Reduction;
}

impl IntoReduction for Reduction {
    fn into_reduction(self) -> Reduction {
        self
    }
}

impl IntoReduction for BurnReduction {
    fn into_reduction(self) -> Reduction {
        match self {
            BurnReduction::Mean | BurnReduction::Auto => Reduction::Mean,
            BurnReduction::Sum => Reduction::Sum,
            BurnReduction::BatchMean => Reduction::BatchMean,
        }
    }
}
