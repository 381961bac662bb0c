//! Losses of rows together with the head before them: logits = hidden·weightᵀ + bias, which are never stored whole.

use super::{CROSS_ENTROPY, CROSS_ENTROPY_SOFT, DISTILLATION, FOCAL, JENSEN_SHANNON};
use crate::{
    loss,
    spec::{
        Cosine, Divergence, Domain, Driver, Family, HEAD_CLASS_OFFSET, HEAD_CLASS_WEIGHT, Head, ITEM_WEIGHT, Input,
        Linear, Margin, Reference, Rule, Shape, Smoothing,
    },
};

pub(super) const HIDDEN: Input = Input::differentiable("hidden", Shape::Hidden, Domain::Real);
pub(super) const HEAD: Input = Input::differentiable("weight", Shape::Head("hidden"), Domain::Real);
pub(super) const BIAS: Input =
    Input { optional: true, absent: 0.0, ..Input::differentiable("bias", Shape::HeadClasses, Domain::Real) };
const TARGET: Input = Input::classes("target", Shape::Items);

/// The inputs of most of these losses: what makes the logits, and a class index a row.
const HIDDEN_CLASSES: &[Input] = &[HIDDEN, HEAD, BIAS, TARGET, HEAD_CLASS_WEIGHT, ITEM_WEIGHT];

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
    /// optional `class_offset` `[V]`, which is added to x, optional `item_weight` `[N, d…]`. Statistics of rows that do
    /// not count are NaN, −1 as a class and 0 as a log-probability. Source: PyTorch linear_cross_entropy; Liger Kernel;
    /// Wijmans et al. 2024, arXiv 2411.09009.
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
        /// What the entropy of a row's softmax is subtracted with.
        pub entropy_bonus: f32 = 0.0 => Rule::Finite, compiled;
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
        driver: Driver::Linear(Linear::of(&CROSS_ENTROPY)),
        inputs: &[HIDDEN, HEAD, BIAS, TARGET, HEAD_CLASS_WEIGHT, HEAD_CLASS_OFFSET, ITEM_WEIGHT],
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
        driver: Driver::Linear(Linear::of(&FOCAL)),
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
        driver: Driver::Linear(Linear::of(&CROSS_ENTROPY_SOFT)),
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
        driver: Driver::Linear(Linear { heads: &[Head::TRAINED, Head::TEACHER], ..Linear::of(&DISTILLATION) }),
        inputs: STUDENT_TEACHER,
        shader: DISTILLATION.shader,
        reference: Reference::Linear,
    };
}

/// The inputs of a student's head and a teacher's.
const STUDENT_TEACHER: &[Input] = &[
    HIDDEN,
    HEAD,
    BIAS,
    Input::constant("teacher_hidden", Shape::Hidden, Domain::Real),
    Input::constant("teacher_weight", Shape::Head("teacher_hidden"), Domain::Real),
    Input { optional: true, absent: 0.0, ..Input::constant("teacher_bias", Shape::HeadClasses, Domain::Real) },
    Input { optional: true, ..TARGET },
    ITEM_WEIGHT,
];

loss! {
    /// [`JensenShannon`](super::JensenShannon) divergence of a student's logits from a teacher's, both made by heads of
    /// hidden states and never stored whole.
    ///
    /// As [`LinearDistillation`], with the parameters of the row loss.
    ///
    /// Inputs `hidden` ∂ `[N, d…, H]`, `weight` ∂ `[V, H]`, optional `bias` ∂ `[V]`, `teacher_hidden` `[N, d…, G]`,
    /// `teacher_weight` `[V, G]`, optional `teacher_bias` `[V]`, optional `target` `[N, d…]`, i32, checked to be
    /// `ignore_index` or from 0 to V − 1, for the rows that it leaves out and the count of right predictions alone,
    /// optional `item_weight` `[N, d…]`. Source: Agarwal et al. 2024, arXiv 2306.13649; Liger Kernel
    /// LigerFusedLinearJSD.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, LinearJensenShannon, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32], [1, 1])?)
    ///     .with("weight", HostTensor::new(&[0.2_f32, 0.7, -1.0], [3, 1])?)
    ///     .with("teacher_hidden", HostTensor::new(&[1.0_f32], [1, 1])?)
    ///     .with("teacher_weight", HostTensor::new(&[1.0_f32, 0.0, -0.5], [3, 1])?);
    /// let loss = LinearJensenShannon { temperature: 2.0, ..LinearJensenShannon::default() };
    /// let result = loss.eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.014421957, epsilon = 1e-7);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearJensenShannon {
        /// β, the teacher's share of the mixture: from 0 to 1.
        pub beta: f32 = 0.5 => Rule::Unit;
        /// T, what both rows of logits are divided by: above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// Whether the divergence is multiplied with T².
        pub scale_by_t2: bool = false;
        /// Rows with this `target`, where that is given, are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What both rows of logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_JENSEN_SHANNON: LossSpec = {
        name: "linear_jensen_shannon",
        aliases: &["LigerFusedLinearJSD"],
        family: Family::Linear,
        formula: "jensen_shannon of logit_scale·(W·h + b) from logit_scale·(W_t·h_t + b_t)",
        notes: "the logits of student and teacher are never stored whole",
        source: "Agarwal et al. 2024, arXiv 2306.13649",
        driver: Driver::Linear(Linear { heads: &[Head::TRAINED, Head::TEACHER], ..Linear::of(&JENSEN_SHANNON) }),
        inputs: STUDENT_TEACHER,
        shader: JENSEN_SHANNON.shader,
        reference: Reference::Linear,
    };
}

/// The inputs of heads of embeddings whose logits are cosines.
const EMBEDDINGS_CLASSES: &[Input] = &[EMBEDDINGS, CENTERS, TARGET, HEAD_CLASS_WEIGHT, ITEM_WEIGHT];
const EMBEDDINGS: Input = Input::differentiable("embeddings", Shape::Hidden, Domain::Real);
const CENTERS: Input = Input::differentiable("weight", Shape::Head("embeddings"), Domain::Real);

/// Cross-entropy over classes, of cosines with such a margin.
const fn of_cosines(margin: Margin, centers: u32) -> Linear {
    let cosine = Cosine { margin, centers, factor: 1.0 };
    Linear { heads: &[Head::OF_EMBEDDINGS], cosine: Some(cosine), ..Linear::of(&CROSS_ENTROPY) }
}

loss! {
    /// Cross-entropy of cosines between embeddings and a centre for each class, both of unit length.
    ///
    /// `cross_entropy` of the logits `scale·cos(x, W_c)`, which are never stored whole: as many identities as memory
    /// has room for their centres.
    ///
    /// Inputs `embeddings` x ∂ `[N, d…, D]`, `weight` W ∂ `[C, D]`, `target` `[N, d…]`, i32, checked to be
    /// `ignore_index` or from 0 to C − 1, optional `class_weight` `[C]`, checked to be at least 0, optional
    /// `item_weight` `[N, d…]`. Source: Zhai and Wu 2019, arXiv 1811.12649; pytorch-metric-learning
    /// NormalizedSoftmaxLoss, whose `temperature` is 1/scale.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, NormalizedSoftmax, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("embeddings", HostTensor::new(&[3.0_f32, 0.0], [1, 2])?)
    ///     .with("weight", HostTensor::new(&[2.0_f32, 0.0, 0.0, 5.0], [2, 2])?)
    ///     .with("target", &[0]);
    /// // Cosines 1 and 0.
    /// let result = NormalizedSoftmax { scale: 1.0, ..Default::default() }.eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (-1_f64).exp().ln_1p(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct NormalizedSoftmax {
        /// What cosines are multiplied with; above 0.
        pub scale: f32 = 20.0 => Rule::Positive;
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static NORMALIZED_SOFTMAX: LossSpec = {
        name: "normalized_softmax",
        aliases: &["NormalizedSoftmaxLoss", "NormSoftmax", "NormFace"],
        family: Family::Linear,
        formula: "cross_entropy of scale·cos(x, W_c)",
        notes: "mean divides by Σ w_y",
        source: "Zhai and Wu 2019, arXiv 1811.12649",
        driver: Driver::Linear(of_cosines(Margin::None, 1)),
        inputs: EMBEDDINGS_CLASSES,
        shader: CROSS_ENTROPY.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// CosFace: cross-entropy of cosines, of which the target's is less by a margin.
    ///
    /// `cross_entropy` of the logits `scale·cos(x, W_c)`, the target's `scale·(cos(x, W_y) − margin)`. Predicted
    /// classes are told by these logits too.
    ///
    /// Inputs `embeddings` x ∂ `[N, d…, D]`, `weight` W ∂ `[C, D]`, `target` `[N, d…]`, i32, checked to be
    /// `ignore_index` or from 0 to C − 1, optional `class_weight` `[C]`, checked to be at least 0, optional
    /// `item_weight` `[N, d…]`. Source: Wang et al. 2018, arXiv 1801.09414; pytorch-metric-learning CosFaceLoss.
    ///
    /// ```
    /// # use wgloss::{Cosface, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("embeddings", HostTensor::new(&[0.3_f32, -0.4, 0.5], [1, 3])?)
    ///     .with("weight", HostTensor::new(&[0.1_f32, 0.2, 0.3, -0.2, 0.5, 0.1, 0.4, -0.3, 0.2], [3, 3])?)
    ///     .with("target", &[1]);
    /// let result = Cosface { scale: 8.0, ..Default::default() }.eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 14.296936224, epsilon = 1e-5);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Cosface {
        /// What cosines are multiplied with; above 0.
        pub scale: f32 = 64.0 => Rule::Positive;
        /// By how much the target's cosine is lowered; at least 0.
        pub margin: f32 = 0.35 => Rule::NonNegative;
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static COSFACE: LossSpec = {
        name: "cosface",
        aliases: &["CosFaceLoss", "LargeMarginCosineLoss", "AMSoftmax"],
        family: Family::Linear,
        formula: "cross_entropy of scale·cos(x, W_c), of the target scale·(cos(x, W_y) − margin)",
        notes: "mean divides by Σ w_y",
        source: "Wang et al. 2018, arXiv 1801.09414",
        driver: Driver::Linear(of_cosines(Margin::OfCosine, 1)),
        inputs: EMBEDDINGS_CLASSES,
        shader: CROSS_ENTROPY.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// ArcFace: cross-entropy of cosines, of which the target's is that of an angle larger by a margin.
    ///
    /// `cross_entropy` of the logits `scale·cos θ_c` with θ_c the angle between x and W_c, the target's `scale·cos(θ_y
    /// + margin)`, or beyond π − margin, where that would fall with the angle no more, `scale·(cos θ_y − margin·sin
    /// margin)`. Predicted classes are told by these logits too.
    ///
    /// Inputs `embeddings` x ∂ `[N, d…, D]`, `weight` W ∂ `[C, D]`, `target` `[N, d…]`, i32, checked to be
    /// `ignore_index` or from 0 to C − 1, optional `class_weight` `[C]`, checked to be at least 0, optional
    /// `item_weight` `[N, d…]`. Source: Deng et al. 2019, arXiv 1801.07698; pytorch-metric-learning ArcFaceLoss, whose
    /// margin is in degrees.
    ///
    /// ```
    /// # use wgloss::{Arcface, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("embeddings", HostTensor::new(&[0.3_f32, -0.4, 0.5], [1, 3])?)
    ///     .with("weight", HostTensor::new(&[0.1_f32, 0.2, 0.3, -0.2, 0.5, 0.1, 0.4, -0.3, 0.2], [3, 3])?)
    ///     .with("target", &[2]);
    /// let result = Arcface { scale: 8.0, ..Default::default() }.eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.198288717, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Arcface {
        /// What cosines are multiplied with; above 0.
        pub scale: f32 = 64.0 => Rule::Positive;
        /// The angle that the target's is larger by, in radians; at least 0.
        pub margin: f32 = 0.5 => Rule::NonNegative;
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static ARCFACE: LossSpec = {
        name: "arcface",
        aliases: &["ArcFaceLoss", "ArcMarginProduct"],
        family: Family::Linear,
        formula: "cross_entropy of scale·cos θ_c, of the target scale·cos(θ_y + margin)",
        notes: "beyond the angle π − margin: scale·(cos θ_y − margin·sin margin); mean divides by Σ w_y",
        source: "Deng et al. 2019, arXiv 1801.07698",
        driver: Driver::Linear(of_cosines(Margin::OfAngle, 1)),
        inputs: EMBEDDINGS_CLASSES,
        shader: CROSS_ENTROPY.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// Sub-centre ArcFace: a class has three centres, and the cosine of the nearest.
    ///
    /// As [`Arcface`], of cosines that are the largest of a class's three, of equal ones the first, which alone gets a
    /// gradient: identities whose pictures are of several kinds, or partly of somebody else.
    ///
    /// Inputs `embeddings` x ∂ `[N, d…, D]`, `weight` W ∂ `[3·C, D]`, of which the rows 3·c to 3·c + 2 are the centres
    /// of class c, `target` `[N, d…]`, i32, checked to be `ignore_index` or from 0 to C − 1, optional `class_weight`
    /// `[C]`, checked to be at least 0, optional `item_weight` `[N, d…]`. Source: Deng et al. 2020, "Sub-center
    /// ArcFace"; pytorch-metric-learning SubCenterArcFaceLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, SubcenterArcface};
    /// # let gpu = Gpu::new_blocking()?;
    /// let weight = [1.0_f32, 0.0, 0.6, 0.8, -1.0, 0.0, 0.0, 1.0, 0.0, -1.0, -0.6, 0.8];
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("embeddings", HostTensor::new(&[2.0_f32, 0.0], [1, 2])?)
    ///     .with("weight", HostTensor::new(&weight, [6, 2])?)
    ///     .with("target", &[1]);
    /// // Cosines 1 and 0, of which the target's, 0, becomes cos(π/2 + margin).
    /// let loss = SubcenterArcface { scale: 1.0, ..Default::default() };
    /// let result = loss.eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (1.0 + 0.5_f64.sin()).exp().ln_1p(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct SubcenterArcface {
        /// What cosines are multiplied with; above 0.
        pub scale: f32 = 64.0 => Rule::Positive;
        /// The angle that the target's is larger by, in radians; at least 0.
        pub margin: f32 = 0.5 => Rule::NonNegative;
        /// Rows with this target are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static SUBCENTER_ARCFACE: LossSpec = {
        name: "subcenter_arcface",
        aliases: &["SubCenterArcFaceLoss"],
        family: Family::Linear,
        formula: "arcface of the largest cosine of each class's three centres",
        notes: "rows 3·c to 3·c + 2 of W are the centres of class c; of equal cosines the first one's",
        source: "Deng et al. 2020, Sub-center ArcFace",
        driver: Driver::Linear(of_cosines(Margin::OfAngle, 3)),
        inputs: EMBEDDINGS_CLASSES,
        shader: CROSS_ENTROPY.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// ProxyNCA: cross-entropy of the squared distances between embeddings and a proxy for each class, both of unit
    /// length.
    ///
    /// `cross_entropy` of the logits `−scale·‖x/‖x‖ − W_c/‖W_c‖‖²`, which are `2·scale·cos(x, W_c)` but for what all
    /// have in common.
    ///
    /// Inputs `embeddings` x ∂ `[N, d…, D]`, `weight` W ∂ `[C, D]`, `labels` `[N, d…]`, i32, checked to be
    /// `ignore_index` or from 0 to C − 1, optional `class_weight` `[C]`, checked to be at least 0, optional
    /// `item_weight` `[N, d…]`. Source: Movshovitz-Attias et al. 2017, arXiv 1703.07464, with the positive in the
    /// denominator as pytorch-metric-learning's ProxyNCALoss has it.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, ProxyNca, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("embeddings", HostTensor::new(&[3.0_f32, 0.0], [1, 2])?)
    ///     .with("weight", HostTensor::new(&[2.0_f32, 0.0, 0.0, 5.0], [2, 2])?)
    ///     .with("labels", &[0]);
    /// // Squared distances 0 and 2.
    /// let result = ProxyNca::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (-2_f64).exp().ln_1p(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct ProxyNca {
        /// What squared distances are multiplied with; above 0.
        pub scale: f32 = 1.0 => Rule::Positive;
        /// Rows with this label are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static PROXY_NCA: LossSpec = {
        name: "proxy_nca",
        aliases: &["ProxyNCALoss", "ProxyNCA++"],
        family: Family::Linear,
        formula: "cross_entropy of −scale·‖x/‖x‖ − W_c/‖W_c‖‖²",
        notes: "the class's own proxy is in the denominator too; mean divides by Σ w_y",
        source: "Movshovitz-Attias et al. 2017, arXiv 1703.07464",
        driver: Driver::Linear(Linear {
            heads: &[Head::OF_EMBEDDINGS],
            target: "labels",
            cosine: Some(Cosine { margin: Margin::None, centers: 1, factor: 2.0 }),
            ..Linear::of(&CROSS_ENTROPY)
        }),
        inputs: &[EMBEDDINGS, CENTERS, Input::classes("labels", Shape::Items), HEAD_CLASS_WEIGHT, ITEM_WEIGHT],
        shader: CROSS_ENTROPY.shader,
        reference: Reference::Linear,
    };
}
