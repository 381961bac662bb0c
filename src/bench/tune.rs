//! Measures which layout of kernels is the fastest on a device.

use std::time::Duration;

use serde::Serialize;

use super::{
    Case, Clock, Precision, Step, Times,
    times::all_in_turns,
    tune_search::{Machine, search},
};
use crate::{Error, Gpu, Output, Plan, Reduction, Tuning, evaluation::upload};

/// The layout that was the fastest, and everything that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TuningRun {
    /// The table's choice, where the search began.
    pub table: Tuning,
    /// The layout that it ended with.
    pub tuning: Tuning,
    /// The fields that were measured, in order.
    pub trials: Vec<Trial>,
}

/// The values that were tried for one field of [`Tuning`], the fields before it decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The field.
    pub field: String,
    /// The field's value before.
    pub before: String,
    /// The field's value after: that before, unless another was faster beyond noise, and in no case slower.
    pub after: String,
    /// How many times faster it is, as the geometric mean of the cases to which it makes a difference; 1 for the same.
    pub gain: f64,
    /// The cases that were timed; empty where the adapter leaves no choice.
    pub cases: Vec<CaseTimes>,
}

/// The times of one case, taken in turns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseTimes {
    /// The loss's name.
    pub loss: String,
    /// The shape of its first input.
    pub shape: Vec<usize>,
    /// The times of each layout.
    pub times: Vec<VariantTime>,
}

/// How long a layout takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariantTime {
    /// The field's value, or of fields that say how far up something serves, whether it does.
    pub variant: String,
    /// The median; `None` where the device could not run the layout, or computed another loss with it.
    pub median_ms: Option<f64>,
    /// The interquartile range as a part of the median.
    pub spread: Option<f64>,
}

/// Layouts whose losses differ by more than this part are not both right.
const AGREEMENT: f64 = 1e-3;

impl Gpu {
    /// Measures the layouts of kernels that matter on this device and gives the fastest, for [`Gpu::with_tuning`]. The
    /// search begins with the table's choice, decides one field of [`Tuning`] after the other on an elementwise loss
    /// and a loss of rows, and takes another value only where it is faster beyond noise and nowhere slower. It takes
    /// some seconds, in which the machine should do nothing else.
    ///
    /// Not measured are `max_loop_iterations`, which the driver imposes, and how many elements a lane takes at once:
    /// four, as many as one load moves.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn tune(&self) -> Result<TuningRun, Error> {
        self.tune_with(&mut |_, _| {})
    }

    /// Tunes as [`Gpu::tune`] does. `progress` is told the cases timed and the cases there are.
    ///
    /// # Errors
    /// The errors of [`Gpu::tune`].
    pub fn tune_with(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<TuningRun, Error> {
        let machine = Machine::new(self.info().clone(), self.device().features(), self.limits().clone())?;
        let clock = Clock::new(self)?;
        search(&machine, &mut |case, variants| time(self, &clock, case, variants), progress)
    }
}

/// The times of a case with each of the layouts, in turns.
fn time(gpu: &Gpu, clock: &Clock, case: &Case, variants: &[Tuning]) -> Result<Vec<Option<Times>>, Error> {
    let precision = Precision { error: 0.01, least_runs: 5, most_runs: 25, most_time: Duration::from_millis(300) };
    let inputs = upload(gpu, &case.inputs()?)?;
    let types = inputs.map(|tensor| tensor.ty().clone());
    let mut outputs: Vec<Option<Output>> = Vec::new();
    for &tuning in variants {
        let plan = Plan::new(&gpu.sharing_kernels(tuning), &case.loss, &types, Reduction::Sum);
        match plan.and_then(|plan| plan.bind_tensors(&inputs)) {
            Err(error @ Error::DeviceLost { .. }) => return Err(error),
            // A driver may refuse a kernel, or have no memory for it.
            output => outputs.push(output.ok()),
        }
    }
    let recorders: Vec<_> = outputs
        .iter()
        .flatten()
        .map(|output| |pass: &mut wgpu::ComputePass<'_>| output.bound().record_in(pass))
        .collect();
    let steps: Vec<Step<'_>> = recorders.iter().map(|recorder| recorder as Step<'_>).collect();
    let mut times = all_in_turns(clock, &steps, precision)?.into_iter();

    let mut expected = None;
    let mut checked = Vec::new();
    for output in &outputs {
        checked.push(match output {
            None => None,
            Some(output) => {
                let loss = output.loss.read_blocking()?.item();
                let expected = *expected.get_or_insert(loss);
                let agrees = (loss - expected).abs() <= AGREEMENT * expected.abs();
                times.next().filter(|_| agrees)
            }
        });
    }
    Ok(checked)
}

impl VariantTime {
    pub(super) fn new(variant: &str, times: &Option<Times>) -> Self {
        VariantTime {
            variant: variant.to_string(),
            median_ms: times.as_ref().map(|times| times.median() * 1e3),
            spread: times.as_ref().map(Times::spread),
        }
    }
}
