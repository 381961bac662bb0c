//! Preferences between answers and of answers, by the logits of their tokens.

use super::{
    preferences::{CPO, Cpo, KTO, Kto, ORPO, Orpo, PREFERENCE, Preference, SIMPO, Simpo},
    sequences::{LOGITS, TARGET, held, number},
};
use crate::{
    Loss, loss,
    spec::{Domain, Driver, Family, Input, OFFSETS, PreferenceForm, Reference, Rule, Sequences, Shape, Values, WEIGHT},
};

/// Of pairs: the chosen answers, then the rejected ones.
const OFFSETS_OF_PAIRS: Input = Input { shape: Shape::Offsets(2), ..OFFSETS };

/// A loss of pairs of answers by the logits of their tokens.
const fn of_pairs(
    head: fn(&Values) -> Box<dyn Loss>,
    lengths: fn(&Values) -> &'static [&'static str],
    averages: fn(&Values) -> bool,
) -> Driver {
    Driver::Sequences(Sequences {
        head,
        made: &["chosen", "rejected"],
        lengths,
        averages,
        takes_logits: true,
        takes_hidden: false,
    })
}

const PAIRS: &[Input] = &[LOGITS, TARGET, OFFSETS_OF_PAIRS, WEIGHT];

/// The forms that divide by the lengths of answers.
pub(super) fn preference_lengths(values: &Values) -> &'static [&'static str] {
    match values.word("form") {
        PreferenceForm::Ipo | PreferenceForm::SigmoidNorm => &["chosen_length", "rejected_length"],
        _ => &[],
    }
}

pub(super) fn preference(values: &Values) -> Box<dyn Loss> {
    let [beta, label_smoothing, tau] = ["beta", "label_smoothing", "tau"].map(|name| number(values, name));
    Box::new(Preference { form: values.word("form"), beta, label_smoothing, tau })
}

loss! {
    /// [`Preference`] of answers by the logits of their tokens: DPO and its relatives.
    ///
    /// The sums of the log-probabilities of the answers' tokens, and the numbers of these, are made here; the reference
    /// has its own already.
    ///
    /// Inputs `logits` ∂ `[T, V]` and `target` `[T]` i32 of the tokens of all answers, the chosen ones before the
    /// rejected ones; `ref_chosen` and `ref_rejected` `[B]`, sums of log-probabilities; `offsets` `[2·B + 1]` i32,
    /// where each answer begins, and last T; optional `weight` `[B]`. Tokens whose target is `ignore_index`, as those
    /// of prompts, do not count. Source: Rafailov et al. 2023, arXiv 2305.18290, and what TRL's DPO trainer has beside
    /// it.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, PreferenceOfLogits, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// // An answer of two tokens, and one of one, as likely as the reference has them.
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32; 6], [3, 2])?)
    ///     .with("target", &[0, 1, 1])
    ///     .with("ref_chosen", &[2.0 * -std::f32::consts::LN_2])
    ///     .with("ref_rejected", &[-std::f32::consts::LN_2])
    ///     .with("offsets", &[0, 2, 3]);
    /// let result = PreferenceOfLogits::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct PreferenceOfLogits {
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
    }

    pub static PREFERENCE_OF_LOGITS: LossSpec = {
        name: "preference_of_logits",
        family: Family::Preferences,
        formula: "preference of chosen and rejected = Σ_t x_y − log Σ_c exp(x_c)",
        notes: "Σ_t over the tokens of an answer",
        source: "Rafailov et al. 2023, arXiv 2305.18290; TRL",
        driver: of_pairs(preference, preference_lengths, |_| false),
        inputs: &[LOGITS, TARGET, held("ref_chosen"), held("ref_rejected"), OFFSETS_OF_PAIRS, WEIGHT],
        shader: PREFERENCE.shader,
        reference: Reference::Sequences,
    };
}

pub(super) fn cpo(values: &Values) -> Box<dyn Loss> {
    let [beta, label_smoothing] = ["beta", "label_smoothing"].map(|name| number(values, name));
    Box::new(Cpo { beta, label_smoothing })
}

loss! {
    /// [`Cpo`] of answers by the logits of their tokens.
    ///
    /// Inputs as [`PreferenceOfLogits`], without a reference.
    ///
    /// ```
    /// # use wgloss::{CpoOfLogits, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32; 4], [2, 2])?)
    ///     .with("target", &[0, 1])
    ///     .with("offsets", &[0, 1, 2]);
    /// let result = CpoOfLogits::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct CpoOfLogits {
        /// What the difference is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// The part of pairs that are expected to be labelled the wrong way round; from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static CPO_OF_LOGITS: LossSpec = {
        name: "cpo_of_logits",
        family: Family::Preferences,
        formula: "cpo of chosen and rejected = Σ_t x_y − log Σ_c exp(x_c)",
        notes: "Σ_t over the tokens of an answer",
        source: "Xu et al. 2024, arXiv 2401.08417",
        driver: of_pairs(cpo, |_| &[], |_| false),
        inputs: PAIRS,
        shader: CPO.shader,
        reference: Reference::Sequences,
    };
}

pub(super) fn simpo(values: &Values) -> Box<dyn Loss> {
    let [beta, gamma, label_smoothing] = ["beta", "gamma", "label_smoothing"].map(|name| number(values, name));
    Box::new(Simpo { beta, gamma, label_smoothing })
}

loss! {
    /// [`Simpo`] of answers by the logits of their tokens, whose log-probabilities it has the means of.
    ///
    /// Inputs as [`PreferenceOfLogits`], without a reference.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, SimpoOfLogits};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32; 6], [3, 2])?)
    ///     .with("target", &[0, 1, 1])
    ///     .with("offsets", &[0, 2, 3]);
    /// let loss = SimpoOfLogits { gamma: 0.0, ..SimpoOfLogits::default() };
    /// let result = loss.eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct SimpoOfLogits {
        /// What the difference is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// By how much the product is to be larger; a finite number.
        pub gamma: f32 = 0.5 => Rule::Finite;
        /// The part of pairs that are expected to be labelled the wrong way round; from 0 to 1.
        pub label_smoothing: f32 = 0.0 => Rule::Unit;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static SIMPO_OF_LOGITS: LossSpec = {
        name: "simpo_of_logits",
        family: Family::Preferences,
        formula: "simpo of chosen and rejected = mean_t of x_y − log Σ_c exp(x_c)",
        notes: "mean_t over the tokens of an answer",
        source: "Meng et al. 2024, arXiv 2405.14734",
        driver: of_pairs(simpo, |_| &[], |_| true),
        inputs: PAIRS,
        shader: SIMPO.shader,
        reference: Reference::Sequences,
    };
}

pub(super) fn orpo(values: &Values) -> Box<dyn Loss> {
    Box::new(Orpo { beta: number(values, "beta") })
}

loss! {
    /// [`Orpo`] of answers by the logits of their tokens, whose log-probabilities it has the means of.
    ///
    /// Inputs as [`PreferenceOfLogits`], without a reference.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, OrpoOfLogits, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32; 4], [2, 2])?)
    ///     .with("target", &[0, 1])
    ///     .with("offsets", &[0, 1, 2]);
    /// let result = OrpoOfLogits::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.1 * std::f64::consts::LN_2, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct OrpoOfLogits {
        /// What the term is multiplied with; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static ORPO_OF_LOGITS: LossSpec = {
        name: "orpo_of_logits",
        family: Family::Preferences,
        formula: "orpo of chosen and rejected = mean_t of x_y − log Σ_c exp(x_c)",
        notes: "mean_t over the tokens of an answer",
        source: "Hong, Lee and Thorne 2024, arXiv 2403.07691",
        driver: of_pairs(orpo, |_| &[], |_| true),
        inputs: PAIRS,
        shader: ORPO.shader,
        reference: Reference::Sequences,
    };
}

pub(super) fn kto(values: &Values) -> Box<dyn Loss> {
    let [beta, desirable_weight, undesirable_weight] =
        ["beta", "desirable_weight", "undesirable_weight"].map(|name| number(values, name));
    Box::new(Kto { beta, desirable_weight, undesirable_weight })
}

loss! {
    /// [`Kto`] of answers by the logits of their tokens.
    ///
    /// Inputs `logits` ∂ `[T, V]` and `target` `[T]` i32 of the tokens of all answers; `ref_log_prob` `[B]`, sums of
    /// log-probabilities; `desirable` `[B]`, checked to be 0 or 1; `kl`, one value; `offsets` `[B + 1]` i32, where each
    /// answer begins, and last T; optional `weight` `[B]`. Tokens whose target is `ignore_index` do not count.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, KtoOfLogits, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("logits", HostTensor::new(&[0.0_f32; 4], [2, 2])?)
    ///     .with("target", &[0, 1])
    ///     .with("ref_log_prob", &[-std::f32::consts::LN_2; 2])
    ///     .with("desirable", &[1, 0])
    ///     .with("kl", &[0.0_f32])
    ///     .with("offsets", &[0, 1, 2]);
    /// let result = KtoOfLogits::default().eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.5, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct KtoOfLogits {
        /// How firmly the policy is held to the reference; above 0.
        pub beta: f32 = 0.1 => Rule::Positive;
        /// What the loss of desirable answers is multiplied with; 0 or above.
        pub desirable_weight: f32 = 1.0 => Rule::NonNegative;
        /// What the loss of the others is multiplied with; 0 or above.
        pub undesirable_weight: f32 = 1.0 => Rule::NonNegative;
        /// The target of tokens that do not count.
        pub ignore_index: i32 = -100 => Rule::Integer;
    }

    pub static KTO_OF_LOGITS: LossSpec = {
        name: "kto_of_logits",
        family: Family::Preferences,
        formula: "kto of log_prob = Σ_t x_y − log Σ_c exp(x_c)",
        notes: "Σ_t over the tokens of an answer",
        source: "Ethayarajh et al. 2024, arXiv 2402.01306",
        driver: Driver::Sequences(Sequences {
            head: kto,
            made: &["log_prob"],
            lengths: |_| &[],
            averages: |_| false,
            takes_logits: true,
            takes_hidden: false,
        }),
        inputs: &[
            LOGITS,
            TARGET,
            held("ref_log_prob"),
            Input::label("desirable", Domain::Similar),
            Input::constant("kl", Shape::Scalar, Domain::Real),
            OFFSETS,
            WEIGHT,
        ],
        shader: KTO.shader,
        reference: Reference::Sequences,
    };
}
