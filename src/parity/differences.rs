//! The gradients of a loss without a reference, held to differences of the loss itself.
//!
//! The kernel's losses are f32, and their rounding errors are divided by the step: so the tolerance is one for wrong
//! formulas, signs and factors, and not for lost digits. Differences of several steps are extrapolated to the step 0.
//! How far those agree tells where the loss is smooth enough to be judged, and where it has a kink or is mostly noise.

use super::{choices::other_values, plain, stored::of_values};
use crate::{
    AnyLoss, DType, Error, Gpu, HostTensor, Loss, Named, Signature,
    draw::{Regime, draw},
    spec::{Domain, Input, Kind, LossSpec, Term},
};

/// How far a gradient may be from the loss's differences, relative to the larger of both; of rows, to the row's
/// largest.
pub const DIFFERENCE_TOLERANCE: f64 = 1e-3;

/// What gradients are worth beside differences of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Differences {
    /// The largest relative error; see [`DIFFERENCE_TOLERANCE`].
    pub error: f64,
    /// How many gradients were judged.
    pub judged: u64,
    /// How many were not, next to kinks or where the loss's own rounding errors hide its slope.
    pub skipped: u64,
}

/// The first and largest step, and how many there are, each half as wide. Inputs keep this distance from the ends of
/// their domains.
const STEP: f64 = 0.125;
const STEPS: usize = 7;

/// Inputs of a loss with steps to either side are exact in f32.
const GRID: f64 = 4096.0;

const ELEMENTS: [usize; 1] = [256];
const ROWS: [usize; 2] = [48, 5];

/// Compares gradients with differences, for the defaults and for other values of each parameter; with what is wrong.
pub(super) fn check(gpu: &Gpu, spec: &'static LossSpec) -> Result<(Differences, Vec<String>), Error> {
    let (mut all, mut failures) = (Differences::default(), Vec::new());
    let others = spec.params.iter().flat_map(|param| other_values(param).map(|value| (param.name, value)));
    let settings = std::iter::once(None).chain(others.map(Some));
    for (seed, setting) in settings.enumerate() {
        let setting: Vec<(&str, &str)> = setting.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let loss = AnyLoss::of(spec, &setting)?;
        let (found, worst) = compared(gpu, &loss, seed as u64)?;
        if found.error > DIFFERENCE_TOLERANCE {
            failures.push(format!("{loss}: {worst}"));
        }
        // Other values may be of no use: what a loss is at 0, where it is divided by that, is nobody's concern.
        if seed == 0 && found.judged <= found.skipped {
            failures.push(format!(
                "{loss}: only {} of {} gradients can be judged by differences: the loss is not smooth, or mostly \
                 rounding errors",
                found.judged,
                found.judged + found.skipped
            ));
        }
        all = Differences {
            error: all.error.max(found.error),
            judged: all.judged + found.judged,
            skipped: all.skipped + found.skipped,
        };
    }
    Ok((all, failures))
}

/// The gradients of one draw beside differences, and where they are the worst.
fn compared(gpu: &Gpu, loss: &AnyLoss, seed: u64) -> Result<(Differences, String), Error> {
    let spec = loss.spec();
    let mut rng = fastrand::Rng::with_seed(seed);
    let shape = if spec.rows().is_some() { &ROWS[..] } else { &ELEMENTS };
    let (items, row) = (shape[0], shape.get(1).copied().unwrap_or(1));
    let inputs = inputs(loss, shape, &mut rng)?;
    let at = plain::terms(gpu, loss, &inputs, items)?;
    let (mut found, mut worst) = (Differences::default(), String::new());
    for (number, input) in spec.differentiable().enumerate() {
        let mut slopes = vec![None; items * row];
        for column in 0..row {
            let mut sides = Vec::new();
            for step in steps() {
                let side = |sign: f64| {
                    let moved = moved(&inputs, input.name, column, row, sign * step)?;
                    plain::terms(gpu, loss, &moved, items)
                };
                sides.push([side(-1.0)?, side(1.0)?]);
            }
            for item in 0..items {
                let at_steps = |sides: &[Vec<Term>; 2]| [&sides[0], &sides[1]].map(|terms| terms[item].loss[0]);
                let losses: Vec<[f64; 2]> = sides.iter().map(at_steps).collect();
                slopes[item * row + column] = Slope::of(at[item].loss[0], &losses);
            }
        }
        for item in 0..items {
            let gradients = &at[item].gradients[number * row..][..row];
            let slopes = &slopes[item * row..][..row];
            let sizes = gradients.iter().copied().chain(slopes.iter().flatten().map(|slope| slope.value));
            let size = sizes.map(f64::abs).filter(|x| x.is_finite()).fold(0.0, f64::max);
            for (column, (&gradient, slope)) in gradients.iter().zip(slopes).enumerate() {
                match slope.filter(|slope| slope.is_sure(size)) {
                    Some(Slope { value, .. }) => {
                        found.judged += 1;
                        let error = (gradient - value).abs();
                        let error = if error == 0.0 { 0.0 } else { error / size };
                        // A NaN must not pass for a small error.
                        let error = if error.is_nan() { f64::INFINITY } else { error };
                        if error > found.error {
                            found.error = error;
                            let place = if row > 1 { format!("{item}, {column}") } else { item.to_string() };
                            worst = format!(
                                "gradient off by {error:.2e} (allowed {DIFFERENCE_TOLERANCE:.0e}): \
                                 grad.{}[{place}] is {gradient:?}, differences of the loss give {value:?}",
                                input.name
                            );
                        }
                    }
                    None => found.skipped += 1,
                }
            }
        }
    }
    Ok((found, worst))
}

fn steps() -> impl Iterator<Item = f64> {
    (0..STEPS).map(|number| STEP / 2f64.powi(number as i32))
}

/// The slope of a loss at a value, by differences.
#[derive(Clone, Copy, Debug)]
struct Slope {
    value: f64,
    /// By how much it may be wrong.
    error: f64,
    /// By how much the slopes to either side differ at the largest step, and at the smallest.
    bends: [f64; 2],
}

impl Slope {
    /// The slope by the losses at a step before and behind, of each step; `None` where one is not finite.
    fn of(at: f64, losses: &[[f64; 2]]) -> Option<Self> {
        if !losses.iter().flatten().chain([&at]).all(|x| x.is_finite()) {
            return None;
        }
        // Richardson's extrapolation: of each step, what it gives with the larger ones, by how much that may be wrong.
        let mut found: Vec<[f64; 2]> = Vec::new();
        let mut above: Vec<f64> = Vec::new();
        for (step, [before, behind]) in steps().zip(losses) {
            let noise = f64::from(f32::EPSILON) * before.abs().max(behind.abs()) / step;
            let mut line = vec![(behind - before) / (2.0 * step)];
            let mut best = [line[0], f64::INFINITY];
            for (column, &from) in above.iter().enumerate() {
                let power = 4f64.powi(column as i32 + 1);
                let value = (power * line[column] - from) / (power - 1.0);
                let error = (value - line[column]).abs().max((value - from).abs()).max(noise);
                best = if error < best[1] { [value, error] } else { best };
                line.push(value);
            }
            found.push(best);
            above = line;
        }
        // Two steps that are wrong may agree by chance, and then a third does not.
        let confirmed = found[1..].windows(2).map(|pair| {
            let [[first, of_first], [second, of_second]] = [pair[0], pair[1]];
            let apart = (first - second).abs();
            if of_first < of_second { (first, of_first.max(apart)) } else { (second, of_second.max(apart)) }
        });
        let (value, error) = confirmed.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let bend = |(step, [before, behind]): (f64, &[f64; 2])| ((behind - at) - (at - before)) / step;
        let bends = steps().zip(losses).map(bend);
        let bends: Vec<f64> = bends.map(f64::abs).collect();
        Some(Slope { value, error, bends: [bends[0], bends[STEPS - 1]] })
    }

    /// Whether it is known well enough to judge a gradient, among gradients of this size. At a kink the slopes to
    /// either side stay apart however near they are taken.
    fn is_sure(&self, size: f64) -> bool {
        let [widest, nearest] = self.bends;
        let enough = 0.25 * DIFFERENCE_TOLERANCE * size;
        self.error <= enough && (nearest <= 0.5 * widest || nearest <= 16.0 * enough)
    }
}

/// The inputs with one value of each item moved by a step.
fn moved(
    inputs: &Named<HostTensor<'static>>,
    name: &str,
    column: usize,
    row: usize,
    step: f64,
) -> Result<Named<HostTensor<'static>>, Error> {
    let moved = |(known, host): (&str, &HostTensor<'static>)| {
        let mut values = host.to_f64();
        values.iter_mut().skip(column).step_by(row).filter(|_| known == name).for_each(|x| *x += step);
        Ok((known.to_string(), of_values(&values, host.dtype(), host.shape())?))
    };
    inputs.iter().map(moved).collect()
}

/// Inputs away from the ends of their domains, all of the loss's own given.
fn inputs(loss: &AnyLoss, shape: &[usize], rng: &mut fastrand::Rng) -> Result<Named<HostTensor<'static>>, Error> {
    let values = loss.spec().values(&[])?;
    let signature = Signature::of_shape(&values, shape)?;
    let own = loss.spec().inputs.iter().filter(|input| input.name != "weight");
    let drawn = own.map(|input| {
        let shape = signature.shape_of(input);
        let length: usize = shape.iter().product();
        let drawn: Vec<f64> = (0..length).map(|_| value(input, &signature, rng)).collect();
        let dtype = if input.kind == Kind::Index { DType::I32 } else { DType::F32 };
        Ok((input.name.to_string(), of_values(&drawn, dtype, &shape)?))
    });
    drawn.collect()
}

fn value(input: &Input, signature: &Signature, rng: &mut fastrand::Rng) -> f64 {
    let mut between = |low: f64, high: f64| (GRID * (low + (high - low) * rng.f64())).round() / GRID;
    match input.domain {
        Domain::Class => f64::from(rng.u32(..signature.row as u32)),
        Domain::Real => between(-3.0, 3.0),
        Domain::LogRate | Domain::LogScale | Domain::LogVariance => between(-2.0, 2.0),
        Domain::NonNegative => between(0.25, 3.0),
        Domain::Probability => between(0.2, 0.8),
        Domain::LogProbability => between(-3.0, -0.25),
        domain => draw(domain, Regime::Small, None, rng),
    }
}

#[cfg(test)]
mod tests {
    use super::{STEPS, Slope, steps};

    fn slope(loss: impl Fn(f64) -> f64, x: f64) -> Slope {
        let losses: Vec<[f64; 2]> = steps().map(|step| [loss(x - step), loss(x + step)]).collect();
        Slope::of(loss(x), &losses).expect("the losses are finite")
    }

    /// As a kernel rounds it.
    fn rounded(loss: impl Fn(f64) -> f64) -> impl Fn(f64) -> f64 {
        move |x| f64::from(loss(x) as f32)
    }

    #[test]
    fn slopes_of_smooth_losses_are_known() {
        for (loss, derivative, x) in [
            (f64::exp as fn(f64) -> f64, f64::exp as fn(f64) -> f64, 1.5),
            (|x| x * x, |x| 2.0 * x, 0.75),
            (f64::sin, f64::cos, 0.5),
            (|x| 3.0 * x, |_| 3.0, 2.0),
            (|x| (x * x + 0.01).sqrt(), |x| x / (x * x + 0.01).sqrt(), 0.5),
        ] {
            let found = slope(rounded(loss), x);
            let size = derivative(x).abs();
            assert!(found.is_sure(size), "{found:?}");
            assert!((found.value - derivative(x)).abs() <= 2e-5 * size, "{found:?}");
        }
    }

    #[test]
    fn kinks_and_noise_are_not_judged() {
        for distance in [0.0, 1e-5, 1e-3, 3e-3] {
            let found = slope(rounded(|x| x.max(0.0)), distance);
            assert!(!found.is_sure(1.0), "{distance}: {found:?}");
        }
        // Farther from it than some steps, all is well.
        for distance in [0.01, 0.2] {
            let found = slope(rounded(|x| x.max(0.0)), distance);
            assert!(found.is_sure(1.0) && (found.value - 1.0).abs() < 1e-4, "{distance}: {found:?}");
        }
        let noisy = slope(rounded(|x| 3e4 + x), 0.5);
        assert!(!noisy.is_sure(1.0), "{noisy:?}");
        // Rounding to whole numbers leaves no slope at all.
        let drowned = slope(rounded(|x| 1e8 + x), 0.5);
        assert!(!drowned.is_sure(1.0), "{drowned:?}");
        assert!(Slope::of(f64::NAN, &[[0.0; 2]; STEPS]).is_none());
    }

    #[test]
    fn a_loss_without_a_slope_is_judged() {
        assert!(slope(|_| 0.0, 1.0).is_sure(0.0));
    }
}
