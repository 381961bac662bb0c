//! Multi-class classification: rows of C logits.

use crate::{
    loss, reference,
    spec::{
        CLASS_OFFSET, CLASS_WEIGHT, Domain, Driver, Family, Input, MeanOver, Reference, RowHooks, Rows, Rule, Shape,
        WEIGHT, shader_file,
    },
};

#[doc(inline)]
pub use crate::spec::Smoothing;

/// The inputs of most of these losses: `logits` and a class index a row.
const LOGITS_CLASSES: &[Input] = &[LOGITS, CLASSES, CLASS_WEIGHT, WEIGHT];
/// Logits and a probability for each of them.
const LOGITS_PROBABILITIES: &[Input] =
    &[LOGITS, Input::constant("target_probabilities", Shape::Rows, Domain::Probability), CLASS_WEIGHT, WEIGHT];
pub(super) const LOGITS: Input = Input::differentiable("logits", Shape::Rows, Domain::Real);
pub(super) const CLASSES: Input = Input::classes("target", Shape::Items);

loss! {
    /// Cross-entropy of logits against class indices.
    ///
    /// `(1 − ε)·w_y·(lse − x_y) + (ε/C)·Σ_c w_c·(lse − x_c) + z·lse²` for a row x of logits, its class y and the
    /// classes' weights w, with `lse = log Σ_c exp(x_c)`. Without options the gradient is softmax(x) − onehot(y).
    ///
    /// - `mean` divides by Σ w_y over the rows that are not ignored, `weighted_mean` by Σ w_y·weight.
    /// - A logit of −∞ masks its class: its gradient is 0, and smoothing leaves it out. Where it is the target's, the
    ///   loss is +∞, unless its weight is 0.
    /// - `softcap` s > 0 replaces every logit x by s·tanh(x/s) first; a masked class stays masked.
    /// - `class_offset` is added to the logits then: log-frequencies of the classes for logit adjustment and balanced
    ///   softmax, −∞ for a class that is masked in all rows. It has no gradient.
    /// - `entropy_bonus` b subtracts b·H with H = −Σ_c p_c·log p_c, p = softmax(x), which keeps predictions from
    ///   becoming too sure.
    ///
    /// Inputs `logits` x ∂ `[N, C, d…]`, `target` y `[N, d…]`, i32, checked to be `ignore_index` or from 0 to C − 1,
    /// optional `class_weight` w `[C]`, checked to be at least 0, optional `class_offset` `[C]`, optional `weight`
    /// `[N, d…]`. Source: PyTorch CrossEntropyLoss; z-loss: PaLM (Chowdhery et al. 2022); softcap: Gemma 2 (2024);
    /// offsets: Menon et al. 2021, <https://arxiv.org/abs/2007.07314>.
    ///
    /// ```
    /// # use wgloss::{CrossEntropy, Error, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let logits = HostTensor::new(&[0.0_f32, 0.0, 0.0, 1.0, 2.0, 3.0], [2, 3])?;
    /// let result = CrossEntropy::default().eval(&gpu, &logits, &[-100, 2], Reduction::Mean)?;
    /// assert_eq!(result.items, 1);
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.407606, epsilon = 1e-6);
    ///
    /// let smoothed = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
    /// let result = smoothed.eval(&gpu, &logits, &[-100, 2], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.507606, epsilon = 1e-6);
    ///
    /// // Five is no class of three: the row contributes nothing, and reading the result tells.
    /// let result = CrossEntropy::default().eval(&gpu, &logits, &[5, 2], Reduction::Mean);
    /// assert!(matches!(result, Err(Error::Target { count: 1, first: 0, .. })));
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct CrossEntropy {
        /// ε, the share of the target that other classes get: from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit, compiled;
        /// Which classes get it.
        pub smoothing: Smoothing = Smoothing::Uniform;
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// z, the weight of the squared log-sum-exp: at least 0.
        pub z_loss: f32 = 0.0 => Rule::NonNegative;
        /// s, the bound of the logits; 0 for none.
        pub softcap: f32 = 0.0 => Rule::NonNegative, compiled;
        /// b, the multiple of the softmax's entropy that is subtracted: below 0 it is a penalty.
        pub entropy_bonus: f32 = 0.0 => Rule::Finite, compiled;
    }

    pub static CROSS_ENTROPY: LossSpec = {
        name: "cross_entropy",
        aliases: &["CrossEntropyLoss", "SparseCategoricalCrossentropy", "CELoss"],
        family: Family::Multiclass,
        formula: "(1−ε)·w_y·(lse − x_y) + (ε/C)·Σ_c w_c·(lse − x_c) + z·lse² − b·H",
        notes: "lse = log Σ_c exp(x_c), ε is label_smoothing, z is z_loss, b is entropy_bonus, H = −Σ_c p_c·log p_c; \
                mean divides by Σ w_y; with smoothing=others every class but y gets ε/(C−1); softcap s > 0: x ← \
                s·tanh(x/s) first, 0 is off; class_offset is added to x then; a logit or an offset of −∞ masks its \
                class",
        source: "PyTorch CrossEntropyLoss; z-loss: PaLM 2022; softcap: Gemma 2",
        driver: Driver::Rows(Rows {
            mean_over: MeanOver::ClassWeights,
            least_classes: |values| if values.word::<Smoothing>("smoothing") == Smoothing::Others { 2 } else { 1 },
            hooks: &[RowHooks::Sums, RowHooks::Logits, RowHooks::Entropy],
            ..Rows::SOFTMAX
        }),
        inputs: &[LOGITS, CLASSES, CLASS_WEIGHT, CLASS_OFFSET, WEIGHT],
        shader: shader_file!("losses/multiclass/cross_entropy.wgsl"),
        reference: Reference::Rows(reference::cross_entropy),
    };
}

loss! {
    /// Cross-entropy of logits against a probability for every class.
    ///
    /// `−Σ_c w_c·t_c·(x_c − lse)` with `lse = log Σ_c exp(x_c)`; gradient `softmax(x)_c·Σ_j w_j·t_j − w_c·t_c`. With
    /// `label_smoothing` ε, t ← t·(1 − ε) + ε/C first. The targets of a row need not sum to 1. `mean` divides by the
    /// number of rows. A logit of −∞ masks its class: smoothing leaves it out, and where its target is above 0 the loss
    /// is +∞.
    ///
    /// Inputs `logits` x ∂ `[N, C, d…]`, `target_probabilities` t `[N, C, d…]`, checked to be in [0, 1], optional
    /// `class_weight` w `[C]`, checked to be at least 0, optional `weight` `[N, d…]`. Source: PyTorch CrossEntropyLoss
    /// with class probabilities.
    ///
    /// ```
    /// # use wgloss::{CrossEntropySoft, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let logits = HostTensor::new(&[1.0_f32, 2.0, 3.0], [1, 3])?;
    /// let target = HostTensor::new(&[0.0_f32, 0.25, 0.75], [1, 3])?;
    /// let result = CrossEntropySoft::default().eval(&gpu, &logits, &target, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.657606, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct CrossEntropySoft {
        /// ε, the share of the target that is spread over all classes: from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
    }

    pub static CROSS_ENTROPY_SOFT: LossSpec = {
        name: "cross_entropy_soft",
        aliases: &["CategoricalCrossentropy", "SoftTargetCrossEntropy"],
        family: Family::Multiclass,
        formula: "−Σ_c w_c·t_c·(x_c − lse)",
        notes: "lse = log Σ_c exp(x_c); label_smoothing ε: t ← t·(1−ε) + ε/C first; mean divides by the number of \
                rows; a logit of −∞ masks its class",
        source: "PyTorch CrossEntropyLoss with class probabilities",
        driver: Driver::Rows(Rows { hooks: &[RowHooks::Sums], ..Rows::SOFTMAX }),
        inputs: LOGITS_PROBABILITIES,
        shader: shader_file!("losses/multiclass/cross_entropy_soft.wgsl"),
        reference: Reference::Rows(reference::cross_entropy_soft),
    };
}

loss! {
    /// Focal loss of a softmax: cross-entropy that fades where the prediction is right.
    ///
    /// `α·w_y·(1 − p_y)^γ·(lse − x_y)` with p = softmax(x). Loss and gradient are finite for all finite logits and
    /// every γ, also where p_y is 1. `mean` divides by the number of rows that are not ignored.
    ///
    /// Inputs `logits` x ∂ `[N, C, d…]`, `target` y `[N, d…]`, i32, checked to be `ignore_index` or from 0 to C − 1,
    /// optional `class_weight` w `[C]`, checked to be at least 0, optional `weight` `[N, d…]`. Source: Lin et al. 2017,
    /// <https://arxiv.org/abs/1708.02002>.
    ///
    /// ```
    /// # use wgloss::{Focal, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let logits = HostTensor::new(&[0.0_f32, 0.0], [1, 2])?;
    /// // 0.25 · 0.5² · ln 2
    /// let result = Focal::default().eval(&gpu, &logits, &[1], Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.0433217, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Focal {
        /// α, a factor of all rows: at least 0.
        pub alpha: f32 = 0.25 => Rule::NonNegative;
        /// γ, how fast well-predicted rows fade: at least 0.
        pub gamma: f32 = 2.0 => Rule::NonNegative;
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static FOCAL: LossSpec = {
        name: "focal",
        aliases: &["FocalLoss", "CategoricalFocalCrossentropy"],
        family: Family::Multiclass,
        formula: "α·w_y·(1 − p_y)^γ·(lse − x_y), p = softmax(x)",
        notes: "mean divides by the number of rows that are not ignored; finite for all finite logits",
        source: "Lin et al. 2017, arXiv 1708.02002",
        driver: Driver::Rows(Rows::SOFTMAX),
        inputs: LOGITS_CLASSES,
        shader: shader_file!("losses/multiclass/focal.wgsl"),
        reference: Reference::Rows(reference::focal),
    };
}

loss! {
    /// Negative log-likelihood of log-probabilities.
    ///
    /// `−w_y·x_y` for a row x of log-probabilities and its class y. `mean` divides by Σ w_y over the rows that are not
    /// ignored, `weighted_mean` by Σ w_y·weight. A NaN or +∞ anywhere in a row shows, as in the other losses.
    ///
    /// Inputs `log_probabilities` x ∂ `[N, C, d…]`, `target` y `[N, d…]`, i32, checked to be `ignore_index` or from 0
    /// to C − 1, optional `class_weight` w `[C]`, checked to be at least 0, optional `weight` `[N, d…]`. Source:
    /// PyTorch NLLLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Nll, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let log_probabilities = HostTensor::new(&[-0.5_f32, -1.0, -2.0, -0.25], [2, 2])?;
    /// let result = Nll::default().eval(&gpu, &log_probabilities, &[0, 1], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 0.75);
    /// assert_eq!(result.gradients.get("log_probabilities").unwrap().to_f64(), [-1.0, 0.0, 0.0, -1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Nll {
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static NLL: LossSpec = {
        name: "nll",
        aliases: &["NLLLoss", "negative_log_likelihood"],
        family: Family::Multiclass,
        formula: "−w_y·x_y",
        notes: "log_probabilities hold x; mean divides by Σ w_y",
        source: "PyTorch NLLLoss",
        driver: Driver::Rows(Rows { softmax_of: &[], mean_over: MeanOver::ClassWeights, ..Rows::SOFTMAX }),
        inputs: &[
            Input::differentiable("log_probabilities", Shape::Rows, Domain::LogProbability),
            CLASSES,
            CLASS_WEIGHT,
            WEIGHT,
        ],
        shader: shader_file!("losses/multiclass/nll.wgsl"),
        reference: Reference::Rows(reference::nll),
    };
}

loss! {
    /// Multi-class hinge loss: every other class's score should be lower by a margin.
    ///
    /// `Σ_{c≠y} w_y·max(0, margin − x_y + x_c)^p / C` for a row x of scores and its class y. `mean` divides by the
    /// number of rows.
    ///
    /// Inputs `logits` x ∂ `[N, C, d…]`, `target` y `[N, d…]`, i32, checked to be `ignore_index` or from 0 to C − 1,
    /// optional `class_weight` w `[C]`, checked to be at least 0, optional `weight` `[N, d…]`. Source: PyTorch
    /// MultiMarginLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, MultiMargin, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let logits = HostTensor::new(&[0.25_f32, 0.5, 1.0, 0.0], [1, 4])?;
    /// // (0.25 + 0.5 + 0) / 4
    /// let result = MultiMargin::default().eval(&gpu, &logits, &[2], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 0.1875);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct MultiMargin {
        /// By how much the true class's score should be higher.
        pub margin: f32 = 1.0 => Rule::Finite;
        /// The power: 1 or 2.
        pub p: i32 = 1 => Rule::OneOf(&[1, 2]);
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static MULTI_MARGIN: LossSpec = {
        name: "multi_margin",
        aliases: &["MultiMarginLoss"],
        family: Family::Multiclass,
        formula: "Σ_{c≠y} w_y·max(0, margin − x_y + x_c)^p / C",
        notes: "mean divides by the number of rows that are not ignored",
        source: "PyTorch MultiMarginLoss",
        driver: Driver::Rows(Rows { softmax_of: &[], hooks: &[RowHooks::Sums], ..Rows::SOFTMAX }),
        inputs: LOGITS_CLASSES,
        shader: shader_file!("losses/multiclass/multi_margin.wgsl"),
        reference: Reference::Rows(reference::multi_margin),
    };
}

loss! {
    /// Binary cross-entropy of every class, averaged over the classes of a row.
    ///
    /// `−(1/C)·Σ_c w_c·[t_c·ln σ(x_c) + (1 − t_c)·ln σ(−x_c)]`; gradient `w_c·(σ(x_c) − t_c)/C`. `mean` divides by the
    /// number of rows. A logit of −∞ is a class that is certainly absent.
    ///
    /// Inputs `logits` x ∂ `[N, C, d…]`, `target_probabilities` t `[N, C, d…]`, checked to be in [0, 1], optional
    /// `class_weight` w `[C]`, checked to be at least 0, optional `weight` `[N, d…]`. Source: PyTorch
    /// MultiLabelSoftMarginLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, MultilabelSoftMargin, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let logits = HostTensor::new(&[0.0_f32, 0.0], [1, 2])?;
    /// let target = HostTensor::new(&[1.0_f32, 0.0], [1, 2])?;
    /// let result = MultilabelSoftMargin.eval(&gpu, &logits, &target, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct MultilabelSoftMargin;

    pub static MULTILABEL_SOFT_MARGIN: LossSpec = {
        name: "multilabel_soft_margin",
        aliases: &["MultiLabelSoftMarginLoss"],
        family: Family::Multiclass,
        formula: "−(1/C)·Σ_c w_c·[t_c·ln σ(x_c) + (1 − t_c)·ln σ(−x_c)]",
        notes: "mean divides by the number of rows",
        source: "PyTorch MultiLabelSoftMarginLoss",
        driver: Driver::Rows(Rows { softmax_of: &[], hooks: &[RowHooks::Sums], ..Rows::SOFTMAX }),
        inputs: LOGITS_PROBABILITIES,
        shader: shader_file!("losses/multiclass/multilabel_soft_margin.wgsl"),
        reference: Reference::Rows(reference::multilabel_soft_margin),
    };
}
