//! How far an evaluation is from the reference's.

use std::fmt;

use crate::{DType, Evaluation, Hardest, HostTensor, Mining, reference};

/// How far a kernel may be from the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of the loss, relative to the largest item (`none`) or to the reduced magnitudes of the items; those of the terms
    /// of a difference, where an item is one.
    pub loss: f64,
    /// Of a gradient, relative to the largest gradient of the tensor, besides the rounding to its storage type: half a
    /// unit in the last place. Both are relative to 1 + [`condition`](reference::Evaluation::condition) times that.
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
    // A logit that is computed in f32 carries a rounding error relative to its own size, and the exponential makes of
    // the absolute error a relative one: this many roundings.
    let roundings = 1.0 + expected.condition;
    let largest = if expected.shape.is_empty() {
        expected.magnitude
    } else {
        largest_of(&expected.loss).max(expected.largest_magnitude)
    };
    loss_error.include_all(&expected.loss, &found.loss, roundings * largest);
    let magnitudes = expected.gradient_magnitudes.iter().copied().chain(std::iter::repeat(0.0));
    for ((name, expected), magnitude) in expected.gradients.iter().zip(magnitudes) {
        match found.gradients.get(name) {
            Some(found) => gradient_error.include_all(expected, found, roundings * largest_of(expected).max(magnitude)),
            None => failures.push(format!("no gradient of `{name}`")),
        }
    }
    if found.items != expected.items {
        failures.push(format!("{} items counted, expected {}", found.items, expected.items));
    }
    if found.correct() != expected.correct {
        let [found, expected] = [found.correct(), expected.correct].map(|right| told(right, "no number of"));
        failures.push(format!("{found} items right, expected {expected}"));
    }
    let terms = found.terms();
    if terms.iter().count() != expected.terms.len() {
        failures.push(format!("{} terms, expected {}", terms.iter().count(), expected.terms.len()));
    }
    for ((_, &found), &expected) in terms.iter().zip(&expected.terms) {
        let mut error = Worst::default();
        error.include(distance(expected, found.into(), DType::F32), expected.abs());
        loss_error = loss_error.or_larger(error);
    }
    if let Some(found) = found.log_sum_exp() {
        let mut error = Worst::default();
        error.include_all(&expected.log_sum_exp, found, largest_of(&expected.log_sum_exp));
        loss_error = loss_error.or_larger(error);
    }
    if let Some(found) = found.argmax() {
        let found = found.to_f64();
        let expected = expected.argmax.iter().map(|&column| f64::from(column));
        if !expected.eq(found) {
            failures.push("another class is predicted".to_string());
        }
    }
    failures.extend(mining_failures(expected.mining, found.mining()));
    let rows = |tensor: &HostTensor<'_>| tensor.to_f64().into_iter().map(|row| row as i32).collect();
    let mined = |Hardest { positive, negative }: Hardest<&HostTensor<'_>>| Hardest {
        positive: rows(positive),
        negative: rows(negative),
    };
    if found.hardest().map(mined) != expected.hardest {
        failures.push("other rows are the hardest".to_string());
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

/// How what was mined is not as it should be: counts exactly, and the mean distances relative to the larger.
fn mining_failures(expected: Option<Mining>, found: Option<Mining>) -> Option<String> {
    let agree = match (expected, found) {
        (Some(expected), Some(found)) => {
            let counts = |mining: Mining| (mining.triplets, mining.active);
            let distances = |mining: Mining| [mining.positive_distance, mining.negative_distance].map(f64::from);
            let mut error = Worst::default();
            for (is, found) in distances(expected).into_iter().zip(distances(found)) {
                error.include(distance(is, found, DType::F32), largest_of(&distances(expected)));
            }
            counts(expected) == counts(found) && error.relative <= TOLERANCE.loss
        }
        (expected, found) => expected == found,
    };
    (!agree).then(|| format!("mined {}, expected {}", told(found, "nothing"), told(expected, "nothing")))
}

/// What there is as text, or what to say where there is nothing.
fn told(what: Option<impl fmt::Display>, nothing: &str) -> String {
    what.map_or(nothing.to_string(), |what| what.to_string())
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
