//! Losses of sequences of tokens: of what the log-probabilities of an answer's tokens have together.

use super::policies::{CLIP_BINDS, CLIPPED, RATIO};
use crate::{
    Loss, loss, reference,
    spec::{
        Domain, Driver, Family, Input, OFFSETS, OwnStatistic, Reference, Rule, Sequences, ShaderFile, Shape,
        TOKEN_MASK, Values, WEIGHT, shader_file,
    },
};

#[doc(inline)]
pub use crate::spec::SequenceRatio;

const OF_LOG_RATIO: ShaderFile =
    shader_file!("losses/policies/of_log_ratio.wgsl").with(&[RATIO, CLIPPED]).telling(&[CLIPPED_ANSWERS]);
const CLIPPED_ANSWERS: OwnStatistic =
    OwnStatistic::new("clipped", shader_file!("losses/policies/clipped_of_log_ratio.wgsl").with(&[CLIP_BINDS]));

loss! {
    /// The clipped loss of a policy by the logarithm of its ratio to the old one: what a sequence has.
    pub struct RatioTerm {
        /// How far below 1 the ratio may go.
        pub eps_low: f32 = 0.2 => Rule::NonNegative;
        /// How far above 1 the ratio may go.
        pub eps_high: f32 = 0.2 => Rule::NonNegative;
        /// What the ratio is at most; 0 for no bound.
        pub delta: f32 = 0.0 => Rule::NonNegative;
    }

    pub static RATIO_TERM: LossSpec = {
        name: "ratio_term",
        family: Family::Preferences,
        formula: "",
        notes: "",
        source: "",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("log_ratio", Shape::Items, Domain::Real),
            Input::constant("advantage", Shape::Items, Domain::Real),
            WEIGHT,
        ],
        shader: OF_LOG_RATIO,
        reference: Reference::Elementwise(reference::ratio_term),
    };
}

pub(super) fn ratio_term(values: &Values) -> Box<dyn Loss> {
    let [eps_low, eps_high, delta] = ["eps_low", "eps_high", "delta"].map(|name| number(values, name));
    Box::new(RatioTerm { eps_low, eps_high, delta })
}

pub(super) fn averages_ratios(values: &Values) -> bool {
    values.word_or("ratio", SequenceRatio::Mean) == SequenceRatio::Mean
}

/// The tokens of answers by their logits.
pub(super) const LOGITS: Input = Input::differentiable("logits", Shape::TokenRows, Domain::Real);
pub(super) const TARGET: Input = Input::classes("target", Shape::Tokens);
/// A value an answer, of the reference.
pub(super) const fn held(name: &'static str) -> Input {
    Input::constant(name, Shape::Items, Domain::Real)
}

pub(super) fn number(values: &Values, name: &str) -> f32 {
    values.number(name) as f32
}

loss! {
    /// Clipped policy loss of whole answers: GSPO, and RLOO's with sums.
    ///
    /// [`PolicyClip`](crate::PolicyClip) of the ratio ρ = exp(mean of log_prob − old_log_prob over the tokens of an
    /// answer), or of the exponential of their sum. Each token of an answer has the same part in it.
    ///
    /// Inputs `log_prob` ∂ `[T]`, the log-probabilities of the tokens of all answers, one answer behind the other, and
    /// `old_log_prob` `[T]`, both checked to be at most 0; optional `token_mask` `[T]`, 0 for tokens that do not count;
    /// `advantage` `[B]`; `offsets` `[B + 1]` i32, where each answer begins, and last T; optional `weight` `[B]`. An
    /// answer without tokens that count has the ratio 1. Of `PolicyClip`'s [`Statistics`](crate::Statistics) it has
    /// `clipped`, `[B]`. Source: Zheng et al. 2025, arXiv 2507.18071.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PolicySequence, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("log_prob", &[-1.0_f32, -0.5, -2.0])
    ///     .with("old_log_prob", &[-1.5_f32, -1.0, -2.0])
    ///     .with("advantage", &[-1.0_f32, 2.0])
    ///     .with("offsets", &[0, 2, 3]);
    /// let result = PolicySequence::default().eval_with(&gpu, &inputs, Reduction::None)?;
    /// approx::assert_abs_diff_eq!(result.loss.to_f64()[..], [0.5_f64.exp(), -2.0], epsilon = 1e-6);
    /// let slopes = result.gradients.get("log_prob").unwrap().to_f64();
    /// approx::assert_abs_diff_eq!(slopes[..], [0.5 * 0.5_f64.exp(), 0.5 * 0.5_f64.exp(), -2.0], epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PolicySequence {
        /// What an answer has of its tokens' log-ratios.
        pub ratio: SequenceRatio = SequenceRatio::Mean;
        /// How far below 1 the ratio may go; 0 or above.
        pub eps_low: f32 = 0.2 => Rule::NonNegative;
        /// How far above 1 the ratio may go; 0 or above.
        pub eps_high: f32 = 0.2 => Rule::NonNegative;
        /// What the ratio is at most where nothing else bounds it; 0 for no bound.
        pub delta: f32 = 0.0 => Rule::NonNegative;
    }

    pub static POLICY_SEQUENCE: LossSpec = {
        name: "policy_sequence",
        aliases: &["GSPO"],
        family: Family::Preferences,
        formula: "−min(min(ρ, delta)·A, clamp(ρ, 1 − eps_low, 1 + eps_high)·A)",
        notes: "ρ = exp(mean or sum of log_prob − old_log_prob over an answer's tokens)",
        source: "Zheng et al. 2025, arXiv 2507.18071",
        driver: Driver::Sequences(Sequences {
            head: ratio_term,
            made: &["log_ratio"],
            lengths: |_| &[],
            averages: averages_ratios,
            takes_logits: false,
            takes_hidden: false,
        }),
        inputs: &[
            Input::differentiable("log_prob", Shape::Tokens, Domain::LogProbability),
            Input::constant("old_log_prob", Shape::Tokens, Domain::LogProbability),
            TOKEN_MASK,
            Input::constant("advantage", Shape::Items, Domain::Real),
            OFFSETS,
            WEIGHT,
        ],
        shader: OF_LOG_RATIO,
        reference: Reference::Sequences,
    };
}

loss! {
    /// [`PolicySequence`] of tokens by their logits.
    ///
    /// Inputs `logits` ∂ `[T, V]` and `target` `[T]` i32 in place of `log_prob`. Tokens whose target is `ignore_index`
    /// do not count, as those that `token_mask` leaves out.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PolicySequenceOfLogits, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32; 4], [2, 2])?)
    ///     .with("target", &[0, 1])
    ///     .with("old_log_prob", &[-std::f32::consts::LN_2; 2])
    ///     .with("advantage", &[2.0_f32])
    ///     .with("offsets", &[0, 2]);
    /// let result = PolicySequenceOfLogits::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), -2.0, epsilon = 1e-6);
    /// let slopes = result.gradients.get("logits").unwrap().to_f64();
    /// approx::assert_abs_diff_eq!(slopes[..], [-0.5, 0.5, 0.5, -0.5], epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PolicySequenceOfLogits {
        /// What an answer has of its tokens' log-ratios.
        pub ratio: SequenceRatio = SequenceRatio::Mean;
        /// How far below 1 the ratio may go; 0 or above.
        pub eps_low: f32 = 0.2 => Rule::NonNegative;
        /// How far above 1 the ratio may go; 0 or above.
        pub eps_high: f32 = 0.2 => Rule::NonNegative;
        /// What the ratio is at most where nothing else bounds it; 0 for no bound.
        pub delta: f32 = 0.0 => Rule::NonNegative;
        /// What the logits are divided by; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static POLICY_SEQUENCE_OF_LOGITS: LossSpec = {
        name: "policy_sequence_of_logits",
        family: Family::Preferences,
        formula: "policy_sequence of log_prob = x_y/temperature − log Σ_c exp(x_c/temperature)",
        notes: "",
        source: "Zheng et al. 2025, arXiv 2507.18071",
        driver: Driver::Sequences(Sequences {
            head: ratio_term,
            made: &["log_ratio"],
            lengths: |_| &[],
            averages: averages_ratios,
            takes_logits: true,
            takes_hidden: false,
        }),
        inputs: &[
            LOGITS,
            TARGET,
            Input::constant("old_log_prob", Shape::Tokens, Domain::LogProbability),
            TOKEN_MASK,
            held("advantage"),
            OFFSETS,
            WEIGHT,
        ],
        shader: OF_LOG_RATIO,
        reference: Reference::Sequences,
    };
}
