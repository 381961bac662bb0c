//! Results against the f64 reference.

use std::fmt;

use serde_json::{Map, Value as Json, json};
use wgloss::{DType, Error, HostTensor, Named, reference};

use crate::{engine::Outcome, output};

/// What errors of f32 arithmetic may add up to, relative to the largest magnitude in a tensor.
const TOLERANCE: f64 = 64.0 * f32::EPSILON as f64;

/// Below this, f32 has fewer digits, and some devices none: the smallest magnitude that errors are relative to.
const SMALLEST: f64 = f32::MIN_POSITIVE as f64 / f32::EPSILON as f64;

/// The comparison of an outcome with the reference.
pub struct Check {
    /// The worst error of each output, the loss first.
    pub errors: Vec<WorstError>,
}

/// The worst error of an output, relative to the largest magnitude in it.
pub struct WorstError {
    /// `loss`, or `grad.<input>`.
    pub tensor: String,
    /// Infinite where one value is finite and the other is not.
    pub relative: f64,
    /// What it may be.
    pub tolerance: f64,
}

impl Check {
    /// Compares loss and gradients, each as the type that it is stored in.
    pub fn new(
        outcome: &Outcome,
        reference: &reference::Evaluation,
        inputs: &Named<HostTensor<'_>>,
    ) -> Result<Self, Error> {
        let magnitude = if reference.shape.is_empty() { reference.magnitude } else { largest(&reference.loss) };
        let mut errors = vec![worst("loss".to_string(), &outcome.loss, &reference.loss, DType::F32, magnitude)?];
        for (name, expected) in &reference.gradients {
            if let (Some(found), Some(input)) = (outcome.gradients.get(name), inputs.get(name)) {
                errors.push(worst(format!("grad.{name}"), found, expected, input.dtype(), largest(expected))?);
            }
        }
        Ok(Check { errors })
    }

    /// Whether every error is within its tolerance.
    pub fn passed(&self) -> bool {
        self.errors.iter().all(|error| error.relative <= error.tolerance)
    }

    /// The comparison as JSON.
    pub fn json(&self) -> Json {
        let errors = self.errors.iter().map(|error| {
            let fields = json!({
                "relative_error": output::json_number(error.relative),
                "tolerance": output::json_number(error.tolerance),
            });
            (error.tensor.clone(), fields)
        });
        json!({ "passed": self.passed(), "errors": errors.collect::<Map<_, _>>() })
    }
}

impl fmt::Display for WorstError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1e} of the largest magnitude, at most {:.1e} allowed", self.relative, self.tolerance)
    }
}

fn worst(tensor: String, found: &[f64], expected: &[f64], dtype: DType, magnitude: f64) -> Result<WorstError, Error> {
    let scale = magnitude.max(SMALLEST);
    let stored = HostTensor::rounded(expected, dtype, [expected.len()])?.to_f64();
    let errors = found.iter().zip(stored).map(|(&found, expected)| {
        if found == expected || (found.is_nan() && expected.is_nan()) {
            0.0
        } else if found.is_finite() && expected.is_finite() {
            (found - expected).abs() / scale
        } else {
            f64::INFINITY
        }
    });
    let tolerance = TOLERANCE + spacing(dtype, scale) / scale;
    Ok(WorstError { tensor, relative: errors.fold(0.0, f64::max), tolerance })
}

/// The largest finite magnitude.
fn largest(values: &[f64]) -> f64 {
    values.iter().map(|x| x.abs()).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

/// The step between neighbours near `x` in a type narrower than f32: rounding may go either way there.
fn spacing(dtype: DType, x: f64) -> f64 {
    match dtype {
        DType::F32 | DType::I32 => 0.0,
        DType::F16 => (x * f64::from(half::f16::EPSILON)).max(2_f64.powi(-24)),
        DType::BF16 => x * f64::from(half::bf16::EPSILON),
    }
}
