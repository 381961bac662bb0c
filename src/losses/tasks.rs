//! The losses of several tasks as one loss.

use crate::{
    loss, reference,
    spec::{Domain, Driver, Family, Input, Reference, Shape, shader_file},
};

/// The losses of the tasks, one value each.
const LOSSES: Input = Input { needs_values: true, ..Input::differentiable("losses", Shape::Items, Domain::Real) };

loss! {
    /// Weighted sum of the losses of several tasks.
    ///
    /// `Σ w·L` with [`Reduction::Sum`](crate::Reduction::Sum): on the device, so that no loss need be read back.
    /// A weight of 0 leaves nothing of a loss, of an infinite one either, but a NaN shows.
    ///
    /// Inputs `losses` L ∂ `[K]`, K ≥ 1, and `weights` w ∂ `[K]`, or one for all.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Reduction, WeightedSum};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = WeightedSum.eval(&gpu, &[2.0_f32, 0.5], &[1.0_f32, 4.0], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 4.0);
    /// assert_eq!(result.gradients.get("losses").unwrap().to_f64(), [1.0, 4.0]);
    /// assert_eq!(result.gradients.get("weights").unwrap().to_f64(), [2.0, 0.5]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct WeightedSum;

    pub static WEIGHTED_SUM: LossSpec = {
        name: "weighted_sum",
        family: Family::Tasks,
        formula: "w·L",
        notes: "summed over the tasks; 0·∞ is 0",
        source: "",
        driver: Driver::Elementwise,
        inputs: &[LOSSES, Input::differentiable("weights", Shape::Items, Domain::Real)],
        shader: shader_file!("losses/tasks/weighted_sum.wgsl"),
        reference: Reference::Elementwise(reference::weighted_sum),
    };
}

loss! {
    /// Losses of several tasks, each weighed by a variance that is learnt with the network.
    ///
    /// `Σ exp(−s)·L + s` with [`Reduction::Sum`](crate::Reduction::Sum), for the logarithm s of each task's variance:
    /// the form of the paper without its factors of ½. For given losses it is least where s = ln L, so that each task
    /// has the weight 1/L, whatever the size of its loss.
    ///
    /// Inputs `losses` L ∂ `[K]`, K ≥ 1, and `log_vars` s ∂ `[K]`, checked to be finite and −88.7 or above, where
    /// exp(−s) is beyond f32. A NaN among these is out of range too: it would never come right again.
    /// Source: Kendall, Gal and Cipolla 2018, arXiv
    /// 1705.07115.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Reduction, UncertaintyWeighting};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = UncertaintyWeighting.eval(&gpu, &[2.0_f32, 0.5], &[0.0_f32, 0.0], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 2.5);
    /// assert_eq!(result.gradients.get("losses").unwrap().to_f64(), [1.0, 1.0]);
    /// assert_eq!(result.gradients.get("log_vars").unwrap().to_f64(), [-1.0, 0.5]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct UncertaintyWeighting;

    pub static UNCERTAINTY_WEIGHTING: LossSpec = {
        name: "uncertainty_weighting",
        aliases: &["AutomaticWeightedLoss", "MultiTaskLoss"],
        family: Family::Tasks,
        formula: "exp(−s)·L + s",
        notes: "summed over the tasks; the paper's without its factors of ½",
        source: "Kendall, Gal and Cipolla 2018, arXiv 1705.07115",
        driver: Driver::Elementwise,
        inputs: &[LOSSES, Input::differentiable("log_vars", Shape::Items, Domain::LogVariance)],
        shader: shader_file!("losses/tasks/uncertainty_weighting.wgsl"),
        reference: Reference::Elementwise(reference::uncertainty_weighting),
    };
}
