//! Which kernel of a loss takes how long.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{
    Bench, Case,
    times::{FEWEST_RUNS, Times},
};
use crate::Error;

/// What a kernel takes of the time of a loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelTime {
    /// The kernel's entry point.
    pub kernel: String,
    /// How many times it is dispatched in a run of the loss.
    pub dispatches: usize,
    /// Device time of all its dispatches of a run, each submitted by itself: the median of the runs.
    pub median_ms: f64,
}

impl Bench {
    /// Times each dispatch of loss and gradients by itself, run after run, in the order of the kernels' first
    /// dispatches. Together they take longer than the loss: a dispatch by itself has to start, and to come to an end.
    ///
    /// ```
    /// use wgloss::{AnyLoss, DType, Gpu, bench::{Bench, Case, Precision}};
    /// let gpu = Gpu::new_blocking()?;
    /// let case = Case::of_elements(&AnyLoss::new("dice", &[])?, DType::F32, 10_000);
    /// for kernel in Bench::new(&gpu, Precision::default())?.kernel_times(&case)? {
    ///     println!("{}: {} ms", kernel.kernel, kernel.median_ms);
    /// }
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// The errors of [`Bench::prepare`].
    pub fn kernel_times(&self, case: &Case) -> Result<Vec<KernelTime>, Error> {
        let (output, _) = self.prepare(case)?;
        let steps = output.bound().steps();
        let mut kernels: Vec<(&str, Vec<f64>)> = Vec::new();
        for step in steps {
            if !kernels.iter().any(|(kernel, _)| *kernel == step.kernel) {
                kernels.push((step.kernel, Vec::new()));
            }
        }
        // The first run warms up: pages are touched, memory is where it stays.
        self.clock.time(|pass| output.bound().record_in(pass))?;
        let start = Instant::now();
        for run in 1.. {
            kernels.iter_mut().for_each(|(_, seconds)| seconds.push(0.0));
            for step in steps {
                let time = self.clock.time(|pass| step.record_in(pass))?.as_secs_f64();
                let of_kernel = kernels.iter_mut().find(|(kernel, _)| *kernel == step.kernel);
                *of_kernel.and_then(|(_, seconds)| seconds.last_mut()).unwrap_or(&mut 0.0) += time;
            }
            let is_late = start.elapsed() >= self.precision.most_time;
            if run >= self.precision.least_runs || run >= FEWEST_RUNS && is_late {
                break;
            }
        }
        output.bound().read_status_blocking()?;
        let time = |(kernel, seconds): (&str, Vec<f64>)| KernelTime {
            kernel: kernel.to_string(),
            dispatches: steps.iter().filter(|step| step.kernel == kernel).count(),
            median_ms: Times::new(seconds).median() * 1e3,
        };
        Ok(kernels.into_iter().map(time).collect())
    }
}
