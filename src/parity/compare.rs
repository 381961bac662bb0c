//! How far an evaluation is from the reference's.

use crate::{DType, Evaluation, HostTensor, reference};

/// How far a kernel may be from the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of the loss, relative to the largest item (`none`) or to the reduced magnitudes of the items; those of the terms
    /// of a difference, where an item is one.
    pub loss: f64,
    /// Of a gradient, relative to the largest gradient of the tensor, besides the rounding to its storage type: half a
    /// unit in the last place.
    pub gradient: f64,
}

/// The same for all storage types: arithmetic is f32 for each, and rounding to storage is allowed for separately.
pub const TOLERANCE: Tolerance = Tolerance { loss: 1e-6, gradient: 2e-6 };

/// The largest error seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Worst {
    /// Relative to the largest magnitude; see [`Tolerance`].
    pub relative: f64,
    /// In units in the last place of an f32 of the largest magnitude.
    pub ulps: f64,
}

impl Worst {
    fn include(&mut self, error: f64, largest: f64) {
        let relative = if error == 0.0 { 0.0 } else { error / largest };
        // A NaN must not pass for a small error.
        let relative = if relative.is_nan() { f64::INFINITY } else { relative };
        if relative > self.relative {
            let ulp = 2f64.powi((largest.log2().floor() as i32).saturating_sub(23));
            *self = Worst { relative, ulps: error / ulp };
        }
    }

    fn include_all(&mut self, expected: &[f64], found: &HostTensor<'_>, largest: f64) {
        let values = found.to_f64();
        if values.len() != expected.len() {
            self.include(f64::INFINITY, largest);
        }
        for (&expected, value) in expected.iter().zip(values) {
            self.include(distance(expected, value, found.dtype()), largest);
        }
    }

    pub(super) fn or_larger(self, other: Worst) -> Worst {
        if other.relative > self.relative { other } else { self }
    }
}

/// How one evaluation differs from the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The largest error of the loss.
    pub loss_error: Worst,
    /// The largest error of a gradient.
    pub gradient_error: Worst,
    /// What is not as it should be: the count, or an error beyond [`TOLERANCE`].
    pub failures: Vec<String>,
}

/// Compares an evaluation with the reference's of the same inputs and options.
pub fn compare(expected: &reference::Evaluation, found: &Evaluation) -> Comparison {
    let (mut loss_error, mut gradient_error, mut failures) = (Worst::default(), Worst::default(), Vec::new());
    let largest = match expected.shape.is_empty() {
        true => expected.magnitude,
        false => expected.largest_magnitude.max(largest_of(&expected.loss)),
    };
    loss_error.include_all(&expected.loss, &found.loss, largest);
    let magnitudes = expected.gradient_magnitudes.iter().copied().chain(std::iter::repeat(0.0));
    for ((name, expected), magnitude) in expected.gradients.iter().zip(magnitudes) {
        match found.gradients.get(name) {
            Some(found) => gradient_error.include_all(expected, found, largest_of(expected).max(magnitude)),
            None => failures.push(format!("no gradient of `{name}`")),
        }
    }
    if found.items != expected.items {
        failures.push(format!("{} items counted, expected {}", found.items, expected.items));
    }
    if found.correct != expected.correct {
        failures.push(format!("{:?} items right, expected {:?}", found.correct, expected.correct));
    }
    if found.terms.iter().count() != expected.terms.len() {
        failures.push(format!("the terms {:?}, expected {:?}", found.terms, expected.terms));
    }
    for ((_, &found), &expected) in found.terms.iter().zip(&expected.terms) {
        let mut error = Worst::default();
        error.include(distance(expected, found.into(), DType::F32), expected.abs());
        loss_error = loss_error.or_larger(error);
    }
    if let Some(found) = &found.log_sum_exp {
        let mut error = Worst::default();
        error.include_all(&expected.log_sum_exp, found, largest_of(&expected.log_sum_exp));
        loss_error = loss_error.or_larger(error);
    }
    if let Some(found) = &found.argmax {
        let found = found.to_f64();
        let expected = expected.argmax.iter().map(|&column| f64::from(column));
        if !expected.eq(found) {
            failures.push("another class is predicted".to_string());
        }
    }
    for (what, error, tolerance) in
        [("loss", loss_error, TOLERANCE.loss), ("gradient", gradient_error, TOLERANCE.gradient)]
    {
        if error.relative > tolerance {
            let Worst { relative, ulps } = error;
            failures.push(format!("{what} off by {relative:.2e}, {ulps:.1} ulps (allowed {tolerance:.0e})"));
        }
    }
    Comparison { loss_error, gradient_error, failures }
}

/// The largest finite magnitude.
fn largest_of(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// How far apart two values are, besides rounding to storage: 0 for two NaNs, infinite where only one of both is
/// finite. What overflows the storage type counts as infinite.
fn distance(expected: f64, found: f64, dtype: DType) -> f64 {
    let stored = HostTensor::rounded(&[expected], dtype, []).map_or(f64::NAN, |tensor| tensor.item());
    if stored.is_nan() && found.is_nan() || stored == found {
        // Equal after rounding: as near as storage allows.
        0.0
    } else if expected.is_finite() && found.is_finite() {
        ((expected - found).abs() - half_ulp(expected, dtype) - NOTHING).max(0.0)
    } else {
        f64::INFINITY
    }
}

/// What counts as 0. Adapters take numbers below 2⁻¹²⁶ for 0, as our exponentials do before formulas multiply them; and
/// where a formula's terms, of about 1, cancel exactly, the reference keeps the rounding of an f64.
const NOTHING: f64 = 1e-16;

/// Half a unit in the last place of a value of this storage type; nothing for f32, whose rounding the tolerance covers.
fn half_ulp(value: f64, dtype: DType) -> f64 {
    let (digits, least_exponent) = match dtype {
        DType::F16 => (11, -14),
        DType::BF16 => (8, -126),
        DType::F32 | DType::I32 => return 0.0,
    };
    let exponent = if value == 0.0 { least_exponent } else { (value.abs().log2().floor() as i32).max(least_exponent) };
    2f64.powi(exponent - digits)
}
