//! What the sum over items is divided by.

use super::{Call, Evaluation};
use crate::{Options, Reduction};

/// What the sum over items is divided by, often a sum itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divisor {
    pub sum: f64,
    /// The sum of its terms' sizes, which its own rounding errors are relative to.
    pub magnitude: f64,
}

impl Divisor {
    /// A number that is no sum.
    pub fn of(number: f64) -> Self {
        Divisor { sum: number, magnitude: number.abs() }
    }

    /// That of a call of which these items count.
    pub fn of_items(call: &Call, counted: &[usize], options: &Options) -> Self {
        let masses = || counted.iter().map(|&item| (call.mass(item), call.weight.at(item)));
        match options.reduction {
            Reduction::None => Divisor::of(1.0),
            Reduction::Sum => Divisor::of(call.divisor),
            Reduction::Mean => Divisor::sum(masses().map(|(mass, _)| mass)),
            Reduction::WeightedMean => Divisor::sum(masses().map(|(mass, weight)| mass * weight)),
            Reduction::BatchMean => Divisor::of(call.signature.batch as f64),
        }
    }

    /// The sum of terms that may have either sign.
    pub fn sum(terms: impl Iterator<Item = f64>) -> Self {
        let add = |Divisor { sum, magnitude }: Self, x: f64| Divisor { sum: sum + x, magnitude: magnitude + x.abs() };
        terms.fold(Divisor::of(0.0), add)
    }

    /// 1/divisor: 0 where there is nothing to divide by.
    pub fn reciprocal(self) -> f64 {
        reciprocal(self.sum)
    }

    /// The evaluation of a call that was divided so, with what its rounding errors add to magnitudes, and what a
    /// weighted mean tells.
    pub fn of_evaluation(self, mut evaluation: Evaluation, call: &Call, options: &Options) -> Evaluation {
        let lost = self.magnitude * self.reciprocal();
        if lost.is_finite() && lost > 1.0 {
            evaluation.magnitude = evaluation.magnitude.max(lost * evaluation.loss.iter().sum::<f64>().abs());
            evaluation.gradient_magnitudes.iter_mut().flatten().for_each(|size| *size *= lost);
        }
        if options.reduction == Reduction::WeightedMean && call.is_weighted() {
            (evaluation.weight_sum, evaluation.weight_magnitude) = (Some(self.sum), self.magnitude);
        }
        evaluation
    }
}

/// 1/divisor as a factor: where there is nothing to divide by, the result is 0, but what is NaN stays NaN. Weights
/// whose sum no normal f32 above 0 holds are nothing.
pub(super) fn reciprocal(divisor: f64) -> f64 {
    if divisor < f64::from(f32::MIN_POSITIVE) { 0.0 } else { divisor.recip() }
}
