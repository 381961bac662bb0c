//! Many numbers as a few.

use serde_json::{Value as Json, json};
use wgloss::{Evaluation, HostTensor, Reduction};

use crate::output;

/// The loss as it is shown.
pub enum Loss {
    /// The reduced loss.
    Reduced(f64),
    /// The losses of the items, and the mean of those that count; of no items, mean, min and max are NaN.
    Items { count: usize, mean: f64, min: f64, max: f64 },
}

impl Loss {
    /// The loss of an evaluation with this reduction, whose items have one each, or one for each class.
    pub fn of(evaluation: &Evaluation, reduction: Reduction, is_per_class: bool) -> Self {
        let Evaluation { loss, items, .. } = evaluation;
        if reduction != Reduction::None {
            return Loss::Reduced(loss.item());
        }
        let losses = loss.to_f64();
        // What does not count has a loss of 0.
        let classes = if is_per_class { loss.shape().get(1).copied().unwrap_or(1) } else { 1 };
        let counted = *items as f64 * classes as f64;
        Loss::Items {
            count: losses.len(),
            mean: losses.iter().sum::<f64>() / counted,
            min: extreme(&losses, |a, b| a < b),
            max: extreme(&losses, |a, b| a > b),
        }
    }

    /// The loss as JSON: a number, or an object.
    pub fn json(&self) -> Json {
        match *self {
            Loss::Reduced(loss) => output::json_number(loss),
            Loss::Items { count, mean, min, max } => json!({
                "count": count,
                "mean": output::json_number(mean),
                "min": output::json_number(min),
                "max": output::json_number(max),
            }),
        }
    }
}

/// The value that `beats` all others; NaN if there is one.
fn extreme(values: &[f64], beats: fn(f64, f64) -> bool) -> f64 {
    values.iter().copied().reduce(|a, b| if a.is_nan() || beats(a, b) { a } else { b }).unwrap_or(f64::NAN)
}

/// The Euclidean length.
pub fn l2_norm(tensor: &HostTensor<'_>) -> f64 {
    // From 0: a sum of nothing is −0.
    tensor.to_f64().iter().fold(0.0, |sum, x| sum + x * x).sqrt()
}
