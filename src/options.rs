//! What is asked of a loss besides its parameters.

use crate::{
    Error, Reduction,
    spec::{Anchors, LossSpec, Rows},
};

/// The options of one evaluation. A [`Reduction`] alone converts to options with everything else at its default.
///
/// ```
/// use wgloss::{Gradients, Options, Reduction};
/// let options = Options { gradients: Gradients::Add { weight: 0.1 }, ..Options::new(Reduction::Mean) };
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How the item losses become the result.
    pub reduction: Reduction,
    /// Multiplies every gradient, not the loss. An upstream gradient that is on the device is the input `upstream`
    /// instead; with both, they multiply.
    pub upstream: f32,
    /// What becomes of the gradients.
    pub gradients: Gradients,
    /// What else is wanted of each row.
    pub statistics: Statistics,
}

/// What a loss of rows gives of each row besides its loss, from the same pass: `[N, d…]`, for rows that do not count too.
///
/// ```
/// use wgloss::{CrossEntropy, Gpu, HostTensor, Loss, Named, Options, Reduction, Statistics};
/// let gpu = Gpu::new_blocking()?;
/// let logits = HostTensor::new(&[0.0_f32, 0.0, 3.0, 1.0], [2, 2])?;
/// let inputs = Named::new().with("logits", logits).with("target", HostTensor::from(&[1, 0]));
/// let statistics = Statistics { argmax: true, ..Statistics::default() };
/// let options = Options { statistics, ..Options::new(Reduction::Mean) };
/// let result = CrossEntropy::default().eval_with(&gpu, &inputs, options)?;
/// assert_eq!(result.argmax().unwrap().to_vec::<i32>()?, [0, 0]);
/// assert_eq!(result.correct(), Some(1));
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Statistics {
    /// log Σ exp(x) of the row's logits as the loss sees them, f32: for losses that need the softmax. NaN for a row with
    /// NaN or +∞.
    pub log_sum_exp: bool,
    /// The predicted class, i32: the first of the largest logits; −1 for a row with NaN or +∞.
    pub argmax: bool,
    /// Of `triplet_batch_hard` the rows that each anchor has mined, i32: its hardest positive and its hardest negative;
    /// −1 for an anchor that does not count.
    pub hardest: bool,
}

/// What becomes of the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gradients {
    /// They replace what their buffers hold.
    Write,
    /// Times `weight`, they are added to what their buffers hold: several losses share one gradient buffer.
    Add {
        /// The weight of this term.
        weight: f32,
    },
    /// They replace the inputs that they belong to: one buffer serves for both, with the same result.
    InPlace,
    /// They are not computed: the loss alone, for validation.
    Skip,
}

impl Options {
    /// This reduction, upstream 1, gradients written.
    pub const fn new(reduction: Reduction) -> Self {
        let statistics = Statistics { log_sum_exp: false, argmax: false, hardest: false };
        Options { reduction, upstream: 1.0, gradients: Gradients::Write, statistics }
    }

    /// What every gradient is multiplied with, apart from the reduction's divisor and the upstream on the device.
    pub(crate) fn gradient_scale(&self) -> f64 {
        let weight = match self.gradients {
            Gradients::Add { weight } => weight,
            Gradients::Write | Gradients::InPlace | Gradients::Skip => 1.0,
        };
        f64::from(self.upstream) * f64::from(weight)
    }

    pub(crate) fn check(&self, spec: &LossSpec) -> Result<(), Error> {
        let refused = |option, found| Err(Error::Option { loss: spec.name, option, found });
        if !self.upstream.is_finite() {
            return refused("upstream", self.upstream);
        }
        match self.gradients {
            Gradients::Add { weight } if !weight.is_finite() => return refused("gradients.weight", weight),
            _ => {}
        }
        let rows = spec.rows();
        let (reduction, loss) = (self.reduction, spec.name);
        if rows.is_some_and(|rows| rows.per_class) && reduction != Reduction::None {
            return Err(Error::PerClassReduction { loss, reduction });
        }
        if spec.regions().is_some_and(|regions| regions.terms.is_some()) && reduction != Reduction::Mean {
            return Err(Error::TermsReduction { loss, reduction });
        }
        if self.statistics.log_sum_exp && !rows.is_some_and(Rows::has_log_sum_exp) {
            return Err(Error::Statistic { loss, statistic: "log_sum_exp" });
        }
        if self.statistics.argmax && rows.is_none() {
            return Err(Error::Statistic { loss, statistic: "argmax" });
        }
        let anchors = spec.all_pairs().map(|batch| batch.anchors);
        if self.statistics.hardest && anchors != Some(Anchors::Hardest) {
            return Err(Error::Statistic { loss, statistic: "hardest" });
        }
        if anchors == Some(Anchors::Sorted) && reduction == Reduction::None {
            return Err(Error::ItemsReduction { loss });
        }
        Ok(())
    }
}

impl From<Reduction> for Options {
    fn from(reduction: Reduction) -> Self {
        Options::new(reduction)
    }
}
