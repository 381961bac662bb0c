//! Losses of rows together with the head before them: logits = hidden·weightᵀ + bias, which are never stored whole.

use super::{CROSS_ENTROPY, CROSS_ENTROPY_SOFT, DISTILLATION, FOCAL};
use crate::{
    loss,
    spec::{
        Divergence, Domain, Driver, Family, HEAD_CLASS_WEIGHT, Head, ITEM_WEIGHT, Input, Linear, Reference, Rule,
        Shape, Smoothing,
    },
};

const HIDDEN: Input = Input::differentiable("hidden", Shape::Hidden, Domain::Real);
const HEAD: Input = Input::differentiable("weight", Shape::Head("hidden"), Domain::Real);
const BIAS: Input =
    Input { optional: true, absent: 0.0, ..Input::differentiable("bias", Shape::HeadClasses, Domain::Real) };
const TARGET: Input = Input::classes("target", Shape::Items);

/// The inputs of most of these losses: what makes the logits, and a class index a row.
const HIDDEN_CLASSES: &[Input] = &[HIDDEN, HEAD, BIAS, TARGET, HEAD_CLASS_WEIGHT, ITEM_WEIGHT];

const ONE_HEAD: &[Head] = &[Head::TRAINED];

loss! {
    /// [`CrossEntropy`](super::CrossEntropy) of the logits that a head makes of hidden states, which are never stored
    /// whole: of a language model they would take more memory than all else.
    ///
    /// The logits of a row h are `x = softcap·tanh(s/softcap)/T` with `s = logit_scale·(W·h + b)`, or s/T without a
    /// softcap. They are made for a panel of rows at a time, become their own gradients in place, and are multiplied
    /// back; [`Options::panel_bytes`](crate::Options::panel_bytes) says how many at a time. Rows that do not count are
    /// not multiplied. Gradients are summed in f32 and rounded once, in the same order in every run.
    /// [`Options::frozen`](crate::Options::frozen) leaves out the gradient of the head, its time and its memory.
    ///
    /// Inputs `hidden` h ∂ `[N, d…, H]`, `weight` W ∂ `[V, H]`, optional `bias` b ∂ `[V]`, `target` y `[N, d…]`, i32,
    /// checked to be `ignore_index` or from 0 to V − 1, optional `class_weight` `[V]`, checked to be at least 0,
    /// optional `item_weight` `[N, d…]`. Statistics of rows that do not count are NaN, −1 as a class and 0 as a
    /// log-probability. Source: PyTorch linear_cross_entropy; Liger Kernel; Wijmans et al. 2024, arXiv 2411.09009.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, LinearCrossEntropy, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[0.5_f32, -1.0, 2.0, 0.25, -0.75, 1.5], [3, 2])?)
    ///     .with("weight", HostTensor::new(&[1.0_f32, 0.5, -0.5, 2.0, 0.25, -1.5, 1.5, 1.0], [4, 2])?)
    ///     .with("bias", &[0.1_f32, -0.2, 0.3, 0.0])
    ///     .with("target", &[2, 3, -100]);
    /// let result = LinearCrossEntropy::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.307721742, epsilon = 1e-6);
    /// assert_eq!(result.gradients.get("weight").unwrap().shape(), [4, 2]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearCrossEntropy {
        /// ε, the share of the target that other classes get: from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit, compiled;
        /// Which classes get it.
        pub smoothing: Smoothing = Smoothing::Uniform;
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// z, the weight of the squared log-sum-exp: at least 0.
        pub z_loss: f32 = 0.0 => Rule::NonNegative;
        /// The bound of the logits; 0 for none.
        pub softcap: f32 = 0.0 => Rule::NonNegative, compiled;
        /// What the logits are multiplied with before the softcap; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
        /// T, what they are divided by after it; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// By how many places the target of a row lies behind it in its sequence, the last axis of the items: 1 for the
        /// next token. Rows without such a target are left out. Weights and mask belong to the row.
        pub shift: i32 = 0 => Rule::Natural;
    }

    pub static LINEAR_CROSS_ENTROPY: LossSpec = {
        name: "linear_cross_entropy",
        aliases: &["LinearCrossEntropyLoss", "LigerFusedLinearCrossEntropyLoss", "FusedLinearCrossEntropy"],
        family: Family::Linear,
        formula: "cross_entropy of x = softcap·tanh(s/softcap)/T, s = logit_scale·(W·h + b)",
        notes: "softcap 0 is off; T is temperature; row i is held to target[i + shift]; the logits are never stored \
                whole",
        source: "PyTorch linear_cross_entropy; Wijmans et al. 2024, arXiv 2411.09009",
        driver: Driver::Linear(Linear { rows: &CROSS_ENTROPY, heads: ONE_HEAD }),
        inputs: HIDDEN_CLASSES,
        shader: CROSS_ENTROPY.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// [`Focal`](super::Focal) loss of the logits that a head makes of hidden states, which are never stored whole.
    ///
    /// As [`LinearCrossEntropy`], with the parameters of the row loss.
    ///
    /// Inputs `hidden` h ∂ `[N, d…, H]`, `weight` W ∂ `[V, H]`, optional `bias` b ∂ `[V]`, `target` y `[N, d…]`, i32,
    /// checked to be `ignore_index` or from 0 to V − 1, optional `class_weight` `[V]`, checked to be at least 0,
    /// optional `item_weight` `[N, d…]`. Source: Lin et al. 2017, arXiv 1708.02002.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, LinearFocal, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32, 0.0], [1, 2])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32, 1.0, 0.0, 2.0], [2, 2])?)
    ///     .with("target", &[1]);
    /// // Logits 0, 0: 0.25·(1 − ½)²·ln 2.
    /// let result = LinearFocal::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.0625 * 2_f64.ln(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearFocal {
        /// What every loss is multiplied with; at least 0.
        pub alpha: f32 = 0.25 => Rule::NonNegative;
        /// γ, how much less sure rows count; at least 0.
        pub gamma: f32 = 2.0 => Rule::NonNegative;
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
        /// T, what they are divided by; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// By how many places the target of a row lies behind it in its sequence.
        pub shift: i32 = 0 => Rule::Natural;
    }

    pub static LINEAR_FOCAL: LossSpec = {
        name: "linear_focal",
        family: Family::Linear,
        formula: "focal of x = logit_scale·(W·h + b)/T",
        notes: "T is temperature; row i is held to target[i + shift]; the logits are never stored whole",
        source: "Lin et al. 2017, arXiv 1708.02002",
        driver: Driver::Linear(Linear { rows: &FOCAL, heads: ONE_HEAD }),
        inputs: HIDDEN_CLASSES,
        shader: FOCAL.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// [`CrossEntropySoft`](super::CrossEntropySoft) of the logits that a head makes of hidden states, which are never
    /// stored whole.
    ///
    /// As [`LinearCrossEntropy`], with the parameters of the row loss.
    ///
    /// Inputs `hidden` h ∂ `[N, d…, H]`, `weight` W ∂ `[V, H]`, optional `bias` b ∂ `[V]`, `target_probabilities`
    /// `[N, d…, V]`, checked to be in [0, 1], optional `class_weight` `[V]`, checked to be at least 0, optional
    /// `item_weight` `[N, d…]`. Source: PyTorch CrossEntropyLoss with class probabilities.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, LinearCrossEntropySoft, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32], [1, 1])?)
    ///     .with("weight", HostTensor::new(&[1.0_f32, 2.0, 3.0], [3, 1])?)
    ///     .with("target_probabilities", HostTensor::new(&[0.0_f32, 0.25, 0.75], [1, 3])?);
    /// let result = LinearCrossEntropySoft::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.657606, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearCrossEntropySoft {
        /// ε, the share of the target that is spread over all classes: from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
        /// T, what they are divided by; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_CROSS_ENTROPY_SOFT: LossSpec = {
        name: "linear_cross_entropy_soft",
        family: Family::Linear,
        formula: "cross_entropy_soft of x = logit_scale·(W·h + b)/T",
        notes: "T is temperature; the logits are never stored whole",
        source: "PyTorch CrossEntropyLoss",
        driver: Driver::Linear(Linear { rows: &CROSS_ENTROPY_SOFT, heads: ONE_HEAD }),
        inputs: &[
            HIDDEN,
            HEAD,
            BIAS,
            Input::constant("target_probabilities", Shape::HeadRows, Domain::Probability),
            HEAD_CLASS_WEIGHT,
            ITEM_WEIGHT,
        ],
        shader: CROSS_ENTROPY_SOFT.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// [`Distillation`](super::Distillation) of a student's logits from a teacher's, both made by heads of hidden
    /// states and never stored whole.
    ///
    /// As [`LinearCrossEntropy`], with the parameters of the row loss. Only the student's head and states have
    /// gradients; the teacher's may have another length.
    ///
    /// Inputs `hidden` ∂ `[N, d…, H]`, `weight` ∂ `[V, H]`, optional `bias` ∂ `[V]`, `teacher_hidden` `[N, d…, G]`,
    /// `teacher_weight` `[V, G]`, optional `teacher_bias` `[V]`, optional `target` `[N, d…]`, i32, checked to be
    /// `ignore_index` or from 0 to V − 1, for the rows that it leaves out and the count of right predictions alone,
    /// optional `item_weight` `[N, d…]`. Source: Hinton et al. 2015, arXiv 1503.02531; Liger Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, LinearDistillation, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?)
    ///     .with("weight", HostTensor::new(&[1.0_f32, 0.0, 0.0, 1.0], [2, 2])?)
    ///     .with("teacher_hidden", HostTensor::new(&[2.0_f32], [1, 1])?)
    ///     .with("teacher_weight", HostTensor::new(&[1.0_f32, 0.0], [2, 1])?);
    /// let loss = LinearDistillation { temperature: 2.0, ..LinearDistillation::default() };
    /// let result = loss.eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.443776, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearDistillation {
        /// T, what both rows of logits are divided by: above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// Which divergence.
        pub divergence: Divergence = Divergence::Forward, compiled;
        /// Rows with this `target`, where that is given, are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What both rows of logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_DISTILLATION: LossSpec = {
        name: "linear_distillation",
        aliases: &["LigerFusedLinearKLDivLoss"],
        family: Family::Linear,
        formula: "distillation of logit_scale·(W·h + b) from logit_scale·(W_t·h_t + b_t)",
        notes: "the logits of student and teacher are never stored whole",
        source: "Hinton et al. 2015, arXiv 1503.02531",
        driver: Driver::Linear(Linear { rows: &DISTILLATION, heads: &[Head::TRAINED, Head::TEACHER] }),
        inputs: &[
            HIDDEN,
            HEAD,
            BIAS,
            Input::constant("teacher_hidden", Shape::Hidden, Domain::Real),
            Input::constant("teacher_weight", Shape::Head("teacher_hidden"), Domain::Real),
            Input {
                optional: true,
                absent: 0.0,
                ..Input::constant("teacher_bias", Shape::HeadClasses, Domain::Real)
            },
            Input { optional: true, ..TARGET },
            ITEM_WEIGHT,
        ],
        shader: DISTILLATION.shader,
        reference: Reference::Linear,
    };
}
