//! Many numbers as a few.

use wgloss::Reduction;

use crate::engine::Outcome;

/// The loss as it is shown.
pub enum Loss {
    /// The reduced loss.
    Reduced(f64),
    /// The losses of the items; of no items, mean, min and max are NaN.
    Items { count: usize, mean: f64, min: f64, max: f64 },
}

impl Loss {
    /// The loss of this outcome.
    pub fn of(outcome: &Outcome, reduction: Reduction) -> Self {
        match outcome.loss[..] {
            [loss] if reduction != Reduction::None => Loss::Reduced(loss),
            ref losses => Loss::Items {
                count: losses.len(),
                mean: losses.iter().sum::<f64>() / losses.len() as f64,
                min: extreme(losses, |a, b| a < b),
                max: extreme(losses, |a, b| a > b),
            },
        }
    }
}

/// The value that `beats` all others; NaN if there is one.
fn extreme(values: &[f64], beats: fn(f64, f64) -> bool) -> f64 {
    values.iter().copied().reduce(|a, b| if a.is_nan() || beats(a, b) { a } else { b }).unwrap_or(f64::NAN)
}

/// The Euclidean length.
pub fn l2_norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}
