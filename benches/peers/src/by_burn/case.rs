//! Both libraries in turns, and how far their results may be off.

use std::{
    fmt,
    time::{Duration, Instant},
};

use wgloss::bench::Times;

use crate::step::Step;

/// A step whose results can be read.
pub trait Checked: Step {
    /// What the last run computed.
    fn result(&self) -> StepResult;
}

/// The mean loss, or the values of a function of classes, and the gradients in the layout of the inputs.
pub struct StepResult {
    pub loss: Vec<f32>,
    pub gradients: Vec<Vec<f32>>,
}

impl StepResult {
    fn error(&self, truth: &StepResult) -> StepError {
        assert_eq!(self.gradients.len(), truth.gradients.len(), "gradients of the same inputs");
        let gradients = self.gradients.iter().zip(&truth.gradients);
        StepError {
            loss: Tolerance::LOSS.share(&self.loss, &truth.loss),
            gradient: largest(gradients.map(|(found, expected)| Tolerance::GRADIENT.share(found, expected))),
        }
    }
}

/// What rounding to f32 explains: an error of each value relative to itself, and besides relative to the largest one.
struct Tolerance {
    itself: f32,
    largest: f32,
}

impl Tolerance {
    /// Sums of millions of values, one after the other.
    const LOSS: Self = Tolerance { itself: 1e-4, largest: 1e-5 };
    /// Some gradients are sums too, as of a class that many others are compared with. Those of a softmax over many
    /// classes are small beside those of the targets: some 3e-5 for the likeliest of 262,144.
    const GRADIENT: Self = Tolerance { itself: 1e-3, largest: 1e-5 };

    /// The largest error as a share of the tolerance.
    fn share(&self, found: &[f32], expected: &[f32]) -> f32 {
        assert_eq!(found.len(), expected.len(), "results of the same shape");
        let scale = self.largest * largest(expected.iter().copied());
        let pairs = found.iter().zip(expected);
        largest(pairs.map(|(found, expected)| (found - expected) / (scale + self.itself * expected.abs())))
    }
}

/// The largest magnitude; NaN if there is one.
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f32::abs).max_by(f32::total_cmp).unwrap_or(0.0)
}

/// How far a result is off, as shares of what rounding explains.
pub struct StepError {
    loss: f32,
    gradient: f32,
}

impl StepError {
    /// Whether that is all. A NaN is not.
    pub fn is_rounding(&self) -> bool {
        self.loss <= 1.0 && self.gradient <= 1.0
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1e} times what rounding explains in the loss, {:.1e} times in the gradient",
            self.loss, self.gradient
        )
    }
}

/// One loss at one shape: what wgloss and the other library do, and what is right.
pub struct Case {
    pub wgloss: Box<dyn Checked>,
    pub peer: Box<dyn Checked>,
    pub truth: StepResult,
}

/// What came of a case: times, and the errors of the results.
pub struct Outcome {
    pub wgloss: Times,
    pub peer: Times,
    pub wgloss_error: StepError,
    pub peer_error: StepError,
}

/// Runs of each step before those that count: kernels are compiled, variants tried out, memory pools filled.
const WARM_UP: usize = 3;
/// Runs that count: as many as fit into the time, within these bounds.
const MIN_RUNS: usize = 5;
const MAX_RUNS: usize = 21;
const TIME: Duration = Duration::from_secs(3);
/// Steps that take so long to warm up are not run so often.
const SLOW: Duration = Duration::from_secs(60);
const SLOW_RUNS: usize = 3;

impl Case {
    /// Checks both, and times them in turns, so that both see the same machine.
    pub fn run(mut self) -> Outcome {
        let start = Instant::now();
        for _ in 0..WARM_UP {
            if start.elapsed() < SLOW {
                self.wgloss.run();
                self.peer.run();
            }
        }
        let least_runs = if start.elapsed() < SLOW { MIN_RUNS } else { SLOW_RUNS };
        let [wgloss_error, peer_error] = [&self.wgloss, &self.peer].map(|step| step.result().error(&self.truth));
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        let start = Instant::now();
        while our_times.len() < least_runs || (our_times.len() < MAX_RUNS && start.elapsed() < TIME) {
            our_times.push(self.wgloss.time());
            their_times.push(self.peer.time());
        }
        Outcome { wgloss: Times::new(our_times), peer: Times::new(their_times), wgloss_error, peer_error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_wrong_where_rounding_does_not_explain_them() {
        let error = |loss, gradients: [f32; 2]| {
            let result =
                |loss, gradients: [f32; 2]| StepResult { loss: vec![loss], gradients: vec![gradients.to_vec()] };
            result(loss, gradients).error(&result(2.0, [1.0, 2e-5]))
        };
        for (loss, gradients) in [(2.0, [1.0, 2e-5]), (2.0001, [1.0005, 2e-5]), (2.0, [1.0, 2.5e-5])] {
            assert!(error(loss, gradients).is_rounding(), "{loss}, {gradients:?}");
        }
        for (loss, gradients) in [(2.001, [1.0, 2e-5]), (2.0, [1.01, 2e-5]), (2.0, [1.0, 0.0]), (2.0, [f32::NAN, 2e-5])]
        {
            assert!(!error(loss, gradients).is_rounding(), "{loss}, {gradients:?}");
        }
    }
}
