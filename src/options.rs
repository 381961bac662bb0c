//! Options: everything asked of a loss besides its parameters.

use crate::{
    Error, Reduction,
    spec::{DIVISOR, Input, LossSpec},
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
    /// A factor of every gradient, not of the loss. An upstream gradient that is on the device is the input `upstream`
    /// instead; with both, they multiply.
    pub upstream: f32,
    /// What a [`Sum`](Reduction::Sum) is divided by, with its gradients, in place of what a mean counts: for batches
    /// that are parts of a larger one. A divisor that is on the device is the input `divisor` instead; with both, the
    /// sum is divided by their product.
    ///
    /// ```
    /// use wgloss::{Gpu, Loss, Mse, Options, Reduction};
    /// let gpu = Gpu::new_blocking()?;
    /// // The mean over four items, in parts of three and of one.
    /// let options = Options { divisor: Some(4.0), ..Options::new(Reduction::Sum) };
    /// let first = Mse.eval(&gpu, &[1.0_f32, 2.0, 3.0], &[0.0_f32; 3], options)?;
    /// let last = Mse.eval(&gpu, &[4.0_f32], &[0.0_f32], options)?;
    /// assert_eq!(first.loss.item() + last.loss.item(), 7.5);
    /// assert_eq!(last.gradients.get("prediction").unwrap().to_f64(), [2.0]);
    /// assert_eq!(first.items, 3);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub divisor: Option<f32>,
    /// Whether gradients are written, added, put in place of inputs, or left out.
    pub gradients: Gradients,
    /// The statistics of each item that are wanted besides.
    pub statistics: Statistics,
    /// Bytes that the logits of a panel of rows take, for losses that make them of hidden states: more rows at a time
    /// pass over the head less often. 0 for as many as the hidden states take, and at least 128 MiB; in any case no
    /// more than the adapter binds, and one row at least.
    pub panel_bytes: u64,
    /// Inputs that get no gradient, though the loss has one: of losses with a head such as `weight` and `bias`, whose
    /// gradients then cost neither time nor memory. Other losses refuse it.
    pub frozen: &'static [&'static str],
}

/// Statistics of each item besides its loss, from the same pass: of rows `[N, d…]`, also for those that do not count.
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
    /// The log-sum-exp log Σ exp(x) of the row's logits as the loss sees them, f32: for losses that need the softmax.
    /// NaN for a row with NaN or +∞.
    pub log_sum_exp: bool,
    /// The predicted class, i32: the first of the largest logits; −1 for a row with NaN or +∞.
    pub argmax: bool,
    /// The entropy −Σ p·log p of the row's softmax, of the logits as the loss sees them, f32: for losses that need the
    /// softmax. 0 for a row with all classes masked, NaN for one with NaN or +∞.
    pub entropy: bool,
    /// The log-probability of the target's class, x_y − log Σ exp(x), f32: for losses that need the softmax and have
    /// class indices for targets. 0 for a row that does not count, NaN for one with NaN or +∞.
    pub log_prob: bool,
    /// The rows that each anchor of `triplet_batch_hard` has mined, i32: its hardest positive and its hardest negative;
    /// −1 for an anchor that does not count.
    pub hardest: bool,
    /// Of losses of policies that clip, 1 where the clip binds on a token, or on an answer, else 0, f32: see
    /// [`PolicyClip`](crate::PolicyClip), [`PolicyCispo`](crate::PolicyCispo) and
    /// [`PolicySequence`](crate::PolicySequence). 0 for one that does not count, NaN for one with NaN.
    pub clipped: bool,
    /// Of losses of policies' tokens, the divergence eʳ − 1 − r from the reference with r = ref_log_prob − log_prob,
    /// f32: whatever the parameter `kl` is, and without its correction. 0 without a reference and for a token that does
    /// not count, NaN for one with NaN.
    pub kl: bool,
}

/// The fate of the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gradients {
    /// Gradients replace what their buffers hold.
    Write,
    /// Gradients times `weight` are added to what their buffers hold: several losses share one gradient buffer.
    Add {
        /// The weight of this loss among those that share the buffer.
        weight: f32,
    },
    /// Gradients replace the inputs that they belong to: one buffer serves for both, with the results of `Write`.
    InPlace,
    /// No gradients are computed: the loss alone, for validation.
    Skip,
}

impl Statistics {
    /// The names of those that are asked for.
    pub(crate) fn asked(self) -> impl Iterator<Item = &'static str> {
        let Statistics { log_sum_exp, argmax, entropy, log_prob, hardest, clipped, kl } = self;
        let all = [
            ("log_sum_exp", log_sum_exp),
            ("argmax", argmax),
            ("entropy", entropy),
            ("log_prob", log_prob),
            ("hardest", hardest),
            ("clipped", clipped),
            ("kl", kl),
        ];
        all.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| name)
    }

    /// Those that are asked for by name.
    #[cfg(any(test, feature = "parity"))]
    pub(crate) fn of(is_asked: impl Fn(&str) -> bool) -> Self {
        Statistics {
            log_sum_exp: is_asked("log_sum_exp"),
            argmax: is_asked("argmax"),
            entropy: is_asked("entropy"),
            log_prob: is_asked("log_prob"),
            hardest: is_asked("hardest"),
            clipped: is_asked("clipped"),
            kl: is_asked("kl"),
        }
    }
}

impl Options {
    /// Options with this reduction, upstream 1, no divisor and gradients written.
    pub const fn new(reduction: Reduction) -> Self {
        let statistics = Statistics {
            log_sum_exp: false,
            argmax: false,
            entropy: false,
            log_prob: false,
            hardest: false,
            clipped: false,
            kl: false,
        };
        Options {
            reduction,
            upstream: 1.0,
            divisor: None,
            gradients: Gradients::Write,
            statistics,
            panel_bytes: 0,
            frozen: &[],
        }
    }

    /// The factor of every gradient, apart from the reduction's divisor and the upstream on the device.
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
        match self.divisor {
            Some(divisor) => self.check_goes_with(spec, &DIVISOR).and(check_divisor(spec, divisor)),
            None => Ok(()),
        }
    }

    /// That an input may be given with the reduction.
    pub(crate) fn check_goes_with(&self, spec: &LossSpec, input: &Input) -> Result<(), Error> {
        match input.goes_with(self.reduction) {
            true => Ok(()),
            false => Err(Error::DivisorReduction { loss: spec.name, reduction: self.reduction }),
        }
    }
}

impl From<Reduction> for Options {
    fn from(reduction: Reduction) -> Self {
        Options::new(reduction)
    }
}

/// That a sum can be divided by a divisor of the caller's, a number or what the device has found.
pub(crate) fn check_divisor(spec: &LossSpec, divisor: f32) -> Result<(), Error> {
    match divisor.is_normal() && divisor > 0.0 {
        true => Ok(()),
        false => Err(Error::Divisor { loss: spec.name, found: divisor }),
    }
}
