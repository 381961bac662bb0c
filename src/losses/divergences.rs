//! Divergences of a student's softmax from a teacher's: rows of C logits of each.

use super::multiclass::{CLASSES, LOGITS};
use crate::{
    Loss, loss, reference,
    spec::{
        Domain, Driver, Family, Input, Kind, Reference, RowHooks, Rows, Rule, ShaderFile, Shape, TopK, Values, WEIGHT,
        shader_file,
    },
};

#[doc(inline)]
pub use crate::spec::{Divergence, Tail};

/// The logits of the teacher.
const TEACHER: Input = Input::constant("teacher_logits", Shape::Rows, Domain::Real);
/// The classes of which a teacher gives the probability, and its logarithm.
const TEACHER_INDICES: Input =
    Input { kind: Kind::Index, ..Input::constant("teacher_indices", Shape::ItemRows, Domain::DistinctClasses) };
const TEACHER_LOG_PROBS: Input = Input::constant("teacher_log_probs", Shape::ItemRows, Domain::LogProbability);
/// Class indices that matter where they are `ignore_index`.
const LEFT_OUT: Input = Input { optional: true, ..CLASSES };

/// What losses of a teacher and a student share, and what divergences do besides.
const PAIRS: ShaderFile = shader_file!("drivers/rows/teacher/pairs.wgsl");
const DIVERGENCES: &[ShaderFile] = &[PAIRS, shader_file!("drivers/rows/teacher/divergences.wgsl")];

loss! {
    /// Distillation: the divergence between a teacher's and a student's tempered softmax.
    ///
    /// `T²·KL(P ‖ Q)` with P = softmax(teacher/T), Q = softmax(logits/T), or another [`Divergence`]. The factor T²
    /// keeps gradients of one size as T varies. Exact also where student and teacher nearly agree. Logits of −∞ mask a
    /// class; where the divergence weighs a class that the other side masks, the loss is +∞. Jensen–Shannon divergences
    /// of other shares than half and half are [`JensenShannon`].
    ///
    /// Inputs `logits` ∂ `[N, C, d…]`, `teacher_logits` `[N, C, d…]`, optional `target` `[N, d…]`, i32, checked to be
    /// `ignore_index` or from 0 to C − 1, for the rows that it leaves out and the count of right predictions alone,
    /// optional `weight` `[N, d…]`. Source: Hinton et al. 2015, <https://arxiv.org/abs/1503.02531>; PyTorch KLDivLoss
    /// of the two log-softmaxes.
    ///
    /// ```
    /// # use wgloss::{Distillation, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let student = HostTensor::new(&[0.0_f32, 0.0], [1, 2])?;
    /// let teacher = HostTensor::new(&[2.0_f32, 0.0], [1, 2])?;
    /// let loss = Distillation { temperature: 2.0, ..Distillation::default() };
    /// let result = loss.eval(&gpu, &student, &teacher, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.443776, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Distillation {
        /// T, what both rows of logits are divided by: above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// Which divergence.
        pub divergence: Divergence = Divergence::Forward, compiled;
        /// Rows with this `target`, where that is given, are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static DISTILLATION: LossSpec = {
        name: "distillation",
        aliases: &["KnowledgeDistillationLoss", "KDLoss"],
        family: Family::Multiclass,
        formula: "T²·KL(P ‖ Q), P = softmax(teacher/T), Q = softmax(logits/T)",
        notes: "divergence=reverse: T²·KL(Q ‖ P); jensen_shannon: T²·½·[KL(P ‖ M) + KL(Q ‖ M)], M = ½·(P + Q)",
        source: "Hinton et al. 2015, arXiv 1503.02531; PyTorch KLDivLoss",
        driver: Driver::Rows(Rows {
            softmax_of: &["logits", "teacher_logits"],
            hooks: &[RowHooks::Middle, RowHooks::Logits],
            ..Rows::SOFTMAX
        }),
        inputs: &[LOGITS, TEACHER, LEFT_OUT, WEIGHT],
        shader: shader_file!("losses/multiclass/distillation.wgsl").with(DIVERGENCES),
        reference: Reference::Rows(reference::distillation),
    };
}

loss! {
    /// Generalised Jensen–Shannon divergence between a teacher's and a student's tempered softmax.
    ///
    /// `β·KL(P ‖ M) + (1 − β)·KL(Q ‖ M)` with P = softmax(teacher/T), Q = softmax(logits/T) and M = β·P + (1 − β)·Q;
    /// gradient `(1 − β)·q·(log(q/m) − KL(Q ‖ M))/T`. At β = 0 it is `KL(P ‖ Q)`, at β = 1 `KL(Q ‖ P)`: not the limits
    /// of the formula, which are 0. So the loss jumps at both ends, and a β that comes near one fades out the loss.
    /// With `scale_by_t2` all is multiplied by T², as [`Distillation`] is; its `jensen_shannon` is β = ½ with that.
    /// Between the ends of β the loss is bounded, by `−β·ln β − (1 − β)·ln(1 − β)`, also where one side masks a class
    /// by a logit of −∞; at the ends it is +∞ where the side whose logarithm counts masks what the other has. Exact
    /// also where student and teacher nearly agree. Logarithms of a teacher's probabilities are logits of it too: P is
    /// what they say, at T = 1, and at another T what the teacher's logits would give. A teacher of whom the likeliest
    /// classes are known alone goes to [`JensenShannonTopK`].
    ///
    /// Inputs `logits` ∂ `[N, C, d…]`, `teacher_logits` `[N, C, d…]`, optional `target` `[N, d…]`, i32, checked to be
    /// `ignore_index` or from 0 to C − 1, for the rows that it leaves out and the count of right predictions alone,
    /// optional `weight` `[N, d…]`. Source: Agarwal et al. 2024, <https://arxiv.org/abs/2306.13649>; Lin 1991.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, JensenShannon, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let student = HostTensor::new(&[0.2_f32, 0.7, -1.0], [1, 3])?;
    /// let teacher = HostTensor::new(&[1.0_f32, 0.0, -0.5], [1, 3])?;
    /// let loss = JensenShannon { beta: 0.1, temperature: 2.0, ..JensenShannon::default() };
    /// let result = loss.eval(&gpu, &student, &teacher, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.005105, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct JensenShannon {
        /// β, the teacher's share of the mixture: from 0 to 1.
        pub beta: f32 = 0.5 => Rule::Unit;
        /// T, what both rows of logits are divided by: above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// Whether loss and gradient are multiplied by T².
        pub scale_by_t2: bool = false;
        /// Rows with this `target`, where that is given, are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static JENSEN_SHANNON: LossSpec = {
        name: "jensen_shannon",
        aliases: &["JSDLoss", "GeneralizedJSDLoss", "GKDLoss"],
        family: Family::Multiclass,
        formula: "β·KL(P ‖ M) + (1−β)·KL(Q ‖ M), P = softmax(teacher/T), Q = softmax(logits/T), M = β·P + (1−β)·Q",
        notes: "beta=0: KL(P ‖ Q); beta=1: KL(Q ‖ P), where the limits of the formula are 0; scale_by_t2: times T²",
        source: "Agarwal et al. 2024, arXiv 2306.13649",
        driver: Driver::Rows(Rows {
            softmax_of: &["logits", "teacher_logits"],
            hooks: &[RowHooks::Middle, RowHooks::Logits],
            ..Rows::SOFTMAX
        }),
        inputs: &[LOGITS, TEACHER, LEFT_OUT, WEIGHT],
        shader: shader_file!("losses/multiclass/jensen_shannon.wgsl").with(DIVERGENCES),
        reference: Reference::Rows(reference::jensen_shannon),
    };
}

loss! {
    /// Generalised Jensen–Shannon divergence of a student's tempered softmax from a teacher of whom K classes a row are
    /// given, as servers give the likeliest.
    ///
    /// `β·KL(P ‖ M) + (1 − β)·KL(Q ‖ M)` with M = β·P + (1 − β)·Q, as [`JensenShannon`] has it at each β, over the
    /// outcomes that `tail` leaves:
    ///
    /// - `renormalize`: the K classes. P is exp(`teacher_log_probs`) and Q softmax(logits/T), each divided by its sum
    ///   over the K classes. Other logits are not looked at, and their gradients are 0.
    /// - `bucket`: the K classes, and all others as one. P has for these what the K leave of 1, nothing where rounding
    ///   has brought the K above it, and Q the sum over softmax(logits/T), which is not formed by subtracting: it keeps
    ///   its digits, be it next to nothing. Where K is C there are no others.
    ///
    /// The gradient by a logit is that of its outcome, of which a class has the share that it has of the outcome's Q.
    /// `teacher_log_probs` are those at the temperature T already; the student's logits alone are divided by it. Of
    /// what the K classes leave of 1 a teacher in f16 or bf16 knows little. A class with the logarithm −∞ is one that
    /// the teacher never says.
    ///
    /// Inputs `logits` ∂ `[N, C]`, `teacher_indices` `[N, K]`, i32, checked to be from 0 to C − 1, none twice in a row,
    /// in any order, `teacher_log_probs` `[N, K]`, checked to be at most 0, 1 ≤ K ≤ C, optional `target` `[N]`, i32,
    /// checked to be `ignore_index` or from 0 to C − 1, for the rows that it leaves out alone, optional `weight` `[N]`.
    /// Source: Agarwal et al. 2024, <https://arxiv.org/abs/2306.13649>; Lin 1991.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, JensenShannonTopK, Loss, Named, Reduction, Tail};
    /// # let gpu = Gpu::new_blocking()?;
    /// let teacher = [0.5_f32.ln(), 0.25_f32.ln()];
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.2_f32, 0.7, -1.0, 0.1], [1, 4])?)
    ///     .with("teacher_indices", HostTensor::new(&[2_i32, 0], [1, 2])?)
    ///     .with("teacher_log_probs", HostTensor::new(&teacher, [1, 2])?);
    /// let loss = JensenShannonTopK { tail: Tail::Bucket, ..JensenShannonTopK::default() };
    /// let result = loss.eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.134263, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct JensenShannonTopK {
        /// β, the teacher's share of the mixture: from 0 to 1.
        pub beta: f32 = 0.5 => Rule::Unit;
        /// T, what the student's logits are divided by: above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// Whether loss and gradient are multiplied by T².
        pub scale_by_t2: bool = false;
        /// What becomes of the classes that are not given.
        pub tail: Tail = Tail::Renormalize;
        /// Rows with this `target`, where that is given, are left out.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static JENSEN_SHANNON_TOP_K: LossSpec = {
        name: "jensen_shannon_top_k",
        family: Family::Multiclass,
        formula: "jensen_shannon of K outcomes, P = exp(teacher_log_probs), Q = softmax(logits/T)",
        notes: "tail=renormalize: P and Q divided by their sums over the K classes; tail=bucket: all other classes are \
                one outcome more; teacher_log_probs are those at T",
        source: "Agarwal et al. 2024, arXiv 2306.13649",
        driver: Driver::TopK(TopK { loss: of_outcomes }),
        inputs: &[LOGITS, TEACHER_INDICES, TEACHER_LOG_PROBS, LEFT_OUT, WEIGHT],
        shader: shader_file!("losses/multiclass/jensen_shannon.wgsl").with(DIVERGENCES),
        reference: Reference::Rows(reference::jensen_shannon_top_k),
    };
}

/// The loss of the outcomes that a teacher's top k leaves.
fn of_outcomes(values: &Values) -> Box<dyn Loss> {
    Box::new(JensenShannon {
        beta: values.number("beta") as f32,
        temperature: values.number("temperature") as f32,
        scale_by_t2: values.flag("scale_by_t2"),
        ..JensenShannon::DEFAULT
    })
}

loss! {
    /// Total variation distance between a teacher's and a student's tempered softmax.
    ///
    /// `½·Σ_c |p_c − q_c|` with P = softmax(teacher/T), Q = softmax(logits/T), from 0 to 1; gradient
    /// `½·q·(s − Σ_c q_c·s_c)/T` with s the sign of q − p, 0 where they are equal. Exact also where student and teacher
    /// nearly agree. A logit of −∞ masks a class.
    ///
    /// Inputs `logits` ∂ `[N, C, d…]`, `teacher_logits` `[N, C, d…]`, optional `weight` `[N, d…]`. Source: Wen et al.
    /// 2023, <https://arxiv.org/abs/2307.15190>.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Reduction, TotalVariation};
    /// # let gpu = Gpu::new_blocking()?;
    /// let student = HostTensor::new(&[0.0_f32, 0.0], [1, 2])?;
    /// let teacher = HostTensor::new(&[2.0_f32, 0.0], [1, 2])?;
    /// // σ(2) − ½
    /// let result = TotalVariation::default().eval(&gpu, &student, &teacher, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.380797, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct TotalVariation {
        /// T, what both rows of logits are divided by: above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
    }

    pub static TOTAL_VARIATION: LossSpec = {
        name: "total_variation",
        aliases: &["TVDLoss", "TotalVariationDistance"],
        family: Family::Multiclass,
        formula: "½·Σ_c |p_c − q_c|, P = softmax(teacher/T), Q = softmax(logits/T)",
        notes: "of distributions, not of neighbouring pixels; gradient 0 where both agree",
        source: "Wen et al. 2023, arXiv 2307.15190",
        driver: Driver::Rows(Rows {
            softmax_of: &["logits", "teacher_logits"],
            hooks: &[RowHooks::Middle, RowHooks::Logits, RowHooks::Excess],
            ..Rows::SOFTMAX
        }),
        inputs: &[LOGITS, TEACHER, WEIGHT],
        shader: shader_file!("losses/multiclass/total_variation.wgsl").with(&[PAIRS]),
        reference: Reference::Rows(reference::total_variation),
    };
}
