//! Regression: elementwise; inputs `prediction` ∂, `target` and optional `weight`, broadcast to one shape.

use crate::{
    loss, reference,
    spec::{Domain, Driver, Family, Input, Reference, Rule, Shape, WEIGHT, shader_file},
};

/// The inputs of most losses here.
const PREDICTION_TARGET: &[Input] = &[
    Input::differentiable("prediction", Shape::Items, Domain::Real),
    Input::constant("target", Shape::Items, Domain::Real),
    WEIGHT,
];

loss! {
    /// Mean squared error.
    ///
    /// `e²` with e = p − t; gradient 2e.
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, optional `weight` `[*]`. Source: PyTorch MSELoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Mse, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = Mse.eval(&gpu, &[2.5_f32, 0.0, 2.1, 7.8], &[3.0_f32, -0.5, 2.0, 8.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.1375, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Mse;

    pub static MSE: LossSpec = {
        name: "mse",
        aliases: &["MSELoss", "MeanSquaredError", "L2Loss"],
        family: Family::Regression,
        formula: "e²",
        notes: "",
        source: "PyTorch MSELoss",
        driver: Driver::Elementwise,
        inputs: PREDICTION_TARGET,
        shader: shader_file!("losses/regression/mse.wgsl"),
        reference: Reference::Elementwise(reference::mse),
    };
}

loss! {
    /// Mean absolute error.
    ///
    /// `|e|` with e = p − t; gradient sign(e), 0 at 0.
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, optional `weight` `[*]`. Source: PyTorch L1Loss.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Mae, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = Mae.eval(&gpu, &[2.5_f32, 0.0, 2.1, 7.8], &[3.0_f32, -0.5, 2.0, 8.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.325, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Mae;

    pub static MAE: LossSpec = {
        name: "mae",
        aliases: &["L1Loss", "MeanAbsoluteError"],
        family: Family::Regression,
        formula: "|e|",
        notes: "gradient sign(e), 0 at e = 0",
        source: "PyTorch L1Loss",
        driver: Driver::Elementwise,
        inputs: PREDICTION_TARGET,
        shader: shader_file!("losses/regression/mae.wgsl"),
        reference: Reference::Elementwise(reference::mae),
    };
}

loss! {
    /// Huber loss: quadratic near 0, linear beyond `delta`.
    ///
    /// `½e²` if |e| ≤ δ, else `δ(|e| − ½δ)`, with e = p − t.
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, optional `weight` `[*]`. Source: Huber 1964; PyTorch HuberLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, Huber, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let huber = Huber { delta: 1.0 };
    /// let result = huber.eval(&gpu, &[2.5_f32, 0.0, 2.1, 10.0], &[3.0_f32, -0.5, 2.0, 8.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.43875, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Huber {
        /// Where the square turns into a line; above 0.
        pub delta: f32 = 1.0 => Rule::Positive;
    }

    pub static HUBER: LossSpec = {
        name: "huber",
        aliases: &["HuberLoss"],
        family: Family::Regression,
        formula: "½e² if |e| ≤ delta, else delta·(|e| − ½·delta)",
        notes: "",
        source: "Huber 1964; PyTorch HuberLoss",
        driver: Driver::Elementwise,
        inputs: PREDICTION_TARGET,
        shader: shader_file!("losses/regression/huber.wgsl"),
        reference: Reference::Elementwise(reference::huber),
    };
}

loss! {
    /// Smooth L1: Huber divided by `beta`.
    ///
    /// `½e²/β` if |e| < β, else `|e| − ½β`, with e = p − t. β = 0 is exactly [`Mae`].
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, optional `weight` `[*]`. Source: Girshick 2015; PyTorch
    /// SmoothL1Loss.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Reduction, SmoothL1};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = SmoothL1 { beta: 0.5 }.eval(&gpu, &[0.25_f32, 2.0], &[0.0_f32, 0.0], Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (0.0625 + 1.75), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct SmoothL1 {
        /// Where the square turns into a line; 0 or above.
        pub beta: f32 = 1.0 => Rule::NonNegative;
    }

    pub static SMOOTH_L1: LossSpec = {
        name: "smooth_l1",
        aliases: &["SmoothL1Loss"],
        family: Family::Regression,
        formula: "½e²/beta if |e| < beta, else |e| − ½·beta",
        notes: "beta = 0 is exactly mae",
        source: "Girshick 2015; PyTorch SmoothL1Loss",
        driver: Driver::Elementwise,
        inputs: PREDICTION_TARGET,
        shader: shader_file!("losses/regression/smooth_l1.wgsl"),
        reference: Reference::Elementwise(reference::smooth_l1),
    };
}

loss! {
    /// Log-cosh: a smooth absolute error.
    ///
    /// `|e| + log1p(exp(−2|e|)) − ln 2` with e = p − t; gradient tanh(e). Finite at |e| = 1e30.
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, optional `weight` `[*]`. Source: the logarithm of cosh(e);
    /// Keras LogCosh.
    ///
    /// ```
    /// # use wgloss::{Gpu, LogCosh, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = LogCosh.eval(&gpu, &[0.0_f32, 1e30], &[0.0_f32, 0.0], Reduction::Sum)?;
    /// approx::assert_relative_eq!(result.loss.item(), 1e30, max_relative = 1e-6);
    /// assert_eq!(result.gradients.get("prediction").unwrap().to_f64(), [0.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LogCosh;

    pub static LOG_COSH: LossSpec = {
        name: "log_cosh",
        aliases: &["LogCosh", "LogCoshLoss"],
        family: Family::Regression,
        formula: "|e| + log1p(exp(−2|e|)) − ln 2",
        notes: "gradient tanh(e)",
        source: "the logarithm of cosh(e); Keras LogCosh",
        driver: Driver::Elementwise,
        inputs: PREDICTION_TARGET,
        shader: shader_file!("losses/regression/log_cosh.wgsl"),
        reference: Reference::Elementwise(reference::log_cosh),
    };
}

loss! {
    /// Quantile (pinball) loss.
    ///
    /// `max(q(t − p), (q − 1)(t − p))`; gradient 0 at p = t.
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, optional `weight` `[*]`. Source: Koenker & Bassett 1978.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Quantile, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = Quantile { quantile: 0.75 }.eval(&gpu, &[1.0_f32, 3.0], &[2.0_f32, 2.0], Reduction::None)?;
    /// assert_eq!(result.loss.to_f64(), [0.75, 0.25]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Quantile {
        /// The quantile to predict; from 0 to 1.
        pub quantile: f32 = 0.5 => Rule::Unit;
    }

    pub static QUANTILE: LossSpec = {
        name: "quantile",
        aliases: &["PinballLoss"],
        family: Family::Regression,
        formula: "max(quantile·(t − p), (quantile − 1)·(t − p))",
        notes: "gradient 0 at p = t",
        source: "Koenker & Bassett 1978",
        driver: Driver::Elementwise,
        inputs: PREDICTION_TARGET,
        shader: shader_file!("losses/regression/quantile.wgsl"),
        reference: Reference::Elementwise(reference::quantile),
    };
}

loss! {
    /// Squared error that weighs predictions above the target differently.
    ///
    /// `e²`, times `over_penalty` where e = p − t is positive.
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, optional `weight` `[*]`. Source: expectile regression, Newey &
    /// Powell 1987.
    ///
    /// ```
    /// # use wgloss::{AsymmetricMse, Gpu, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let loss = AsymmetricMse { over_penalty: 3.0 };
    /// let result = loss.eval(&gpu, &[1.0_f32, 3.0], &[2.0_f32, 2.0], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 4.0);
    /// assert_eq!(result.gradients.get("prediction").unwrap().to_f64(), [-2.0, 6.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct AsymmetricMse {
        /// The factor where the prediction is above the target; above 0.
        pub over_penalty: f32 = 2.0 => Rule::Positive;
    }

    pub static ASYMMETRIC_MSE: LossSpec = {
        name: "asymmetric_mse",
        aliases: &["ExpectileLoss"],
        family: Family::Regression,
        formula: "e²·(over_penalty if e > 0 else 1)",
        notes: "",
        source: "expectile regression, Newey & Powell 1987",
        driver: Driver::Elementwise,
        inputs: PREDICTION_TARGET,
        shader: shader_file!("losses/regression/asymmetric_mse.wgsl"),
        reference: Reference::Elementwise(reference::asymmetric_mse),
    };
}

loss! {
    /// Negative log-likelihood of counts under a Poisson distribution.
    ///
    /// `exp(p) − t·p` with `log_input`, else `p − t·ln(p + eps)`.
    /// `full` adds Stirling's approximation of ln t!, `t ln t − t + ½ln(2πt)`, where t > 1.
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, optional `weight` `[*]`. Source: PyTorch PoissonNLLLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, PoissonNll, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = PoissonNll::default().eval(&gpu, &[0.0_f32, 0.0], &[1.0_f32, 3.0], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 2.0);
    /// assert_eq!(result.gradients.get("prediction").unwrap().to_f64(), [0.0, -2.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PoissonNll {
        /// Whether the prediction is the logarithm of the rate.
        pub log_input: bool = true, compiled;
        /// Whether to add the term that does not depend on the prediction.
        pub full: bool = false, compiled;
        /// Added to the rate inside the logarithm; above 0.
        pub eps: f32 = 1e-8 => Rule::Positive;
    }

    pub static POISSON_NLL: LossSpec = {
        name: "poisson_nll",
        aliases: &["PoissonNLLLoss", "Poisson"],
        family: Family::Regression,
        formula: "exp(p) − t·p with log_input, else p − t·ln(p + eps)",
        notes: "full adds t ln t − t + ½ln(2πt) where t > 1",
        source: "PyTorch PoissonNLLLoss",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable(
                "prediction",
                Shape::Items,
                Domain::Where("log_input", &Domain::LogRate, &Domain::NonNegative),
            ),
            Input::constant("target", Shape::Items, Domain::Count),
            WEIGHT,
        ],
        shader: shader_file!("losses/regression/poisson_nll.wgsl"),
        reference: Reference::Elementwise(reference::poisson_nll),
    };
}

loss! {
    /// Negative log-likelihood under a Gaussian whose variance is predicted too.
    ///
    /// `½(ln v + e²/v)` with e = p − t and v = max(`variance`, `eps`). `full` adds ½ln 2π.
    /// The gradient of the variance is taken at v and passed through the clamp.
    ///
    /// Inputs `prediction` p ∂ `[*]`, `target` t `[*]`, `variance` ∂ `[*]`, or without the last axis of the prediction:
    /// then it is one for each row; optional `weight` `[*]`; with three inputs it is called by name. Source: Nix &
    /// Weigend 1994; PyTorch GaussianNLLLoss.
    ///
    /// ```
    /// # use wgloss::{GaussianNll, Gpu, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs =
    ///     Named::new().with("prediction", &[1.0_f32]).with("target", &[3.0_f32]).with("variance", &[4.0_f32]);
    /// let result = GaussianNll::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.5 * (4.0_f64.ln() + 1.0), epsilon = 1e-6);
    /// assert_eq!(result.gradients.get("prediction").unwrap().item(), -0.5);
    /// assert_eq!(result.gradients.get("variance").unwrap().item(), 0.0);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct GaussianNll {
        /// Whether to add the constant ½ln 2π.
        pub full: bool = false;
        /// The smallest variance; above 0.
        pub eps: f32 = 1e-6 => Rule::Positive;
    }

    pub static GAUSSIAN_NLL: LossSpec = {
        name: "gaussian_nll",
        aliases: &["GaussianNLLLoss"],
        family: Family::Regression,
        formula: "½(ln v + e²/v), v = max(variance, eps)",
        notes: "full adds ½ln 2π; the gradient of variance is taken at v and passed through the clamp",
        source: "Nix & Weigend 1994; PyTorch GaussianNLLLoss",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("prediction", Shape::Items, Domain::Real),
            Input::constant("target", Shape::Items, Domain::Real),
            Input { may_lack_last_axis: true, ..Input::differentiable("variance", Shape::Items, Domain::NonNegative) },
            WEIGHT,
        ],
        shader: shader_file!("losses/regression/gaussian_nll.wgsl"),
        reference: Reference::Elementwise(reference::gaussian_nll),
    };
}
