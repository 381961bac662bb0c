//! What is timed, and how far its results may be off.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// A loss with its gradient, of inputs that are on the device already.
pub trait Step {
    /// Computes both, and returns when the device has done so.
    fn run(&mut self);

    /// What the last run computed.
    fn result(&self) -> StepResult;
}

/// The mean loss, and the gradient in the layout of the input.
pub struct StepResult {
    pub loss: f32,
    pub gradient: Vec<f32>,
}

impl StepResult {
    fn error(&self, truth: &StepResult) -> StepError {
        assert_eq!(self.gradient.len(), truth.gradient.len(), "gradients of one input");
        let difference = self.gradient.iter().zip(&truth.gradient).map(|(found, expected)| found - expected);
        StepError {
            loss: ((self.loss - truth.loss) / truth.loss).abs(),
            gradient: largest(difference) / largest(truth.gradient.iter().copied()),
        }
    }
}

/// How far a result is off: its loss relative to itself, its gradient relative to the largest element.
pub struct StepError {
    pub loss: f32,
    pub gradient: f32,
}

impl StepError {
    /// What rounding explains. Losses may be the sum of 262,144 items in f32, one after the other. Gradients are no
    /// sums; and those of a softmax over many classes are small beside those of the targets, so that a looser check
    /// would not miss them.
    const TOLERANCE: StepError = StepError { loss: 1e-4, gradient: 2e-6 };

    /// Whether that is all. A NaN is not.
    pub fn is_rounding(&self) -> bool {
        self.loss <= Self::TOLERANCE.loss && self.gradient <= Self::TOLERANCE.gradient
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.1e}, gradient {:.1e}", self.loss, self.gradient)
    }
}

/// The largest magnitude; NaN if there is one.
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f32::abs).max_by(f32::total_cmp).unwrap_or(0.0)
}

/// One loss at one shape: what wgloss and the other library do, and what is right.
pub struct Case {
    pub wgloss: Box<dyn Step>,
    pub peer: Box<dyn Step>,
    pub truth: StepResult,
}

/// What came of a case: median times, and the errors of the results.
pub struct Outcome {
    pub wgloss: Duration,
    pub peer: Duration,
    pub wgloss_error: StepError,
    pub peer_error: StepError,
}

/// Runs of each step before those that count: kernels are compiled, variants tried out, memory pools filled.
const WARM_UP: usize = 5;
/// Runs that count: as many as fit into the time, within these bounds.
const MIN_RUNS: usize = 5;
const MAX_RUNS: usize = 21;
const TIME: Duration = Duration::from_secs(20);

impl Case {
    /// Checks both, and times them in turns, so that both see the same machine.
    pub fn run(mut self) -> Outcome {
        for _ in 0..WARM_UP {
            self.wgloss.run();
            self.peer.run();
        }
        let [wgloss_error, peer_error] = [&self.wgloss, &self.peer].map(|step| step.result().error(&self.truth));
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        let start = Instant::now();
        while our_times.len() < MIN_RUNS || (our_times.len() < MAX_RUNS && start.elapsed() < TIME) {
            our_times.push(time(&mut *self.wgloss));
            their_times.push(time(&mut *self.peer));
        }
        Outcome { wgloss: median(our_times), peer: median(their_times), wgloss_error, peer_error }
    }
}

fn time(step: &mut dyn Step) -> Duration {
    let start = Instant::now();
    step.run();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
