//! Multi-class classification: rows of C logits, one class index a row.

use crate::{
    Loss,
    reference::{self, Reference},
    spec::{Domain, Driver, Family, Input, LossSpec, Param, Shape, Value, WEIGHT, shader_file},
};

/// Cross-entropy of logits against class indices.
///
/// `lse − x_y` for a row x of logits and its class y, with `lse = log Σ_c exp(x_c)`; gradient softmax(x) − onehot(y).
/// Rows whose target is `ignore_index` count nowhere: a mean divides by the number of the others. A logit of −∞ masks
/// its class.
///
/// Inputs `logits` x ∂ `[N, C]`, `target` y `[N]`, i32, checked to be `ignore_index` or from 0 to C − 1, optional
/// `weight` `[N]`. Source: PyTorch CrossEntropyLoss.
///
/// ```
/// # use wgloss::{CrossEntropy, Error, Gpu, HostTensor, Loss, Reduction};
/// # let gpu = Gpu::new_blocking()?;
/// let logits = HostTensor::new(&[0.0_f32, 0.0, 0.0, 1.0, 2.0, 3.0], [2, 3])?;
/// let result = CrossEntropy::default().eval(&gpu, &logits, &[-100, 2], Reduction::Mean)?;
/// assert_eq!(result.items, 1);
/// approx::assert_abs_diff_eq!(result.loss.item(), 0.407606, epsilon = 1e-6);
///
/// // Five is no class of three: the row contributes nothing, and reading the result tells.
/// let result = CrossEntropy::default().eval(&gpu, &logits, &[5, 2], Reduction::Mean);
/// assert_eq!(result, Err(Error::Target { loss: "cross_entropy", count: 1, first: 0 }));
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Rows with this target are left out.
    pub ignore_index: i32,
}

impl CrossEntropy {
    const DEFAULT: Self = CrossEntropy { ignore_index: -100 };
}

impl Default for CrossEntropy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The entry of [`CrossEntropy`] in the catalogue.
pub static CROSS_ENTROPY: LossSpec = LossSpec {
    name: "cross_entropy",
    family: Family::Multiclass,
    formula: "lse − x_y, lse = log Σ_c exp(x_c)",
    notes: "rows whose target is ignore_index count nowhere; a logit of −∞ masks its class",
    source: "PyTorch CrossEntropyLoss",
    driver: Driver::Rows,
    inputs: &[
        Input::differentiable("logits", Shape::Rows, Domain::Real),
        Input::classes("target", Shape::Items),
        WEIGHT,
    ],
    params: &[Param::integer("ignore_index", CrossEntropy::DEFAULT.ignore_index)],
    shader: shader_file!("losses/multiclass/cross_entropy.wgsl"),
    reference: Reference::Rows(reference::cross_entropy),
};

impl Loss for CrossEntropy {
    fn spec(&self) -> &'static LossSpec {
        &CROSS_ENTROPY
    }

    fn values(&self) -> Vec<Value> {
        vec![self.ignore_index.into()]
    }
}
