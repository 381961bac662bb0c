//! Does a kernel compute what the reference says? One harness for the tests, the command line and losses of one's own.
//!
//! Every case draws inputs of the kind the spec names, runs the kernel, and compares loss, count and gradients with the
//! f64 reference. Outputs start as garbage, so that what a kernel leaves out shows. Values are small, large or shifted;
//! and there are cases where predictions are sure, classes masked and values infinite, inputs nearly equal, or all of
//! them tiny or huge.
//!
//! Kernels take long to compile, so cases share few: of storage types, treatments of gradients, optional inputs,
//! reductions and all else that makes another kernel, any two meet in some case, not all in all combinations. Sizes,
//! values and the parameters that kernels are not compiled for cost next to nothing and vary freely.
//!
//! ```
//! use wgloss::{Gpu, losses, parity};
//! let gpu = Gpu::new_blocking()?;
//! let report = parity::check(&gpu, &losses::HUBER, parity::Effort::Quick, &mut |_done, _total| {})?;
//! assert!(report.passed(), "{:?}", report.failures);
//! # Ok::<(), wgloss::Error>(())
//! ```

mod cases;
mod choices;
mod compare;
pub(crate) mod covering;
mod differences;
mod inputs;
mod masked;
mod plain;
mod run;
mod situations;
mod stored;

pub use compare::{Comparison, TOLERANCE, Tolerance, Worst, compare};
pub use differences::{DIFFERENCE_TOLERANCE, Differences};

use std::num::NonZero;

use inputs::Drawn;

use crate::{
    Error, Gpu, Reduce,
    spec::{LossSpec, Reference},
};

/// How many cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Any two choices that make kernels differ, and every parameter and kind of size, in few combinations.
    Quick,
    /// Any three such choices, and larger sizes.
    Full,
    /// A part of the kernels of [`Effort::Quick`], which several adapters or runs may share.
    Part {
        /// Which: 0 for the first, beyond the last the first again.
        number: usize,
        /// How many parts there are.
        of: NonZero<usize>,
    },
}

/// What came out for one loss on one adapter.
#[derive(Clone, Debug)]
pub struct Report {
    /// The loss.
    pub loss: &'static str,
    /// Cases that ran.
    pub cases: u64,
    /// The largest error of a loss.
    pub loss_error: Worst,
    /// The largest error of a gradient.
    pub gradient_error: Worst,
    /// Of a loss without a reference, its gradients beside differences of the loss.
    pub differences: Option<Differences>,
    /// What failed: the case, and how.
    pub failures: Vec<String>,
    /// What the adapter cannot run: the cases, and why.
    pub skipped: Vec<(String, String)>,
}

impl Report {
    /// Whether every case that ran is within [`TOLERANCE`], and any ran.
    pub fn passed(&self) -> bool {
        self.cases > 0 && self.failures.is_empty()
    }
}

/// Compares a loss's kernel with its reference. `progress` is told the cases done and the cases there are.
///
/// Of a loss without a reference, [`Report::differences`] tells how its gradients agree with differences of the loss,
/// for values where that is smooth. The cases then hold each call to what the same kernel gives of single items:
/// weights, masks, reductions, NaN, storage types and every layout are checked; that the loss has all its digits is
/// not.
///
/// # Errors
/// A failing device; what a case finds is in the report.
pub fn check(
    gpu: &Gpu,
    spec: &'static LossSpec,
    effort: Effort,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, Error> {
    let mut report = Report {
        loss: spec.name,
        cases: 0,
        loss_error: Worst::default(),
        gradient_error: Worst::default(),
        differences: None,
        failures: Vec::new(),
        skipped: Vec::new(),
    };
    let tuning = gpu.tuning();
    if tuning.reduce == Reduce::Workgroup {
        let has_some = gpu.device().features().contains(wgpu::Features::SUBGROUP);
        let why = if has_some { "the tuning uses none" } else { "the adapter has none" };
        report.skipped.push(("subgroup operations".to_string(), why.to_string()));
    }
    // Losses of regions and of whole batches have kernels in common. The many of other losses need not be kept.
    let shares = spec.regions().is_some() || spec.all_pairs().is_some();
    let gpu = &if shares { gpu.clone() } else { gpu.with_tuning(tuning)? };
    if matches!(spec.reference, Reference::None) {
        let (differences, failures) = differences::check(gpu, spec)?;
        report.differences = Some(differences);
        report.failures.extend(failures);
    }
    let cases = cases::cases(spec, tuning, effort);
    for (index, case) in cases.iter().enumerate() {
        let Drawn { inputs, expected } = case.drawn(gpu, spec, index as u64)?;
        match case.run(gpu, spec, &inputs) {
            Ok(found) => case.compare(spec, &expected, &found, &mut report),
            Err(Error::Limit { what, limit, .. }) => {
                report.skipped.push((case.to_string(), format!("{what} is beyond {limit}")));
            }
            Err(error) => return Err(error),
        }
        progress(index as u64 + 1, cases.len() as u64);
    }
    Ok(report)
}
