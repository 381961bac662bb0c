//! Binary and multi-label classification: elementwise; inputs `logits` or `prediction` ∂, `target` and optional
//! `weight`, broadcast to one shape.

use crate::{
    loss, reference,
    spec::{Domain, Driver, Family, Input, Reference, Rule, Shape, WEIGHT, shader_file},
};

/// Logits and signs.
const LOGITS_SIGN: &[Input] = &[
    Input::differentiable("logits", Shape::Items, Domain::Real),
    Input::constant("target", Shape::Items, Domain::Sign),
    WEIGHT,
];

loss! {
    /// Binary cross-entropy of probabilities.
    ///
    /// `−[t·max(ln p, −100) + (1−t)·max(ln(1−p), −100)]`; gradient (p − t)/max(p(1−p), 1e-12). From logits,
    /// [`BceWithLogits`] is more exact.
    ///
    /// Inputs `prediction` p ∂ `[*]` and `target` t `[*]`, both checked to be in [0, 1], optional `weight` `[*]`.
    /// Source: PyTorch BCELoss.
    ///
    /// ```
    /// # use wgloss::{Bce, Gpu, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = Bce.eval(&gpu, &[0.5_f32, 0.5], &[1.0_f32, 0.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 2.0_f64.ln(), epsilon = 1e-6);
    /// assert_eq!(result.gradients.get("prediction").unwrap().to_f64(), [-1.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Bce;

    pub static BCE: LossSpec = {
        name: "bce",
        aliases: &["BCELoss", "BinaryCrossentropy"],
        family: Family::Binary,
        formula: "−[t·max(ln p, −100) + (1−t)·max(ln(1−p), −100)]",
        notes: "gradient (p − t)/max(p(1−p), 1e-12)",
        source: "PyTorch BCELoss",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("prediction", Shape::Items, Domain::Probability),
            Input::constant("target", Shape::Items, Domain::Probability),
            WEIGHT,
        ],
        shader: shader_file!("losses/binary/bce.wgsl"),
        reference: Reference::Elementwise(reference::bce),
    };
}

loss! {
    /// Binary cross-entropy of logits.
    ///
    /// `(1−t)x + (1+(w−1)t)·softplus(−x)`; w is the parameter `pos_weight` times the input of that name.
    /// `label_smoothing` ε moves the target: t ← t(1−ε) + ε/2.
    ///
    /// Inputs `logits` x ∂ `[*]`, `target` t `[*]`, checked to be in [0, 1], optional `pos_weight` `[C]`, one value for
    /// each position on the last axis, optional `weight` `[*]`. Source: PyTorch BCEWithLogitsLoss.
    ///
    /// ```
    /// # use wgloss::{BceWithLogits, Gpu, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let loss = BceWithLogits { pos_weight: 3.0, label_smoothing: 0.0 };
    /// let result = loss.eval(&gpu, &[0.0_f32, 0.0], &[1.0_f32, 0.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 2.0 * 2.0_f64.ln(), epsilon = 1e-6);
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [-0.75, 0.25]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct BceWithLogits {
        /// The weight of the positive class; 0 or above.
        pub pos_weight: f32 = 1.0 => Rule::NonNegative;
        /// How far targets move to ½; from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
    }

    pub static BCE_WITH_LOGITS: LossSpec = {
        name: "bce_with_logits",
        aliases: &["BCEWithLogitsLoss", "binary_cross_entropy_with_logits"],
        family: Family::Binary,
        formula: "(1−t)x + (1+(w−1)t)·softplus(−x)",
        notes: "w = pos_weight (parameter times input, which has a value for each place on the last axis); \
                label_smoothing ε: t ← t(1−ε) + ε/2",
        source: "PyTorch BCEWithLogitsLoss",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("logits", Shape::Items, Domain::Real),
            Input::constant("target", Shape::Items, Domain::Probability),
            Input::optional("pos_weight", Shape::LastAxis),
            WEIGHT,
        ],
        shader: shader_file!("losses/binary/bce_with_logits.wgsl"),
        reference: Reference::Elementwise(reference::bce_with_logits),
    };
}

loss! {
    /// Focal loss of independent logits, as in RetinaNet.
    ///
    /// `α_t·(1−p_t)^γ·bce_with_logits(x, t)` with p = σ(x), p_t = pt + (1−p)(1−t) and α_t = αt + (1−α)(1−t); `alpha`
    /// below 0 switches α_t off. Finite for every finite x and every γ ≥ 0.
    ///
    /// Inputs `logits` x ∂ `[*]`, `target` t `[*]`, checked to be in [0, 1], optional `weight` `[*]`.
    /// Source: Lin et al. 2017; torchvision sigmoid_focal_loss.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Reduction, SigmoidFocal};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = SigmoidFocal::default().eval(&gpu, &[0.0_f32, 0.0], &[1.0_f32, 0.0], Reduction::None)?;
    /// let [positive, negative] = result.loss.to_f64()[..] else { panic!() };
    /// approx::assert_abs_diff_eq!(positive, 0.25 * 0.25 * 2.0_f64.ln(), epsilon = 1e-6);
    /// approx::assert_abs_diff_eq!(negative, 0.75 * 0.25 * 2.0_f64.ln(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct SigmoidFocal {
        /// The weight of the positive class against the negative; below 0: off.
        pub alpha: f32 = 0.25 => Rule::Finite;
        /// How strongly easy items are played down; 0 or above.
        pub gamma: f32 = 2.0 => Rule::NonNegative;
    }

    pub static SIGMOID_FOCAL: LossSpec = {
        name: "sigmoid_focal",
        aliases: &["sigmoid_focal_loss", "BinaryFocalCrossentropy"],
        family: Family::Binary,
        formula: "α_t·(1−p_t)^gamma·bce_with_logits(x, t)",
        notes: "p_t = pt + (1−p)(1−t), p = σ(x); α_t = alpha·t + (1−alpha)(1−t), off for alpha < 0",
        source: "Lin et al. 2017; torchvision sigmoid_focal_loss",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("logits", Shape::Items, Domain::Real),
            Input::constant("target", Shape::Items, Domain::Probability),
            WEIGHT,
        ],
        shader: shader_file!("losses/binary/sigmoid_focal.wgsl"),
        reference: Reference::Elementwise(reference::sigmoid_focal),
    };
}

loss! {
    /// Hinge loss of a linear classifier.
    ///
    /// `max(0, 1 − t·x)`; gradient 0 at the corner.
    ///
    /// Inputs `logits` x ∂ `[*]`, `target` t `[*]`, checked to be −1 or 1, optional `weight` `[*]`.
    /// Source: Cortes & Vapnik 1995; Keras Hinge.
    ///
    /// ```
    /// # use wgloss::{Gpu, Hinge, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = Hinge.eval(&gpu, &[0.5_f32, 2.0, -1.0], &[1.0_f32, 1.0, 1.0], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 2.5);
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [-1.0, 0.0, -1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Hinge;

    pub static HINGE: LossSpec = {
        name: "hinge",
        aliases: &["HingeLoss"],
        family: Family::Binary,
        formula: "max(0, 1 − t·x)",
        notes: "t is −1 or 1; gradient 0 at t·x = 1",
        source: "Cortes & Vapnik 1995; Keras Hinge",
        driver: Driver::Elementwise,
        inputs: LOGITS_SIGN,
        shader: shader_file!("losses/binary/hinge.wgsl"),
        reference: Reference::Elementwise(reference::hinge),
    };
}

loss! {
    /// Hinge loss, squared.
    ///
    /// `max(0, 1 − t·x)²`.
    ///
    /// Inputs `logits` x ∂ `[*]`, `target` t `[*]`, checked to be −1 or 1, optional `weight` `[*]`. Source: Keras
    /// SquaredHinge.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Reduction, SquaredHinge};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = SquaredHinge.eval(&gpu, &[0.5_f32, 2.0, -1.0], &[1.0_f32, 1.0, 1.0], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 4.25);
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [-1.0, 0.0, -4.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct SquaredHinge;

    pub static SQUARED_HINGE: LossSpec = {
        name: "squared_hinge",
        aliases: &["SquaredHinge"],
        family: Family::Binary,
        formula: "max(0, 1 − t·x)²",
        notes: "t is −1 or 1",
        source: "Keras SquaredHinge",
        driver: Driver::Elementwise,
        inputs: LOGITS_SIGN,
        shader: shader_file!("losses/binary/squared_hinge.wgsl"),
        reference: Reference::Elementwise(reference::squared_hinge),
    };
}

loss! {
    /// Logistic loss of a signed target.
    ///
    /// `softplus(−t·x)`.
    ///
    /// Inputs `logits` x ∂ `[*]`, `target` t `[*]`, checked to be −1 or 1, optional `weight` `[*]`. Source: PyTorch
    /// SoftMarginLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Reduction, SoftMargin};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = SoftMargin.eval(&gpu, &[0.0_f32, 0.0], &[1.0_f32, -1.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 2.0_f64.ln(), epsilon = 1e-6);
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [-0.25, 0.25]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct SoftMargin;

    pub static SOFT_MARGIN: LossSpec = {
        name: "soft_margin",
        aliases: &["SoftMarginLoss"],
        family: Family::Binary,
        formula: "softplus(−t·x)",
        notes: "t is −1 or 1",
        source: "PyTorch SoftMarginLoss",
        driver: Driver::Elementwise,
        inputs: LOGITS_SIGN,
        shader: shader_file!("losses/binary/soft_margin.wgsl"),
        reference: Reference::Elementwise(reference::soft_margin),
    };
}

loss! {
    /// Kullback–Leibler divergence from log-probabilities.
    ///
    /// `t(ln t − p)`, 0 where t = 0; with `log_target` the target holds log-probabilities too: `exp(t)(t − p)`. The
    /// usual reduction is [`BatchMean`](crate::Reduction::BatchMean).
    ///
    /// Inputs `prediction` p ∂ `[*]`, which holds log-probabilities, `target` t `[*]`, without `log_target` checked to
    /// be in [0, 1], optional `weight` `[*]`. Source: Kullback & Leibler 1951; PyTorch KLDivLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, KlDiv, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let (prediction, target) = ([0.5_f32.ln(); 4], [1.0_f32, 0.0, 0.5, 0.5]);
    /// let (prediction, target) = (HostTensor::new(&prediction, [2, 2])?, HostTensor::new(&target, [2, 2])?);
    /// let result = KlDiv::default().eval(&gpu, prediction, target, Reduction::BatchMean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.5 * 2.0_f64.ln(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct KlDiv {
        /// Whether the target holds log-probabilities.
        pub log_target: bool = false, compiled;
    }

    pub static KL_DIV: LossSpec = {
        name: "kl_div",
        aliases: &["KLDivLoss", "KLDivergence"],
        family: Family::Binary,
        formula: "t(ln t − p), 0 where t = 0; with log_target exp(t)(t − p)",
        notes: "prediction holds log-probabilities; usual reduction batch_mean",
        source: "Kullback & Leibler 1951; PyTorch KLDivLoss",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("prediction", Shape::Items, Domain::LogProbability),
            Input::constant(
                "target",
                Shape::Items,
                Domain::Where("log_target", &Domain::LogProbability, &Domain::Probability),
            ),
            WEIGHT,
        ],
        shader: shader_file!("losses/binary/kl_div.wgsl"),
        reference: Reference::Elementwise(reference::kl_div),
    };
}
