//! Functions of rows of logits, with their vector-Jacobian products.
//!
//! They run as losses do: the output `loss` is the function's value, `grad.logits` its vector-Jacobian product with
//! `upstream`, the gradient of what comes after it; without `upstream`, with ones.

use crate::{
    loss, reference,
    spec::{Domain, Driver, Family, Input, Reference, RowHooks, Rows, Shape, WEIGHT, shader_file},
};

const LOGITS: Input = Input::differentiable("logits", Shape::Rows, Domain::Real);

loss! {
    /// The logarithm of the sum of the exponentials of a row.
    ///
    /// `log Σ_c exp(x_c)`, which never overflows; gradient softmax(x). A logit of −∞ adds nothing; a row of nothing
    /// else has the value −∞.
    ///
    /// Inputs `logits` x ∂ `[N, C, d…]`, optional `weight` `[N, d…]`. The value is `[N, d…]` with
    /// [`Reduction::None`](crate::Reduction::None). Source: PyTorch logsumexp.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, LogSumExp, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new().with("logits", HostTensor::new(&[1000.0_f32, 1000.0], [1, 2])?);
    /// let result = LogSumExp.eval_with(&gpu, &inputs, Reduction::None)?;
    /// approx::assert_relative_eq!(result.loss.to_f64()[0], 1000.0 + std::f64::consts::LN_2, max_relative = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LogSumExp;

    pub static LOG_SUM_EXP: LossSpec = {
        name: "log_sum_exp",
        aliases: &["logsumexp"],
        family: Family::Rows,
        formula: "log Σ_c exp(x_c)",
        notes: "its gradient is the softmax",
        source: "PyTorch logsumexp",
        driver: Driver::Rows(Rows::SOFTMAX),
        inputs: &[LOGITS, WEIGHT],
        shader: shader_file!("losses/rows/log_sum_exp.wgsl"),
        reference: Reference::Rows(reference::log_sum_exp),
    };
}

loss! {
    /// The softmax of a row.
    ///
    /// `p_c = exp(x_c) / Σ_j exp(x_j)`; vector-Jacobian product `p_c·(g_c − Σ_j g_j·p_j)` with the upstream g.
    ///
    /// Inputs `logits` x ∂ `[N, C, d…]`, optional `upstream` g of the same shape. The value has that shape too, and the
    /// only reduction is [`Reduction::None`](crate::Reduction::None). Source: PyTorch softmax.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, Softmax};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?)
    ///     .with("upstream", HostTensor::new(&[1.0_f32, 0.0], [1, 2])?);
    /// let result = Softmax.eval_with(&gpu, &inputs, Reduction::None)?;
    /// assert_eq!(result.loss.to_f64(), [0.5, 0.5]);
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [0.25, -0.25]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Softmax;

    pub static SOFTMAX: LossSpec = {
        name: "softmax",
        family: Family::Rows,
        formula: "exp(x_c) / Σ_j exp(x_j)",
        notes: "one value per class; reduction none only",
        source: "PyTorch softmax",
        driver: Driver::Rows(Rows {
            per_class: true,
            hooks: &[RowHooks::Middle, RowHooks::Values],
            ..Rows::SOFTMAX
        }),
        inputs: &[LOGITS],
        shader: shader_file!("losses/rows/softmax.wgsl"),
        reference: Reference::Rows(reference::softmax),
    };
}

loss! {
    /// The logarithm of the softmax of a row.
    ///
    /// `x_c − log Σ_j exp(x_j)`, exact also where a class is nearly certain; vector-Jacobian product
    /// `g_c − p_c·Σ_j g_j` with the upstream g and p = softmax(x).
    ///
    /// Inputs `logits` x ∂ `[N, C, d…]`, optional `upstream` g of the same shape. The value has that shape too, and the
    /// only reduction is [`Reduction::None`](crate::Reduction::None). Source: PyTorch log_softmax.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, LogSoftmax, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new().with("logits", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?);
    /// let result = LogSoftmax.eval_with(&gpu, &inputs, Reduction::None)?;
    /// approx::assert_abs_diff_eq!(result.loss.to_f64()[1], -std::f64::consts::LN_2, epsilon = 1e-7);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LogSoftmax;

    pub static LOG_SOFTMAX: LossSpec = {
        name: "log_softmax",
        aliases: &["LogSoftmax"],
        family: Family::Rows,
        formula: "x_c − log Σ_j exp(x_j)",
        notes: "one value per class; reduction none only",
        source: "PyTorch log_softmax",
        driver: Driver::Rows(Rows {
            per_class: true,
            hooks: &[RowHooks::Sums, RowHooks::Values],
            ..Rows::SOFTMAX
        }),
        inputs: &[LOGITS],
        shader: shader_file!("losses/rows/log_softmax.wgsl"),
        reference: Reference::Rows(reference::log_softmax),
    };
}
