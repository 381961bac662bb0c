//! Many numbers as a few.

use serde_json::{Value as Json, json};
use wgloss::{HostTensor, Reduction};

use crate::output;

/// The loss as it is shown.
pub enum Loss {
    /// The reduced loss.
    Reduced(f64),
    /// The losses of the items; of no items, mean, min and max are NaN.
    Items { count: usize, mean: f64, min: f64, max: f64 },
}

impl Loss {
    /// The loss of an evaluation with this reduction.
    pub fn of(loss: &HostTensor<'_>, reduction: Reduction) -> Self {
        if reduction != Reduction::None {
            return Loss::Reduced(loss.item());
        }
        let losses = loss.to_f64();
        Loss::Items {
            count: losses.len(),
            mean: losses.iter().sum::<f64>() / losses.len() as f64,
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
    tensor.to_f64().iter().map(|x| x * x).sum::<f64>().sqrt()
}
