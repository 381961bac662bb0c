//! Does a kernel compute what the reference says? One harness for the tests, the command line and losses of one's own.
//!
//! Every case draws inputs of the kind the spec names, runs the kernel over dtype × reduction × weights × subgroup
//! operations × size × parameters, and compares loss, count and gradients with the f64 reference. Outputs start as
//! garbage, so that what a kernel leaves out shows.
//!
//! ```
//! use wgloss::{Gpu, losses, parity};
//! let gpu = Gpu::new_blocking()?;
//! let report = parity::check(&gpu, &losses::HUBER, parity::Effort::Quick, &mut |_done, _total| {})?;
//! assert!(report.passed(), "{:?}", report.failures);
//! # Ok::<(), wgloss::Error>(())
//! ```

mod cases;
mod compare;

pub use compare::{Comparison, TOLERANCE, Tolerance, Worst, compare};

use cases::Drawn;

use crate::{Error, Gpu, Reduce, RowKernel, Tuning, spec::LossSpec};

/// How many cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Every dtype, reduction, parameter and kind of size, in few combinations.
    Quick,
    /// Many combinations and larger sizes.
    Full,
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
        failures: Vec::new(),
        skipped: Vec::new(),
    };
    let tuning = gpu.tuning();
    let layouts = layouts(gpu, spec);
    if tuning.reduce == Reduce::Workgroup {
        let has_some = gpu.device().features().contains(wgpu::Features::SUBGROUP);
        let why = if has_some { "the tuning uses none" } else { "the adapter has none" };
        report.skipped.push(("subgroup operations".to_string(), why.to_string()));
    }
    let cases = cases::cases(spec, tuning.workgroup_size as usize, effort);
    // The quick cases take turns in the layouts.
    let turns = if effort == Effort::Quick { layouts.len() } else { 1 };
    let total = (cases.len() * layouts.len() / turns) as u64;
    for (index, case) in cases.iter().enumerate() {
        let Some(Drawn { inputs, expected }) = case.drawn(spec, index as u64)? else {
            report.skipped.push((case.to_string(), "rounding decides what the loss chooses".to_string()));
            continue;
        };
        for layout in layouts.iter().skip(index % turns).step_by(turns) {
            match case.run(layout, spec, &inputs) {
                Ok(found) => case.compare(layout, &expected, &found, &mut report),
                Err(Error::Limit { what, limit, .. }) => {
                    report.skipped.push((case.to_string(), format!("{what} is beyond {limit}")));
                }
                Err(error) => return Err(error),
            }
            progress(report.cases + report.skipped.len() as u64, total);
        }
    }
    Ok(report)
}

/// The adapter with each reduction, and for row losses with each kernel that shares out rows.
fn layouts(gpu: &Gpu, spec: &LossSpec) -> Vec<Gpu> {
    let tuning = gpu.tuning();
    let mut tunings: Vec<Tuning> = tuning.reductions().into_iter().map(|reduce| Tuning { reduce, ..tuning }).collect();
    if spec.rows().is_some() {
        for rows in [RowKernel::Lane, RowKernel::Workgroup, RowKernel::Parts] {
            tunings.push(Tuning { rows, ..tuning });
        }
        // As on GPUs: rows kept in workgroup memory.
        let cached = Tuning { rows: RowKernel::Workgroup, cached_classes: 1024, ..tuning };
        tunings.extend(tuning.reductions().first().map(|&reduce| Tuning { reduce, ..cached }));
    }
    // Losses of regions have kernels in common. The many of other losses need not be kept.
    let shares = spec.regions().is_some();
    let laid_out = |tuning| if shares { gpu.sharing_kernels(tuning) } else { gpu.with_tuning(tuning) };
    tunings.into_iter().map(laid_out).collect()
}
