//! The operations around a loss, in f64.

use crate::{
    HostTensor,
    ops::{Diagnosis, GradNorm, Norm},
};

/// The norm of all gradients together, and the factor that [`ClipGradNorm`](crate::ops::ClipGradNorm) multiplies them
/// with.
///
/// ```
/// use wgloss::{ops::Norm, reference::clip_grad_norm};
/// let (norm, coefficient) = clip_grad_norm(&[vec![3.0], vec![-4.0]], 1.0, Norm::L2);
/// assert_eq!((norm, coefficient), (5.0, 1.0 / (5.0 + 1e-6)));
/// ```
pub fn clip_grad_norm(gradients: &[Vec<f64>], max_norm: f64, norm: Norm) -> (f64, f64) {
    let magnitudes = gradients.iter().flatten().map(|x| x.abs());
    let norm = match norm {
        Norm::L1 => magnitudes.sum(),
        Norm::L2 => magnitudes.map(|x| x * x).sum::<f64>().sqrt(),
        // NaN shows, which `f64::max` would pass over.
        Norm::Max => magnitudes.fold(0.0, |largest: f64, x| if x.is_nan() || x > largest { x } else { largest }),
    };
    let coefficient = max_norm / (norm + 1e-6);
    // As in PyTorch a NaN stays one.
    (norm, if coefficient > 1.0 { 1.0 } else { coefficient })
}

/// What kinds of values a tensor has, as [`Diagnose`](crate::ops::Diagnose) finds it.
///
/// ```
/// use wgloss::{HostTensor, reference::diagnose};
/// let found = diagnose(&HostTensor::from(&[1.0_f32, f32::NEG_INFINITY, -0.0]));
/// assert_eq!((found.infinite, found.zero, found.negative, found.mean), (1, 1, 1, Some(0.5)));
/// ```
pub fn diagnose(tensor: &HostTensor<'_>) -> Diagnosis {
    let values = tensor.to_f64();
    let count = |is: fn(&&f64) -> bool| values.iter().filter(is).count() as u64;
    let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    Diagnosis {
        elements: values.len() as u64,
        nan: count(|x| x.is_nan()),
        infinite: count(|x| x.is_infinite()),
        zero: count(|x| **x == 0.0),
        negative: count(|x| **x < 0.0),
        min: finite.iter().copied().reduce(f64::min),
        max: finite.iter().copied().reduce(f64::max),
        mean: (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64),
        // The sum of nothing is −0.
        norm: finite.iter().map(|x| x * x).sum::<f64>().sqrt().abs(),
    }
}

/// What a step of [`GradNorm`](crate::ops::GradNorm) finds, and the weights behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct GradNormStep {
    /// Σ|G − mean(G)·r^α|.
    pub loss: f64,
    /// Its gradient by the weights.
    pub gradient: Vec<f64>,
    /// The weights after the step.
    pub weights: Vec<f64>,
}

/// A step of [`GradNorm`](crate::ops::GradNorm) for tasks with these losses, initial losses, norms of unweighted
/// gradients and weights; `None` where one of them is not allowed, or there is no task.
///
/// ```
/// use wgloss::{ops::GradNorm, reference::grad_norm};
/// let step = grad_norm(&GradNorm::new(0.25), &[0.5, 0.5], &[1.0, 1.0], &[2.0, 1.0], &[1.0, 1.0]).unwrap();
/// assert_eq!((step.loss, step.gradient), (1.0, vec![2.0, -1.0]));
/// assert_eq!(step.weights, [2.0 * 0.5 / 1.75, 2.0 * 1.25 / 1.75]);
/// ```
pub fn grad_norm(
    operation: &GradNorm,
    losses: &[f64],
    initial_losses: &[f64],
    gradient_norms: &[f64],
    weights: &[f64],
) -> Option<GradNormStep> {
    // As an f32 that is no subnormal number.
    let is_positive = |x: &f64| x.is_finite() && *x >= f64::from(f32::MIN_POSITIVE);
    let are_allowed = losses.iter().all(|x| x.is_finite() && *x >= 0.0)
        && [initial_losses, gradient_norms, weights].iter().all(|values| values.iter().all(is_positive));
    if losses.is_empty() || !are_allowed {
        return None;
    }
    let count = losses.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let norms: Vec<f64> = weights.iter().zip(gradient_norms).map(|(w, n)| w * n).collect();
    let ratios: Vec<f64> = losses.iter().zip(initial_losses).map(|(loss, initial)| loss / initial).collect();
    let (mean_norm, mean_ratio) = (mean(&norms), mean(&ratios));
    // Where no task has a loss left, all have trained alike.
    let rate = |ratio: &f64| if mean_ratio < f64::from(f32::MIN_POSITIVE) { 1.0 } else { ratio / mean_ratio };
    let target = |ratio: &f64| mean_norm * rate(ratio).powf(operation.alpha.into());
    let gaps: Vec<f64> = norms.iter().zip(&ratios).map(|(norm, ratio)| norm - target(ratio)).collect();
    let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
    let gradient: Vec<f64> = gaps.iter().zip(gradient_norms).map(|(&gap, norm)| sign(gap) * norm).collect();
    let learning_rate = f64::from(operation.learning_rate);
    let stepped = |(w, slope): (&f64, &f64)| (w - learning_rate * slope).max(GradNorm::LEAST_WEIGHT.into());
    let stepped: Vec<f64> = weights.iter().zip(&gradient).map(stepped).collect();
    let total: f64 = stepped.iter().sum();
    Some(GradNormStep {
        loss: gaps.iter().map(|gap| gap.abs()).sum(),
        gradient,
        weights: stepped.iter().map(|w| w * count / total).collect(),
    })
}

/// The weights that [`Curriculum`](crate::ops::Curriculum) gives to samples of these difficulties.
///
/// ```
/// use wgloss::reference::curriculum;
/// assert_eq!(curriculum(&[0.2, f64::NAN, 0.5, 0.7], 0.5), [4.0 / 2.000001, 0.0, 4.0 / 2.000001, 0.0]);
/// ```
pub fn curriculum(difficulty: &[f64], progress: f64) -> Vec<f64> {
    let selected: Vec<f64> = difficulty.iter().map(|&d| if d <= progress { 1.0 } else { 0.0 }).collect();
    let weight = difficulty.len() as f64 / (selected.iter().sum::<f64>() + 1e-6);
    selected.iter().map(|x| x * weight).collect()
}
