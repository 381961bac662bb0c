//! Tokens and policies: the log-probabilities of a language model's tokens, and what a policy gains by them.

use crate::{
    loss, reference,
    spec::{
        Domain, Driver, Family, Input, OwnStatistic, Reference, RowHooks, Rows, Rule, ShaderFile, Shape, WEIGHT,
        shader_file,
    },
};

/// Logits of which the loss knows the target's log-probability alone.
const OF_LOG_PROB: Rows = Rows { hooks: &[RowHooks::Logits], ..Rows::SOFTMAX };
/// The same with values of each row besides.
const OF_TOKENS: Rows = Rows { hooks: &[RowHooks::Logits, RowHooks::OwnValues], ..Rows::SOFTMAX };

const LOGITS: Input = Input::differentiable("logits", Shape::Rows, Domain::Real);
const TARGET: Input = Input::classes("target", Shape::Items);
const LOG_PROB: Input = Input::differentiable("log_prob", Shape::Items, Domain::LogProbability);
pub(super) const ADVANTAGE: Input = Input::constant("advantage", Shape::Items, Domain::Real);
pub(super) const OLD: Input = held("old_log_prob");
pub(super) const REFERENCE: Input = held("ref_log_prob");
pub(super) const IMPORTANCE: Input = Input::optional("importance", Shape::Items);

/// The log-probability of another policy. What kernels have where it was left out is none: 1.
const fn held(name: &'static str) -> Input {
    Input { domain: Domain::LogProbability, ..Input::optional(name, Shape::Items) }
}

const LOG_PROBS: &[Input] = &[LOG_PROB, ADVANTAGE, OLD, REFERENCE, IMPORTANCE, WEIGHT];
const TOKENS: &[Input] = &[LOGITS, TARGET, ADVANTAGE, OLD, REFERENCE, IMPORTANCE, WEIGHT];

const LOG_PROB_OF_ROW: ShaderFile = shader_file!("losses/tokens/log_prob.wgsl");
pub(super) const RATIO: ShaderFile = shader_file!("losses/policies/ratio.wgsl");
const TOKEN: ShaderFile = shader_file!("losses/policies/token.wgsl");
pub(super) const CLIPPED: ShaderFile = shader_file!("losses/policies/clip.wgsl");
const CISPO: ShaderFile = shader_file!("losses/policies/cispo.wgsl");
const SAPO: ShaderFile = shader_file!("losses/policies/sapo.wgsl");
pub(super) const CLIP_BINDS: ShaderFile = shader_file!("losses/policies/clip_binds.wgsl");
const CISPO_BINDS: ShaderFile = shader_file!("losses/policies/cispo_binds.wgsl");
const CLIPPED_TOKENS: ShaderFile = shader_file!("losses/policies/clipped.wgsl");
const KL: OwnStatistic = OwnStatistic::new("kl", shader_file!("losses/policies/kl.wgsl"));
const OF_CLIP: &[OwnStatistic] = &[OwnStatistic::new("clipped", CLIPPED_TOKENS.with(&[CLIP_BINDS])), KL];
const OF_CISPO: &[OwnStatistic] = &[OwnStatistic::new("clipped", CLIPPED_TOKENS.with(&[CISPO_BINDS])), KL];
const OF_LOG_PROBS: ShaderFile = shader_file!("losses/policies/of_log_prob.wgsl");
const OF_LOGITS: ShaderFile = shader_file!("losses/policies/of_logits.wgsl");

loss! {
    /// The log-probability that a row of logits gives its target.
    ///
    /// `x_y/T − log Σ_c exp(x_c/T)`, at most 0, exact also where the target is nearly certain; gradient
    /// `([c = y] − p_c)/T` with p = softmax(x/T). It is no loss: it is what losses of answers are made of.
    ///
    /// Inputs `logits` x ∂ `[N, V, d…]`, `target` y `[N, d…]` i32, optional `weight` `[N, d…]`. The value is `[N, d…]`
    /// with [`Reduction::None`](crate::Reduction::None), and the gradient then its product with an `upstream` of that
    /// shape. A row whose target is `ignore_index` has the value 0 and no gradient. Source: TRL selective_log_softmax.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, TokenLogProb};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?)
    ///     .with("target", &[1]);
    /// let result = TokenLogProb::default().eval_with(&gpu, &inputs, Reduction::None)?;
    /// approx::assert_abs_diff_eq!(result.loss.to_f64()[0], -std::f64::consts::LN_2, epsilon = 1e-7);
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [-0.5, 0.5]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct TokenLogProb {
        /// What the logits are divided by; above 0.
        pub temperature: f32 = 1.0 => Rule::Positive;
        /// The target of rows that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static TOKEN_LOG_PROB: LossSpec = {
        name: "token_log_prob",
        aliases: &["selective_log_softmax"],
        family: Family::Preferences,
        formula: "x_y/temperature − log Σ_c exp(x_c/temperature)",
        notes: "the log-probability itself, not its negative",
        source: "TRL selective_log_softmax",
        driver: Driver::Rows(OF_LOG_PROB),
        inputs: &[LOGITS, TARGET, WEIGHT],
        shader: shader_file!("losses/tokens/token_log_prob.wgsl").with(&[LOG_PROB_OF_ROW]),
        reference: Reference::Rows(reference::token_log_prob),
    };
}

loss! {
    /// Clipped policy loss of tokens: PPO's, and that of GRPO and its relatives.
    ///
    /// `−w·min(min(ρ, delta)·A, clamp(ρ, 1 − eps_low, 1 + eps_high)·A) + kl·(eʳ − r − 1)` with the ratio
    /// ρ = exp(log_prob − old_log_prob) and r = ref_log_prob − log_prob. On a bound itself ρ is free. The
    /// log-probabilities of the old policy and of the reference have no gradient.
    ///
    /// Inputs `log_prob` ∂ `[*]`, the log-probabilities of tokens; `advantage` A; optional `old_log_prob`, without
    /// which ρ is 1 and has its gradient all the same; optional `ref_log_prob`, without which r is 0; optional
    /// `importance` w, what the sampler's own probabilities call for; optional `weight`; all `[*]`. Log-probabilities
    /// are checked to be at most 0. [`Statistics`](crate::Statistics) of each token are `clipped`, 1 where its gradient
    /// ends with the ratio, A > 0 and ρ > 1 + eps_high, or A < 0 and either ρ < 1 − eps_low or ρ > delta > 0; and `kl`,
    /// eʳ − r − 1. Source: Schulman et al. 2017, arXiv 1707.06347; Shao et al. 2024, arXiv 2402.03300; TRL, whose clip
    /// ratio leaves delta out.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Options, PolicyClip, Reduction, Statistics};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("log_prob", &[-1.0_f32, -1.0])
    ///     .with("advantage", &[1.0_f32, 1.0])
    ///     .with("old_log_prob", &[-1.1_f32, -1.5]);
    /// let statistics = Statistics { clipped: true, ..Statistics::default() };
    /// let options = Options { statistics, ..Options::new(Reduction::None) };
    /// let result = PolicyClip::default().eval_with(&gpu, &inputs, options)?;
    /// approx::assert_abs_diff_eq!(result.loss.to_f64()[..], [-1.1051709, -1.2], epsilon = 1e-6);
    /// let slopes = result.gradients.get("log_prob").unwrap().to_f64();
    /// approx::assert_abs_diff_eq!(slopes[..], [-1.1051709, 0.0], epsilon = 1e-6);
    /// assert_eq!(result.clip_fraction(), Some(0.5));
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PolicyClip {
        /// How far below 1 the ratio may go; 0 or above.
        pub eps_low: f32 = 0.2 => Rule::NonNegative;
        /// How far above 1 the ratio may go; 0 or above.
        pub eps_high: f32 = 0.2 => Rule::NonNegative;
        /// What the ratio is at most where nothing else bounds it, with an advantage below 0: 1 + `eps_high` or above;
        /// 0 for no bound.
        pub delta: f32 = 0.0 => Rule::NonNegative;
        /// What the divergence from the reference is multiplied with; 0 or above.
        pub kl: f32 = 0.0 => Rule::NonNegative, compiled;
        /// Whether the divergence is multiplied with the ratio besides, which makes its mean that of the policy.
        pub kl_correction: bool = false;
    }

    pub static POLICY_CLIP: LossSpec = {
        name: "policy_clip",
        aliases: &["GRPO", "LigerFusedLinearGRPOLoss"],
        family: Family::Preferences,
        formula: "−w·min(min(ρ, delta)·A, clamp(ρ, 1 − eps_low, 1 + eps_high)·A) + kl·(eʳ − r − 1)",
        notes: "ρ = exp(log_prob − old_log_prob), r = ref_log_prob − log_prob",
        source: "Schulman et al. 2017, arXiv 1707.06347; Shao et al. 2024, arXiv 2402.03300",
        driver: Driver::Elementwise,
        inputs: LOG_PROBS,
        shader: OF_LOG_PROBS.with(&[RATIO, CLIPPED, TOKEN]).telling(OF_CLIP),
        reference: Reference::Elementwise(reference::policy_clip),
    };
}

loss! {
    /// [`PolicyClip`] of tokens by their logits.
    ///
    /// Inputs `logits` ∂ `[N, V, d…]` and `target` `[N, d…]` i32 in place of `log_prob`, the others and the
    /// statistics `[N, d…]`.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PolicyClipOfLogits, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?)
    ///     .with("target", &[0])
    ///     .with("advantage", &[2.0_f32]);
    /// let result = PolicyClipOfLogits::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), -2.0);
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [-1.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PolicyClipOfLogits {
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
    }

    pub static POLICY_CLIP_OF_LOGITS: LossSpec = {
        name: "policy_clip_of_logits",
        family: Family::Preferences,
        formula: "policy_clip of log_prob = x_y/temperature − log Σ_c exp(x_c/temperature)",
        notes: "",
        source: "Schulman et al. 2017, arXiv 1707.06347; Shao et al. 2024, arXiv 2402.03300",
        driver: Driver::Rows(OF_TOKENS),
        inputs: TOKENS,
        shader: OF_LOGITS.with(&[LOG_PROB_OF_ROW, RATIO, CLIPPED, TOKEN]).telling(OF_CLIP),
        reference: Reference::Rows(reference::policy_clip_of_logits),
    };
}

loss! {
    /// Policy loss of tokens whose weight alone is clipped: CISPO.
    ///
    /// `−w·min(ρ, eps_high)·A·log_prob + kl·(eʳ − r − 1)`, in which ρ has no gradient: no token loses its own.
    ///
    /// Inputs and statistics as [`PolicyClip`], but `clipped` is 1 where A > 0 and ρ > eps_high: as TRL counts it, of
    /// tokens that are to be likelier alone, though the weight of all has the bound. Source: MiniMax 2025, arXiv
    /// 2506.13585.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PolicyCispo, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new().with("log_prob", &[-0.5_f32]).with("advantage", &[2.0_f32]);
    /// let result = PolicyCispo::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 1.0);
    /// assert_eq!(result.gradients.get("log_prob").unwrap().to_f64(), [-2.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PolicyCispo {
        /// What the ratio is at most: the bound itself, not what it is above 1; 0 or above.
        pub eps_high: f32 = 5.0 => Rule::NonNegative;
        /// What the divergence from the reference is multiplied with; 0 or above.
        pub kl: f32 = 0.0 => Rule::NonNegative, compiled;
        /// Whether the divergence is multiplied with the ratio besides.
        pub kl_correction: bool = false;
    }

    pub static POLICY_CISPO: LossSpec = {
        name: "policy_cispo",
        aliases: &["CISPO"],
        family: Family::Preferences,
        formula: "−w·min(ρ, eps_high)·A·log_prob + kl·(eʳ − r − 1)",
        notes: "ρ has no gradient in the first term",
        source: "MiniMax 2025, arXiv 2506.13585",
        driver: Driver::Elementwise,
        inputs: LOG_PROBS,
        shader: OF_LOG_PROBS.with(&[RATIO, CISPO, TOKEN]).telling(OF_CISPO),
        reference: Reference::Elementwise(reference::policy_cispo),
    };
}

loss! {
    /// [`PolicyCispo`] of tokens by their logits.
    ///
    /// Inputs as [`PolicyClipOfLogits`].
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PolicyCispoOfLogits, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?)
    ///     .with("target", &[0])
    ///     .with("advantage", &[2.0_f32]);
    /// let result = PolicyCispoOfLogits::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [-1.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PolicyCispoOfLogits {
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
    }

    pub static POLICY_CISPO_OF_LOGITS: LossSpec = {
        name: "policy_cispo_of_logits",
        family: Family::Preferences,
        formula: "policy_cispo of log_prob = x_y/temperature − log Σ_c exp(x_c/temperature)",
        notes: "",
        source: "MiniMax 2025, arXiv 2506.13585",
        driver: Driver::Rows(OF_TOKENS),
        inputs: TOKENS,
        shader: OF_LOGITS.with(&[LOG_PROB_OF_ROW, RATIO, CISPO, TOKEN]).telling(OF_CISPO),
        reference: Reference::Rows(reference::policy_cispo_of_logits),
    };
}

loss! {
    /// Policy loss of tokens with a soft gate in place of a clip: SAPO.
    ///
    /// `−w·(4/τ)·σ(τ·(ρ − 1))·A + kl·(eʳ − r − 1)` with τ `tau_positive` where A is above 0, else `tau_negative`.
    ///
    /// Inputs as [`PolicyClip`], of whose statistics it has `kl`: nothing is clipped. Source: Gao et al. 2025, arXiv
    /// 2511.20347.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PolicySapo, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new().with("log_prob", &[-0.5_f32]).with("advantage", &[2.0_f32]);
    /// let result = PolicySapo::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), -4.0);
    /// assert_eq!(result.gradients.get("log_prob").unwrap().to_f64(), [-2.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PolicySapo {
        /// How fast the gate closes on tokens of an advantage above 0; above 0.
        pub tau_positive: f32 = 1.0 => Rule::Positive;
        /// The same of the other tokens; above 0.
        pub tau_negative: f32 = 1.05 => Rule::Positive;
        /// What the divergence from the reference is multiplied with; 0 or above.
        pub kl: f32 = 0.0 => Rule::NonNegative, compiled;
        /// Whether the divergence is multiplied with the ratio besides.
        pub kl_correction: bool = false;
    }

    pub static POLICY_SAPO: LossSpec = {
        name: "policy_sapo",
        aliases: &["SAPO"],
        family: Family::Preferences,
        formula: "−w·(4/τ)·σ(τ·(ρ − 1))·A + kl·(eʳ − r − 1)",
        notes: "τ = tau_positive where A > 0, else tau_negative",
        source: "Gao et al. 2025, arXiv 2511.20347",
        driver: Driver::Elementwise,
        inputs: LOG_PROBS,
        shader: OF_LOG_PROBS.with(&[RATIO, SAPO, TOKEN]).telling(&[KL]),
        reference: Reference::Elementwise(reference::policy_sapo),
    };
}

loss! {
    /// [`PolicySapo`] of tokens by their logits.
    ///
    /// Inputs as [`PolicyClipOfLogits`].
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PolicySapoOfLogits, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?)
    ///     .with("target", &[0])
    ///     .with("advantage", &[2.0_f32]);
    /// let result = PolicySapoOfLogits::default().eval_with(&gpu, &inputs, Reduction::Sum)?;
    /// assert_eq!(result.gradients.get("logits").unwrap().to_f64(), [-1.0, 1.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PolicySapoOfLogits {
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
    }

    pub static POLICY_SAPO_OF_LOGITS: LossSpec = {
        name: "policy_sapo_of_logits",
        family: Family::Preferences,
        formula: "policy_sapo of log_prob = x_y/temperature − log Σ_c exp(x_c/temperature)",
        notes: "",
        source: "Gao et al. 2025, arXiv 2511.20347",
        driver: Driver::Rows(OF_TOKENS),
        inputs: TOKENS,
        shader: OF_LOGITS.with(&[LOG_PROB_OF_ROW, RATIO, SAPO, TOKEN]).telling(&[KL]),
        reference: Reference::Rows(reference::policy_sapo_of_logits),
    };
}
