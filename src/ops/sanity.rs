//! Whether a loss and its gradients are what they should be, in words.
//!
//! ```
//! use wgloss::{
//!     CrossEntropy, Gpu, HostTensor, Loss, Reduction,
//!     ops::sanity::{self, Expectations, Finding},
//! };
//! let gpu = Gpu::new_blocking()?;
//! // An untrained classifier of ten classes that is sure of the wrong one.
//! let logits = HostTensor::new(&[30.0_f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [1, 10])?;
//! let result = CrossEntropy::default().eval(&gpu, logits, &[3], Reduction::Mean)?;
//! let expected = sanity::untrained_cross_entropy(10);
//! let untrained = Expectations { untrained_loss: Some(expected), ..Expectations::default() };
//! for finding in sanity::check(&result, &untrained) {
//!     assert!(matches!(finding, Finding::NotUntrained { .. }));
//!     println!("{finding}");
//! }
//! # Ok::<(), wgloss::Error>(())
//! ```

use super::Diagnosis;
use crate::{Evaluation, Named, reference};

/// The mean cross-entropy of a classifier that has learnt nothing, and gives each of so many classes the same
/// probability: ln C.
///
/// ```
/// assert_eq!(wgloss::ops::sanity::untrained_cross_entropy(10), 10_f64.ln());
/// ```
pub fn untrained_cross_entropy(classes: u64) -> f64 {
    (classes as f64).ln()
}

/// What is expected of a loss and its gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expectations {
    /// The loss before the first step, such as [`untrained_cross_entropy`]; `None` where nothing is known of it.
    pub untrained_loss: Option<f64>,
    /// By which part of that the loss may differ from it.
    pub tolerance: f64,
    /// Whether the loss may be below 0, as Gaussian or Poisson likelihoods and hinges of scores may.
    pub may_be_negative: bool,
    /// The least root mean square of a gradient that is not taken to vanish.
    pub least_gradient: f64,
}

impl Default for Expectations {
    /// A loss of 0 or above, at whatever stage of training, with gradients of 1e-9 at least.
    fn default() -> Self {
        Expectations { untrained_loss: None, tolerance: 0.25, may_be_negative: false, least_gradient: 1e-9 }
    }
}

/// What is wrong with a loss or a gradient; its text is a sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// No item counted.
    #[error("no item counted: every one is ignored or left out, or the batch is empty")]
    NothingCounted,
    /// The loss is NaN or infinite.
    #[error("the loss is {loss}: an input, or what the loss makes of it, is not finite")]
    LossNotFinite {
        /// The first value of the loss that is not finite.
        loss: f64,
    },
    /// The loss is below 0.
    #[error("the loss is {loss}, and it cannot be below 0: targets or weights are not what the loss expects")]
    LossNegative {
        /// The least value of the loss.
        loss: f64,
    },
    /// The loss of an untrained model is far from what it should be.
    #[error(
        "the loss is {loss}, where an untrained model should have about {expected}: look at the initial weights, at \
         the reduction, and at whether the loss is given logits or probabilities as it expects"
    )]
    NotUntrained {
        /// The loss.
        loss: f64,
        /// The loss expected.
        expected: f64,
    },
    /// A gradient has values that are not finite.
    #[error("the gradient of `{name}` has {nan} NaN and {infinite} infinite values of {elements}")]
    GradientNotFinite {
        /// The input or parameter.
        name: String,
        /// Values that are NaN.
        nan: u64,
        /// Values that are infinite.
        infinite: u64,
        /// All values.
        elements: u64,
    },
    /// A gradient is 0 everywhere.
    #[error("the gradient of `{name}` is 0 everywhere: nothing will be learnt from it")]
    GradientZero {
        /// The input or parameter.
        name: String,
    },
    /// A gradient is nearly 0.
    #[error("the gradient of `{name}` vanishes: the root of its mean square is {root_mean_square:e}")]
    GradientVanishes {
        /// The input or parameter.
        name: String,
        /// √(Σx²/n) of the finite values.
        root_mean_square: f64,
    },
}

/// What is wrong with an evaluation: with its loss first, then with each gradient.
pub fn check(evaluation: &Evaluation, expectations: &Expectations) -> Vec<Finding> {
    let diagnoses = evaluation.gradients.map(reference::diagnose);
    let gradients = check_gradients(&diagnoses, expectations);
    check_loss(&evaluation.loss.to_f64(), evaluation.items, expectations).into_iter().chain(gradients).collect()
}

/// What is wrong with a loss, of which there is one value or one for each item, of which so many counted.
pub fn check_loss(loss: &[f64], items: u64, expectations: &Expectations) -> Vec<Finding> {
    if items == 0 {
        return vec![Finding::NothingCounted];
    }
    if let Some(&loss) = loss.iter().find(|loss| !loss.is_finite()) {
        return vec![Finding::LossNotFinite { loss }];
    }
    let mut findings = Vec::new();
    let least = loss.iter().copied().reduce(f64::min);
    if let Some(loss) = least.filter(|&loss| loss < 0.0 && !expectations.may_be_negative) {
        findings.push(Finding::LossNegative { loss });
    }
    if let Some(expected) = expectations.untrained_loss {
        let mean = loss.iter().sum::<f64>() / loss.len() as f64;
        if (mean - expected).abs() > expectations.tolerance * expected.abs() {
            findings.push(Finding::NotUntrained { loss: mean, expected });
        }
    }
    findings
}

/// What is wrong with gradients, or other tensors, of these diagnoses. Of an empty one nothing is.
pub fn check_gradients(diagnoses: &Named<Diagnosis>, expectations: &Expectations) -> Vec<Finding> {
    let finding = |(name, found): (&str, &Diagnosis)| {
        let name = name.to_string();
        let &Diagnosis { elements, nan, infinite, zero, norm, .. } = found;
        let root_mean_square = norm / (found.finite() as f64).sqrt();
        if nan + infinite > 0 {
            Some(Finding::GradientNotFinite { name, nan, infinite, elements })
        } else if elements > 0 && zero == elements {
            Some(Finding::GradientZero { name })
        } else if elements > 0 && root_mean_square < expectations.least_gradient {
            Some(Finding::GradientVanishes { name, root_mean_square })
        } else {
            None
        }
    };
    diagnoses.iter().filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostTensor;

    fn evaluation(loss: &[f64], gradients: &[(&str, &[f32])]) -> Evaluation {
        let loss = HostTensor::rounded(loss, crate::DType::F32, [loss.len()]).expect("as many values");
        let mut evaluation = Evaluation::new(loss, 3);
        for (name, values) in gradients {
            let values: Vec<f64> = values.iter().map(|&x| x.into()).collect();
            let tensor = HostTensor::rounded(&values, crate::DType::F32, [values.len()]).expect("as many values");
            evaluation.gradients = evaluation.gradients.with(*name, tensor);
        }
        evaluation
    }

    #[test]
    fn a_loss_and_gradients_as_they_should_be_are_not_remarked_on() {
        let fine = evaluation(&[2.3], &[("logits", &[0.1, -0.1, 0.0])]);
        assert_eq!(check(&fine, &Expectations::default()), []);
        let untrained = Expectations { untrained_loss: Some(untrained_cross_entropy(10)), ..Expectations::default() };
        assert_eq!(check(&fine, &untrained), []);
        assert_eq!(check(&evaluation(&[0.0], &[("empty", &[])]), &Expectations::default()), []);
    }

    #[test]
    fn each_fault_has_its_finding() {
        let found = |loss: &[f64], gradient: &[f32], expectations: Expectations| {
            check(&evaluation(loss, &[("w", gradient)]), &expectations)
        };
        let (usual, name) = (Expectations::default(), || "w".to_string());
        assert_eq!(found(&[1.0, -2.0], &[1.0], usual), [Finding::LossNegative { loss: -2.0 }]);
        assert_eq!(found(&[-2.0], &[1.0], Expectations { may_be_negative: true, ..usual }), []);
        assert_eq!(found(&[1.0, f64::INFINITY], &[1.0], usual), [Finding::LossNotFinite { loss: f64::INFINITY }]);
        assert!(matches!(found(&[f64::NAN], &[1.0], usual)[..], [Finding::LossNotFinite { loss }] if loss.is_nan()));
        let untrained = Expectations { untrained_loss: Some(2.0), ..usual };
        assert_eq!(found(&[4.0], &[1.0], untrained), [Finding::NotUntrained { loss: 4.0, expected: 2.0 }]);
        let nonfinite = Finding::GradientNotFinite { name: name(), nan: 1, infinite: 2, elements: 4 };
        assert_eq!(found(&[1.0], &[f32::NAN, f32::INFINITY, 0.0, f32::NEG_INFINITY], usual), [nonfinite]);
        assert_eq!(found(&[1.0], &[0.0, -0.0], usual), [Finding::GradientZero { name: name() }]);
        let small = 2_f32.powi(-40);
        let vanishes = Finding::GradientVanishes { name: name(), root_mean_square: small.into() };
        assert_eq!(found(&[1.0], &[small, -small], usual), [vanishes]);
        let nothing = Evaluation { items: 0, ..evaluation(&[0.0], &[]) };
        assert_eq!(check(&nothing, &usual), [Finding::NothingCounted]);
    }

    #[test]
    fn a_finding_is_a_sentence() {
        let text = Finding::GradientVanishes { name: "w".to_string(), root_mean_square: 1e-12 }.to_string();
        assert_eq!(text, "the gradient of `w` vanishes: the root of its mean square is 1e-12");
    }
}
