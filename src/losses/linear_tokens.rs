//! Losses of tokens and of whole answers together with the head before them, whose logits are never stored whole.

use super::{
    answers::{cpo, kto, orpo, preference, preference_lengths, simpo},
    linear::{BIAS, HEAD, HIDDEN},
    policies::{ADVANTAGE, IMPORTANCE, OLD, REFERENCE},
    sequences::{averages_ratios, held, ratio_term},
};
use crate::{
    Loss, loss,
    losses::{
        CPO, KTO, ORPO, POLICY_CISPO_OF_LOGITS, POLICY_CLIP_OF_LOGITS, POLICY_SAPO_OF_LOGITS, POLICY_SEQUENCE,
        PREFERENCE, SIMPO, TOKEN_LOG_PROB,
    },
    spec::{
        Domain, Driver, Family, ITEM_WEIGHT, Input, Linear, OFFSETS, PreferenceForm, Reference, Rule, SequenceRatio,
        Sequences, Shape, TOKEN_MASK, Values,
    },
};

const TARGET: Input = Input::classes("target", Shape::Items);
const TOKENS: &[Input] = &[HIDDEN, HEAD, BIAS, TARGET, ADVANTAGE, OLD, REFERENCE, IMPORTANCE, ITEM_WEIGHT];

/// The hidden states of the tokens of all answers.
const HIDDEN_OF_TOKENS: Input = Input::differentiable("hidden", Shape::TokenRows, Domain::Real);
const TARGET_OF_TOKENS: Input = Input::classes("target", Shape::Tokens);
/// Of pairs: the chosen answers, then the rejected ones.
const OFFSETS_OF_PAIRS: Input = Input { shape: Shape::Offsets(2), ..OFFSETS };
const PAIRS: &[Input] = &[HIDDEN_OF_TOKENS, HEAD, BIAS, TARGET_OF_TOKENS, OFFSETS_OF_PAIRS, ITEM_WEIGHT];

/// A loss of answers by the hidden states of their tokens.
const fn of_answers(
    head: fn(&Values) -> Box<dyn Loss>,
    made: &'static [&'static str],
    lengths: fn(&Values) -> &'static [&'static str],
    averages: fn(&Values) -> bool,
) -> Driver {
    Driver::Sequences(Sequences { head, made, lengths, averages, takes_logits: true, takes_hidden: true })
}

const BOTH: &[&str] = &["chosen", "rejected"];

loss! {
    /// [`TokenLogProb`](crate::TokenLogProb) of the logits that a head makes of hidden states, which are never stored
    /// whole.
    ///
    /// As [`LinearCrossEntropy`](crate::LinearCrossEntropy), with the parameters of the row loss.
    ///
    /// Inputs `hidden` ∂ `[N, d…, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` `[N, d…]` in place of `weight`, the others `[N, d…]` as there. Source: TRL selective_log_softmax;
    /// Liger Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, LinearTokenLogProb};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32], [1, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[1]);
    /// let result = LinearTokenLogProb::default().eval_with(&gpu, &inputs, Reduction::None)?;
    /// approx::assert_abs_diff_eq!(result.loss.to_f64()[0], -std::f64::consts::LN_2, epsilon = 1e-7);
    /// assert_eq!(result.gradients.get("weight").unwrap().to_f64(), [-0.5, 0.5]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearTokenLogProb {
        /// What the logits are divided by; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// The target of rows that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
        /// By how many places the target of a row lies behind it in its sequence.
        pub shift: i32 = 0 => Rule::Natural;
    }

    pub static LINEAR_TOKEN_LOG_PROB: LossSpec = {
        name: "linear_token_log_prob",
        family: Family::Linear,
        formula: "token_log_prob of x = logit_scale·(W·h + b)",
        notes: "the log-probability itself, not its negative",
        source: "TRL selective_log_softmax",
        driver: Driver::Linear(Linear::of(&TOKEN_LOG_PROB)),
        inputs: &[HIDDEN, HEAD, BIAS, TARGET, ITEM_WEIGHT],
        shader: TOKEN_LOG_PROB.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// [`PolicyClipOfLogits`](crate::PolicyClipOfLogits) of the logits that a head makes of hidden states, which are
    /// never stored whole.
    ///
    /// As [`LinearCrossEntropy`](crate::LinearCrossEntropy), with the parameters of the row loss.
    ///
    /// Inputs `hidden` ∂ `[N, d…, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` `[N, d…]` in place of `weight`, the others `[N, d…]` as there. Source: Schulman et al. 2017, arXiv
    /// 1707.06347; Shao et al. 2024, arXiv 2402.03300; Liger Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, LinearPolicyClip, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32], [1, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0])
    ///     .with("advantage", &[2.0_f32]);
    /// let result = LinearPolicyClip::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), -2.0);
    /// assert_eq!(result.gradients.get("weight").unwrap().to_f64(), [-1.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearPolicyClip {
        /// How far below 1 the ratio may go; 0 or above.
        pub eps_low: f32 = 0.2 => Rule::NonNegative;
        /// How far above 1 the ratio may go; 0 or above.
        pub eps_high: f32 = 0.2 => Rule::NonNegative;
        /// What the ratio is at most where nothing else bounds it; 0 for no bound.
        pub delta: f32 = 0.0 => Rule::NonNegative;
        /// What the divergence from the reference is multiplied with; 0 or above.
        pub kl: f32 = 0.0 => Rule::NonNegative, compiled;
        /// Whether the divergence is multiplied with the ratio besides.
        pub kl_correction: bool = false;
        /// What the logits are divided by; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// The target of rows that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
        /// By how many places the target of a row lies behind it in its sequence.
        pub shift: i32 = 0 => Rule::Natural;
    }

    pub static LINEAR_POLICY_CLIP: LossSpec = {
        name: "linear_policy_clip",
        family: Family::Linear,
        formula: "policy_clip of x = logit_scale·(W·h + b)",
        notes: "",
        source: "Schulman et al. 2017, arXiv 1707.06347; Shao et al. 2024, arXiv 2402.03300",
        driver: Driver::Linear(Linear::of(&POLICY_CLIP_OF_LOGITS)),
        inputs: TOKENS,
        shader: POLICY_CLIP_OF_LOGITS.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// [`PolicyCispoOfLogits`](crate::PolicyCispoOfLogits) of the logits that a head makes of hidden states, which are
    /// never stored whole.
    ///
    /// As [`LinearCrossEntropy`](crate::LinearCrossEntropy), with the parameters of the row loss.
    ///
    /// Inputs `hidden` ∂ `[N, d…, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` `[N, d…]` in place of `weight`, the others `[N, d…]` as there. Source: MiniMax 2025, arXiv
    /// 2506.13585; Liger Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, LinearPolicyCispo, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32], [1, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0])
    ///     .with("advantage", &[2.0_f32]);
    /// let result = LinearPolicyCispo::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// assert_eq!(result.gradients.get("weight").unwrap().to_f64(), [-1.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearPolicyCispo {
        /// What the ratio is at most: the bound itself, not what it is above 1; 0 or above.
        pub eps_high: f32 = 5.0 => Rule::NonNegative;
        /// What the divergence from the reference is multiplied with; 0 or above.
        pub kl: f32 = 0.0 => Rule::NonNegative, compiled;
        /// Whether the divergence is multiplied with the ratio besides.
        pub kl_correction: bool = false;
        /// What the logits are divided by; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// The target of rows that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
        /// By how many places the target of a row lies behind it in its sequence.
        pub shift: i32 = 0 => Rule::Natural;
    }

    pub static LINEAR_POLICY_CISPO: LossSpec = {
        name: "linear_policy_cispo",
        family: Family::Linear,
        formula: "policy_cispo of x = logit_scale·(W·h + b)",
        notes: "",
        source: "MiniMax 2025, arXiv 2506.13585",
        driver: Driver::Linear(Linear::of(&POLICY_CISPO_OF_LOGITS)),
        inputs: TOKENS,
        shader: POLICY_CISPO_OF_LOGITS.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// [`PolicySapoOfLogits`](crate::PolicySapoOfLogits) of the logits that a head makes of hidden states, which are
    /// never stored whole.
    ///
    /// As [`LinearCrossEntropy`](crate::LinearCrossEntropy), with the parameters of the row loss.
    ///
    /// Inputs `hidden` ∂ `[N, d…, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` `[N, d…]` in place of `weight`, the others `[N, d…]` as there. Source: Gao et al. 2025, arXiv
    /// 2511.20347; Liger Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, LinearPolicySapo, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32], [1, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0])
    ///     .with("advantage", &[2.0_f32]);
    /// let result = LinearPolicySapo::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// assert_eq!(result.gradients.get("weight").unwrap().to_f64(), [-1.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearPolicySapo {
        /// How fast the gate closes on tokens of an advantage above 0; above 0.
        pub tau_positive: f32 = 1.0 => Rule::Positive;
        /// The same of the other tokens; above 0.
        pub tau_negative: f32 = 1.05 => Rule::Positive;
        /// What the divergence from the reference is multiplied with; 0 or above.
        pub kl: f32 = 0.0 => Rule::NonNegative, compiled;
        /// Whether the divergence is multiplied with the ratio besides.
        pub kl_correction: bool = false;
        /// What the logits are divided by; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// The target of rows that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
        /// By how many places the target of a row lies behind it in its sequence.
        pub shift: i32 = 0 => Rule::Natural;
    }

    pub static LINEAR_POLICY_SAPO: LossSpec = {
        name: "linear_policy_sapo",
        family: Family::Linear,
        formula: "policy_sapo of x = logit_scale·(W·h + b)",
        notes: "",
        source: "Gao et al. 2025, arXiv 2511.20347",
        driver: Driver::Linear(Linear::of(&POLICY_SAPO_OF_LOGITS)),
        inputs: TOKENS,
        shader: POLICY_SAPO_OF_LOGITS.shader,
        reference: Reference::Linear,
    };
}

loss! {
    /// [`PolicySequenceOfLogits`](crate::PolicySequenceOfLogits) with the hidden states of tokens before a head in
    /// place of their logits, which are never stored whole.
    ///
    /// The log-probabilities of all tokens are made first, panel by panel of logits; once the loss of the answers is
    /// known, the logits are made again, for the gradients. See [`LinearCrossEntropy`](crate::LinearCrossEntropy) for
    /// panels, sums and what may be frozen.
    ///
    /// Inputs `hidden` ∂ `[T, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` in place of `weight`, the others as there. Source: Zheng et al. 2025, arXiv 2507.18071; Liger
    /// Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, LinearPolicySequence, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32; 2], [2, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0, 0])
    ///     .with("old_log_prob", &[-std::f32::consts::LN_2; 2])
    ///     .with("advantage", &[2.0_f32])
    ///     .with("offsets", &[0, 2]);
    /// let result = LinearPolicySequence::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), -2.0, epsilon = 1e-6);
    /// let slopes = result.gradients.get("weight").unwrap().to_f64();
    /// approx::assert_abs_diff_eq!(slopes[..], [-1.0, 1.0], epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearPolicySequence {
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
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_POLICY_SEQUENCE: LossSpec = {
        name: "linear_policy_sequence",
        family: Family::Linear,
        formula: "policy_sequence of x = logit_scale·(W·h + b)",
        notes: "",
        source: "Zheng et al. 2025, arXiv 2507.18071",
        driver: of_answers(ratio_term, &["log_ratio"], |_| &[], averages_ratios),
        inputs: &[
            HIDDEN_OF_TOKENS,
            HEAD,
            BIAS,
            TARGET_OF_TOKENS,
            Input::constant("old_log_prob", Shape::Tokens, Domain::LogProbability),
            TOKEN_MASK,
            held("advantage"),
            OFFSETS,
            ITEM_WEIGHT,
        ],
        shader: POLICY_SEQUENCE.shader,
        reference: Reference::Sequences,
    };
}

loss! {
    /// [`PreferenceOfLogits`](crate::PreferenceOfLogits) with the hidden states of tokens before a head in place of
    /// their logits, which are never stored whole.
    ///
    /// The log-probabilities of all tokens are made first, panel by panel of logits; once the loss of the answers is
    /// known, the logits are made again, for the gradients. See [`LinearCrossEntropy`](crate::LinearCrossEntropy) for
    /// panels, sums and what may be frozen.
    ///
    /// Inputs `hidden` ∂ `[T, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` in place of `weight`, the others as there. Source: Rafailov et al. 2023, arXiv 2305.18290; TRL;
    /// Liger Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, LinearPreference, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// // An answer of two tokens, and one of one, as likely as the reference has them.
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32; 3], [3, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0, 1, 1])
    ///     .with("ref_chosen", &[2.0 * -std::f32::consts::LN_2])
    ///     .with("ref_rejected", &[-std::f32::consts::LN_2])
    ///     .with("offsets", &[0, 2, 3]);
    /// let result = LinearPreference::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearPreference {
        /// Which loss of a pair it is.
        pub form: PreferenceForm = PreferenceForm::Sigmoid;
        /// How firmly the policy is held to the reference; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// The part of pairs that are expected to be labelled the wrong way round; from 0 to below ½.
        pub label_smoothing: f32 = 0.0 => Rule::BelowHalf;
        /// How sharply `discopop` goes from one of its losses to the other; above 0, at most 1.
        pub tau: f32 = 0.05 => Rule::Part;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_PREFERENCE: LossSpec = {
        name: "linear_preference",
        family: Family::Linear,
        formula: "preference of x = logit_scale·(W·h + b)",
        notes: "Σ_t over the tokens of an answer",
        source: "Rafailov et al. 2023, arXiv 2305.18290; TRL",
        driver: of_answers(preference, BOTH, preference_lengths, |_| false),
        inputs: &[
            HIDDEN_OF_TOKENS,
            HEAD,
            BIAS,
            TARGET_OF_TOKENS,
            held("ref_chosen"),
            held("ref_rejected"),
            OFFSETS_OF_PAIRS,
            ITEM_WEIGHT,
        ],
        shader: PREFERENCE.shader,
        reference: Reference::Sequences,
    };
}

loss! {
    /// [`CpoOfLogits`](crate::CpoOfLogits) with the hidden states of tokens before a head in place of their logits,
    /// which are never stored whole.
    ///
    /// The log-probabilities of all tokens are made first, panel by panel of logits; once the loss of the answers is
    /// known, the logits are made again, for the gradients. See [`LinearCrossEntropy`](crate::LinearCrossEntropy) for
    /// panels, sums and what may be frozen.
    ///
    /// Inputs `hidden` ∂ `[T, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` in place of `weight`, the others as there. Source: Xu et al. 2024, arXiv 2401.08417; Liger Kernel.
    ///
    /// ```
    /// # use wgloss::{LinearCpo, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32; 2], [2, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0, 1])
    ///     .with("offsets", &[0, 1, 2]);
    /// let result = LinearCpo::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearCpo {
        /// What the difference is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// The part of pairs that are expected to be labelled the wrong way round; from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_CPO: LossSpec = {
        name: "linear_cpo",
        family: Family::Linear,
        formula: "cpo of x = logit_scale·(W·h + b)",
        notes: "Σ_t over the tokens of an answer",
        source: "Xu et al. 2024, arXiv 2401.08417",
        driver: of_answers(cpo, BOTH, |_| &[], |_| false),
        inputs: PAIRS,
        shader: CPO.shader,
        reference: Reference::Sequences,
    };
}

loss! {
    /// [`SimpoOfLogits`](crate::SimpoOfLogits) with the hidden states of tokens before a head in place of their logits,
    /// which are never stored whole.
    ///
    /// The log-probabilities of all tokens are made first, panel by panel of logits; once the loss of the answers is
    /// known, the logits are made again, for the gradients. See [`LinearCrossEntropy`](crate::LinearCrossEntropy) for
    /// panels, sums and what may be frozen.
    ///
    /// Inputs `hidden` ∂ `[T, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` in place of `weight`, the others as there. Source: Meng et al. 2024, arXiv 2405.14734; Liger
    /// Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, LinearSimpo};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32; 3], [3, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0, 1, 1])
    ///     .with("offsets", &[0, 2, 3]);
    /// let loss = LinearSimpo { gamma: 0.0, ..LinearSimpo::default() };
    /// let result = loss.eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearSimpo {
        /// What the difference is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// By how much the product is to be larger; a finite number.
        pub gamma: f32 = 0.5 => Rule::Finite;
        /// The part of pairs that are expected to be labelled the wrong way round; from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_SIMPO: LossSpec = {
        name: "linear_simpo",
        family: Family::Linear,
        formula: "simpo of x = logit_scale·(W·h + b)",
        notes: "mean_t over the tokens of an answer",
        source: "Meng et al. 2024, arXiv 2405.14734",
        driver: of_answers(simpo, BOTH, |_| &[], |_| true),
        inputs: PAIRS,
        shader: SIMPO.shader,
        reference: Reference::Sequences,
    };
}

loss! {
    /// [`OrpoOfLogits`](crate::OrpoOfLogits) with the hidden states of tokens before a head in place of their logits,
    /// which are never stored whole.
    ///
    /// The log-probabilities of all tokens are made first, panel by panel of logits; once the loss of the answers is
    /// known, the logits are made again, for the gradients. See [`LinearCrossEntropy`](crate::LinearCrossEntropy) for
    /// panels, sums and what may be frozen.
    ///
    /// Inputs `hidden` ∂ `[T, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` in place of `weight`, the others as there. Source: Hong, Lee and Thorne 2024, arXiv 2403.07691;
    /// Liger Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, LinearOrpo, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32; 2], [2, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0, 1])
    ///     .with("offsets", &[0, 1, 2]);
    /// let result = LinearOrpo::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.1 * std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearOrpo {
        /// What the term is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_ORPO: LossSpec = {
        name: "linear_orpo",
        family: Family::Linear,
        formula: "orpo of x = logit_scale·(W·h + b)",
        notes: "mean_t over the tokens of an answer",
        source: "Hong, Lee and Thorne 2024, arXiv 2403.07691",
        driver: of_answers(orpo, BOTH, |_| &[], |_| true),
        inputs: PAIRS,
        shader: ORPO.shader,
        reference: Reference::Sequences,
    };
}

loss! {
    /// [`KtoOfLogits`](crate::KtoOfLogits) with the hidden states of tokens before a head in place of their logits,
    /// which are never stored whole.
    ///
    /// The log-probabilities of all tokens are made first, panel by panel of logits; once the loss of the answers is
    /// known, the logits are made again, for the gradients. See [`LinearCrossEntropy`](crate::LinearCrossEntropy) for
    /// panels, sums and what may be frozen.
    ///
    /// Inputs `hidden` ∂ `[T, H]`, `weight` ∂ `[V, H]` and optional `bias` ∂ `[V]` in place of `logits`, optional
    /// `item_weight` in place of `weight`, the others as there. Source: Ethayarajh et al. 2024, arXiv 2402.01306; Liger
    /// Kernel.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, LinearKto, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("hidden", HostTensor::new(&[1.0_f32; 2], [2, 1])?)
    ///     .with("weight", HostTensor::new(&[0.0_f32; 2], [2, 1])?)
    ///     .with("target", &[0, 1])
    ///     .with("ref_log_prob", &[-std::f32::consts::LN_2; 2])
    ///     .with("desirable", &[1, 0])
    ///     .with("kl", &[0.0_f32])
    ///     .with("offsets", &[0, 1, 2]);
    /// let result = LinearKto::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.5, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LinearKto {
        /// How firmly the policy is held to the reference; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// What the loss of desirable answers is multiplied with; 0 or above.
        pub desirable_weight: f32 = 1.0 => Rule::NonNegative;
        /// What the loss of the others is multiplied with; 0 or above.
        pub undesirable_weight: f32 = 1.0 => Rule::NonNegative;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
        /// What the logits are multiplied with; above 0.
        pub logit_scale: f32 = 1.0 => Rule::Positive;
    }

    pub static LINEAR_KTO: LossSpec = {
        name: "linear_kto",
        family: Family::Linear,
        formula: "kto of x = logit_scale·(W·h + b)",
        notes: "Σ_t over the tokens of an answer",
        source: "Ethayarajh et al. 2024, arXiv 2402.01306",
        driver: of_answers(kto, &["log_prob"], |_| &[], |_| false),
        inputs: &[
            HIDDEN_OF_TOKENS,
            HEAD,
            BIAS,
            TARGET_OF_TOKENS,
            held("ref_log_prob"),
            Input::label("desirable", Domain::Similar),
            Input::constant("kl", Shape::Scalar, Domain::Real),
            OFFSETS,
            ITEM_WEIGHT,
        ],
        shader: KTO.shader,
        reference: Reference::Sequences,
    };
}
