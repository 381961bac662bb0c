//! Policies and preferences: elementwise, of log-probabilities of whole answers or of values, one for each pair or
//! example.

use crate::{
    loss, reference,
    spec::{Domain, Driver, Family, Input, Reference, Rule, Shape, WEIGHT, shader_file},
};

#[doc(inline)]
pub use crate::spec::PreferenceForm;

/// The log-probability that a policy gives an answer: the sum of its tokens', or where a loss says so their mean.
const fn log_prob(name: &'static str) -> Input {
    Input::differentiable(name, Shape::Items, Domain::Real)
}

/// The same of the reference, which is not trained.
const fn ref_log_prob(name: &'static str) -> Input {
    Input::constant(name, Shape::Items, Domain::Real)
}

/// The tokens of an answer; left out, 1.
const fn length(name: &'static str) -> Input {
    Input { domain: Domain::Count, ..Input::optional(name, Shape::Items) }
}

loss! {
    /// Value loss of PPO: what a critic's value may gain is clipped around what it was.
    ///
    /// `factor·max((v − R)², (v' − R)²)` with v' = v_old + clamp(v − v_old, −clip, clip). Where both are the same, each
    /// has half of the gradient, as in PyTorch.
    ///
    /// Inputs `value` v ∂ `[*]`, `old_value` v_old `[*]`, `returns` R `[*]`, optional `weight` `[*]`. Source: Schulman
    /// et al. 2017, arXiv 1707.06347, as in TRL.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PpoValue, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("value", &[1.0_f32, 1.0])
    ///     .with("old_value", &[0.5_f32, 0.5])
    ///     .with("returns", &[1.25_f32, 0.25]);
    /// let result = PpoValue::default().eval_with(&gpu, &inputs, Reduction::None)?;
    /// approx::assert_abs_diff_eq!(result.loss.to_f64()[..], [0.5 * 0.55 * 0.55, 0.5 * 0.75 * 0.75], epsilon = 1e-6);
    /// assert_eq!(result.gradients.get("value").unwrap().to_f64(), [0.0, 0.75]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PpoValue {
        /// How far a value may move; above 0.
        pub clip: f32 = 0.2 => Rule::Positive;
        /// What the square is multiplied with; above 0.
        pub factor: f32 = 0.5 => Rule::Positive;
    }

    pub static PPO_VALUE: LossSpec = {
        name: "ppo_value",
        family: Family::Preferences,
        formula: "factor·max((v − R)², (v_old + clamp(v − v_old, ±clip) − R)²)",
        notes: "equal squares share the gradient in halves",
        source: "Schulman et al. 2017, arXiv 1707.06347",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("value", Shape::Items, Domain::Real),
            Input::constant("old_value", Shape::Items, Domain::Real),
            Input::constant("returns", Shape::Items, Domain::Real),
            WEIGHT,
        ],
        shader: shader_file!("losses/preferences/ppo_value.wgsl"),
        reference: Reference::Elementwise(reference::ppo_value),
    };
}

loss! {
    /// Preference of a chosen to a rejected answer, measured against a reference: DPO and its relatives.
    ///
    /// With a = chosen − ref_chosen, c = rejected − ref_rejected, Δ = a − c, X = βΔ and ε the `label_smoothing`:
    ///
    /// | `form` | loss |
    /// |---|---|
    /// | `sigmoid` | `−(1−ε)·ln σ(X) − ε·ln σ(−X)` |
    /// | `hinge` | `max(0, 1 − X)` |
    /// | `ipo` | `(a/n_w − c/n_l − 1/(2β))²` with the lengths n |
    /// | `exo` | `σ(X)·(ln σ(X) − ln(1−ε)) + σ(−X)·(ln σ(−X) − ln ε)`; ε = 0 stands for 1e-3 |
    /// | `nca` | `−ln σ(βa) − ½·ln σ(−βa) − ½·ln σ(−βc)` |
    /// | `robust` | `[−(1−ε)·ln σ(X) + ε·ln σ(−X)]/(1 − 2ε)` |
    /// | `bco` | `−ln σ(βa) − ln σ(−βc)` |
    /// | `sppo` | `(a − 1/(2β))² + (c + 1/(2β))²` |
    /// | `apo_zero` | `1 − σ(βa) + σ(βc)` |
    /// | `apo_down` | `σ(βa) + 1 − σ(X)` |
    /// | `discopop` | `−ln σ(X)·(1 − m) + exp(−X)·m` with m = σ(X/τ) |
    /// | `sigmoid_norm` | `−ln σ(β·(a/n_w − c/n_l))` |
    ///
    /// Inputs `chosen` ∂, `rejected` ∂, `ref_chosen`, `ref_rejected` `[B]`, sums of the log-probabilities of an
    /// answer's tokens; optional `chosen_length` n_w and `rejected_length` n_l `[B]`, the tokens there are, an answer
    /// without any counting as 1, and left out 1; optional `weight` `[B]`. Source: Rafailov et al. 2023, arXiv
    /// 2305.18290, and what TRL's DPO trainer has beside it.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Preference, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("chosen", &[-10.0_f32])
    ///     .with("rejected", &[-12.0_f32])
    ///     .with("ref_chosen", &[-11.0_f32])
    ///     .with("ref_rejected", &[-11.5_f32]);
    /// let result = Preference::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.620957048, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Preference {
        /// Which loss of a and c it is.
        pub form: PreferenceForm = PreferenceForm::Sigmoid;
        /// How firmly the policy is held to the reference; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// The part ε of pairs that are expected to be labelled the wrong way round, of `sigmoid`, `exo` and `robust`;
        /// from 0 to below ½.
        pub label_smoothing: f32 = 0.0 => Rule::BelowHalf;
        /// How sharply `discopop` goes from one of its losses to the other; above 0, at most 1.
        pub tau: f32 = 0.05 => Rule::Part;
    }

    pub static PREFERENCE: LossSpec = {
        name: "preference",
        aliases: &["DPO", "DPOLoss", "LigerFusedLinearDPOLoss"],
        family: Family::Preferences,
        formula: "sigmoid: −(1−ε)·ln σ(X) − ε·ln σ(−X), X = beta·(a − c)",
        notes: "a, c: what chosen and rejected gain on the reference; eleven other forms",
        source: "Rafailov et al. 2023, arXiv 2305.18290; TRL",
        driver: Driver::Elementwise,
        inputs: &[
            log_prob("chosen"),
            log_prob("rejected"),
            ref_log_prob("ref_chosen"),
            ref_log_prob("ref_rejected"),
            length("chosen_length"),
            length("rejected_length"),
            WEIGHT,
        ],
        shader: shader_file!("losses/preferences/preference.wgsl"),
        reference: Reference::Elementwise(reference::preference),
    };
}

loss! {
    /// Contrastive preference optimisation: of a chosen to a rejected answer, without a reference.
    ///
    /// `−(1−ε)·ln σ(X) − ε·ln σ(−X)` with X = β·(chosen − rejected). The likelihood of the chosen answers is a term of
    /// its own.
    ///
    /// Inputs `chosen` ∂ and `rejected` ∂ `[B]`, sums of log-probabilities, optional `weight` `[B]`. Source: Xu et al.
    /// 2024, arXiv 2401.08417.
    ///
    /// ```
    /// # use wgloss::{Cpo, Gpu, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = Cpo::default().eval(&gpu, &[-10.0_f32], &[-10.0_f32], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 2.0_f64.ln(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Cpo {
        /// What the difference is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// The part ε of pairs that are expected to be labelled the wrong way round; from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
    }

    pub static CPO: LossSpec = {
        name: "cpo",
        aliases: &["LigerFusedLinearCPOLoss"],
        family: Family::Preferences,
        formula: "−(1−ε)·ln σ(X) − ε·ln σ(−X), X = beta·(chosen − rejected)",
        notes: "",
        source: "Xu et al. 2024, arXiv 2401.08417",
        driver: Driver::Elementwise,
        inputs: &[log_prob("chosen"), log_prob("rejected"), WEIGHT],
        shader: shader_file!("losses/preferences/cpo.wgsl"),
        reference: Reference::Elementwise(reference::cpo),
    };
}

loss! {
    /// Simple preference optimisation: of a chosen to a rejected answer by a margin, without a reference.
    ///
    /// `−(1−ε)·ln σ(X) − ε·ln σ(−X)` with X = β·(chosen − rejected) − γ.
    ///
    /// Inputs `chosen` ∂ and `rejected` ∂ `[B]`, means of the log-probabilities of an answer's tokens, optional
    /// `weight` `[B]`. Source: Meng et al. 2024, arXiv 2405.14734, whose β is 2 to 2.5.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Reduction, Simpo};
    /// # let gpu = Gpu::new_blocking()?;
    /// let loss = Simpo { beta: 2.0, ..Simpo::default() };
    /// let result = loss.eval(&gpu, &[-0.8_f32], &[-1.4_f32], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.403186049, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Simpo {
        /// What the difference is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// By how much the product is to be larger; a finite number.
        pub gamma: f32 = 0.5 => Rule::Finite;
        /// The part ε of pairs that are expected to be labelled the wrong way round; from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
    }

    pub static SIMPO: LossSpec = {
        name: "simpo",
        aliases: &["LigerFusedLinearSimPOLoss"],
        family: Family::Preferences,
        formula: "−(1−ε)·ln σ(X) − ε·ln σ(−X), X = beta·(chosen − rejected) − gamma",
        notes: "",
        source: "Meng et al. 2024, arXiv 2405.14734",
        driver: Driver::Elementwise,
        inputs: &[log_prob("chosen"), log_prob("rejected"), WEIGHT],
        shader: shader_file!("losses/preferences/simpo.wgsl"),
        reference: Reference::Elementwise(reference::simpo),
    };
}

loss! {
    /// Odds ratio of a chosen to a rejected answer.
    ///
    /// `−β·ln σ(ln(odds(chosen)/odds(rejected)))` with odds(x) = eˣ/(1 − eˣ). The likelihood of the chosen answers is a
    /// term of its own.
    ///
    /// Inputs `chosen` ∂ and `rejected` ∂ `[B]`, means of the log-probabilities of an answer's tokens, checked to be at
    /// most 0, optional `weight` `[B]`. Source: Hong, Lee and Thorne 2024, arXiv 2403.07691.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Orpo, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = Orpo::default().eval(&gpu, &[-0.8_f32], &[-1.4_f32], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.033728105, epsilon = 1e-7);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Orpo {
        /// What the term is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
    }

    pub static ORPO: LossSpec = {
        name: "orpo",
        aliases: &["LigerFusedLinearORPOLoss"],
        family: Family::Preferences,
        formula: "−beta·ln σ(chosen − rejected − ln(1 − e^chosen) + ln(1 − e^rejected))",
        notes: "the odds-ratio term",
        source: "Hong, Lee and Thorne 2024, arXiv 2403.07691",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("chosen", Shape::Items, Domain::LogProbability),
            Input::differentiable("rejected", Shape::Items, Domain::LogProbability),
            WEIGHT,
        ],
        shader: shader_file!("losses/preferences/orpo.wgsl"),
        reference: Reference::Elementwise(reference::orpo),
    };
}

loss! {
    /// Kahneman and Tversky's utility of answers that are desirable or not, without pairs.
    ///
    /// With r = log_prob − ref_log_prob and κ = max(0, kl): `desirable_weight·(1 − σ(β·(r − κ)))` of a desirable
    /// answer, `undesirable_weight·(1 − σ(β·(κ − r)))` of another. No gradient goes through `kl`.
    ///
    /// Inputs `log_prob` ∂, `ref_log_prob` `[B]`, sums of log-probabilities; `desirable` `[B]`, checked to be 0 or 1,
    /// floats or i32; `kl`, how far the policy is from the reference, `[1]` or `[B]`; optional `weight` `[B]`. Source:
    /// Ethayarajh et al. 2024, arXiv 2402.01306.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Kto, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("log_prob", &[-10.0_f32, -10.0])
    ///     .with("ref_log_prob", &[-11.0_f32, -11.0])
    ///     .with("desirable", &[1, 0])
    ///     .with("kl", &[0.3_f32]);
    /// let result = Kto::default().eval_with(&gpu, &inputs, Reduction::None)?;
    /// approx::assert_abs_diff_eq!(result.loss.to_f64()[..], [0.482507142, 0.517492858], epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Kto {
        /// How firmly the policy is held to the reference; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// What the loss of desirable answers is multiplied with; 0 or above.
        pub desirable_weight: f32 = 1.0 => Rule::NonNegative;
        /// What the loss of the others is multiplied with; 0 or above.
        pub undesirable_weight: f32 = 1.0 => Rule::NonNegative;
    }

    pub static KTO: LossSpec = {
        name: "kto",
        aliases: &["KTOLoss", "LigerFusedLinearKTOLoss"],
        family: Family::Preferences,
        formula: "λ·(1 − σ(±beta·(log_prob − ref_log_prob − max(0, kl))))",
        notes: "+ and λ = desirable_weight of desirable answers, − and λ = undesirable_weight of others",
        source: "Ethayarajh et al. 2024, arXiv 2402.01306",
        driver: Driver::Elementwise,
        inputs: &[
            log_prob("log_prob"),
            ref_log_prob("ref_log_prob"),
            Input::label("desirable", Domain::Similar),
            Input::constant("kl", Shape::Items, Domain::Real),
            WEIGHT,
        ],
        shader: shader_file!("losses/preferences/kto.wgsl"),
        reference: Reference::Elementwise(reference::kto),
    };
}

loss! {
    /// Bradley and Terry's loss of a reward model: a chosen answer is to be rewarded more than a rejected one.
    ///
    /// `−ln σ(chosen − rejected − margin) + center·(chosen + rejected)²`.
    ///
    /// Inputs `chosen` ∂ and `rejected` ∂ `[B]`, rewards; optional `margin` `[B]` or one for all, left out 0; optional
    /// `weight` `[B]`. Source: Bradley and Terry 1952; Ouyang et al. 2022, arXiv 2203.02155; TRL's RewardTrainer.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, Reduction, RewardPair};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = RewardPair::default().eval(&gpu, &[1.0_f32], &[1.0_f32], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 2.0_f64.ln(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct RewardPair {
        /// How firmly the sum of both rewards is held at 0; 0 or above.
        pub center: f32 = 0.0 => Rule::NonNegative;
    }

    pub static REWARD_PAIR: LossSpec = {
        name: "reward_pair",
        aliases: &["BradleyTerryLoss"],
        family: Family::Preferences,
        formula: "−ln σ(chosen − rejected − margin) + center·(chosen + rejected)²",
        notes: "",
        source: "Bradley and Terry 1952; Ouyang et al. 2022, arXiv 2203.02155",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("chosen", Shape::Items, Domain::Real),
            Input::differentiable("rejected", Shape::Items, Domain::Real),
            Input { absent: 0.0, domain: Domain::Real, ..Input::optional("margin", Shape::Items) },
            WEIGHT,
        ],
        shader: shader_file!("losses/preferences/reward_pair.wgsl"),
        reference: Reference::Elementwise(reference::reward_pair),
    };
}
