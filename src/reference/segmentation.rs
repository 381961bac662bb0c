//! Segmentation, as in [`losses`](crate::losses): the loss of a score from its sums, one function per loss, and the
//! losses of pixels.

use std::ops::AddAssign;

use super::{
    binary::{focal_logistic, logistic},
    multiclass::{entropy, focal_entropy},
    weighed,
};
use crate::spec::{FocalForm, LogitActivation, Pixel, Score, Sums, Term, Values};

/// [`Dice`](crate::losses::Dice).
pub fn dice(sums: &Sums, values: &Values) -> Score {
    missed_share(sums, 2.0, [1.0, 1.0], values.number("smooth"))
}

/// [`Tversky`](crate::losses::Tversky).
pub fn tversky(sums: &Sums, values: &Values) -> Score {
    missed_share(sums, 1.0, [values.number("alpha"), values.number("beta")], values.number("smooth"))
}

/// [`FocalTversky`](crate::losses::FocalTversky).
pub fn focal_tversky(sums: &Sums, values: &Values) -> Score {
    let (tversky, exponent) = (tversky(sums, values), values.number("exponent"));
    // Squares of soft targets can make it negative.
    if tversky.loss <= 0.0 {
        return Score::default();
    }
    let slope = exponent * tversky.loss.powf(exponent - 1.0);
    Score { loss: tversky.loss.powf(exponent), slopes: tversky.slopes.scaled(slope) }
}

/// [`Jaccard`](crate::losses::Jaccard).
pub fn jaccard(sums: &Sums, values: &Values) -> Score {
    missed_share(sums, 1.0, [1.0, 1.0], values.number("smooth"))
}

/// The first term of [`CeDice`](crate::losses::CeDice).
pub fn pixel_cross_entropy(pixel: &Pixel<'_>, values: &Values) -> Term {
    match values.word("activation") {
        LogitActivation::Softmax => entropy(pixel.logits, pixel.masses),
        LogitActivation::Sigmoid => of_each_class(pixel, |x, t| logistic(x, t, 1.0 - t)),
    }
}

/// The first term of [`FocalDice`](crate::losses::FocalDice).
pub fn pixel_focal(pixel: &Pixel<'_>, values: &Values) -> Term {
    match (values.word("activation"), values.word("focal_form")) {
        (LogitActivation::Softmax, FocalForm::Softmax) => focal_entropy(pixel.logits, pixel.masses, values),
        _ => of_each_class(pixel, |x, t| focal_logistic(x, t, values.number("alpha"), values.number("gamma"))),
    }
}

/// Σ w·(loss of a logit and its target) over a pixel's classes.
fn of_each_class(pixel: &Pixel<'_>, loss: impl Fn(f64, f64) -> Term) -> Term {
    let terms = pixel.logits.iter().zip(pixel.targets).map(|(&x, &t)| loss(x, t));
    let weighed_terms = terms.zip(pixel.weights).map(|(term, &w)| (weighed(w, term.loss[0]), w * term.gradients[0]));
    let (losses, gradients): (Vec<f64>, Vec<f64>) = weighed_terms.unzip();
    Term::new(losses.iter().sum(), gradients)
}

/// 1 − (h·TP + s)/(h·TP + α·FP + β·FN + s), as (α·FP + β·FN)/(…), which keeps its digits where next to nothing is
/// missed.
fn missed_share(sums: &Sums, h: f64, [alpha, beta]: [f64; 2], s: f64) -> Score {
    let (hit, missed) = (h * sums.true_positives, alpha * sums.false_positives + beta * sums.false_negatives);
    let all = hit + missed + s;
    // Nothing is there, and nothing is predicted.
    if all == 0.0 {
        return Score::default();
    }
    // Divided twice: the square of what is next to nothing would be 0.
    let (by_hit, by_missed) = (-missed / all / all, (hit + s) / all / all);
    let slopes =
        Sums { true_positives: h * by_hit, false_positives: alpha * by_missed, false_negatives: beta * by_missed };
    Score { loss: missed / all, slopes }
}

impl Sums {
    /// Each of them times a factor.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Sums {
            true_positives: factor * self.true_positives,
            false_positives: factor * self.false_positives,
            false_negatives: factor * self.false_negatives,
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Sums) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
    }
}
