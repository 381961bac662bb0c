//! What is asked of a loss besides its parameters.

use crate::{Error, Reduction, spec::LossSpec};

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
    /// They are not computed: the loss alone, for validation.
    Skip,
}

impl Options {
    /// This reduction, upstream 1, gradients written.
    pub const fn new(reduction: Reduction) -> Self {
        Options { reduction, upstream: 1.0, gradients: Gradients::Write }
    }

    /// What every gradient is multiplied with, apart from the reduction's divisor and the upstream on the device.
    pub(crate) fn gradient_scale(&self) -> f64 {
        let weight = match self.gradients {
            Gradients::Add { weight } => weight,
            Gradients::Write | Gradients::Skip => 1.0,
        };
        f64::from(self.upstream) * f64::from(weight)
    }

    pub(crate) fn check(&self, spec: &LossSpec) -> Result<(), Error> {
        let refused = |option, found| Err(Error::Option { loss: spec.name, option, found });
        if !self.upstream.is_finite() {
            return refused("upstream", self.upstream);
        }
        match self.gradients {
            Gradients::Add { weight } if !weight.is_finite() => refused("gradients.weight", weight),
            _ => Ok(()),
        }
    }
}

impl From<Reduction> for Options {
    fn from(reduction: Reduction) -> Self {
        Options::new(reduction)
    }
}
