//! How far an evaluation is from the reference's.

use crate::{
    DType, Evaluation, Hardest, HostTensor, Mining,
    reference::{self, Doubts},
};

/// How far a kernel may be from the reference. Errors are relative to the largest magnitude there is, and where the
/// formula is a difference of terms, to the terms that cancel: see
/// [`loss_magnitudes`](reference::Evaluation::loss_magnitudes) and
/// [`gradient_magnitudes`](reference::Evaluation::gradient_magnitudes).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of the loss, relative to the largest item (`none`) or to the reduced magnitudes of the items.
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
        let error = if error.is_finite() { (error - nothing(largest)).max(0.0) } else { error };
        let relative = if error == 0.0 { 0.0 } else { error / largest };
        // A NaN must not pass for a small error.
        let relative = if relative.is_nan() { f64::INFINITY } else { relative };
        if relative > self.relative {
            let ulp = 2f64.powi((largest.log2().floor() as i32).saturating_sub(23));
            *self = Worst { relative, ulps: error / ulp };
        }
    }

    pub(super) fn or_larger(self, other: Worst) -> Worst {
        if other.relative > self.relative { other } else { self }
    }
}

/// The largest error seen, and where.
#[derive(Default)]
struct Errors {
    worst: Worst,
    place: String,
}

impl Errors {
    fn include(&mut self, expected: &Expected<'_>, found: &HostTensor<'_>, roundings: f64, scale: Scale) {
        let (name, values) = (expected.name, found.to_f64());
        if values.len() != expected.values.len() {
            self.worst.include(f64::INFINITY, 1.0);
            self.place = format!("{name} has {} values, expected {}", values.len(), expected.values.len());
        }
        let largest = largest_of(expected.magnitudes);
        for (index, (&value, found_value)) in expected.values.iter().zip(values).enumerate() {
            let largest = match scale {
                Scale::Tensor => largest,
                Scale::Item => expected.magnitudes.get(index).copied().filter(|x| x.is_finite()).unwrap_or(0.0),
            };
            let doubt = expected.doubts.get(index).copied().unwrap_or(0.0);
            let before = self.worst;
            self.worst.include((distance(value, found_value, found.dtype()) - doubt).max(0.0), roundings * largest);
            if self.worst != before {
                self.place = format!("{name}[{index}] is {found_value:?}, expected {value:?}");
            }
        }
    }

    /// What is wrong where the worst error is above this tolerance.
    fn failure(&self, what: &str, tolerance: f64) -> Option<String> {
        let Worst { relative, ulps } = self.worst;
        let how = || format!("{what} off by {relative:.2e}, {ulps:.1} ulps (allowed {tolerance:.0e})");
        (relative > tolerance).then(|| format!("{}: {}", how(), self.place))
    }
}

/// What errors of losses and gradients are relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scale {
    /// The largest magnitude of the tensor.
    #[default]
    Tensor,
    /// The magnitude of each item: where most are far smaller than others, they would drown otherwise.
    Item,
}

/// The values of a tensor.
struct Expected<'a> {
    name: &'a str,
    values: &'a [f64],
    /// What the errors of each are relative to.
    magnitudes: &'a [f64],
    /// By how much each may be otherwise; empty if by nothing.
    doubts: &'a [f64],
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
    compare_by(Scale::Tensor, expected, found)
}

pub(super) fn compare_by(scale: Scale, expected: &reference::Evaluation, found: &Evaluation) -> Comparison {
    let (mut loss_errors, mut gradient_errors, mut failures) = (Errors::default(), Errors::default(), Vec::new());
    let doubts = &expected.doubts;
    // A logit that is computed in f32 carries a rounding error relative to its own size, and the exponential makes of
    // the absolute error a relative one: this many roundings.
    let roundings = 1.0 + expected.condition;
    let reduced = [expected.magnitude];
    let magnitudes = if expected.shape.is_empty() { &reduced[..] } else { &expected.loss_magnitudes };
    let loss = Expected { name: "loss", values: &expected.loss, magnitudes, doubts: &doubts.loss };
    loss_errors.include(&loss, &found.loss, roundings, scale);
    for (index, (name, values)) in expected.gradients.iter().enumerate() {
        let doubts = doubts.gradients.get(index).map_or(&[][..], Vec::as_slice);
        let expected = Expected { name, values, magnitudes: &expected.gradient_magnitudes[index], doubts };
        match found.gradients.get(name) {
            Some(found) => gradient_errors.include(&expected, found, roundings, scale),
            None => failures.push(format!("there is no gradient of `{name}`")),
        }
    }
    failures.extend(count_failure("items counted", found.items, expected.items, doubts.items));
    match (found.correct(), expected.correct) {
        (Some(found), Some(expected)) => {
            let doubt = doubts.predicted.len() as u64;
            failures.extend(count_failure("items are right", found, expected, doubt));
        }
        (None, None) => {}
        (found, _) => failures.push(presence_failure("the count of right items", found.is_some())),
    }
    let terms = found.terms();
    if terms.iter().count() != expected.terms.len() {
        failures.push(format!("{} terms were told, expected {}", terms.iter().count(), expected.terms.len()));
    }
    let terms = terms.iter().zip(expected.terms.iter().zip(&expected.term_magnitudes));
    for ((name, &found), (&expected, &magnitude)) in terms {
        let expected = Expected { name, values: &[expected], magnitudes: &[magnitude], doubts: &[] };
        loss_errors.include(&expected, &HostTensor::from(&[found]), 1.0, Scale::Tensor);
    }
    match (found.weight_sum(), expected.weight_sum) {
        (Some(found), Some(sum)) => {
            let magnitudes = [expected.weight_magnitude];
            let expected = Expected { name: "weight_sum", values: &[sum], magnitudes: &magnitudes, doubts: &[] };
            loss_errors.include(&expected, &HostTensor::from(&[found]), 1.0, Scale::Tensor);
        }
        (None, None) => {}
        (found, _) => failures.push(presence_failure("the sum of the weights", found.is_some())),
    }
    for (name, found, values, magnitudes) in [
        ("log_sum_exp", found.log_sum_exp(), &expected.log_sum_exp, &expected.log_sum_exp),
        ("entropy", found.entropy(), &expected.entropy, &expected.entropy_magnitudes),
        ("log_prob", found.log_prob(), &expected.log_prob, &expected.log_prob),
        ("kl", found.kl(), &expected.kl, &expected.kl_magnitudes),
    ] {
        if let Some(found) = found {
            let expected = Expected { name, values, magnitudes, doubts: &[] };
            loss_errors.include(&expected, found, roundings, Scale::Tensor);
        }
    }
    if let Some(found) = found.argmax() {
        let found = found.to_f64();
        let is_clear = |item: &usize| !doubts.predicted.contains(item);
        let differs = |item: usize| found.get(item).copied() != expected.argmax.get(item).copied().map(f64::from);
        if found.len() != expected.argmax.len() || (0..found.len()).filter(is_clear).any(differs) {
            failures.push("another class is predicted".to_string());
        }
    }
    failures.extend(found.clipped().and_then(|found| clip_failure(found, expected, roundings)));
    match (found.mining(), expected.mining) {
        (Some(found), Some(expected)) => failures.extend(mining_failures(found, expected, doubts)),
        (None, None) => {}
        (found, _) => failures.push(presence_failure("what was mined", found.is_some())),
    }
    failures.extend(hardest_failures(found.hardest(), expected.hardest.as_ref(), doubts));
    failures.extend(loss_errors.failure("loss", TOLERANCE.loss));
    failures.extend(gradient_errors.failure("gradient", TOLERANCE.gradient));
    Comparison { loss_error: loss_errors.worst, gradient_error: gradient_errors.worst, failures }
}

/// A count that is not as it should be, of which rounding may decide so many.
fn count_failure(what: &str, found: u64, expected: u64, doubt: u64) -> Option<String> {
    let or_near = if doubt == 0 { String::new() } else { format!(" give or take {doubt}, which rounding decides") };
    (found.abs_diff(expected) > doubt).then(|| format!("{found} {what}, expected {expected}{or_near}"))
}

fn presence_failure(what: &str, is_there: bool) -> String {
    format!("{what} is {}", if is_there { "told where nothing is expected" } else { "missing" })
}

/// How the clip binds where it should not or the other way round, first of the first item where it does. Where a ratio
/// is so near its bound, rounding decides.
fn clip_failure(found: &HostTensor<'_>, expected: &reference::Evaluation, roundings: f64) -> Option<String> {
    let (found, clipped) = (found.to_f64(), &expected.clipped);
    if found.len() != clipped.len() {
        return Some(format!("clipped has {} values, expected {}", found.len(), clipped.len()));
    }
    let is_clear = |item: usize| expected.clip_margins[item] > TOLERANCE.loss * roundings;
    let differs = |found: f64, expected: f64| found != expected && !(found.is_nan() && expected.is_nan());
    // What is in doubt is one or the other all the same.
    let is_wrong = |item: usize| {
        differs(found[item], clipped[item]) && (is_clear(item) || differs(found[item], 1.0 - clipped[item]))
    };
    let item = (0..found.len()).find(|&item| is_wrong(item))?;
    Some(format!("clipped[{item}] is {}, expected {}", found[item], clipped[item]))
}

/// How what was mined is not as it should be: counts exactly but for what rounding decides, and the mean distances
/// relative to the larger.
fn mining_failures(found: Mining, expected: Mining, doubts: &Doubts) -> Vec<String> {
    let triplets = count_failure("triplets selected", found.triplets, expected.triplets, doubts.triplets);
    let active = count_failure("triplets are active", found.active, expected.active, doubts.active);
    let means = |mining: Mining| [mining.positive_distance, mining.negative_distance].map(f64::from);
    let largest = largest_of(&means(expected));
    let distances = ["positives", "negatives"].into_iter().zip(means(expected).into_iter().zip(means(found)));
    let distances = distances.filter_map(|(of, (expected, found))| {
        let mut error = Worst::default();
        error.include(distance(expected, found, DType::F32), largest);
        let is_off = error.relative > TOLERANCE.loss;
        is_off.then(|| format!("the mean distance of {of} is {found:?}, expected {expected:?}"))
    });
    [triplets, active].into_iter().flatten().chain(distances).collect()
}

/// How the hardest rows are others than they should be, first of the first anchor where they are.
fn hardest_failures(
    found: Option<Hardest<&HostTensor<'_>>>,
    expected: Option<&Hardest<Vec<i32>>>,
    doubts: &Doubts,
) -> Option<String> {
    let (found, expected) = match (found, expected) {
        (Some(found), Some(expected)) => (found, expected),
        (None, None) => return None,
        (found, _) => return Some(presence_failure("the tensors of the hardest rows", found.is_some())),
    };
    let sides = [("positive", found.positive, &expected.positive), ("negative", found.negative, &expected.negative)];
    sides.into_iter().enumerate().find_map(|(side, (name, found, expected))| {
        let found: Vec<i32> = found.to_f64().into_iter().map(|row| row as i32).collect();
        if found.len() != expected.len() {
            return Some(format!("the hardest {name}s are of {} anchors, expected {}", found.len(), expected.len()));
        }
        let may_be = |anchor: usize, row: i32| {
            let others = doubts.hardest.get(anchor).map_or(&[][..], |others| &others[side]);
            others.iter().any(|&other| other as i32 == row)
        };
        let mut pairs = found.iter().zip(expected).enumerate();
        let (anchor, (found, expected)) =
            pairs.find(|&(anchor, (&found, expected))| found != *expected && !may_be(anchor, found))?;
        Some(format!("the hardest {name} of anchor {anchor} is row {found}, expected {expected}"))
    })
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
        ((expected - found).abs() - half_ulp(expected, dtype)).max(0.0)
    } else {
        f64::INFINITY
    }
}

/// What counts as 0 beside values of this size. Adapters take numbers below 2⁻¹²⁶ for 0, as our exponentials do before
/// formulas multiply them; and where a formula's terms cancel exactly, the reference keeps the rounding of an f64.
fn nothing(largest: f64) -> f64 {
    1e-34 + 1e-16 * largest.min(1.0)
}

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
