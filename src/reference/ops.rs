//! The operations around a loss, in f64.

use crate::{
    HostTensor,
    ops::{Diagnosis, Norm},
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
